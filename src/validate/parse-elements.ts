import { isUtf8 } from "node:buffer";
import type { JsonValue } from "../endpoint.js";
import { textOf } from "../sign/utf8.js";
import { InvalidJson } from "./parse-json.js";

/** The value of one element, with nothing in front of it; or why there is none. Never throws. */
export function parseElement(bytes: Uint8Array): JsonValue | InvalidJson {
  // Some decoders leave a byte order mark out, and JSON would come of what was none.
  if ((bytes[0] ?? 0xff) > 0x7f) return new InvalidJson("not JSON");
  if (!isUtf8(bytes)) return new InvalidJson("not UTF-8");
  return parsed(textOf(bytes));
}

/** Elements of an array that lie side by side. */
export interface ElementsAhead {
  /** The elements. */
  readonly values: readonly JsonValue[];
  /** How many bytes they have, with the comma behind the last of them. */
  readonly length: number;
  /** How many opening brackets there are in them, those in strings included. */
  readonly brackets: number;
  /** How many commas there are in them and behind them, those in strings included. */
  readonly commas: number;
}

/**
 * Parses the elements of an array from the beginning of a piece, where one begins, to its last `},{`. When that much is
 * JSON, its comma stands between two elements, and nobody has had to look at each byte to know. Undefined when it is none,
 * or when it has more opening brackets than it may, as every text that is nested deeper has. Never throws.
 */
export function parseAhead(piece: Uint8Array, maxBrackets: number): ElementsAhead | undefined {
  const end = Buffer.from(piece.buffer, piece.byteOffset, piece.length).lastIndexOf("},{") + 1;
  const bytes = piece.subarray(0, end);
  if (end === 0 || !isUtf8(bytes)) return undefined;
  const text = textOf(bytes);
  const brackets = countOf("[", text) + countOf("{", text);
  const values = brackets > maxBrackets ? undefined : parsed(`[${text}]`);
  if (!Array.isArray(values)) return undefined;
  return { values, length: end + 1, brackets, commas: countOf(",", text) + 1 };
}

function parsed(text: string): JsonValue | InvalidJson {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return new InvalidJson("not JSON");
  }
}

function countOf(char: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(char); at !== -1; at = text.indexOf(char, at + 1)) count++;
  return count;
}
