import { cleanText } from "../errors.js";
import { verifySignedJson } from "../sign/signed-json.js";
import { isObject } from "../validate/schema.js";
import type { KeyReport, VerifyKeyReport } from "./report.js";

/** Each costs a check of a signature over the whole document. */
const MAX_KEYS = 8;

/** A server may write `__proto__` or `constructor` anywhere: what the prototype has is no field. */
const field = (value: unknown, name: string): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;

/**
 * Reads a key document. Its signatures are checked against the server name that it says itself.
 * Specification: Server-Server API, "Publishing Keys".
 *
 * @param json - What `JSON.parse` made of the answer.
 * @returns The document, or why it is none.
 */
export function readKeyDocument(json: unknown): KeyReport | string {
  if (!isObject(json)) return "it is no JSON object";
  const verifyKeys = field(json, "verify_keys");
  const serverName = field(json, "server_name");
  const validUntil = field(json, "valid_until_ts");
  if (!isObject(verifyKeys)) return "verify_keys is missing or no object";
  if (typeof serverName !== "string") return "server_name is missing or no string";
  if (typeof validUntil !== "number") return "valid_until_ts is missing or no number";
  const keys = Object.entries(verifyKeys)
    .slice(0, MAX_KEYS)
    .map(([keyId, value]): VerifyKeyReport => {
      const publicKey = field(value, "key");
      const signed = typeof publicKey === "string" && verifySignedJson(json, serverName, keyId, publicKey);
      return { keyId: cleanText(keyId, 100), publicKey: cleanText(String(publicKey ?? ""), 100), signed };
    });
  const oldKeys = field(json, "old_verify_keys");
  const oldKeyIds = isObject(oldKeys) ? Object.keys(oldKeys).slice(0, MAX_KEYS) : [];
  return {
    serverName: cleanText(serverName, 260),
    validUntil,
    keys,
    oldKeyIds: oldKeyIds.map((keyId) => cleanText(keyId, 100)),
  };
}

/** A text that is the same for documents of the same server with the same keys. */
function identity({ serverName, keys }: KeyReport): string {
  return JSON.stringify([serverName, keys.map(({ keyId, publicKey }) => `${keyId} ${publicKey}`).sort()]);
}

/** Whether two documents are of the same server and have the same keys; they may have been made at different times. */
export function hasSameKeys(one: KeyReport, other: KeyReport): boolean {
  return identity(one) === identity(other);
}
