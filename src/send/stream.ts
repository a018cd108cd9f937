import { pipeline, Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Cancellation } from "../cancellation.js";
import type { Destination } from "../connect/target.js";
import { TransportError } from "../errors.js";
import type { ResolvedServer } from "../resolve/resolved-server.js";
import { Collector, decompressor, ERROR_BODY_BYTES, type RawResponse, SendFailure } from "./collect.js";
import type { Pools, SendOptions } from "./pools.js";
import { headersOf, transportError, type WireRequest, withoutBytes, withSecondTry } from "./send.js";

/** A response whose body, where it is a success, has not been read yet. */
export interface StreamedResponse extends RawResponse {
  /**
   * The body of a success, decompressed. Whoever gets it reads it to its end or destroys it: its connection is taken
   * until then. It fails with a {@link TransportError} when the connection breaks. Absent for other responses, whose
   * body has been read as usual.
   */
  readonly stream?: Readable;
}

const CHUNK_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);

/** The body of a response as it comes off the wire, no faster than it is read. */
class Body extends Readable {
  readonly #controller: Dispatcher.DispatchController;
  #isOver = false;

  constructor(controller: Dispatcher.DispatchController) {
    super({ highWaterMark: CHUNK_BYTES });
    this.#controller = controller;
    // Whoever reads sees the error all the same; without a listener it would end the process.
    this.on("error", () => {});
  }

  deliver(chunk: Buffer): void {
    if (!this.push(chunk)) this.#controller.pause();
  }

  finish(): void {
    this.#isOver = true;
    this.push(null);
  }

  fail(cause: Error): void {
    this.#isOver = true;
    const message = "The connection broke before the response was whole.";
    this.destroy(new TransportError("ERR_CONNECTION_LOST", message, { cause: withoutBytes(cause), requestSent: true }));
  }

  override _read(): void {
    if (!this.#isOver) this.#controller.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#controller.abort(error ?? new Error("The response was given up"));
    }
    done(error);
  }
}

/** Takes one response for undici's `dispatch`: a success as a stream, anything else as a {@link Collector} does. */
class Opener implements Dispatcher.DispatchHandler {
  readonly #resolve: (response: StreamedResponse) => void;
  readonly #collector: Collector;
  #body: Body | undefined;

  constructor(resolve: (response: StreamedResponse) => void, reject: (failure: SendFailure) => void) {
    this.#resolve = resolve;
    this.#collector = new Collector(resolve, reject, ERROR_BODY_BYTES);
  }

  /** Set by the connection that the request is made on. */
  set connection(connection: Collector["connection"]) {
    this.#collector.connection = connection;
  }

  /** Gives the request up; not after its response has come. */
  abort(reason: Error): void {
    this.#collector.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#collector.onRequestStart(controller);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: RawResponse["headers"]): void {
    if (status < 200) return;
    if (status > 299) {
      this.#collector.onResponseStart(controller, status, headers);
      return;
    }
    this.#body = new Body(controller);
    const stream = decompressed(this.#body, headers["content-encoding"]);
    this.#resolve({ status, ok: true, headers, body: null, bytes: EMPTY, tooLarge: false, stream });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body) this.#body.deliver(chunk);
    else this.#collector.onResponseData(controller, chunk);
  }

  onResponseEnd(): void {
    if (this.#body) this.#body.finish();
    else this.#collector.onResponseEnd();
  }

  onResponseError(controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#body) this.#body.fail(error);
    else this.#collector.onResponseError(controller, error);
  }
}

/** Nobody asked for a file to be compressed; who compresses one nevertheless is understood. */
function decompressed(body: Readable, encoding: string | string[] | undefined): Readable {
  const through = decompressor(encoding, {});
  return through ? pipeline(body, through, () => {}) : body;
}

/** Makes one request, which `cancellation` ends until its response has come. */
function exchange(
  dispatcher: Dispatcher,
  options: Omit<SendOptions, "collector">,
  cancellation: Cancellation,
): Promise<StreamedResponse> {
  let stopListening = (): void => {};
  return new Promise<StreamedResponse>((resolve, reject) => {
    if (cancellation.aborted) throw new SendFailure(cancellation.reason, false);
    const opener = new Opener(resolve, reject);
    stopListening = cancellation.onAbort(() => opener.abort(cancellation.reason as Error));
    const full: SendOptions = { ...options, collector: opener };
    dispatcher.dispatch(full, opener);
  }).finally(() => stopListening());
}

/** Makes one request on a connection of its own, which ends with the response's body. */
function exchangeApart(
  pools: Pools,
  destination: Destination,
  options: Omit<SendOptions, "collector">,
  cancellation: Cancellation,
): Promise<StreamedResponse> {
  return new Promise((resolve, reject) => {
    const use = async (connection: Dispatcher): Promise<void> => {
      const response = await exchange(connection, options, cancellation);
      resolve(response);
      const { stream } = response;
      if (stream && !stream.closed) await new Promise<void>((closed) => stream.once("close", closed));
    };
    pools.withNewConnection(destination, use).catch(reject);
  });
}

/**
 * Has a buffer detached. undici's parser does that at the first large chunk of a process, whereupon engines throw away all
 * that they have compiled of code over bytes: sooner is better, when there is none yet.
 */
function detachBuffer(): void {
  const buffer = new ArrayBuffer(1);
  structuredClone(buffer, { transfer: [buffer] });
}

/** What a response that is streamed is asked for as. */
export type StreamKind = "file" | "json";

const acceptHeaders: Readonly<Record<StreamKind, Readonly<Record<string, string>>>> = {
  // A file is compressed already, mostly.
  file: { accept: "*/*", "accept-encoding": "identity" },
  json: {},
};

/**
 * Sends a request to a resolved server and takes the response, a success with its body still to be read. Redirects are
 * not followed. Where a connection that was idle breaks before a byte of the answer, the request is made once more on a
 * new one.
 *
 * @param cancellation - Ends the request until the response has come; from then on, destroy its stream.
 * @throws {@link TransportError} when there is no response; `ERR_TIMEOUT` when it was cancelled.
 */
export async function openStream(
  pools: Pools,
  target: ResolvedServer,
  request: WireRequest,
  cancellation: Cancellation,
  kind: StreamKind,
): Promise<StreamedResponse> {
  const { method, uri: path, content = null } = request;
  const headers = { ...headersOf(target, request), ...acceptHeaders[kind] };
  detachBuffer();
  const options = { method, path, headers, body: content };
  try {
    return await withSecondTry(exchange(pools.of(target, "files"), options, cancellation), () =>
      exchangeApart(pools, target, options, cancellation),
    );
  } catch (error) {
    throw transportError(error, cancellation);
  }
}

/**
 * Makes one GET of a URL, unsigned, on a connection of its own. Redirects are not followed.
 *
 * @param destination - Where the URL's host is.
 * @param cancellation - Ends the request until the response has come; from then on, destroy its stream.
 * @throws {@link TransportError} when there is no response; `ERR_TIMEOUT` when it was cancelled.
 */
export async function openUrl(
  pools: Pools,
  destination: Destination,
  url: URL,
  userAgent: string,
  cancellation: Cancellation,
): Promise<StreamedResponse> {
  const headers = { host: url.host, accept: "*/*", "accept-encoding": "identity", "user-agent": userAgent };
  const options = { method: "GET", path: url.pathname + url.search, headers } as const;
  try {
    return await exchangeApart(pools, destination, options, cancellation);
  } catch (error) {
    throw transportError(error, cancellation);
  }
}
