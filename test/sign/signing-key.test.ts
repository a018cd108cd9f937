import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { SigningKey } from "../../src/sign/signing-key.js";

/** The seed of the specification's test vectors. Its last character has bits set that belong to no byte. */
const SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
/** The same bytes, encoded again. */
const SAME_SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0";
/** From the Python library signedjson 1.1.4. */
const PUBLIC_KEY = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI";

describe("SigningKey", () => {
  it.each(["", "\n", "\r\n", " \n\n", "=", "=\r\n"])("reads a key file that ends in %j", (end) => {
    const key = SigningKey.parse(`ed25519 a_abcd ${SEED}${end}`);
    expect(key).toMatchObject({ keyId: "ed25519:a_abcd", version: "a_abcd", publicKey: PUBLIC_KEY });
    expect(key.toKeyFile()).toBe(`ed25519 a_abcd ${SAME_SEED}\n`);
    expect(SigningKey.parse(key.toKeyFile()).publicKey).toBe(PUBLIC_KEY);
  });

  it("reads a byte order mark, tabs and several keys", () => {
    const keys = SigningKey.parseAll(`\ufeffed25519 1 ${SEED}\r\n\r\ned25519\tb  ${SEED}\r\n`);
    expect(keys.map((key) => key.keyId)).toEqual(["ed25519:1", "ed25519:b"]);
    expect(() => SigningKey.parse(`ed25519 1 ${SEED}\ned25519 2 ${SEED}`)).toThrow("parseAll");
  });

  it.each([
    "",
    "\n",
    SEED,
    `ed25519 ${SEED}`,
    `${SEED} ed25519 1`,
    `ed25519 ${SEED} 1`,
    `ed25519 a:b ${SEED}`,
    `ed25519 é ${SEED}`,
    `curve25519 1 ${SEED}`,
    `ED25519 1 ${SEED}`,
    `ed25519 1 ${SEED} more`,
    `# ed25519 1 ${SEED}`,
    `ed25519 1 ${SEED.slice(1)}`,
    `ed25519 1 ${SEED}A`,
    `ed25519 1 ${SEED}==`,
    `ed25519 1 ${SEED.replace("+", "-")}`,
    `ed25519 1 ${SEED}${SEED}`,
    `ed25519 1 ${SEED}\nrubbish ${SEED}`,
    undefined,
  ])("refuses %j without repeating it", (text) => {
    let error: unknown;
    try {
      SigningKey.parseAll(text as string);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ name: "SignError", code: "ERR_SIGNING_KEY" });
    expect(inspect(error, { depth: null })).not.toContain(SEED.slice(5, 30));
  });

  it("shows its secret nowhere but in the key file", () => {
    const key = SigningKey.parse(`ed25519 1 ${SEED}`);
    expect(JSON.parse(JSON.stringify(key))).toEqual({ keyId: "ed25519:1", publicKey: PUBLIC_KEY });
    expect(structuredClone(key)).toEqual({ keyId: "ed25519:1", publicKey: PUBLIC_KEY });
    expect(String(key)).toBe("ed25519:1");
    expect(inspect(key)).toBe(`SigningKey {\n  keyId: 'ed25519:1',\n  publicKey: '${PUBLIC_KEY}'\n}`);
    const everything = inspect(key, { depth: null, showHidden: true, getters: true });
    for (const secret of [SEED.slice(0, 42), "96, 144, 193, 3", "6090c103"]) expect(everything).not.toContain(secret);
    expect(Reflect.ownKeys(key)).toEqual(["keyId", "publicKey"]);
  });

  it("makes keys", () => {
    const key = SigningKey.generate();
    expect(key.version).toMatch(/^a_[A-Za-z]{4}$/);
    expect(key.publicKey).toMatch(/^[A-Za-z\d+/]{43}$/);
    expect(SigningKey.generate().publicKey).not.toBe(key.publicKey);
    expect(SigningKey.generate("1").keyId).toBe("ed25519:1");
    expect(() => SigningKey.generate("a b")).toThrow(expect.objectContaining({ code: "ERR_SIGNING_KEY" }));
    expect(() => SigningKey.generate("")).toThrow("letters, digits and underscores");
  });

  it("keeps its own copy of the seed", () => {
    const seed = Buffer.from(SEED, "base64");
    const key = SigningKey.fromSeed(seed, "1");
    seed.fill(0);
    expect(key.toKeyFile()).toBe(`ed25519 1 ${SAME_SEED}\n`);
    expect(() => SigningKey.fromSeed(new Uint8Array(64), "1")).toThrow("32 bytes");
  });

  it("signs the same, at once and later", async () => {
    const key = SigningKey.parse(`ed25519 1 ${SEED}`);
    const signature = "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ";
    expect(key.sign(Buffer.from("{}"))).toBe(signature);
    expect(await key.signAsync(Buffer.from("{}"))).toBe(signature);
  });
});
