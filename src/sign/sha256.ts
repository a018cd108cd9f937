import { sha256 as hashBytes } from "@noble/hashes/sha2.js";
import { encodeBase64, encodeUrlSafeBase64 } from "./base64.js";

/** The SHA-256 hash of bytes, in unpadded Base64; standard when no alphabet is said. */
export type Sha256 = (bytes: Uint8Array, alphabet?: "base64" | "base64url") => string;

function createNodeSha256({ createHash, hash }: typeof import("node:crypto")): Sha256 {
  // Node 20.12 has the function, which takes a third less time; not every runtime that calls itself Node does.
  const encoded: Sha256 =
    typeof hash === "function"
      ? (bytes, alphabet = "base64") => hash("sha256", bytes, alphabet)
      : (bytes, alphabet = "base64") => createHash("sha256").update(bytes).digest(alphabet);
  // Standard Base64 is padded, and the other is not.
  return (bytes, alphabet) => encoded(bytes, alphabet).slice(0, 43);
}

// Not a static import: this module has to load in runtimes that have no node:crypto.
const nodeCrypto = globalThis.process?.getBuiltinModule?.("node:crypto");

/** The SHA-256 of `node:crypto`; undefined where the runtime has none. */
export const nodeSha256: Sha256 | undefined = nodeCrypto && createNodeSha256(nodeCrypto);

/** The SHA-256 in plain JavaScript. */
export const portableSha256: Sha256 = (bytes, alphabet) =>
  alphabet === "base64url" ? encodeUrlSafeBase64(hashBytes(bytes)) : encodeBase64(hashBytes(bytes));

/** The SHA-256 to use: the fastest there is. */
export const sha256: Sha256 = nodeSha256 ?? portableSha256;
