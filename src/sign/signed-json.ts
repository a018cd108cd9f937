import { SignError } from "../errors.js";
import { decodeBase64 } from "./base64.js";
import { canonicalJson } from "./canonical-json.js";
import { engine } from "./ed25519.js";
import type { SigningKey } from "./signing-key.js";
import { utf8Bytes } from "./utf8.js";

/** What signing adds to an object. A type, for with an interface JSON would be none to TypeScript. */
export type Signed = {
  /** By server name, then by key id: the signature in unpadded Base64. */
  signatures: Record<string, Record<string, string>>;
};

/** The bytes that a signature of the object covers: all but `signatures` and `unsigned`. */
function signedBytes(object: object): Uint8Array {
  const { signatures: _signatures, unsigned: _unsigned, ...covered } = object as Record<string, unknown>;
  return utf8Bytes(canonicalJson(covered));
}

/** A server may be called `constructor`: what the prototype has is no member. */
function member(object: unknown, name: string): unknown {
  return typeof object === "object" && object !== null && Object.hasOwn(object, name)
    ? (object as Record<string, unknown>)[name]
    : undefined;
}

/**
 * Signs a JSON object: a copy of it with one more signature, and everybody's earlier ones.
 * Specification: Appendices, "Signing Details".
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the object has no canonical JSON, or `signatures` that are none.
 */
export function signJson<T extends object>(object: T, serverName: string, key: SigningKey): T & Signed {
  return addSignature(object, serverName, key, signedBytes(object));
}

/**
 * A copy of an object with one more signature, which covers the bytes, and everybody's earlier ones.
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the object has `signatures` that are none.
 */
export function addSignature<T extends object>(
  object: T,
  serverName: string,
  key: SigningKey,
  bytes: Uint8Array,
): T & Signed {
  const signatures = member(object, "signatures") ?? {};
  const ours = member(signatures, serverName) ?? {};
  if (typeof signatures !== "object" || typeof ours !== "object") {
    throw new SignError("ERR_CANONICAL_JSON", "`signatures` holds objects: by server name, then by key id.");
  }
  return { ...object, signatures: { ...signatures, [serverName]: { ...ours, [key.keyId]: key.sign(bytes) } } };
}

/**
 * Whether a server signed a JSON object with a key. False for anything odd; it never throws.
 * Specification: Appendices, "Checking for a Signature".
 *
 * @param object - What `JSON.parse` made, with its `signatures`.
 * @param serverName - The server that should have signed.
 * @param keyId - The key identifier, such as `ed25519:a_abcd`.
 * @param publicKey - The server's public key of that identifier, in Base64.
 */
export function verifySignedJson(object: unknown, serverName: string, keyId: string, publicKey: string): boolean {
  const signature = decodeBase64(member(member(member(object, "signatures"), serverName), keyId));
  const keyBytes = decodeBase64(publicKey);
  if (!signature || !keyBytes || !keyId.startsWith("ed25519:")) return false;
  try {
    return engine.verify(keyBytes, signedBytes(object as object), signature);
  } catch {
    return false;
  }
}
