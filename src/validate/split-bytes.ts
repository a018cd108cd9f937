const EMPTY = new Uint8Array(0);
const MIN_BYTES = 1024;

/** Bytes that come in pieces and are held in one place, up to a bound. */
export class SplitBytes {
  /** The most bytes that are held. */
  readonly maxBytes: number;
  #bytes: Uint8Array = EMPTY;
  #length = 0;

  /** Holds nothing yet. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** How many bytes are held. */
  get length(): number {
    return this.#length;
  }

  /** Adds a part of a chunk; false, and nothing is added, where that would be too much. */
  append(chunk: Uint8Array, from: number, to: number): boolean {
    const length = this.#length + to - from;
    if (length > this.maxBytes) return false;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.maxBytes, Math.max(length, this.#bytes.length * 2, MIN_BYTES)));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk.subarray(from, to), this.#length);
    this.#length = length;
    return true;
  }

  /** The bytes between two places: good until more are added. */
  read(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }

  /** Hands out all the bytes for good, and holds none. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#bytes = EMPTY;
    this.#length = 0;
    return bytes;
  }
}
