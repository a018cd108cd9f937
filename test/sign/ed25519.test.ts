import fc from "fast-check";
import nacl from "tweetnacl";
import { describe, expect, it } from "vitest";
import { engine, portableEngine } from "../../src/sign/ed25519.js";
import type { Ed25519Engine } from "../../src/sign/ed25519-engine.js";
import { nodeEngine, sodiumEngine } from "../../src/sign/ed25519-native.js";

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const P = 2n ** 255n - 19n;
const Y_OF_ORDER_EIGHT = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;

const fromBigInt = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
const toBigInt = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const concat = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const message = fc.uint8Array({ maxLength: 200 });

it("uses libsodium where it is installed, as it is here, else node:crypto where there is one", () => {
  expect(nodeEngine).toBeDefined();
  expect(sodiumEngine).toBeDefined();
  expect(engine).toBe(sodiumEngine);
});

const engines: [string, Ed25519Engine, Ed25519Engine][] = [
  ["node:crypto", nodeEngine as Ed25519Engine, portableEngine],
  ["tweetnacl", portableEngine, nodeEngine as Ed25519Engine],
  ["libsodium", sodiumEngine as Ed25519Engine, portableEngine],
];

describe.each(engines)("the engine over %s", (_name, ours, other) => {
  // RFC 8032, section 7.1, test 2.
  const rfc = {
    seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  };

  it("agrees with RFC 8032", async () => {
    const signer = ours.importSeed(Buffer.from(rfc.seed, "hex"));
    expect(Buffer.from(signer.publicKey).toString("hex")).toBe(rfc.publicKey);
    expect(Buffer.from(signer.sign(Uint8Array.of(0x72))).toString("hex")).toBe(rfc.signature);
    expect(Buffer.from(await signer.signAsync(Uint8Array.of(0x72))).toString("hex")).toBe(rfc.signature);
  });

  it("makes what the other one makes, and accepts it", () => {
    fc.assert(
      fc.property(seed, message, (secret, bytes) => {
        const signature = ours.importSeed(secret).sign(bytes);
        const { publicKey, sign } = other.importSeed(secret);
        expect(Buffer.from(signature)).toEqual(Buffer.from(sign(bytes)));
        expect(ours.verify(publicKey, bytes, signature)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("refuses when any bit is flipped", () => {
    const signer = ours.importSeed(new Uint8Array(32).fill(7));
    const bytes = Uint8Array.of(1, 2, 3);
    const parts = [signer.publicKey, bytes, Uint8Array.from(signer.sign(bytes))] as const;
    fc.assert(
      fc.property(fc.nat(2), fc.nat(63), fc.nat(7), (part, index, bit) => {
        const flipped = parts.map((it) => Uint8Array.from(it)) as [Uint8Array, Uint8Array, Uint8Array];
        const target = flipped[part] as Uint8Array;
        const at = index % target.length;
        target[at] = (target[at] as number) ^ (1 << bit);
        expect(ours.verify(...flipped)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses S + L, which tweetnacl alone accepts", () => {
    const signer = ours.importSeed(new Uint8Array(32).fill(9));
    const bytes = Uint8Array.of(1);
    const signature = signer.sign(bytes);
    const malleated = concat(signature.subarray(0, 32), fromBigInt(toBigInt(signature.subarray(32)) + L));
    expect(nacl.sign.detached.verify(bytes, malleated, signer.publicKey)).toBe(true);
    expect(ours.verify(signer.publicKey, bytes, malleated)).toBe(false);
  });

  it("refuses keys of small order, under which one signature fits every message", () => {
    const identity = fromBigInt(1n);
    const signature = concat(identity, new Uint8Array(32));

    for (const y of [0n, 1n, P - 1n, P, P + 1n, Y_OF_ORDER_EIGHT, P - Y_OF_ORDER_EIGHT]) {
      for (const sign of [0n, 1n << 255n]) {
        expect(ours.verify(fromBigInt(y | sign), Uint8Array.of(1, 2), signature)).toBe(false);
      }
    }
  });

  it("refuses R of small order", () => {
    // With R the identity, S = k·a makes a valid signature; only the owner of the key can make one.
    const signer = ours.importSeed(new Uint8Array(32).fill(1));
    const hash = nacl.hash(new Uint8Array(32).fill(1));
    const clamped = Uint8Array.from(hash.subarray(0, 32));
    clamped[0] = (clamped[0] as number) & 248;
    clamped[31] = ((clamped[31] as number) & 127) | 64;
    const bytes = Uint8Array.of(5);
    const identity = fromBigInt(1n);
    const k = toBigInt(nacl.hash(concat(identity, signer.publicKey, bytes))) % L;
    const signature = concat(identity, fromBigInt((k * toBigInt(clamped)) % L));
    expect(nacl.sign.detached.verify(bytes, signature, signer.publicKey)).toBe(true);
    expect(ours.verify(signer.publicKey, bytes, signature)).toBe(false);
  });

  it("reads memory that threads share, too, where libsodium's bindings answer neither yes nor no", async () => {
    const share = (bytes: Uint8Array): Uint8Array => {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      return shared;
    };
    const signer = ours.importSeed(new Uint8Array(32).fill(5));
    const parts = [signer.publicKey, Uint8Array.of(1, 2), Uint8Array.from(signer.sign(Uint8Array.of(1, 2)))] as const;
    for (const at of parts.keys()) {
      const [publicKey, bytes, signature] = parts.map((part, index) => (index === at ? share(part) : part));
      const wrong = share(Uint8Array.of(1, 3));
      if (!publicKey || !bytes || !signature) throw new Error("There are three.");
      expect(ours.verify(publicKey, bytes, signature)).toBe(true);
      expect(await ours.verifyAsync(publicKey, bytes, signature)).toBe(true);
      expect(ours.verify(publicKey, wrong, signature)).toBe(false);
    }
  });

  it("refuses what has the wrong length or type, and never throws", () => {
    const signer = ours.importSeed(new Uint8Array(32));
    const bytes = Uint8Array.of(1);
    const signature = signer.sign(bytes);
    expect(ours.verify(signer.publicKey, bytes, signature)).toBe(true);
    expect(ours.verify(signer.publicKey.subarray(1), bytes, signature)).toBe(false);
    expect(ours.verify(concat(signer.publicKey, bytes), bytes, signature)).toBe(false);
    expect(ours.verify(signer.publicKey, bytes, signature.subarray(1))).toBe(false);
    expect(ours.verify(signer.publicKey, bytes, concat(signature, bytes))).toBe(false);
    expect(ours.verify(undefined as never, null as never, "x" as never)).toBe(false);
    expect(ours.verify(fromBigInt(2n), bytes, signature)).toBe(false); // no point of the curve
    for (const length of [0, 31, 33, 64]) {
      expect(() => ours.importSeed(new Uint8Array(length))).toThrow(
        expect.objectContaining({ code: "ERR_SIGNING_KEY" }),
      );
    }
  });
});
