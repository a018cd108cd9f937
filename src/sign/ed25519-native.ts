import type { KeyObject } from "node:crypto";
import { type Ed25519Engine, strict } from "./ed25519-engine.js";
import { loadSodium } from "./sodium.js";

/** How many imported public keys are kept: importing one takes a tenth of the time of a verification. */
const MAX_PUBLIC_KEYS = 1000;
/** The DER bytes (RFC 8410, PKCS #8) that come before the seed. */
const PKCS8_PREFIX = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

function createNodeEngine(crypto: typeof import("node:crypto")): Ed25519Engine {
  const publicKeys = new Map<string, KeyObject>();
  const importKey = (publicKey: Uint8Array): KeyObject => {
    const bytes = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length);
    const name = bytes.toString("latin1");
    const known = publicKeys.get(name);
    if (known) return known;
    // A JWK is imported ten times faster than DER.
    const jwk = { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") };
    const key = crypto.createPublicKey({ key: jwk, format: "jwk" });
    // Importing them again is cheap.
    if (publicKeys.size === MAX_PUBLIC_KEYS) publicKeys.clear();
    publicKeys.set(name, key);
    return key;
  };
  return strict({
    importSeed(seed) {
      const der = Buffer.from([...PKCS8_PREFIX, ...seed]);
      const key = crypto.createPrivateKey({ key: der, format: "der", type: "pkcs8" });
      const spki = crypto.createPublicKey(key).export({ format: "der", type: "spki" });
      return {
        publicKey: Uint8Array.from(spki.subarray(-32)),
        sign: (message) => crypto.sign(null, message, key),
        signAsync: (message) =>
          new Promise((resolve, reject) => {
            crypto.sign(null, message, key, (error, signature) => (error ? reject(error) : resolve(signature)));
          }),
      };
    },
    verify: (publicKey, message, signature) => crypto.verify(null, message, importKey(publicKey), signature),
    verifyAsync: (publicKey, message, signature) =>
      new Promise((resolve, reject) => {
        crypto.verify(null, message, importKey(publicKey), signature, (error, isRight) =>
          error ? reject(error) : resolve(isRight),
        );
      }),
  });
}

// Not a static import: this module has to load in runtimes that have no node:crypto.
const nodeCrypto = globalThis.process?.getBuiltinModule?.("node:crypto");

/** The engine over `node:crypto`, some seventy times as fast; undefined where the runtime has none. */
export const nodeEngine: Ed25519Engine | undefined = nodeCrypto && createNodeEngine(nodeCrypto);

const sodium = loadSodium();

/** The engine that verifies with libsodium, twice as fast as `node:crypto`; undefined where `sodium-native` is not installed. */
export const sodiumEngine: Ed25519Engine | undefined = nodeEngine &&
  sodium && {
    ...nodeEngine,
    verify: strict({
      ...nodeEngine,
      verify: (publicKey, message, signature) =>
        sodium.crypto_sign_verify_detached(signature, message, publicKey) ??
        nodeEngine.verify(publicKey, message, signature),
    }).verify,
  };

/** The fastest engine that is not in plain JavaScript. */
export const nativeEngine: Ed25519Engine | undefined = sodiumEngine ?? nodeEngine;
