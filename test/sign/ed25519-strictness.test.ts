import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { portableEngine } from "../../src/sign/ed25519.js";
import { nodeEngine, sodiumEngine } from "../../src/sign/ed25519-native.js";
import { isStrict } from "../../src/sign/ed25519-strictness.js";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const Y_OF_ORDER_EIGHT = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
const SIGN = 2n ** 255n;
const smallOrder = [0n, 1n, P - 1n, Y_OF_ORDER_EIGHT, P - Y_OF_ORDER_EIGHT];

const fromBigInt = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, at) => Number((value >> BigInt(8 * at)) & 255n));
const concat = (left: Uint8Array, right: Uint8Array): Uint8Array => Uint8Array.of(...left, ...right);

/** The rule in numbers. */
function oracle(key: bigint, r: bigint, s: bigint): boolean {
  const y = BigInt.asUintN(255, key);
  return y < P && !smallOrder.includes(y) && !smallOrder.includes(BigInt.asUintN(255, r) % P) && s < L;
}

/** Numbers of 256 bits, most of them beside a limit. */
const near = fc
  .tuple(
    fc.constantFrom(...smallOrder, P, P + 1n, L, 2n * L, 2n ** 252n, 2n ** 253n, SIGN - 1n),
    fc.integer({ min: -3, max: 3 }),
  )
  .map(([limit, step]) => limit + BigInt(step));
const number = fc
  .tuple(fc.oneof(near, fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })), fc.constantFrom(0n, SIGN))
  .map(([value, sign]) => BigInt.asUintN(256, value) | sign);

describe("strictness", () => {
  it("is the rule of libsodium, byte by byte", () => {
    fc.assert(
      fc.property(number, number, number, (key, r, s) => {
        const signature = concat(fromBigInt(r), fromBigInt(s));
        expect(isStrict(fromBigInt(key), signature)).toBe(oracle(key, r, s));
      }),
      { numRuns: 3000 },
    );
  });

  it("lets every honest signature through", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 50 }),
        (seed, message) => {
          const { publicKey, sign } = portableEngine.importSeed(seed);
          expect(isStrict(publicKey, sign(message))).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("takes no more and no less than 32 and 64 bytes", () => {
    for (const [key, signature] of [
      [31, 64],
      [33, 64],
      [32, 63],
      [32, 65],
      [0, 0],
    ] as const) {
      expect(isStrict(new Uint8Array(key).fill(3), new Uint8Array(signature).fill(3))).toBe(false);
    }
    expect(isStrict(new Uint8Array(32).fill(3), new Uint8Array(64).fill(3))).toBe(true);
  });
});

describe.each([
  ["node:crypto", nodeEngine ?? portableEngine],
  ["tweetnacl", portableEngine],
  ["libsodium", sodiumEngine ?? portableEngine],
])("the engine over %s", (_, engine) => {
  const signer = engine.importSeed(new Uint8Array(32).fill(5));
  const message = Uint8Array.of(1, 2, 3);
  const signature = signer.sign(message);

  it("knows a key by its bytes, not by the array that held them", () => {
    const key = Uint8Array.from(signer.publicKey);
    expect(engine.verify(key, message, signature)).toBe(true);
    key.set(engine.importSeed(new Uint8Array(32).fill(6)).publicKey);
    expect(engine.verify(key, message, signature)).toBe(false);
    const within = concat(new Uint8Array(32), signer.publicKey).subarray(32);
    expect(engine.verify(within, message, signature)).toBe(true);
  });

  it("answers off the main thread what it answers at once, and never rejects", async () => {
    expect(await engine.verifyAsync(signer.publicKey, message, signature)).toBe(true);
    for (const wrong of [new Uint8Array(), new Uint8Array(32), new Uint8Array(32).fill(2), undefined as never]) {
      expect(await engine.verifyAsync(wrong, message, signature)).toBe(false);
      expect(await engine.verifyAsync(signer.publicKey, wrong, signature)).toBe(false);
      expect(await engine.verifyAsync(signer.publicKey, message, wrong)).toBe(false);
    }
  });

  it("goes on when more keys were used than it remembers", () => {
    if (engine !== nodeEngine) return;
    for (let at = 0; at < 1100; at++) {
      const key = Uint8Array.from(signer.publicKey);
      key[0] = at & 255;
      key[1] = at >> 8;
      engine.verify(key, message, signature);
    }
    expect(engine.verify(signer.publicKey, message, signature)).toBe(true);
  });
});
