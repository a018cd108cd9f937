import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeSha256, portableSha256, sha256 } from "../../src/sign/sha256.js";
import { isLongerThan, utf8Bytes } from "../../src/sign/utf8.js";

describe("SHA-256", () => {
  it("is that of node:crypto where there is one", () => {
    expect(nodeSha256).toBeDefined();
    expect(sha256).toBe(nodeSha256);
  });

  it.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ])("is the hash of %j that FIPS 180-2 says, in both implementations", (text, hash) => {
    for (const implementation of [sha256, portableSha256]) {
      expect(Buffer.from(implementation(utf8Bytes(text)), "base64").toString("hex")).toBe(hash);
    }
  });

  it("is the same in both implementations", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(portableSha256(bytes)).toBe(sha256(bytes));
        expect(portableSha256(bytes, "base64url")).toBe(sha256(bytes, "base64url"));
        expect(sha256(bytes, "base64url")).toBe(createHash("sha256").update(bytes).digest("base64url"));
      }),
    );
  });
});

describe("UTF-8", () => {
  it("is what TextEncoder makes, and its length is known without it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(30), (text, limit) => {
        const bytes = new TextEncoder().encode(text);
        expect([...utf8Bytes(text)]).toEqual([...bytes]);
        expect(isLongerThan(text, limit)).toBe(bytes.length > limit);
      }),
    );
  });
});
