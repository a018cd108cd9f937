import { Readable } from "node:stream";
import { isFederationError, ResponseError, TransportError } from "../errors.js";

/** What a file's stream is held to. */
export interface FileLimits {
  /** How many bytes the file may have. */
  readonly maxBytes: number;
  /** How long nothing may come of the file, or nothing be read, in milliseconds. */
  readonly idleMs: number;
}

/** What a file's errors name. */
export interface FileOrigin {
  /** The server that was asked. */
  readonly server: string;
  /** The endpoint's name. */
  readonly endpoint: string;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * The bytes of one file: no faster than they are read, no more than they may be, and not for ever without a byte. It
 * ends only when the file is whole.
 */
export class FileBody extends Readable {
  readonly #source: Readable;
  readonly #from: FileOrigin;
  #limits: FileLimits;
  #bytes = 0;
  #idle: NodeJS.Timeout | undefined;

  /** From the file's bytes; an error of theirs that is none of this library's means that they are no file. */
  constructor(source: Readable, limits: FileLimits, from: FileOrigin) {
    super({ highWaterMark: CHUNK_BYTES });
    this.#source = source;
    this.#from = from;
    this.#limits = limits;
    // Whoever reads sees the error all the same; nobody reading, it must not end the process.
    this.on("error", () => {});
    source.on("error", (error: Error) => this.#fail(error));
    source.on("close", () => {
      if (!source.readableEnded) this.#fail(new Error("the file is not whole"));
    });
    this.limit(limits);
  }

  /** Sets other limits. Nothing is read before somebody wants the first byte. */
  limit(limits: FileLimits): void {
    this.#limits = limits;
    clearTimeout(this.#idle);
    if (!this.destroyed) this.#idle = setTimeout(() => this.#onIdle(), limits.idleMs);
  }

  override _read(): void {
    this.#idle?.refresh();
    if (this.#source.listenerCount("data") > 0) this.#source.resume();
    else this.#source.on("data", (chunk: Buffer) => this.#take(chunk)).on("end", () => this.#end());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#idle);
    this.#source.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#idle?.refresh();
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.maxBytes) this.destroy(tooLarge(this.#limits.maxBytes, this.#from));
    else if (!this.push(chunk)) this.#source.pause();
  }

  #end(): void {
    // What is left waits here, and takes no connection.
    clearTimeout(this.#idle);
    this.push(null);
  }

  #onIdle(): void {
    const message = `Nothing came of the file, or nothing was read of it, for ${this.#limits.idleMs} ms.`;
    this.destroy(new TransportError("ERR_TIMEOUT", message, { ...this.#from, requestSent: true }));
  }

  #fail(cause: Error): void {
    if (this.destroyed) return;
    if (cause instanceof TransportError) {
      const { code, requestSent } = cause;
      const message = "The connection broke before the file was whole.";
      this.destroy(new TransportError(code, message, { ...this.#from, requestSent, cause: cause.cause }));
    } else if (isFederationError(cause)) this.destroy(cause);
    else this.destroy(notWhole(cause, this.#from));
  }
}

/** The error of a file that is larger than it may be. */
export function tooLarge(maxBytes: number, from: FileOrigin): ResponseError {
  const message = `The file is larger than ${maxBytes} bytes; the option maxBytes allows more.`;
  return new ResponseError("ERR_RESPONSE_TOO_LARGE", message, { ...from, status: 200 });
}

function notWhole(cause: Error, from: FileOrigin): ResponseError {
  const issues = [{ path: "$", message: cause.message }];
  const lines = [`Issue: $: ${cause.message}`];
  const message = "The response ended before the file did, or is garbled.";
  return new ResponseError("ERR_RESPONSE_INVALID", message, { ...from, status: 200, cause, issues, lines });
}
