import { sha256 as portableSha256 } from "@noble/hashes/sha2.js";

/** The SHA-256 hash of bytes. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

function createNodeSha256({ createHash, hash }: typeof import("node:crypto")): Sha256 {
  // Node 20.12 has the function, which takes a third less time; not every runtime that calls itself Node does.
  if (typeof hash === "function") return (bytes) => hash("sha256", bytes, "buffer");
  return (bytes) => createHash("sha256").update(bytes).digest();
}

// Not a static import: this module has to load in runtimes that have no node:crypto.
const nodeCrypto = globalThis.process?.getBuiltinModule?.("node:crypto");

/** The SHA-256 of `node:crypto`; undefined where the runtime has none. */
export const nodeSha256: Sha256 | undefined = nodeCrypto && createNodeSha256(nodeCrypto);

export { portableSha256 };

/** The SHA-256 to use: the fastest there is. */
export const sha256: Sha256 = nodeSha256 ?? portableSha256;
