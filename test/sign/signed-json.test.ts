import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signJson, verifySignedJson } from "../../src/sign/signed-json.js";
import { SigningKey } from "../../src/sign/signing-key.js";

const key = SigningKey.parse("ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1");
const verify = (object: unknown, server = "domain", keyId = "ed25519:1", publicKey = key.publicKey): boolean =>
  verifySignedJson(object, server, keyId, publicKey);

describe("signed JSON", () => {
  it.each([
    // Appendices, "Cryptographic Test Vectors".
    [{}, "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"],
    [{ one: 1, two: "Two" }, "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"],
    // The specification's first event, redacted, with its hash.
    [
      {
        room_id: "!x:domain",
        sender: "@a:domain",
        origin: "domain",
        origin_server_ts: 1000000,
        signatures: {},
        hashes: { sha256: "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos" },
        type: "X",
        content: {},
        prev_events: [],
        auth_events: [],
        depth: 3,
        unsigned: { age_ts: 1000000 },
      },
      "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
    ],
    // Made with the Python library signedjson 1.1.4.
    [
      {
        method: "PUT",
        uri: "/_matrix/federation/v1/send/1?a=%27",
        origin: "a.example",
        destination: "[::1]:8448",
        content: { pdus: [], "😀": "\uff61" },
      },
      "NyKA5PTIdnLnrxTx8vm6sUBF5T+/Zpxri2mcpLziUUWy4QFmY4CEcHLEgdVK9naovdC3fV+uXVEcaG5XCSfDCQ",
    ],
  ])("signs %j", (object, signature) => {
    const before = structuredClone(object);
    const signed = signJson(object, "domain", key);
    expect(signed).toEqual({ ...object, signatures: { domain: { "ed25519:1": signature } } });
    expect(object).toEqual(before);
    expect(verify(signed)).toBe(true);
  });

  it("keeps other signatures and unsigned, and does not cover them", () => {
    const other = SigningKey.generate("b");
    const first = signJson({ a: 1, unsigned: { age: 1 } }, "other", other);
    const both = signJson(signJson(first, "domain", key), "domain", other);
    expect(Object.keys(both.signatures)).toEqual(["other", "domain"]);
    expect(Object.keys(both.signatures.domain ?? {})).toEqual(["ed25519:1", "ed25519:b"]);
    expect(both.unsigned).toEqual({ age: 1 });
    expect(verify({ ...both, unsigned: 7 })).toBe(true);
    expect(verify(both, "other", "ed25519:b", other.publicKey)).toBe(true);
    expect(verify(both, "domain", "ed25519:b", other.publicKey)).toBe(true);
    expect(verify(both, "domain", "ed25519:1", other.publicKey)).toBe(false);
    expect(Object.keys(first.signatures)).toEqual(["other"]);
  });

  it("signs own __proto__ keys, and servers that are called like an inherited property", () => {
    const object = JSON.parse('{"__proto__":{"a":1},"b":2}');
    const signed = signJson(object, "constructor", key);
    expect(JSON.stringify(signed)).toMatch(
      /^\{"__proto__":\{"a":1\},"b":2,"signatures":\{"constructor":\{"ed25519:1":"/,
    );
    expect(verify(signed, "constructor")).toBe(true);
    Reflect.deleteProperty(object, "__proto__");
    expect(verify({ ...object, signatures: signed.signatures }, "constructor")).toBe(false);
    expect(verify({}, "constructor", "name")).toBe(false);
    const hostile = signJson({}, "__proto__", key);
    expect(Object.getPrototypeOf(hostile.signatures)).toBe(Object.prototype);
    expect(verify(hostile, "__proto__")).toBe(true);
  });

  it("verifies what it signed, also after a trip through JSON, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.maxSafeInteger())),
        fc.string(),
        (object, extra) => {
          const signed = JSON.parse(JSON.stringify(signJson(object, "domain", key)));
          const name = ["signatures", "unsigned"].includes(extra) ? "x" : extra;
          expect(verify(signed)).toBe(true);
          expect(verify({ ...signed, [name]: ["changed"] })).toBe(false);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("is false for anything odd", () => {
    const signed = signJson({ a: 1 }, "domain", key);
    const withSignature = (signature: unknown) => ({ a: 1, signatures: { domain: { "ed25519:1": signature } } });
    expect(verify(withSignature(signed.signatures.domain?.["ed25519:1"]))).toBe(true);
    for (const odd of [null, 1, "", "AAAA", "*", {}, [], "A".repeat(86)])
      expect(verify(withSignature(odd))).toBe(false);
    for (const odd of [undefined, null, 1, "x", [], {}, { signatures: null }, { signatures: { domain: 1 } }])
      expect(verify(odd)).toBe(false);
    expect(verify({ ...signed, a: 1.5 })).toBe(false);
    expect(verify(signed, "domain", "ed25519:2")).toBe(false);
    expect(verify(signed, "domain", "ed25519:1", "AAAA")).toBe(false);
    expect(
      verify(
        { ...signed, signatures: { domain: { "x:1": signed.signatures.domain?.["ed25519:1"] } } },
        "domain",
        "x:1",
      ),
    ).toBe(false);
    expect(verifySignedJson(signed, "domain", undefined as never, undefined as never)).toBe(false);
  });

  it("refuses to sign what has no canonical JSON", () => {
    for (const object of [{ a: 1.5 }, { signatures: 7 }, { signatures: { domain: "x" } }]) {
      expect(() => signJson(object, "domain", key)).toThrow(expect.objectContaining({ code: "ERR_CANONICAL_JSON" }));
    }
  });
});
