import { SignError } from "../errors.js";
import { isStrict } from "./ed25519-strictness.js";

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
export function strict(engine: Ed25519Engine): Ed25519Engine {
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
