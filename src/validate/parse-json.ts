/** Deeper than any event that fits into 64 KiB needs to be; deeper values overflow the stack of whoever walks them. */
const MAX_DEPTH = 512;

/**
 * Events have an object or an array for each hundred characters. A body of nothing but tiny ones passes every limit of
 * size, takes half a minute to parse, and gigabytes to hold.
 */
const CHARS_PER_OBJECT = 16;
const MIN_OBJECTS = 100_000;

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
    if (isTooDeep(text)) return new InvalidJson(`nested deeper than ${MAX_DEPTH} levels`);
    const maxObjects = Math.max(MIN_OBJECTS, text.length / CHARS_PER_OBJECT);
    return hasMore(text, maxObjects)
      ? new InvalidJson("more objects than so few bytes have use for")
      : JSON.parse(text);
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

function isTooDeep(text: string): boolean {
  if (!hasMore(text, MAX_DEPTH)) return false;
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length && deepest <= MAX_DEPTH; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest > MAX_DEPTH;
}
