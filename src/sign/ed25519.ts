import type { KeyObject } from "node:crypto";
import nacl from "tweetnacl";
import { SignError } from "../errors.js";
import { isStrict } from "./ed25519-strictness.js";
import { loadSodium } from "./sodium.js";

/** A private key that is ready for use. */
export interface Ed25519Signer {
  /** The public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The signature of a message, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
  /** As `sign`, off the main thread where the engine can. */
  signAsync(message: Uint8Array): Promise<Uint8Array>;
}

/** An implementation of Ed25519. All engines accept exactly the same signatures. */
export interface Ed25519Engine {
  /**
   * Makes a signer of a seed, which is what Matrix calls the private key.
   *
   * @throws {@link SignError} `ERR_SIGNING_KEY` when it has not 32 bytes.
   */
  importSeed(seed: Uint8Array): Ed25519Signer;
  /** Whether a signature is valid, as strictly as libsodium judges. It never throws. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** As `verify`, off the main thread where the engine can. It never rejects. */
  verifyAsync(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** Puts the checks that all engines share in front of one. */
function strict(engine: Ed25519Engine): Ed25519Engine {
  return {
    importSeed(seed) {
      if (seed.length !== 32) throw new SignError("ERR_SIGNING_KEY", "The seed of a signing key has 32 bytes.");
      return engine.importSeed(seed);
    },
    verify(publicKey, message, signature) {
      try {
        return isStrict(publicKey, signature) && engine.verify(publicKey, message, signature);
      } catch {
        return false;
      }
    },
    async verifyAsync(publicKey, message, signature) {
      try {
        return isStrict(publicKey, signature) && (await engine.verifyAsync(publicKey, message, signature));
      } catch {
        return false;
      }
    },
  };
}

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

/** The engine to use: the fastest there is. */
export const engine: Ed25519Engine = sodiumEngine ?? nodeEngine ?? portableEngine;
