import {
  CHARS_PER_COMMA,
  CHARS_PER_OBJECT,
  MAX_DEPTH,
  MIN_COUNT,
  TOO_DEEP,
  TOO_MANY_OBJECTS,
  TOO_MANY_VALUES,
} from "./parse-json.js";

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** How far somebody is in the structure of a JSON text that comes in chunks, which may end anywhere. */
export class JsonStructure {
  /** How many arrays and objects are open. */
  depth = 0;
  /** How many brackets have opened one. */
  brackets = 0;
  /** How many commas there were outside of strings. */
  commas = 0;
  /** Whether a string is open. */
  inString = false;
  /** Whether the last chunk ended with a backslash of a string. */
  #isEscaped = false;

  /** What is beyond the limits of `parseJson`, after so many bytes; undefined where nothing is. */
  fault(bytes: number): string | undefined {
    if (this.depth > MAX_DEPTH) return TOO_DEEP;
    if (this.brackets > MIN_COUNT && this.brackets * CHARS_PER_OBJECT > bytes) return TOO_MANY_OBJECTS;
    return this.commas > MIN_COUNT && this.commas * CHARS_PER_COMMA > bytes ? TOO_MANY_VALUES : undefined;
  }

  /**
   * Goes on to the comma behind an element of the array whose depth is said, or to the bracket that closes it, and returns
   * where that is; the chunk's end where it has none. It stops where the depth is too large.
   */
  skimElement(chunk: Uint8Array, from: number, floor: number): number {
    const end = chunk.length;
    let at = this.inString ? this.skimString(chunk, from) : from;
    for (; at < end; at++) {
      const byte = chunk[at];
      if (byte === QUOTE) at = this.skimString(chunk, at + 1) - 1;
      else if (byte === COMMA) {
        this.commas++;
        if (this.depth === floor) return at;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        this.brackets++;
        this.depth++;
        if (this.depth > MAX_DEPTH) return at;
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (this.depth === floor) return at;
        this.depth--;
      }
    }
    return end;
  }

  /** Goes on behind the quote that closes a string, and returns where that is; the chunk's end where it has none. */
  skimString(chunk: Uint8Array, from: number): number {
    const end = chunk.length;
    let at = this.#isEscaped ? from + 1 : from;
    this.#isEscaped = false;
    while (at < end) {
      const byte = chunk[at++];
      if (byte === QUOTE) {
        this.inString = false;
        return at;
      }
      if (byte === BACKSLASH) at++;
    }
    this.inString = true;
    this.#isEscaped = at > end;
    return end;
  }
}
