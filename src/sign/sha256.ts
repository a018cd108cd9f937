import { sha256 as hashBytes } from "@noble/hashes/sha2.js";
import { encodeBase64 } from "./base64.js";

/** The SHA-256 hash of bytes, in unpadded Base64. */
export type Sha256 = (bytes: Uint8Array) => string;

function createNodeSha256({ createHash, hash }: typeof import("node:crypto")): Sha256 {
  // Node 20.12 has the function, which takes a third less time; not every runtime that calls itself Node does.
  const padded: Sha256 =
    typeof hash === "function"
      ? (bytes) => hash("sha256", bytes, "base64")
      : (bytes) => createHash("sha256").update(bytes).digest("base64");
  return (bytes) => padded(bytes).slice(0, -1);
}

// Not a static import: this module has to load in runtimes that have no node:crypto.
const nodeCrypto = globalThis.process?.getBuiltinModule?.("node:crypto");

/** The SHA-256 of `node:crypto`; undefined where the runtime has none. */
export const nodeSha256: Sha256 | undefined = nodeCrypto && createNodeSha256(nodeCrypto);

/** The SHA-256 in plain JavaScript. */
export const portableSha256: Sha256 = (bytes) => encodeBase64(hashBytes(bytes));

/** The SHA-256 to use: the fastest there is. */
export const sha256: Sha256 = nodeSha256 ?? portableSha256;
