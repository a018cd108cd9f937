import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeAnyBase64, decodeBase64, encodeBase64, encodeUrlSafeBase64 } from "../../src/sign/base64.js";

const bytes = fc.uint8Array({ maxLength: 80 });

describe("base64", () => {
  it.each(["", "f", "fo", "foo", "foob", "fooba", "foobar"])("encodes the specification's example %j", (text) => {
    const expected = { "": "", f: "Zg", fo: "Zm8", foo: "Zm9v", foob: "Zm9vYg", fooba: "Zm9vYmE", foobar: "Zm9vYmFy" };
    expect(encodeBase64(Buffer.from(text))).toBe(expected[text as keyof typeof expected]);
  });

  it("agrees with Buffer, with and without padding", () => {
    fc.assert(
      fc.property(bytes, (it) => {
        const padded = Buffer.from(it).toString("base64");
        expect(encodeBase64(it)).toBe(padded.replace(/=+$/, ""));
        expect(encodeUrlSafeBase64(it)).toBe(Buffer.from(it).toString("base64url"));
        for (const text of [padded, encodeBase64(it)]) expect(decodeBase64(text)).toEqual(it);
        for (const text of [padded, encodeBase64(it), encodeUrlSafeBase64(it)])
          expect(decodeAnyBase64(text)).toEqual(it);
      }),
    );
  });

  it("takes what Buffer takes, of texts that are of the alphabet and as long as they have to be, and no others", () => {
    const char = fc.constantFrom(..."AZaz059+/-_=", " ", "\n", "\u0141", "\u1041", "😀");
    const is = (text: string, alphabet: RegExp): boolean =>
      alphabet.test(text) && (text.endsWith("=") ? text.length % 4 === 0 : text.length % 4 !== 1);
    fc.assert(
      fc.property(fc.string({ unit: char, maxLength: 12 }), (text) => {
        const expected = new Uint8Array(Buffer.from(text, "base64"));
        expect(decodeBase64(text)).toEqual(is(text, /^[A-Za-z\d+/]*={0,2}$/) ? expected : undefined);
        expect(decodeAnyBase64(text)).toEqual(is(text, /^[\w+/-]*={0,2}$/) ? expected : undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(["A", "AAAAA", "AA A", "AA\n", "A=", "AAA==", "AA=", "AA==AA==", "====", "AA-_", "Aé", null, 1, ["AAAA"]])(
    "refuses %j",
    (text) => {
      expect(decodeBase64(text)).toBeUndefined();
      if (text !== "AA-_") expect(decodeAnyBase64(text)).toBeUndefined();
    },
  );
});
