import { isUtf8 } from "node:buffer";
import type { JsonValue } from "../endpoint.js";
import { textOf } from "../sign/utf8.js";
import { CHARS_PER_COMMA, CHARS_PER_OBJECT, InvalidJson } from "./parse-json.js";

const OPEN_OBJECT = 0x7b;

/** The elements of an array, by the text between its brackets; or why there are none. Never throws. */
export function parseElements(bytes: Uint8Array): readonly JsonValue[] | InvalidJson {
  return isUtf8(bytes) ? parseList(textOf(bytes)) : new InvalidJson("not UTF-8");
}

/** Elements of an array that lie side by side. */
export interface ElementsAhead {
  /** The elements. */
  readonly values: readonly JsonValue[];
  /** How many bytes they have, with the comma behind the last of them. */
  readonly length: number;
}

/**
 * Parses the elements of an array from the beginning of a piece, where an object begins, to its last `},{`. When that much
 * is JSON, its comma stands between two elements, and nobody has had to look at each byte to know. Undefined when it is none;
 * when it has more opening brackets than it may, as every text that is nested deeper has; or when it has more brackets or
 * commas than `parseJson` allows for so many bytes. Never throws.
 */
export function parseAhead(piece: Uint8Array, maxBrackets: number): ElementsAhead | undefined {
  if (piece[0] !== OPEN_OBJECT) return undefined;
  const end = Buffer.from(piece.buffer, piece.byteOffset, piece.length).lastIndexOf("},{") + 1;
  const bytes = piece.subarray(0, end);
  if (end === 0 || !isUtf8(bytes)) return undefined;
  const text = textOf(bytes);
  // Those in strings, too: an ordinary piece is far from the limits all the same.
  const brackets = countOf("[", text) + countOf("{", text);
  if (brackets > Math.min(maxBrackets, end / CHARS_PER_OBJECT)) return undefined;
  if (countOf(",", text) > end / CHARS_PER_COMMA) return undefined;
  const values = parseList(text);
  return values instanceof InvalidJson ? undefined : { values, length: end + 1 };
}

function parseList(text: string): readonly JsonValue[] | InvalidJson {
  try {
    // Nothing but a list comes of what begins and ends so.
    return JSON.parse(`[${text}]`) as JsonValue[];
  } catch {
    return new InvalidJson("not JSON");
  }
}

function countOf(char: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(char); at !== -1; at = text.indexOf(char, at + 1)) count++;
  return count;
}
