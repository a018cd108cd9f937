import type { JsonValue } from "../endpoint.js";
import { JsonStructure } from "./json-structure.js";
import { parseAhead, parseElements } from "./parse-elements.js";
import { InvalidJson, MAX_DEPTH, MAX_ELEMENTS, parseJson, TOO_MANY_VALUES } from "./parse-json.js";
import { SplitBytes } from "./split-bytes.js";

/** How much is read ahead at once: no more, for in an ordinary piece of it there are not too many brackets. */
const AHEAD_BYTES = 16 * 1024;
/** A larger element could have more keys than parseJson allows. */
const MAX_ELEMENT_BYTES = 1_000_000;
const DEFAULT_ELEMENT_BYTES = 256 * 1024;
const DEFAULT_SKELETON_BYTES = 1024 * 1024;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** One element of a named array. */
export interface SplitElement {
  /** The name of the array. */
  readonly field: string;
  /** Its place in the array, from 0. */
  readonly index: number;
  /**
   * What it is. Absent when its text is larger than its limit: then nothing is held of it, and nobody has looked whether it
   * is JSON.
   */
  readonly value?: JsonValue | undefined;
  /** About how many bytes its text has; 0 when it is larger than its limit. */
  readonly size: number;
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
 * The document is good when {@link JsonSplitter.end} gives a value out; until then no element is worth anything. That is so
 * when `parseJson` would take the whole document, and besides
 *
 * - the skeleton is within its own limit and within those of `parseJson`, and elements that are too large are few;
 * - no named field is there twice, in whatever spelling;
 * - at the end of every element there were no more commas and brackets, outside of strings, than `parseJson` allows for
 *   so many bytes. (It counts characters, and brackets in strings too.) Elements that have few for their bytes do not count.
 */
export class JsonSplitter {
  readonly #fields: ReadonlySet<string>;
  readonly #seen = new Set<string>();
  readonly #skeleton: SplitBytes;
  /** What has come of an element that is not complete. */
  readonly #element: SplitBytes;
  readonly #aheadBytes: number;
  #fault: InvalidJson | undefined;
  /** How many bytes came before this chunk. */
  #position = 0;
  readonly #structure = new JsonStructure();
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
  /** Elements that ended in this chunk, side by side, and are to be parsed together: where they are, and how many. */
  #runStart = 0;
  #runEnd = 0;
  #runCount = 0;
  /** How many bytes of elements that are too large came after what had been held of them. */
  #unheld = 0;

  /** For one document: with the names of the arrays. */
  constructor(fields: readonly string[], limits: Partial<SplitLimits> = {}) {
    const { maxElementBytes = DEFAULT_ELEMENT_BYTES, maxSkeletonBytes = DEFAULT_SKELETON_BYTES } = limits;
    this.#fields = new Set(fields);
    this.#element = new SplitBytes(Math.min(maxElementBytes, MAX_ELEMENT_BYTES));
    this.#aheadBytes = Math.min(AHEAD_BYTES, this.#element.maxBytes);
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
    this.#checkStructure(this.#position);
    return this.#fault ?? (parseJson(this.#skeleton.read(0, this.#skeleton.length)) as JsonValue | InvalidJson);
  }

  /** Reads up to where a named array begins, or the chunk ends, and returns where that is. */
  #readSkeleton(chunk: Uint8Array, from: number): number {
    const structure = this.#structure;
    let kept = from;
    let at = from;
    while (at < chunk.length && this.#field === undefined && this.#fault === undefined) {
      const byte = structure.inString ? QUOTE : chunk[at++];
      if (byte === QUOTE) {
        if (!structure.inString) this.#stringStart = this.#skeleton.length + at - 1 - kept;
        at = structure.skimString(chunk, at);
        this.#stringEnd = this.#skeleton.length + at - kept;
      } else if (byte === COLON && structure.depth === this.#fieldsDepth) {
        if (!this.#keepSkeleton(chunk, kept, at)) return at;
        kept = at;
        this.#readKey();
      } else if (byte === COMMA) {
        structure.commas++;
        if (structure.depth === 1) this.#outerCommas++;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) this.#open(byte);
      else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (structure.depth === this.#fieldsDepth) this.#fieldsDepth = 0;
        structure.depth--;
      }
    }
    this.#keepSkeleton(chunk, kept, at);
    return at;
  }

  #open(byte: number): void {
    const structure = this.#structure;
    const isField = this.#key !== undefined && structure.depth === this.#fieldsDepth;
    structure.brackets++;
    structure.depth++;
    if (structure.depth > MAX_DEPTH) this.#checkStructure(this.#position);
    if (byte === OPEN_ARRAY) {
      if (structure.depth === 1) this.#isPair = true;
      if (isField) this.#field = this.#key;
      this.#index = 0;
    } else if (structure.depth === 1 || (structure.depth === 2 && this.#isPair && this.#outerCommas === 1)) {
      this.#fieldsDepth = structure.depth;
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
    const structure = this.#structure;
    let at = from;
    let triedTo = from;
    while (at < chunk.length && this.#fault === undefined) {
      if (!this.#hasBegun) {
        if (at >= triedTo) {
          this.#endRun(chunk, field, elements);
          const length = this.#readAhead(chunk, at, field, elements);
          triedTo = at + (length || this.#aheadBytes);
          at += length;
          if (length > 0) continue;
        }
        while (isSpace(chunk[at])) at++;
        if (at === chunk.length) break;
        this.#hasBegun = true;
      }
      const end = structure.skimElement(chunk, at, this.#fieldsDepth + 1);
      if (structure.depth > MAX_DEPTH) this.#checkStructure(this.#position);
      else if (end === chunk.length) this.#hold(chunk, at, end);
      else if (chunk[end] !== COMMA) return this.#endArray(chunk, at, end, field, elements);
      else this.#endElement(chunk, at, end, field, elements);
      at = end + 1;
    }
    this.#endRun(chunk, field, elements);
    return at;
  }

  /** Reads the next elements of a chunk together, if they are as nearly all are; returns of how many bytes. */
  #readAhead(chunk: Uint8Array, from: number, field: string, elements: SplitElement[]): number {
    const ahead = parseAhead(chunk.subarray(from, from + this.#aheadBytes), MAX_DEPTH - this.#structure.depth);
    if (!ahead) return 0;
    this.#give(ahead.values, ahead.length, field, elements);
    this.#checkStructure(this.#position + from + ahead.length);
    return ahead.length;
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
    const isEmpty =
      this.#index + this.#runCount === 0 && this.#element.length === 0 && !this.#isTooLarge && start === end;
    if (!isEmpty) this.#endElement(chunk, start, end, field, elements);
    this.#endRun(chunk, field, elements);
    this.#hasBegun = false;
    this.#field = undefined;
    return end;
  }

  #endElement(chunk: Uint8Array, start: number, end: number, field: string, elements: SplitElement[]): void {
    this.#hasBegun = false;
    const isHere = this.#element.length === 0 && !this.#isTooLarge && end - start <= this.#element.maxBytes;
    if (!isHere || end - this.#runStart > this.#aheadBytes) this.#endRun(chunk, field, elements);
    if (isHere) {
      if (this.#runCount === 0) this.#runStart = start;
      this.#runEnd = end;
      this.#runCount++;
    } else {
      this.#hold(chunk, start, end);
      const bytes = this.#element.take();
      if (this.#isTooLarge) elements.push({ field, index: this.#index++, size: 0 });
      else this.#parse(bytes, 1, field, elements);
      this.#isTooLarge = false;
    }
    this.#checkStructure(this.#position + end);
  }

  /** Gives out the elements of the chunk that have ended and were not given out. */
  #endRun(chunk: Uint8Array, field: string, elements: SplitElement[]): void {
    const count = this.#runCount;
    this.#runCount = 0;
    if (count > 0) this.#parse(chunk.subarray(this.#runStart, this.#runEnd), count, field, elements);
  }

  #parse(bytes: Uint8Array, count: number, field: string, elements: SplitElement[]): void {
    const values = parseElements(bytes);
    if (values instanceof InvalidJson) this.#fault ??= values;
    else if (values.length !== count) this.#refuse("not JSON");
    else this.#give(values, bytes.length, field, elements);
  }

  #give(values: readonly JsonValue[], length: number, field: string, elements: SplitElement[]): void {
    const size = Math.ceil(length / values.length);
    for (const value of values) elements.push({ field, index: this.#index++, value, size });
  }

  #keepSkeleton(chunk: Uint8Array, from: number, to: number): boolean {
    const isKept = this.#skeleton.append(chunk, from, to);
    if (!isKept) this.#refuse("too much beside the arrays");
    return isKept;
  }

  #checkStructure(bytes: number): void {
    const fault = this.#structure.fault(bytes);
    if (fault !== undefined) this.#refuse(fault);
    // parseJson counts their commas.
    else if (this.#index - 1 > MAX_ELEMENTS) this.#refuse(TOO_MANY_VALUES);
  }

  #refuse(message: string): void {
    this.#fault ??= new InvalidJson(message);
  }
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
