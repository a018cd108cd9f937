/** What is used of `sodium-native`, the bindings of libsodium. It has no types of its own. */
export interface Sodium {
  /**
   * Whether a signature is valid; undefined where the bytes are in memory that threads share, which the bindings do not
   * read. It throws where a length is wrong.
   */
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean | undefined;
}

/** The bindings of libsodium, where whoever uses this library has installed them and the runtime can load them. */
export function loadSodium(): Sodium | undefined {
  try {
    // Not an import: the package is optional, and this module has to load in runtimes that have no node:module.
    const nodeModule = globalThis.process?.getBuiltinModule?.("node:module");
    return nodeModule?.createRequire(import.meta.url)("sodium-native") as Sodium | undefined;
  } catch {
    return undefined;
  }
}
