import { constants, createBrotliDecompress, createGunzip, createInflate, type ZlibOptions } from "node:zlib";
import type { Dispatcher } from "undici";

/** A response as it came off the wire, its body read, decompressed and bounded. */
export interface RawResponse {
  /** The HTTP status. */
  readonly status: number;
  /** Whether the status is a success; ky looks at it. */
  readonly ok: boolean;
  /** The headers, names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Nothing is left to stream; ky looks at it. */
  readonly body: null;
  /** The body, decompressed; cut off at the limit. */
  readonly bytes: Buffer;
  /** Whether the body was cut off because it was larger than allowed. */
  readonly tooLarge: boolean;
}

/** Why there is no response, and whether any byte of the request may have left. */
export class SendFailure extends Error {
  /** Whether any byte of the request may have reached the server. */
  readonly requestSent: boolean;
  /** Whether the connection was an old one that broke before a byte of the answer: the server may just have closed it. */
  readonly wasIdle: boolean;

  /** With the cause. */
  constructor(cause: unknown, requestSent: boolean, wasIdle = false) {
    super("no response", { cause });
    this.requestSent = requestSent;
    this.wasIdle = wasIdle;
  }
}

/** How many bytes of an error's body are read at most, after decompression. */
export const ERROR_BODY_BYTES: number = 64 * 1024;
const MIN_BUFFER_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);
/** A body is taken though the end of its gzip is missing, as browsers do. */
const LENIENT = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };

type Decompressor = ReturnType<typeof createGunzip>;

/** What undoes a `Content-Encoding`; undefined where there is none, or none that is known. */
export function decompressor(
  encoding: string | string[] | undefined,
  ofGunzip: ZlibOptions = LENIENT,
): Decompressor | undefined {
  switch (
    String(encoding ?? "")
      .trim()
      .toLowerCase()
  ) {
    case "gzip":
    case "x-gzip":
      return createGunzip(ofGunzip);
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    default:
      return undefined;
  }
}

/**
 * Reads one response for undici's `dispatch`. The body is counted after decompression; beyond the limit the connection
 * is given up, so that an endless body costs no more than the limit.
 */
export class Collector implements Dispatcher.DispatchHandler {
  /** The connection that the request is made on, and how many bytes have come over it; set by that. */
  connection: { readonly bytesRead: number } | undefined;
  readonly #resolve: (response: RawResponse) => void;
  readonly #reject: (failure: SendFailure) => void;
  readonly #maxBytes: number;
  #controller: Dispatcher.DispatchController | undefined;
  #abortReason: Error | undefined;
  #bytesBefore = 0;
  #decompressor: Decompressor | undefined;
  #limit = 0;
  #bytes: Buffer = EMPTY;
  #length = 0;
  #hasOwnBytes = false;
  #bodyEnded = false;
  #status = 0;
  #headers: RawResponse["headers"] = {};
  #over = false;

  /** Settles one of the two functions, once. `maxBytes` bounds a success; error bodies are bounded more tightly. */
  constructor(resolve: (response: RawResponse) => void, reject: (failure: SendFailure) => void, maxBytes: number) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#maxBytes = maxBytes;
  }

  /** Gives the request up. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    this.#fail(reason);
    this.#controller?.abort(reason);
  }

  /** Called by undici when the request is about to be written to a connection. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, because abort() would close the connection, which other requests wait for.
    if (this.#abortReason) throw this.#abortReason;
    this.#controller = controller;
    this.#bytesBefore = this.connection?.bytesRead ?? 0;
  }

  /** Called by undici with status and headers. */
  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: RawResponse["headers"]): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#limit = status < 300 ? this.#maxBytes : Math.min(this.#maxBytes, ERROR_BODY_BYTES);
    this.#decompressor = decompressor(headers["content-encoding"]);
    this.#decompressor
      ?.on("data", (chunk: Buffer) => this.#take(chunk))
      // Where something follows what was compressed, the connection is not free yet, and never may be.
      .on("end", () => (this.#bodyEnded ? this.#finish(false) : this.#giveUp(() => this.#finish(false))))
      .on("error", () => this.#giveUp(() => this.#finishUnreadable()))
      .on("drain", () => this.#controller?.resume());
  }

  /** Called by undici with a piece of the body. */
  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#decompressor) this.#take(chunk);
    else if (!this.#decompressor.write(chunk)) controller.pause();
  }

  /** Called by undici when the body has ended. */
  onResponseEnd(): void {
    this.#bodyEnded = true;
    if (this.#decompressor) this.#decompressor.end();
    // undici frees the connection in the next turn of the event loop; whoever asks again before opens another one.
    else queueMicrotask(() => setImmediate(() => this.#finish(false)));
  }

  /** Called by undici when the connection failed. */
  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#fail(error);
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    const room = this.#limit - this.#length;
    this.#append(chunk.length > room ? chunk.subarray(0, room) : chunk);
    if (chunk.length > room) this.#giveUp(() => this.#finish(true));
  }

  /** Most bodies are one chunk, which stays where it is. Many chunks go into one buffer: each on its own is an object. */
  #append(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#length === 0) this.#bytes = chunk;
    else {
      if (!this.#hasOwnBytes || length > this.#bytes.length) {
        const grown = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(length * 2, MIN_BUFFER_BYTES)));
        this.#bytes.copy(grown, 0, 0, this.#length);
        this.#bytes = grown;
        this.#hasOwnBytes = true;
      }
      chunk.copy(this.#bytes, this.#length);
    }
    this.#length = length;
  }

  #finish(tooLarge: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const bytes = this.#bytes.subarray(0, this.#length);
    const status = this.#status;
    this.#resolve({ status, ok: status < 300, headers: this.#headers, body: null, bytes, tooLarge });
  }

  /** A body that is not in the encoding it claims to be in is an answer, and no good one: it is as if it were empty. */
  #finishUnreadable(): void {
    this.#length = 0;
    this.#finish(false);
  }

  #fail(cause: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#decompressor?.destroy();
    const requestSent = this.#controller !== undefined;
    // Who has been answered on it before, and has now got no byte.
    const isUnanswered = this.#bytesBefore > 0 && this.connection?.bytesRead === this.#bytesBefore;
    this.#reject(new SendFailure(cause, requestSent, requestSent && isUnanswered && !this.#abortReason));
  }

  #giveUp(settle: () => void): void {
    settle();
    this.#decompressor?.destroy();
    this.#controller?.abort(new Error("The response was given up"));
  }
}
