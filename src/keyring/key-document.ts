import { decodeBase64, encodeBase64 } from "../sign/base64.js";
import { verifySignedJson } from "../sign/signed-json.js";
import { type KeySource, type KnownKey, MAX_VALIDITY_MS } from "./known-key.js";

/** A longer document, in characters, wants to keep us busy; several hundred keys fit. */
const MAX_LENGTH = 64 * 1024;
/** Servers have one key in use, or a few; each costs a verification. */
const MAX_VERIFY_KEYS = 16;
/** Of so many of them the signature is looked at. */
const MAX_SELF_SIGNATURES = 4;
const MAX_OLD_KEYS = 64;
const KEY_ID = /^ed25519:[!-~]{1,128}$/;

/** Why a key document is not believed. */
export type DocumentFault = "notADocument" | "tooLarge" | "wrongServerName" | "notSelfSigned" | "notSignedByNotary";

/** What a key document says, checked. */
export interface KeyDocument {
  /** The server whose keys they are. */
  readonly server: string;
  /** Its keys, in use and out of use. */
  readonly keys: readonly KnownKey[];
}

/** Where a document came from. */
export interface DocumentOrigin {
  /** The servers whose documents are expected. */
  readonly servers: { has(server: string): boolean };
  /** Who handed it over. */
  readonly source: KeySource;
  /** When: Unix time in milliseconds. */
  readonly fetchedAt: number;
  /** The notary that must have signed it too, with its public keys; absent when the server itself handed it over. */
  readonly notary?: Notary | undefined;
}

/** A notary with the keys that it signs with. */
export interface Notary {
  /** Its server name. */
  readonly name: string;
  /** Its public keys by key id: Base64. */
  readonly keys: ReadonlyMap<string, string>;
}

/** Whether a text has the form of the id of an Ed25519 key, the only kind there is. */
export function isKeyId(text: unknown): text is string {
  return typeof text === "string" && KEY_ID.test(text);
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of a value; `undefined` when there is none, for what the prototype has is no member. */
export function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/**
 * Reads a key document as the server itself or a notary handed it over. It is believed when
 *
 * - it is about one of the servers that were asked about,
 * - at least one of its `verify_keys` signed it, and no signature of theirs is wrong (the first four are looked at),
 * - and, from a notary, the notary signed it too. A notary could make a document up, for a made-up key signs it as
 *   well as a real one: we believe the notaries that we were told to trust, and nobody else.
 *
 * Of a notary's document only those `verify_keys` count whose signature was looked at, so that no known key is prolonged by somebody
 * who does not have it. It never throws.
 */
export function readKeyDocument(value: unknown, origin: DocumentOrigin): KeyDocument | DocumentFault {
  const verifyKeys = memberOf(value, "verify_keys");
  const validUntil = memberOf(value, "valid_until_ts");
  const server = memberOf(value, "server_name");
  if (!isObject(verifyKeys) || typeof server !== "string" || !Number.isSafeInteger(validUntil)) return "notADocument";
  if (!origin.servers.has(server)) return "wrongServerName";
  if (Object.keys(verifyKeys).length > MAX_VERIFY_KEYS || !isShort(value)) return "tooLarge";
  const { source, fetchedAt, notary } = origin;
  const latest = fetchedAt + MAX_VALIDITY_MS;
  const validUntilTs = Math.min(validUntil as number, latest);
  const inUse: KnownKey[] = [];
  if (notary && !isSignedBy(value, notary)) return "notSignedByNotary";
  let selfSignatures = 0;
  for (const [keyId, entry] of Object.entries(verifyKeys)) {
    const publicKey = publicKeyIn(entry);
    if (!isKeyId(keyId) || !publicKey) continue;
    const signs = memberOf(memberOf(memberOf(value, "signatures"), server), keyId) !== undefined;
    const isLookedAt = signs && selfSignatures < MAX_SELF_SIGNATURES;
    if (isLookedAt && !verifySignedJson(value, server, keyId, encodeBase64(publicKey))) return "notSelfSigned";
    if (isLookedAt) selfSignatures += 1;
    if (isLookedAt || !notary) inUse.push({ server, keyId, publicKey, validUntilTs, source, fetchedAt });
  }
  if (selfSignatures === 0) return "notSelfSigned";
  const outOfUse = oldKeysIn(memberOf(value, "old_verify_keys")).map(({ keyId, publicKey, expired }): KnownKey => {
    const expiredTs = Math.min(expired, latest);
    return { server, keyId, publicKey, validUntilTs: expiredTs, expiredTs, source, fetchedAt };
  });
  // A key in both lists is out of use.
  const retired = new Set(outOfUse.map(({ keyId }) => keyId));
  return { server, keys: [...inUse.filter(({ keyId }) => !retired.has(keyId)), ...outOfUse] };
}

/** A public key in the form of `verify_keys`; `undefined` when it is none. */
function publicKeyIn(entry: unknown): Uint8Array | undefined {
  const bytes = decodeBase64(memberOf(entry, "key"));
  return bytes?.length === 32 ? bytes : undefined;
}

/** A key of `old_verify_keys`. */
interface OldKey {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  readonly expired: number;
}

/** The keys out of use: of too many, those that were in use last. Dendrite says null where it has none. */
export function oldKeysIn(oldVerifyKeys: unknown): OldKey[] {
  if (!isObject(oldVerifyKeys)) return [];
  const keys: OldKey[] = [];
  for (const [keyId, entry] of Object.entries(oldVerifyKeys)) {
    const publicKey = publicKeyIn(entry);
    const expired = memberOf(entry, "expired_ts");
    if (!isKeyId(keyId) || !publicKey || !Number.isSafeInteger(expired)) continue;
    keys.push({ keyId, publicKey, expired: expired as number });
  }
  return keys.sort((left, right) => right.expired - left.expired).slice(0, MAX_OLD_KEYS);
}

function isSignedBy(value: unknown, { name, keys }: Notary): boolean {
  return [...keys].some(([keyId, publicKey]) => verifySignedJson(value, name, keyId, publicKey));
}

function isShort(value: unknown): boolean {
  try {
    return JSON.stringify(value).length <= MAX_LENGTH;
  } catch {
    // Nested too deep for the stack.
    return false;
  }
}
