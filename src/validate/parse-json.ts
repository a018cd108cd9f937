/** Deeper than any event that fits into 64 KiB needs to be; deeper values overflow the stack of whoever walks them. */
export const MAX_DEPTH = 512;

/**
 * Events have an object or an array for each hundred characters. A body of nothing but tiny ones passes every limit of
 * size, takes half a minute to parse, and gigabytes to hold.
 */
export const CHARS_PER_OBJECT = 16;
/** So many objects or commas are in order, however short the text. */
export const MIN_COUNT = 100_000;
/** An event has a comma for each twenty characters. */
export const CHARS_PER_COMMA = 8;
/** More elements of one array, and keys of one object, than any room's state has. */
export const MAX_ELEMENTS = 5_000_000;
const MAX_KEYS = 200_000;
/** What is smaller than this, in characters, has not enough in it of anything. */
const SMALL = 1_000_000;

/** What is said of a text with too many objects. */
export const TOO_MANY_OBJECTS = "more objects than so few bytes have use for";
/** What is said of one with too many commas. */
export const TOO_MANY_VALUES = "more values than so few bytes have use for";
/** What is said of one that is nested too deeply. */
export const TOO_DEEP: string = `nested deeper than ${MAX_DEPTH} levels`;

/** A body that is no JSON, or JSON beyond the limits. */
export class InvalidJson {
  /** What is wrong with it. */
  readonly message: string;

  /** With what is wrong. */
  constructor(message: string) {
    this.message = message;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The JSON value of a body, or why there is none. Never throws. */
export function parseJson(body: Uint8Array | string): unknown {
  try {
    const text = typeof body === "string" ? body : utf8.decode(body);
    const fault = text.length > SMALL || hasMore(text, MAX_DEPTH) ? structureFault(text) : undefined;
    if (fault !== undefined) return new InvalidJson(fault);
    const maxObjects = Math.max(MIN_COUNT, text.length / CHARS_PER_OBJECT);
    return hasMore(text, maxObjects) ? new InvalidJson(TOO_MANY_OBJECTS) : JSON.parse(text);
  } catch (error) {
    return new InvalidJson(error instanceof SyntaxError ? "not JSON" : "not UTF-8, or too long to read as one text");
  }
}

/** Whether a text has more than `max` opening brackets: nearly none has, and to find out is cheap. */
function hasMore(text: string, max: number): boolean {
  let count = 0;
  for (const bracket of "[{") {
    for (let at = text.indexOf(bracket); at !== -1 && count <= max; at = text.indexOf(bracket, at + 1)) count++;
  }
  return count > max;
}

/**
 * Goes through a text's structure before anything is made of it: V8 ends the process over an array of more than a hundred
 * million elements, and takes many seconds for an object of some million keys.
 */
function structureFault(text: string): string | undefined {
  /** The members so far of each value that is open. */
  const members = new Float64Array(MAX_DEPTH + 2);
  const maxCommas = Math.max(MIN_COUNT, text.length / CHARS_PER_COMMA);
  let commas = 0;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > MAX_DEPTH) return TOO_DEEP;
      // An object may have fewer members than an array.
      members[depth] = code === 0x7b ? MAX_ELEMENTS - MAX_KEYS : 0;
    } else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
    else if (code === 0x2c) {
      commas += 1;
      members[depth] = (members[depth] as number) + 1;
      if (commas > maxCommas || (members[depth] as number) > MAX_ELEMENTS) {
        return TOO_MANY_VALUES;
      }
    }
  }
  return undefined;
}
