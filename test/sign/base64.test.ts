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

  it.each(["A", "AAAAA", "AA A", "AA\n", "A=", "AAA==", "AA=", "AA==AA==", "====", "AA-_", "Aé", null, 1, ["AAAA"]])(
    "refuses %j",
    (text) => {
      expect(decodeBase64(text)).toBeUndefined();
      if (text !== "AA-_") expect(decodeAnyBase64(text)).toBeUndefined();
    },
  );
});
