import { walk } from "canonical-json";
import { SignError } from "../errors.js";
import { isWellFormed } from "../name/well-formed.js";
import { canonicalFault, MAX_DEPTH, type Numbers } from "./canonical-fault.js";
import { compareCodePoints, isBelowSurrogates, sortByUnits } from "./canonical-order.js";

const COMMA = 0x2c;
const COLON = 0x3a;
const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Safe integers are below the square of it. */
const HALF = 1e8;
const HALF_DIGITS = 8;
/** So few bytes are copied sooner one by one than together. */
const FEW_BYTES = 200;
const MIN_BYTES = 8 * 1024;
/** A writer that needed more memory gives it back. */
const MAX_KEPT_BYTES = 256 * 1024;

const encoder = new TextEncoder();

/** By UTF-16 unit: 1 for what is printable ASCII and needs no escape. */
const isPlain = new Uint8Array(0x10000).fill(1, 0x20, 0x7f);
isPlain[QUOTE] = 0;
isPlain[0x5c] = 0;

/** Not as a member of each text: engines have many kinds of texts, and look it up again for each character. */
const { charCodeAt } = String.prototype;

/**
 * Writes canonical JSON, as UTF-8, into memory that is used again: what is hashed and signed is thrown away at once, and
 * as texts it would be most of the garbage that an event makes.
 */
export class CanonicalWriter {
  #bytes = new Uint8Array(MIN_BYTES);
  #length = 0;

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** What is between two places: good until more is written. */
  read(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }

  /** Takes back what was written from a place on. */
  rewind(to: number): void {
    this.#length = to;
  }

  /** Forgets everything, and gives back memory that is seldom needed. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = new Uint8Array(MIN_BYTES);
  }

  /**
   * Writes a value.
   *
   * @throws {@link SignError} `ERR_CANONICAL_JSON` when it has no canonical JSON.
   */
  write(value: unknown, numbers: Numbers): void {
    if (!this.writeOrdinary(value)) this.writeText(encodeAny(value, numbers));
  }

  /**
   * Writes what is in nearly every event. It writes nothing and answers false for the rest, right or wrong: keys beyond
   * U+D7FF, floats, everything that is no JSON.
   */
  writeOrdinary(value: unknown): boolean {
    const start = this.#length;
    const isWritten = this.#value(value, 0);
    if (!isWritten) this.#length = start;
    return isWritten;
  }

  /** Writes a text as it is. */
  writeText(text: string): void {
    // No UTF-16 unit takes more than three bytes.
    this.#reserve(text.length * 3);
    this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  /** Writes bytes, of which there are few. */
  writeBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    const own = this.#bytes;
    const start = this.#length;
    for (let at = 0; at < bytes.length; at++) own[start + at] = bytes[at] as number;
    this.#length += bytes.length;
  }

  /** Writes what another writer has between two places. */
  copy(other: CanonicalWriter, from: number, to: number): void {
    this.#reserve(to - from);
    if (to - from > FEW_BYTES) {
      this.#bytes.set(other.#bytes.subarray(from, to), this.#length);
      this.#length += to - from;
      return;
    }
    const [source, own] = [other.#bytes, this.#bytes];
    let length = this.#length;
    for (let at = from; at < to; at++) own[length++] = source[at] as number;
    this.#length = length;
  }

  /**
   * Writes the key of a member, with the comma before it and the colon after it: {@link CanonicalWriter.close} makes a
   * brace of the first comma. The order is up to the caller.
   *
   * @throws {@link SignError} `ERR_CANONICAL_JSON` when it has an unpaired surrogate.
   */
  writeKey(key: string): void {
    this.#byte(COMMA);
    this.write(key, "integers");
    this.#byte(COLON);
  }

  /** Makes an object of the members that were written from a place on. */
  close(from: number): void {
    if (this.#length === from) this.#byte(OPEN_OBJECT);
    else this.#bytes[from] = OPEN_OBJECT;
    this.#byte(CLOSE_OBJECT);
  }

  #value(value: unknown, depth: number): boolean {
    // Not a switch: engines know these comparisons, and need no texts for them.
    if (typeof value === "string") return this.#string(value, false);
    if (typeof value === "number") return Number.isSafeInteger(value) && this.#integer(value);
    if (typeof value === "boolean") return this.#ascii(value ? "true" : "false");
    if (typeof value !== "object") return false;
    if (value === null) return this.#ascii("null");
    if (depth === MAX_DEPTH || (value as { toJSON?: unknown }).toJSON !== undefined) return false;
    return Array.isArray(value) ? this.#array(value, depth) : this.#object(value, depth);
  }

  #array(value: readonly unknown[], depth: number): boolean {
    this.#byte(OPEN_ARRAY);
    for (let index = 0; index < value.length; index++) {
      if (index > 0) this.#byte(COMMA);
      if (!this.#value(value[index], depth + 1)) return false;
    }
    this.#byte(CLOSE_ARRAY);
    return true;
  }

  #object(value: object, depth: number): boolean {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return false;
    const keys = Object.keys(value);
    sortByUnits(keys);
    this.#byte(OPEN_OBJECT);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string;
      if (index > 0) this.#byte(COMMA);
      if (!this.#string(key, true)) return false;
      this.#byte(COLON);
      if (!this.#value((value as Record<string, unknown>)[key], depth + 1)) return false;
    }
    this.#byte(CLOSE_OBJECT);
    return true;
  }

  #string(text: string, isKey: boolean): boolean {
    if (this.#plain(text)) return true;
    if (!isWellFormed(text) || (isKey && !isBelowSurrogates(text))) return false;
    this.writeText(JSON.stringify(text));
    return true;
  }

  /** Writes a text of printable ASCII that needs no escape, in quotes; answers false, and writes nothing, where it is another. */
  #plain(text: string): boolean {
    const { length } = text;
    this.#reserve(length + 2);
    const bytes = this.#bytes;
    let at = this.#length;
    let index = 0;
    bytes[at++] = QUOTE;
    // Four at a time take three quarters of the time.
    for (; index + 3 < length; index += 4) {
      const first = charCodeAt.call(text, index);
      const second = charCodeAt.call(text, index + 1);
      const third = charCodeAt.call(text, index + 2);
      const fourth = charCodeAt.call(text, index + 3);
      if (!(isPlain[first] && isPlain[second] && isPlain[third] && isPlain[fourth])) return false;
      bytes[at++] = first;
      bytes[at++] = second;
      bytes[at++] = third;
      bytes[at++] = fourth;
    }
    for (; index < length; index++) {
      const unit = charCodeAt.call(text, index);
      if (!isPlain[unit]) return false;
      bytes[at++] = unit;
    }
    bytes[at++] = QUOTE;
    this.#length = at;
    return true;
  }

  #ascii(text: string): true {
    this.#reserve(text.length);
    for (let index = 0; index < text.length; index++) this.#bytes[this.#length++] = text.charCodeAt(index);
    return true;
  }

  /** Writes a safe integer: large ones are no small integers to engines, which make texts of them slowly. */
  #integer(value: number): true {
    if (value < 0) this.#byte(MINUS);
    const size = Math.abs(value);
    const high = Math.floor(size / HALF);
    if (high > 0) this.#digits(high, digitsOf(high));
    const low = size - high * HALF;
    this.#digits(low, high > 0 ? HALF_DIGITS : digitsOf(low));
    return true;
  }

  /** Writes so many digits of an integer below {@link HALF}. */
  #digits(value: number, count: number): void {
    this.#reserve(count);
    const bytes = this.#bytes;
    let rest = value | 0;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      bytes[at] = ZERO + (rest % 10);
      rest = (rest / 10) | 0;
    }
    this.#length += count;
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  #reserve(more: number): void {
    const length = this.#length + more;
    if (length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function digitsOf(integer: number): number {
  let digits = 1;
  for (let power = 10; power <= integer; power *= 10) digits++;
  return digits;
}

const free: CanonicalWriter[] = [];
/** An event takes two; a getter in a value may want others meanwhile. */
const MAX_FREE = 4;

/**
 * Lends a writer. What is written is good until `use` returns.
 *
 * @throws what `use` throws.
 */
export function withWriter<Result>(use: (writer: CanonicalWriter) => Result): Result {
  const writer = free.pop() ?? new CanonicalWriter();
  try {
    return use(writer);
  } finally {
    writer.clear();
    if (free.length < MAX_FREE) free.push(writer);
  }
}

/** The canonical JSON of any value that has one. */
function encodeAny(value: unknown, numbers: Numbers): string {
  const fault = canonicalFault(value, numbers);
  if (fault) throw new SignError("ERR_CANONICAL_JSON", `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`);
  let text = "";
  walk(
    value,
    (chunk) => {
      text += numbers === "old" && /^-?\d/.test(chunk) ? formatOldNumber(Number(chunk)) : chunk;
    },
    compareCodePoints,
  );
  return text;
}

/** A number as Python's `json.dumps` writes it: its exponents start sooner, and have two digits. */
function formatOldNumber(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e-(\d)$/, "e-0$1");
}
