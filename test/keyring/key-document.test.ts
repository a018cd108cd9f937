import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { SigningKey } from "../../src/index.js";
import { type DocumentOrigin, readKeyDocument } from "../../src/keyring/key-document.js";
import type { KnownKey } from "../../src/keyring/known-key.js";
import { type DocumentParts, dayMs, documentOf, published, retired } from "./world.js";

const name = "a.example";
const [current, second, former, notaryKey] = ["now", "too", "old", "n"].map((version) =>
  SigningKey.generate(version),
) as [SigningKey, SigningKey, SigningKey, SigningKey];
const fetchedAt = Date.now();
const direct: DocumentOrigin = { servers: new Set([name]), source: "direct", fetchedAt };
const signingKey = notaryKey;
const notary = { name: "n.example", signingKey };
const byNotary: DocumentOrigin = {
  servers: new Set([name]),
  source: "notary:n.example",
  fetchedAt,
  notary: { name: "n.example", keys: new Map([[notaryKey.keyId, notaryKey.publicKey]]) },
};
const read = (parts: DocumentParts, origin = direct): string | readonly KnownKey[] => {
  const document = readKeyDocument(JSON.parse(JSON.stringify(documentOf(name, current, parts))), origin);
  return typeof document === "string" ? document : document.keys;
};
const ids = (keys: string | readonly KnownKey[]): unknown =>
  typeof keys === "string" ? keys : keys.map(({ keyId }) => keyId);

describe("a key document", () => {
  test("is believed when the server signed it, with what is unknown in it", () => {
    expect(read({ more: { "org.example.more": [1] }, oldVerifyKeys: retired(former, 5) })).toMatchObject([
      { server: name, keyId: current.keyId, source: "direct", fetchedAt },
      { server: name, keyId: former.keyId, expiredTs: 5, validUntilTs: 5 },
    ]);
  });

  test("makes keys valid for 7 days at most, and old keys too", () => {
    const latest = fetchedAt + 7 * dayMs;
    const keys = read({
      validUntilTs: Number.MAX_SAFE_INTEGER,
      oldVerifyKeys: retired(former, Number.MAX_SAFE_INTEGER),
    });
    expect(keys).toMatchObject([{ validUntilTs: latest }, { validUntilTs: latest, expiredTs: latest }]);
    expect(read({ validUntilTs: 3 })).toMatchObject([{ validUntilTs: 3 }]);
  });

  test("may say null of old keys, as Dendrite does", () => {
    expect(ids(read({ oldVerifyKeys: null }))).toEqual([current.keyId]);
  });

  test("is not believed without a signature of a key in use, or with a wrong one", () => {
    expect(read({ signers: [] })).toBe("notSelfSigned");
    expect(read({ signers: [former], oldVerifyKeys: retired(former, 5) })).toBe("notSelfSigned");
    expect(read({ verifyKeys: published(current, second), signers: [current] })).toHaveLength(2);
    const changed = { ...documentOf(name, current), valid_until_ts: 5 };
    expect(readKeyDocument(changed, direct)).toBe("notSelfSigned");
    const doubly = documentOf(name, current, { verifyKeys: published(current, second), signers: [current, second] });
    const signature = doubly.signatures[name]?.[current.keyId] ?? "";
    doubly.signatures[name] = { [current.keyId]: signature, [second.keyId]: signature };
    expect(readKeyDocument(doubly, direct)).toBe("notSelfSigned");
  });

  test("is not believed when it is about another server", () => {
    const others = documentOf("b.example", current);
    expect(readKeyDocument(others, direct)).toBe("wrongServerName");
    expect(readKeyDocument({ ...others, server_name: name }, direct)).toBe("notSelfSigned");
  });

  test("has a key in both lists: it is out of use", () => {
    expect(read({ oldVerifyKeys: retired(current, 5) })).toMatchObject([{ keyId: current.keyId, expiredTs: 5 }]);
  });

  test("loses the entries that are no keys, and keeps the others", () => {
    const odd = {
      "ed25519:short": { key: "AAAA" },
      "curve25519:x": { key: current.publicKey },
      "ed25519:": { key: 5 },
    };
    const verifyKeys = { ...published(current), ...odd } as unknown as Record<string, { key: string }>;
    const oldVerifyKeys = { ...retired(former, 1), "ed25519:x": { key: former.publicKey, expired_ts: 1.5 } };
    expect(ids(read({ verifyKeys }))).toEqual([current.keyId]);
    // A number with a fraction has no canonical form, so that nobody can have signed it.
    const document = { ...documentOf(name, current), old_verify_keys: oldVerifyKeys };
    expect(readKeyDocument(document, direct)).toBe("notSelfSigned");
  });

  test("may be called what objects have by nature", () => {
    const text = JSON.stringify(documentOf(name, current)).replace(
      '"verify_keys":{',
      '"verify_keys":{"__proto__":{"key":"x"},',
    );
    expect(readKeyDocument(JSON.parse(text), direct)).toBe("notSelfSigned");
    expect(readKeyDocument({ __proto__: documentOf(name, current) }, direct)).toBe("notADocument");
  });

  test("is bounded: in keys in use, in length, in depth; of old keys the last ones count", () => {
    const keys = Array.from({ length: 17 }, (_, index) => SigningKey.generate(`k${index}`));
    expect(read({ verifyKeys: published(...keys), signers: [] })).toBe("tooLarge");
    expect(read({ more: { text: "x".repeat(70_000) } })).toBe("tooLarge");
    const deep = JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`);
    expect(["tooLarge", "notSelfSigned"]).toContain(readKeyDocument({ ...documentOf(name, current), deep }, direct));
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`ed25519:o${index}`, { key: former.publicKey, expired_ts: index }]),
    );
    const found = read({ oldVerifyKeys: many }) as readonly KnownKey[];
    expect(found.length).toBe(65);
    expect(found.some(({ keyId }) => keyId === "ed25519:o99")).toBe(true);
    expect(found.some(({ keyId }) => keyId === "ed25519:o35")).toBe(false);
  });

  test("of any JSON gives a verdict, never a crash", () => {
    const origin = { ...direct, servers: { has: () => true } };
    const form = fc.record(
      {
        server_name: fc.oneof(fc.constant(name), fc.jsonValue()),
        verify_keys: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
        old_verify_keys: fc.jsonValue(),
        valid_until_ts: fc.oneof(fc.integer(), fc.jsonValue()),
        signatures: fc.oneof(fc.dictionary(fc.constant(name), fc.jsonValue()), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), form), (value) => {
        expect(readKeyDocument(value, origin)).toBeTypeOf("string");
      }),
    );
  });
});

describe("a key document from a notary", () => {
  test("is believed when the notary signed it as well", () => {
    expect(read({ notary }, byNotary)).toMatchObject([{ keyId: current.keyId, source: "notary:n.example" }]);
    expect(read({}, byNotary)).toBe("notSignedByNotary");
    const another = { name: "n.example", signingKey: SigningKey.generate("n") };
    expect(read({ notary: another }, byNotary)).toBe("notSignedByNotary");
  });

  test("does not get by without the server's own signature", () => {
    expect(read({ notary, signers: [] }, byNotary)).toBe("notSelfSigned");
  });

  test("prolongs no key that did not sign it: anybody can list a key that is not theirs", () => {
    const madeUp = SigningKey.generate("evil");
    const verifyKeys = published(current, madeUp);
    expect(ids(read({ notary, verifyKeys, signers: [madeUp] }, byNotary))).toEqual([madeUp.keyId]);
  });
});
