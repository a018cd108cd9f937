import { Readable } from "node:stream";
import { cleanText, isFederationError, ResponseError, TransportError } from "../errors.js";

/** What a file's stream is held to. */
export interface FileLimits {
  /** How many bytes the file may have. */
  readonly maxBytes: number;
  /** How long nothing may come of the file, or nothing be read, in milliseconds. */
  readonly idleMs: number;
  /** How many bytes a second have to come while the server is waited for, on average over `idleMs`; 0 for any. */
  readonly minBytesPerSecond: number;
}

/** What a file's errors name. */
export interface FileOrigin {
  /** The server that was asked. */
  readonly server: string;
  /** The endpoint's name. */
  readonly endpoint: string;
  /** The host that the server redirected to, where it did. */
  readonly host?: string | undefined;
}

/** What an error says of where the file comes from. */
export function originDetails({ server, endpoint, host }: FileOrigin): {
  server: string;
  endpoint: string;
  lines: readonly string[];
} {
  return { server, endpoint, lines: host === undefined ? [] : [`Host: ${cleanText(host, 260)}`] };
}

const CHUNK_BYTES = 64 * 1024;

/**
 * The bytes of one file: no faster than they are read, no more than they may be, and neither for ever without a byte nor
 * for ever one byte at a time. It ends only when the file is whole.
 */
export class FileBody extends Readable {
  readonly #source: Readable;
  readonly #from: FileOrigin;
  #limits: FileLimits;
  #bytes = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Since when the server is waited for; absent while nobody reads. */
  #waitingSince: number | undefined;
  /** How long it has been waited for before that, and what came, since the pace was looked at last. */
  #waitedMs = 0;
  #paceBytes = 0;

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
    this.#waitingSince ??= performance.now();
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
    else if (this.#isTooSlow(chunk.length)) this.#onTooSlow();
    else if (this.push(chunk)) this.#waitingSince = performance.now();
    else {
      this.#waitingSince = undefined;
      this.#source.pause();
    }
  }

  /** Only the time counts in which the server could have sent: who reads slowly makes no server slow. */
  #isTooSlow(bytes: number): boolean {
    const now = performance.now();
    this.#waitedMs += now - (this.#waitingSince ?? now);
    this.#paceBytes += bytes;
    const { idleMs, minBytesPerSecond } = this.#limits;
    if (this.#waitedMs < idleMs) return false;
    const isTooSlow = this.#paceBytes * 1_000 < minBytesPerSecond * this.#waitedMs;
    this.#waitedMs = 0;
    this.#paceBytes = 0;
    return isTooSlow;
  }

  #onTooSlow(): void {
    const message = `The file comes slower than ${this.#limits.minBytesPerSecond} bytes a second; the option minBytesPerSecond allows less.`;
    this.destroy(new TransportError("ERR_TIMEOUT", message, { ...originDetails(this.#from), requestSent: true }));
  }

  #end(): void {
    // What is left waits here, and takes no connection.
    clearTimeout(this.#idle);
    this.push(null);
  }

  #onIdle(): void {
    const message = `Nothing came of the file, or nothing was read of it, for ${this.#limits.idleMs} ms.`;
    this.destroy(new TransportError("ERR_TIMEOUT", message, { ...originDetails(this.#from), requestSent: true }));
  }

  #fail(cause: Error): void {
    if (this.destroyed) return;
    if (cause instanceof TransportError) {
      const { code, requestSent } = cause;
      const message = "The connection broke before the file was whole.";
      const details = { ...originDetails(this.#from), requestSent, cause: cause.cause };
      this.destroy(new TransportError(code, message, details));
    } else if (isFederationError(cause)) this.destroy(cause);
    else this.destroy(notWhole(cause, this.#from));
  }
}

/** The error of a file that is larger than it may be. */
export function tooLarge(maxBytes: number, from: FileOrigin): ResponseError {
  const message = `The file is larger than ${maxBytes} bytes; the option maxBytes allows more.`;
  return new ResponseError("ERR_RESPONSE_TOO_LARGE", message, { ...originDetails(from), status: 200 });
}

function notWhole(cause: Error, from: FileOrigin): ResponseError {
  const issues = [{ path: "$", message: cause.message }];
  const details = originDetails(from);
  const lines = [...details.lines, `Issue: $: ${cause.message}`];
  const message = "The response ended before the file did, or is garbled.";
  return new ResponseError("ERR_RESPONSE_INVALID", message, { ...details, status: 200, cause, issues, lines });
}
