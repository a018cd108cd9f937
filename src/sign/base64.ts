/** Either alphabet, with or without padding. */
const ANY_ALPHABET = /^[\w+/-]*={0,2}$/;
const STANDARD_ALPHABET = /^[A-Za-z\d+/]*={0,2}$/;

/** Encodes as unpadded Base64. Specification: Appendices, "Unpadded Base64". */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  // In pieces, for a function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 4096) binary += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(binary).replace(/=+$/, "");
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
  return typeof text === "string" && STANDARD_ALPHABET.test(text) ? decode(text) : undefined;
}

/** Decodes Base64 of either alphabet, with or without padding; undefined for anything else. */
export function decodeAnyBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string" || !ANY_ALPHABET.test(text)) return undefined;
  return decode(text.replaceAll("-", "+").replaceAll("_", "/"));
}

function decode(text: string): Uint8Array | undefined {
  const rightLength = text.endsWith("=") ? text.length % 4 === 0 : text.length % 4 !== 1;
  return rightLength ? Uint8Array.from(atob(text), (char) => char.charCodeAt(0)) : undefined;
}
