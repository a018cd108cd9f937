import type { Ed25519Engine } from "../sign/ed25519-engine.js";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const HEAD_BYTES = KEY_BYTES + SIGNATURE_BYTES;
/** What an ordinary event's signature covers. */
const MESSAGE_BYTES = 700;
/** Right for no message. */
const NO_SIGNATURE = new Uint8Array(SIGNATURE_BYTES);

/** Signatures to be verified, one behind the other: each a public key, the signature, and what it covers. */
export interface SignatureBatch {
  /** The signatures. */
  readonly bytes: Uint8Array;
  /** Where each ends in `bytes`. */
  readonly ends: readonly number[];
}

/** Puts signatures one behind the other. */
export class SignatureBatchBuilder {
  #bytes: Uint8Array;
  #length = 0;
  readonly #ends: number[] = [];

  /** With about how many there will be. */
  constructor(count: number) {
    this.#bytes = new Uint8Array(count * (HEAD_BYTES + MESSAGE_BYTES));
  }

  /** How many there are. */
  get count(): number {
    return this.#ends.length;
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** Adds one: a public key of 32 bytes, a signature, and what it covers, which are copied. */
  add(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): void {
    const start = this.#length;
    const end = start + HEAD_BYTES + message.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    this.#bytes.set(publicKey, start);
    this.#bytes.set(signature.length === SIGNATURE_BYTES ? signature : NO_SIGNATURE, start + KEY_BYTES);
    this.#bytes.set(message, start + HEAD_BYTES);
    this.#length = end;
    this.#ends.push(end);
  }

  /** Forgets them. */
  clear(): void {
    this.#length = 0;
    this.#ends.length = 0;
  }

  /** All that were added: good until it is cleared. */
  build(): SignatureBatch {
    return { bytes: this.#bytes.subarray(0, this.#length), ends: this.#ends };
  }
}

/** Whether one signature of a batch is right. Never throws. */
export function isRightAt({ bytes, ends }: SignatureBatch, at: number, engine: Ed25519Engine): boolean {
  const start = ends[at - 1] ?? 0;
  const head = start + HEAD_BYTES;
  const publicKey = bytes.subarray(start, start + KEY_BYTES);
  return engine.verify(publicKey, bytes.subarray(head, ends[at]), bytes.subarray(start + KEY_BYTES, head));
}
