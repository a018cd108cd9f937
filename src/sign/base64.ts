const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** What is no sextet: greater than all of them. */
const NONE = 0x40;

/** What each ASCII character stands for in an alphabet. */
function sextetsOf(...alphabets: readonly string[]): Uint8Array {
  const sextets = new Uint8Array(0x80).fill(NONE);
  for (const alphabet of alphabets) {
    for (const [sextet, char] of [...alphabet].entries()) sextets[char.charCodeAt(0)] = sextet;
  }
  return sextets;
}

const STANDARD = `${LETTERS_AND_DIGITS}+/`;
const ofStandard = sextetsOf(STANDARD);
const ofAny = sextetsOf(STANDARD, `${LETTERS_AND_DIGITS}-_`);

/** Node's Buffer takes a fifth of the time of `btoa`, which the other runtimes have. */
const NodeBuffer: typeof Buffer | undefined = globalThis.Buffer;

/** Encodes as unpadded Base64. Specification: Appendices, "Unpadded Base64". */
export function encodeBase64(bytes: Uint8Array): string {
  if (NodeBuffer)
    return withoutPadding(NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64"));
  let binary = "";
  // In pieces, for a function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 4096) binary += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return withoutPadding(btoa(binary));
}

function withoutPadding(text: string): string {
  if (!text.endsWith("=")) return text;
  return text.slice(0, text.endsWith("==") ? -2 : -1);
}

/** Encodes as URL-safe unpadded Base64. Specification: Appendices, "URL-safe unpadded Base64". */
export function encodeUrlSafeBase64(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_");
}

/**
 * Decodes standard Base64, with or without padding; undefined for anything else. Unused bits of the last character
 * are ignored, as everybody does: the signing key of the specification's own test vectors has some set.
 */
export function decodeBase64(text: unknown): Uint8Array | undefined {
  return typeof text === "string" ? decode(text, ofStandard) : undefined;
}

/** Decodes Base64 of either alphabet, with or without padding; undefined for anything else. */
export function decodeAnyBase64(text: unknown): Uint8Array | undefined {
  return typeof text === "string" ? decode(text, ofAny) : undefined;
}

/** Whether a value is Base64 of either alphabet, with or without padding. */
export const isAnyBase64 = (text: unknown): text is string => decodeAnyBase64(text) !== undefined;

// Not by Buffer or `atob`: those pass over what is none, and to look for that first takes as long again.
function decode(text: string, sextets: Uint8Array): Uint8Array | undefined {
  const length = text.endsWith("=") ? unpaddedLength(text) : text.length;
  if (length % 4 === 1) return undefined;
  const bytes = new Uint8Array((length * 3) >> 2);
  let bits = 0;
  let wrong = 0;
  for (let index = 0, at = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    const sextet = sextets[unit & 0x7f] as number;
    wrong |= (unit & ~0x7f) | (sextet & NONE);
    bits = (bits << 6) | sextet;
    // The second, third and fourth of four characters end a byte each, with four, two and no bits to spare.
    const place = index % 4;
    if (place > 0) bytes[at++] = bits >> (6 - 2 * place);
  }
  return wrong ? undefined : bytes;
}

/** How long a text is without its padding; 1, which no text of Base64 is, where that is not as long as it has to be. */
function unpaddedLength(text: string): number {
  if (text.length % 4 !== 0) return 1;
  return text.length - (text.endsWith("==") ? 2 : 1);
}
