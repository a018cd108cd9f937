import nacl from "tweetnacl";
import { type Ed25519Engine, strict } from "./ed25519-engine.js";
import { nativeEngine } from "./ed25519-native.js";

/** The engine in plain JavaScript, for runtimes without `node:crypto`. */
export const portableEngine: Ed25519Engine = strict({
  importSeed(seed) {
    const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
    const sign = (message: Uint8Array): Uint8Array => nacl.sign.detached(message, secretKey);
    return { publicKey, sign, signAsync: async (message) => sign(message) };
  },
  verify: (publicKey, message, signature) => nacl.sign.detached.verify(message, signature, publicKey),
  verifyAsync: async (publicKey, message, signature) => nacl.sign.detached.verify(message, signature, publicKey),
});

/** The engine to use: the fastest there is. */
export const engine: Ed25519Engine = nativeEngine ?? portableEngine;
