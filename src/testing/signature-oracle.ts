import nacl from "tweetnacl";

import type { JsonValue } from "../endpoint.js";
import type { ReceivedRequest } from "./recorded-request.js";

/** Public keys by server name and key id, as unpadded base64. */
export type TrustedKeys = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * The server whose X-Matrix signature covers exactly what was received, if one of the request's `Authorization`
 * headers has such a signature by a trusted key. Shares no code with the library's own signer, so that each is a check
 * of the other.
 * Spec: https://spec.matrix.org/latest/server-server-api/#request-authentication
 */
export function verifiedOrigin(
  request: ReceivedRequest,
  destination: string,
  trusted: TrustedKeys,
): string | undefined {
  for (const header of request.authorization) {
    const { origin, key, sig, destination: claimed = destination } = xMatrixParameters(header);
    if (!origin || !key || !sig || claimed !== destination) continue;
    const publicKey = trusted.get(origin)?.get(key);
    if (!publicKey || (request.body !== "" && request.json === undefined)) continue;
    const signed: JsonValue = {
      method: request.method,
      uri: request.uri,
      origin,
      destination,
      ...(request.json === undefined ? {} : { content: request.json }),
    };
    const message = encoded(signed);
    if (message && verifies(message, sig, publicKey)) return origin;
  }
  return undefined;
}

/** What is signed; undefined when it is nested too deeply for that. */
function encoded(signed: JsonValue): Uint8Array | undefined {
  try {
    return Buffer.from(sortedJson(signed));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function xMatrixParameters(header: string): Partial<Record<string, string>> {
  const [, list] = /^X-Matrix +(.*)$/i.exec(header) ?? [];
  const parameters: Partial<Record<string, string>> = Object.create(null);
  for (const [, name, quotedValue, token] of (list ?? "").matchAll(
    /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/g,
  )) {
    parameters[name?.toLowerCase() ?? ""] = quotedValue?.replace(/\\(.)/g, "$1") ?? token ?? "";
  }
  return parameters;
}

function verifies(message: Uint8Array, signature: string, publicKey: string): boolean {
  const signatureBytes = Buffer.from(signature, "base64");
  const keyBytes = Buffer.from(publicKey, "base64");
  // tweetnacl throws on wrong lengths.
  if (signatureBytes.length !== nacl.sign.signatureLength || keyBytes.length !== nacl.sign.publicKeyLength)
    return false;
  return nacl.sign.detached.verify(message, signatureBytes, keyBytes);
}

/** JSON with sorted keys and no spaces. UTF-8 bytes sort like code points, which is the order of canonical JSON. */
function sortedJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${sortedJson(item)}`).join(",")}}`;
}
