import { SignError } from "../errors.js";
import { decodeBase64, encodeBase64 } from "./base64.js";
import { engine } from "./ed25519.js";
import type { Ed25519Signer } from "./ed25519-engine.js";

const VERSION = /^\w+$/;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// No message here quotes what was read: it may be the secret, in the wrong place.
const wrong = (what: string): SignError => new SignError("ERR_SIGNING_KEY", what);

/**
 * An Ed25519 key that signs for our server. The secret is in private fields and leaves through
 * {@link SigningKey.toKeyFile} alone: logging, inspecting, cloning or stringifying the object shows only the key id
 * and the public key. Specification: Appendices, "Signing Details".
 */
export class SigningKey {
  /** The signing key identifier: `ed25519:` and the version. */
  readonly keyId: string;
  /** The public key in unpadded Base64. */
  readonly publicKey: string;

  readonly #seed: Uint8Array;
  readonly #signer: Ed25519Signer;

  private constructor(seed: Uint8Array, version: string) {
    if (!VERSION.test(version)) {
      throw wrong('The version of a signing key has only letters, digits and underscores, such as "a_abcd".');
    }
    this.#seed = Uint8Array.from(seed);
    this.#signer = engine.importSeed(this.#seed);
    this.keyId = `ed25519:${version}`;
    this.publicKey = encodeBase64(this.#signer.publicKey);
  }

  /**
   * Reads a key file with one key, in Synapse's form: `ed25519 a_abcd <seed in unpadded Base64>`.
   *
   * @throws {@link SignError} `ERR_SIGNING_KEY` when it is no such line or there are several.
   */
  static parse(text: string): SigningKey {
    const [key, another] = SigningKey.parseAll(text);
    if (another) throw wrong("The key file has several keys; SigningKey.parseAll reads them all.");
    return key as SigningKey;
  }

  /**
   * Reads a key file with one key a line.
   *
   * @throws {@link SignError} `ERR_SIGNING_KEY` when it has no key, or a line that is none.
   */
  static parseAll(text: string): SigningKey[] {
    if (typeof text !== "string") throw wrong("The key file's text is not a string.");
    const lines = text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    if (lines.length === 0) throw wrong('The key file is empty; it has lines such as "ed25519 a_abcd <Base64>".');
    return lines.map((line) => {
      const [algorithm, version, seedText, ...more] = line.split(/[ \t]+/);
      if (version === undefined || seedText === undefined || more.length > 0) {
        throw wrong('A line of the key file is not of the form "ed25519 a_abcd <Base64>".');
      }
      if (algorithm !== "ed25519") throw wrong('The algorithm in the key file is not "ed25519", all that Matrix has.');
      const seed = decodeBase64(seedText);
      if (seed?.length !== 32) throw wrong("The seed in the key file is not 32 bytes in Base64 (43 characters).");
      return new SigningKey(seed, version);
    });
  }

  /**
   * Makes a new key.
   *
   * @param version - What tells the keys of one server apart; random when absent, such as `a_wXyZ`.
   * @throws {@link SignError} `ERR_SIGNING_KEY` when the version has other characters than letters, digits and `_`.
   */
  static generate(version: string = randomVersion()): SigningKey {
    return new SigningKey(crypto.getRandomValues(new Uint8Array(32)), version);
  }

  /**
   * Makes a key of its seed.
   *
   * @param seed - The 32 secret bytes.
   * @throws {@link SignError} `ERR_SIGNING_KEY` when the seed or the version has the wrong form.
   */
  static fromSeed(seed: Uint8Array, version: string): SigningKey {
    return new SigningKey(seed, version);
  }

  /** What tells the keys of one server apart: the part of the key id behind the colon. */
  get version(): string {
    return this.keyId.slice("ed25519:".length);
  }

  /** The signature of a message, in unpadded Base64. */
  sign(message: Uint8Array): string {
    return encodeBase64(this.#signer.sign(message));
  }

  /** As {@link SigningKey.sign}, off the main thread where the runtime can. */
  async signAsync(message: Uint8Array): Promise<string> {
    return encodeBase64(await this.#signer.signAsync(message));
  }

  /** The key file's line, with its line end. This is the secret. */
  toKeyFile(): string {
    return `ed25519 ${this.version} ${encodeBase64(this.#seed)}\n`;
  }

  /** The key id. */
  toString(): string {
    return this.keyId;
  }
}

function randomVersion(): string {
  const random = crypto.getRandomValues(new Uint8Array(4));
  return `a_${Array.from(random, (byte) => LETTERS.charAt(byte % LETTERS.length)).join("")}`;
}
