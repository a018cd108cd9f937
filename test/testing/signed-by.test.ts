import { afterAll, beforeAll, expect, test } from "vitest";

import { authorizationHeaders } from "../../src/sign/sign-request.js";
import { SigningKey } from "../../src/sign/signing-key.js";
import { createTestFederation, type TestFederation } from "../../src/testing.js";
import { ask } from "./ask.js";

const uri = "/_matrix/federation/v1/send/1?z=%7e";
// Sorted by code point: the mathematical letter comes after the fullwidth one, which UTF-16 order would turn round.
const content = '{"10":null,"9":[true,-1],"a":{"b":"é🐈","ｚ":1,"𝒳":2}}';
const key = SigningKey.generate();
const otherKey = SigningKey.generate();

let federation: TestFederation;
let authorization: string[];
beforeAll(async () => {
  federation = await createTestFederation({ servers: ["a.test", "b.test"] });
  federation.trust("me.test", key.keyId, key.publicKey);
  authorization = await authorizationHeaders({ method: "PUT", uri, destination: "a.test", content }, "me.test", [key]);
});
afterAll(() => federation.close());

async function signedBy(changes: { path?: string; body?: string; name?: string; headers?: string[]; method?: string }) {
  const { name = "a.test", headers = authorization, path = uri, body = content, method = "PUT" } = changes;
  await ask(federation, name, { method, path, body, headers: { authorization: headers } });
  return federation.server(name).requests.at(-1)?.signedBy;
}

test("a signature over what was received names the signer", async () => {
  expect(await signedBy({})).toBe("me.test");
  expect(await signedBy({ headers: ["Bearer x", ...authorization] })).toBe("me.test");
  expect(await signedBy({ body: JSON.stringify(JSON.parse(content), null, 2) })).toBe("me.test");
});

test("any change takes the signature away", async () => {
  expect(await signedBy({ path: `${uri}&x` })).toBeUndefined();
  expect(await signedBy({ path: uri.replace("%7e", "%7E") })).toBeUndefined();
  expect(await signedBy({ method: "POST" })).toBeUndefined();
  expect(await signedBy({ body: '{"a":1}' })).toBeUndefined();
  expect(await signedBy({ body: "" })).toBeUndefined();
  expect(await signedBy({ body: "no JSON" })).toBeUndefined();
  expect(await signedBy({ name: "b.test" })).toBeUndefined();
  expect(await signedBy({ headers: [] })).toBeUndefined();
  expect(
    await signedBy({ headers: authorization.map((header) => header.replace("me.test", "you.test")) }),
  ).toBeUndefined();
  expect(await signedBy({ headers: [`X-Matrix origin="me.test",key="${key.keyId}",sig="AA"`] })).toBeUndefined();
});

test("a key that is not trusted counts for nothing", async () => {
  const request = { method: "PUT", uri, destination: "a.test", content };
  expect(await signedBy({ headers: await authorizationHeaders(request, "me.test", [otherKey]) })).toBeUndefined();
});

test("the servers of the federation know each other's keys", async () => {
  const { signingKey } = federation.server("b.test");
  const request = { method: "GET", uri: "/_matrix/federation/v1/version", destination: "a.test" };
  const headers = await authorizationHeaders(request, "b.test", [signingKey]);
  expect(await signedBy({ method: "GET", path: request.uri, body: "", headers })).toBe("b.test");
});
