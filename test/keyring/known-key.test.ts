import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  canBeCured,
  type KeyRequest,
  type KnownKey,
  keyFault,
  MAX_VALIDITY_MS,
  preferredKey,
} from "../../src/keyring/known-key.js";
import { KnownKeys } from "../../src/keyring/known-keys.js";

const now = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const key = (parts: Partial<KnownKey> = {}): KnownKey => ({
  server: "a.example",
  keyId: "ed25519:1",
  publicKey: bytes(1),
  validUntilTs: now + hourMs,
  source: "direct",
  fetchedAt: now,
  ...parts,
});
const old = (expiredTs: number, parts: Partial<KnownKey> = {}): KnownKey =>
  key({ expiredTs, validUntilTs: expiredTs, ...parts });
const request = (parts: Partial<KeyRequest> = {}): KeyRequest => ({
  server: "a.example",
  keyId: "ed25519:1",
  at: now,
  use: "event",
  enforceValidity: true,
  ...parts,
});
const fault = (known: KnownKey | undefined, parts: Partial<KeyRequest> = {}): string | undefined =>
  keyFault(known, request(parts), now);

describe("a key in use", () => {
  test("is good for events until valid_until_ts, that millisecond included", () => {
    expect(fault(key(), { at: now + hourMs })).toBeUndefined();
    expect(fault(key(), { at: now + hourMs + 1 })).toBe("outOfValidity");
    expect(fault(key({ validUntilTs: now - hourMs }), { at: now - hourMs })).toBeUndefined();
  });

  test("is good for events of room versions 1 to 4 whenever they were sent", () => {
    expect(
      fault(key({ validUntilTs: 0 }), { at: now + 100 * MAX_VALIDITY_MS, enforceValidity: false }),
    ).toBeUndefined();
  });

  test("is good for requests as long as it is valid now, whatever time they claim and whatever else is asked", () => {
    expect(fault(key(), { use: "request" })).toBeUndefined();
    const past = { use: "request", at: 0 } as const;
    expect(fault(key({ validUntilTs: now - 1 }), past)).toBe("outOfValidity");
    expect(fault(key({ validUntilTs: now - 1 }), { ...past, enforceValidity: false })).toBe("outOfValidity");
  });

  test("is good for 7 days from now at most, also when the clock was set back since it was fetched", () => {
    const fetchedLater = key({ validUntilTs: now + 3 * MAX_VALIDITY_MS, fetchedAt: now + 2 * MAX_VALIDITY_MS });
    expect(fault(fetchedLater, { at: now + MAX_VALIDITY_MS })).toBeUndefined();
    expect(fault(fetchedLater, { at: now + MAX_VALIDITY_MS + 1 })).toBe("outOfValidity");
  });
});

describe("a key out of use", () => {
  test("is good for events until it expired, and for no request", () => {
    expect(fault(old(now), { at: now })).toBeUndefined();
    expect(fault(old(now), { at: now + 1 })).toBe("retired");
    expect(fault(old(now + hourMs), { use: "request" })).toBe("retired");
  });

  test("is not good for later events of room versions 1 to 4 either", () => {
    expect(fault(old(now), { at: now + 1, enforceValidity: false })).toBe("retired");
  });

  test("is not asked for again when the server itself retired it, but is when a notary did", () => {
    expect(canBeCured(old(now), request({ at: now + 1 }), now)).toBe(false);
    expect(canBeCured(old(now, { source: "notary:n.example" }), request({ at: now + 1 }), now)).toBe(true);
  });
});

test("nobody is asked for a key that would have to be valid for longer than any key is", () => {
  const far = request({ at: now + MAX_VALIDITY_MS + 1 });
  expect(canBeCured(undefined, far, now)).toBe(false);
  expect(canBeCured(key(), far, now)).toBe(false);
  expect(canBeCured(undefined, { ...far, enforceValidity: false }, now)).toBe(true);
  expect(canBeCured(undefined, request(), now)).toBe(true);
});

describe("of two keys with one id", () => {
  const notary = { source: "notary:n.example" } as const;
  const cases: Record<string, readonly [known: KnownKey, offered: KnownKey, kept: Partial<KnownKey>]> = {
    "a later valid_until_ts prolongs the key": [
      key(),
      key({ validUntilTs: now + 2 * hourMs }),
      { validUntilTs: now + 2 * hourMs },
    ],
    "an older document does not shorten it": [
      key(),
      key({ validUntilTs: now }),
      { validUntilTs: now + hourMs, source: "direct" },
    ],
    "a notary prolongs a key of the server's, which stays the server's": [
      key(),
      key({ ...notary, validUntilTs: now + 2 * hourMs }),
      { validUntilTs: now + 2 * hourMs, source: "direct" },
    ],
    "the server confirms what a notary told": [
      key({ ...notary, validUntilTs: now + 2 * hourMs }),
      key(),
      { source: "direct", validUntilTs: now + 2 * hourMs },
    ],
    "the server retires its key": [key(), old(now), { expiredTs: now }],
    "a notary does not retire a key that the server itself told us": [
      key(),
      old(0, notary),
      { validUntilTs: now + hourMs },
    ],
    "a notary retires a key that a notary told": [key(notary), old(now, notary), { expiredTs: now }],
    "the server brings back what only a notary retired": [old(0, notary), key(), { validUntilTs: now + hourMs }],
    "nothing brings back what the server retired": [old(now), key(), { expiredTs: now }],
    "no notary brings it back either": [old(now), key(notary), { expiredTs: now }],
    "the earlier expired_ts counts": [old(now), old(now - 1), { expiredTs: now - 1 }],
    "a later expired_ts does not": [old(now), old(now + 1), { expiredTs: now }],
    "a notary does not move the expired_ts that the server told": [old(now), old(0, notary), { expiredTs: now }],
    "another public key in use replaces the known one when the server says so": [
      key(),
      key({ publicKey: bytes(2), validUntilTs: 0 }),
      { publicKey: bytes(2), validUntilTs: 0 },
    ],
    "another public key out of use does not replace one in use": [
      key(),
      old(now, { publicKey: bytes(2) }),
      { publicKey: bytes(1), validUntilTs: now + hourMs },
    ],
    "another public key from a notary does not replace the server's": [
      key(),
      key({ ...notary, publicKey: bytes(2), validUntilTs: now + 9 * hourMs }),
      { publicKey: bytes(1), validUntilTs: now + hourMs },
    ],
    "another public key from a notary does not replace a notary's": [
      key(notary),
      key({ source: "notary:m.example", publicKey: bytes(2) }),
      { publicKey: bytes(1) },
    ],
    "the server's public key replaces a notary's": [
      key({ ...notary, validUntilTs: now + 9 * hourMs }),
      key({ publicKey: bytes(2) }),
      { publicKey: bytes(2), validUntilTs: now + hourMs },
    ],
  };
  for (const [what, [known, offered, kept]] of Object.entries(cases)) {
    test(what, () => expect(preferredKey(known, offered)).toMatchObject(kept));
  }

  const anyKey = fc.record(
    {
      publicKey: fc.constantFrom(bytes(1), bytes(2)),
      validUntilTs: fc.integer({ min: now - 10, max: now + 10 }),
      expiredTs: fc.integer({ min: now - 10, max: now + 10 }),
      source: fc.constantFrom("direct", "notary:n.example", "notary:m.example"),
    },
    { requiredKeys: ["publicKey", "validUntilTs", "source"] },
  ) as fc.Arbitrary<Partial<KnownKey>>;

  test("what notaries say never changes which events and requests a key of the server's is good for, but to prolong it", () => {
    fc.assert(
      fc.property(
        anyKey,
        fc.array(anyKey, { maxLength: 5 }),
        fc.integer({ min: now - 10, max: now + 10 }),
        (own, said, at) => {
          const known = key({ ...own, source: "direct" });
          const notaries = said.map((one) => key({ ...one, source: "notary:n.example" }));
          const kept = notaries.reduce(preferredKey, known);
          expect(kept.publicKey).toEqual(known.publicKey);
          expect(kept.expiredTs).toBe(known.expiredTs);
          if (keyFault(known, request({ at }), now) === undefined) {
            expect(keyFault(kept, request({ at }), now)).toBeUndefined();
          }
        },
      ),
    );
  });

  test("a key that was retired is never in use again by the words of those that count no more", () => {
    fc.assert(
      fc.property(fc.array(anyKey, { maxLength: 6 }), (said) => {
        const all = said.map((one) => key({ ...one, publicKey: bytes(1), source: "direct" }));
        const kept = all.reduce<KnownKey | undefined>(preferredKey, undefined);
        const retirements = all.flatMap(({ expiredTs }) => expiredTs ?? []);
        expect(kept?.expiredTs).toBe(retirements.length > 0 ? Math.min(...retirements) : undefined);
      }),
    );
  });
});

describe("what is known of servers", () => {
  test("is bounded for each server, and the keys that are valid for longest stay", () => {
    const known = new KnownKeys();
    const many = Array.from({ length: 300 }, (_, index) => key({ keyId: `ed25519:${index}`, validUntilTs: index }));
    known.add("a.example", many);
    expect(known.of("a.example").length).toBe(128);
    expect(known.get("a.example", "ed25519:299")).toBeDefined();
    expect(known.get("a.example", "ed25519:0")).toBeUndefined();
  });

  test("keeps what the server itself told, however many keys a notary tells of (bug: they pushed it out)", () => {
    const known = new KnownKeys();
    known.add("a.example", [key({ validUntilTs: 0 })]);
    for (let round = 0; round < 20; round++) {
      const many = Array.from({ length: 16 }, (_, index) =>
        key({ keyId: `ed25519:x${round}_${index}`, source: "notary:n" }),
      );
      known.add("a.example", many);
    }
    expect(known.get("a.example", "ed25519:1")?.source).toBe("direct");
    expect(known.of("a.example").length).toBe(128);
  });

  test("is bounded in servers, and tells whom it forgot for lack of room", () => {
    const lost: string[] = [];
    const known = new KnownKeys((server) => void lost.push(server));
    for (let index = 0; index <= 10_000; index++) known.add(`${index}.example`, [key()]);
    expect(lost).toEqual(["0.example"]);
    known.forget("1.example");
    known.forget();
    expect(known.servers()).toEqual([]);
    expect(lost).toEqual(["0.example"]);
  });
});
