import { isUtf8 } from "node:buffer";
import type { JsonValue } from "../endpoint.js";
import { InvalidJson, parseJson } from "./parse-json.js";
import { SplitBytes } from "./split-bytes.js";

// These are parseJson's: what is said of them there holds here.
const MAX_DEPTH = 512;
const MAX_ELEMENTS = 5_000_000;
const MIN_COUNT = 100_000;
const BYTES_PER_OBJECT = 16;
const BYTES_PER_COMMA = 8;

/** A larger element could have more keys than parseJson allows. */
const MAX_ELEMENT_BYTES = 1_000_000;
const DEFAULT_ELEMENT_BYTES = 256 * 1024;
const DEFAULT_SKELETON_BYTES = 1024 * 1024;

const TOO_MANY_VALUES = "more values than so few bytes have use for";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** One element of a named array, as it came off the wire. */
export interface SplitElement {
  /** The name of the array. */
  readonly field: string;
  /** Its place in the array, from 0. */
  readonly index: number;
  /**
   * Its text: UTF-8, not parsed yet, perhaps with white space after it. Where it lies in one chunk it is a view of that
   * chunk, good for as long as nobody writes to the chunk; else it has memory of its own. Absent when the element is
   * larger than its limit: then nothing is held of it, and nobody has looked whether it is JSON.
   */
  readonly bytes?: Uint8Array;
}

/** How much of a document is held at once. */
export interface SplitLimits {
  /** The most bytes of one element: 256 KiB when absent, and never more than 1 MB. */
  readonly maxElementBytes: number;
  /**
   * The most bytes beside the elements, white space included, and the most of elements that are too large: 1 MiB when
   * absent.
   */
  readonly maxSkeletonBytes: number;
}

/**
 * Splits a large JSON document while it arrives: the elements of named arrays come out one by one, and at the end the
 * rest, the skeleton, in which these arrays are empty. Named fields are those of the document itself, or those in the
 * second element of a pair such as `[200, { "state": [] }]`, which the first versions of some endpoints answer with. A
 * named field that is no array stays in the skeleton.
 *
 * The document is good when {@link JsonSplitter.end} gives a value out and the text of every element is JSON; until then
 * no element is worth anything. That is so when `parseJson` would take the whole document, and besides
 *
 * - the skeleton is within its own limit and within those of `parseJson`, and elements that are too large are few;
 * - no named field is there twice, in whatever spelling;
 * - at the end of every element there were no more commas and brackets, outside of strings, than `parseJson` allows for
 *   so many bytes. (It counts characters, and brackets in strings too.)
 */
export class JsonSplitter {
  readonly #fields: ReadonlySet<string>;
  readonly #seen = new Set<string>();
  readonly #skeleton: SplitBytes;
  /** What has come of an element that is not complete. */
  readonly #element: SplitBytes;
  #fault: InvalidJson | undefined;
  /** How many bytes came before this chunk. */
  #position = 0;
  #commas = 0;
  #brackets = 0;
  #depth = 0;
  #inString = false;
  /** Whether the last chunk ended with a backslash of a string. */
  #isEscaped = false;
  #isPair = false;
  /** How many commas the outermost value has. */
  #outerCommas = 0;
  /** The depth of the object whose fields are asked for; 0 while it is not open. */
  #fieldsDepth = 0;
  /** Where the last string of the skeleton begins and ends. */
  #stringStart = 0;
  #stringEnd = 0;
  /** The field whose value comes next. */
  #key: string | undefined;
  /** The named array that is open, and how many of its elements are complete. */
  #field: string | undefined;
  #index = 0;
  /** Whether anything but white space has come of the present element, and whether it is too large to be held. */
  #hasBegun = false;
  #isTooLarge = false;
  /** How many bytes of elements that are too large came after what had been held of them. */
  #unheld = 0;

  /** For one document: with the names of the arrays. */
  constructor(fields: readonly string[], limits: Partial<SplitLimits> = {}) {
    const { maxElementBytes = DEFAULT_ELEMENT_BYTES, maxSkeletonBytes = DEFAULT_SKELETON_BYTES } = limits;
    this.#fields = new Set(fields);
    this.#element = new SplitBytes(Math.min(maxElementBytes, MAX_ELEMENT_BYTES));
    this.#skeleton = new SplitBytes(maxSkeletonBytes);
  }

  /**
   * The elements that are complete with this chunk, in their order; or why the document is refused, as which it stays.
   * A chunk may end anywhere. Never throws.
   */
  push(chunk: Uint8Array): SplitElement[] | InvalidJson {
    const elements: SplitElement[] = [];
    let at = 0;
    while (at < chunk.length && this.#fault === undefined) {
      at =
        this.#field === undefined ? this.#readSkeleton(chunk, at) : this.#readArray(chunk, at, this.#field, elements);
    }
    this.#position += chunk.length;
    return this.#fault ?? elements;
  }

  /** The skeleton, once there are no more chunks; or why the document is refused. Never throws. */
  end(): JsonValue | InvalidJson {
    this.#checkCounts(this.#position);
    return this.#fault ?? (parseJson(this.#skeleton.read(0, this.#skeleton.length)) as JsonValue | InvalidJson);
  }

  /** Reads up to where a named array begins, or the chunk ends, and returns where that is. */
  #readSkeleton(chunk: Uint8Array, from: number): number {
    let kept = from;
    let at = from;
    while (at < chunk.length && this.#field === undefined && this.#fault === undefined) {
      if (this.#inString) {
        at = this.#readString(chunk, at);
        this.#stringEnd = this.#skeleton.length + at - kept;
        continue;
      }
      const byte = chunk[at++];
      if (byte === QUOTE) {
        this.#inString = true;
        this.#stringStart = this.#skeleton.length + at - 1 - kept;
      } else if (byte === COLON && this.#depth === this.#fieldsDepth) {
        if (!this.#keepSkeleton(chunk, kept, at)) return at;
        kept = at;
        this.#readKey();
      } else if (byte === COMMA) {
        this.#commas++;
        if (this.#depth === 1) this.#outerCommas++;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) this.#open(byte);
      else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (this.#depth === this.#fieldsDepth) this.#fieldsDepth = 0;
        this.#depth--;
      }
    }
    this.#keepSkeleton(chunk, kept, at);
    return at;
  }

  #open(byte: number): void {
    const isField = this.#key !== undefined && this.#depth === this.#fieldsDepth;
    this.#brackets++;
    this.#depth++;
    if (this.#depth > MAX_DEPTH) this.#refuse(`nested deeper than ${MAX_DEPTH} levels`);
    if (byte === OPEN_ARRAY) {
      if (this.#depth === 1) this.#isPair = true;
      if (isField) this.#field = this.#key;
      this.#index = 0;
    } else if (this.#depth === 1 || (this.#depth === 2 && this.#isPair && this.#outerCommas === 1)) {
      this.#fieldsDepth = this.#depth;
    }
  }

  /** Reads the key that ends before a colon. */
  #readKey(): void {
    const key = parseJson(this.#skeleton.read(this.#stringStart, this.#stringEnd));
    // Or a second colon would have a long string read once more.
    this.#stringEnd = this.#stringStart;
    this.#key = undefined;
    if (key instanceof InvalidJson) this.#fault = key;
    if (typeof key !== "string" || !this.#fields.has(key)) return;
    if (this.#seen.has(key)) this.#refuse(`more than one ${JSON.stringify(key)}`);
    this.#seen.add(key);
    this.#key = key;
  }

  /** Reads up to where a named array or the chunk ends, and returns where that is. */
  #readArray(chunk: Uint8Array, from: number, field: string, elements: SplitElement[]): number {
    const floor = this.#fieldsDepth + 1;
    const end = chunk.length;
    let start = from;
    let at = from;
    while (at < end && this.#fault === undefined) {
      if (this.#inString) {
        at = this.#readString(chunk, at);
        continue;
      }
      const byte = chunk[at++];
      if (!this.#hasBegun) {
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
        this.#hasBegun = true;
        start = at - 1;
      }
      if (byte === QUOTE) this.#inString = true;
      else if (byte === COMMA) {
        this.#commas++;
        if (this.#depth === floor) this.#endElement(chunk, start, at - 1, field, elements);
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        this.#brackets++;
        this.#depth++;
        if (this.#depth > MAX_DEPTH) this.#refuse(`nested deeper than ${MAX_DEPTH} levels`);
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (this.#depth === floor) return this.#endArray(chunk, start, at - 1, field, elements);
        this.#depth--;
      }
    }
    if (this.#hasBegun) this.#hold(chunk, start, end);
    return at;
  }

  /** Holds a part of an element, unless that is too large. */
  #hold(chunk: Uint8Array, from: number, to: number): void {
    if (!this.#isTooLarge && this.#element.append(chunk, from, to)) return;
    this.#isTooLarge = true;
    this.#unheld += to - from;
    if (this.#unheld > this.#skeleton.maxBytes) this.#refuse("elements that are too large");
  }

  /** Ends the named array before its bracket, which is the skeleton's: that is no JSON when it is the wrong one. */
  #endArray(chunk: Uint8Array, start: number, end: number, field: string, elements: SplitElement[]): number {
    const isEmpty = this.#index === 0 && this.#element.length === 0 && !this.#isTooLarge && start === end;
    if (!isEmpty) this.#endElement(chunk, start, end, field, elements);
    this.#hasBegun = false;
    this.#field = undefined;
    return end;
  }

  #endElement(chunk: Uint8Array, start: number, end: number, field: string, elements: SplitElement[]): void {
    this.#hasBegun = false;
    const bytes = this.#takeElement(chunk, start, end);
    if (this.#index > MAX_ELEMENTS) this.#refuse(TOO_MANY_VALUES);
    else if (bytes === undefined) elements.push({ field, index: this.#index++ });
    // Some decoders leave a byte order mark out, and JSON would come of what was none.
    else if ((bytes[0] ?? 0xff) > 0x7f) this.#refuse("not JSON");
    else if (!isUtf8(bytes)) this.#refuse("not UTF-8");
    else elements.push({ field, index: this.#index++, bytes });
    this.#checkCounts(this.#position + end);
  }

  #takeElement(chunk: Uint8Array, start: number, end: number): Uint8Array | undefined {
    const isHere = this.#element.length === 0 && !this.#isTooLarge;
    if (isHere && end - start <= this.#element.maxBytes) return chunk.subarray(start, end);
    this.#hold(chunk, start, end);
    const bytes = this.#element.take();
    const isWhole = !this.#isTooLarge;
    this.#isTooLarge = false;
    return isWhole ? bytes : undefined;
  }

  /** Reads up to a string's closing quote, or to where the chunk ends, and returns where the next byte is. */
  #readString(chunk: Uint8Array, from: number): number {
    const end = chunk.length;
    let at = this.#isEscaped ? from + 1 : from;
    this.#isEscaped = false;
    while (at < end) {
      const byte = chunk[at++];
      if (byte === QUOTE) {
        this.#inString = false;
        return at;
      }
      if (byte === BACKSLASH) at++;
    }
    this.#isEscaped = at > end;
    return end;
  }

  #keepSkeleton(chunk: Uint8Array, from: number, to: number): boolean {
    const isKept = this.#skeleton.append(chunk, from, to);
    if (!isKept) this.#refuse("too much beside the arrays");
    return isKept;
  }

  #checkCounts(bytes: number): void {
    if (this.#brackets > Math.max(MIN_COUNT, bytes / BYTES_PER_OBJECT)) {
      this.#refuse("more objects than so few bytes have use for");
    } else if (this.#commas > Math.max(MIN_COUNT, bytes / BYTES_PER_COMMA)) {
      this.#refuse(TOO_MANY_VALUES);
    }
  }

  #refuse(message: string): void {
    this.#fault ??= new InvalidJson(message);
  }
}
