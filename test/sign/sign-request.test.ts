import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../src/sign/canonical-json.js";
import { authorizationHeaders, signedRequestJson } from "../../src/sign/sign-request.js";
import { verifySignedJson } from "../../src/sign/signed-json.js";
import { SigningKey } from "../../src/sign/signing-key.js";
import { parseXMatrix } from "../../src/sign/x-matrix.js";

const text = fc.string({ unit: "binary" });
const key = SigningKey.parse("ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1");

describe("request signing", () => {
  it("covers the canonical JSON of the whole request", () => {
    fc.assert(
      fc.property(
        fc.record({ method: text, uri: text, destination: text }),
        text,
        fc.option(fc.dictionary(text, fc.maxSafeInteger()), { nil: undefined }),
        (request, origin, content) => {
          const whole = { ...request, origin, ...(content && { content }) };
          expect(signedRequestJson({ ...request, content: content && canonicalJson(content) }, origin)).toBe(
            canonicalJson(whole),
          );
        },
      ),
    );
  });

  it.each([
    // Both signatures were made with the Python library signedjson 1.1.4; it signed as the server "domain", which no
    // signature covers.
    [
      { method: "GET", uri: "/x", destination: "b.example" },
      "1lTMjDUPwue/8n65HKEMIXPS0IYdTr4WqsTRj39XR6CKwvVQJiGEw7ijasVjMPYSQkjU9GrhzX8aDQO7zJtYCA",
    ],
    [
      {
        method: "PUT",
        uri: "/_matrix/federation/v1/send/1?a=%27",
        destination: "[::1]:8448",
        content: '{"pdus":[],"😀":"\uff61"}',
      },
      "NyKA5PTIdnLnrxTx8vm6sUBF5T+/Zpxri2mcpLziUUWy4QFmY4CEcHLEgdVK9naovdC3fV+uXVEcaG5XCSfDCQ",
    ],
  ])("makes the header of %j", async (request, signature) => {
    expect(await authorizationHeaders(request, "a.example", [key])).toEqual([
      `X-Matrix origin="a.example",destination="${request.destination}",key="ed25519:1",sig="${signature}"`,
    ]);
  });

  it("makes a header for each key, and each can be verified", async () => {
    const keys = [key, SigningKey.generate("b")];
    const request = { method: "POST", uri: "/y", destination: "b.example", content: "{}" };
    const headers = await authorizationHeaders(request, "a.example", keys);
    expect(headers).toHaveLength(2);
    for (const [index, header] of headers.entries()) {
      const { origin, destination, keyId, signature } = parseXMatrix(header) ?? expect.fail();
      const signed = {
        method: "POST",
        uri: "/y",
        origin,
        destination,
        content: {},
        signatures: { [origin]: { [keyId]: signature } },
      };
      expect(
        verifySignedJson(signed, "a.example", `ed25519:${keys[index]?.version}`, keys[index]?.publicKey ?? ""),
      ).toBe(true);
    }
  });

  it("refuses to go without a key", async () => {
    const request = { method: "GET", uri: "/x", destination: "b.example" };
    await expect(authorizationHeaders(request, "a.example", [])).rejects.toMatchObject({
      name: "SignError",
      code: "ERR_NO_SIGNING_KEY",
    });
  });
});
