import { inspect } from "node:util";

import { afterEach, expect, test } from "vitest";

import { isSubjectOf, openIdUserinfo } from "../../src/endpoints.js";
import { type DiagnosticsEvents, observe } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, rejection } from "../client/world.js";

const a = "a.example";
const world = createWorld(a, { name: "dead.example", dead: true });
const accessToken = "S3cretT0ken+/=";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const shown = (value: unknown): string =>
  [
    inspect(value, { depth: 20, showHidden: true, getters: true, maxStringLength: null }),
    JSON.stringify(value) ?? "",
    value instanceof Error ? `${value.stack} ${value.message}` : "",
  ].join("\n");

function expectNoToken(text: string): void {
  expect(text).not.toContain(accessToken);
  expect(text).not.toContain(encodeURIComponent(accessToken));
  expect(text).not.toContain("access_token");
}

test("the token of an OpenID request is in no error, diagnostics event, trail, client or store", async () => {
  const seen: unknown[] = [];
  const names: readonly (keyof DiagnosticsEvents)[] = [
    "matrix-federation-sdk:request:start",
    "matrix-federation-sdk:request:end",
    "matrix-federation-sdk:verdict",
    "matrix-federation-sdk:backoff:open",
    "matrix-federation-sdk:backoff:close",
  ];
  for (const name of names) stops.push(observe(name, (event) => seen.push(event)));
  const kept: string[] = [];
  const store = {
    get: async () => undefined,
    set: async (key: string, value: string) => void kept.push(key, value),
    delete: async () => {},
  };
  const client = world.client({ store, backoff: { threshold: 1 } });
  const behaviours: Behaviour[] = [
    reply.reset(),
    reply.reset({ when: "midBody" }),
    reply.stallBeforeHeaders(),
    reply.garbage(),
    reply.htmlError(),
    reply.redirect("https://b.example/"),
    reply.json({ sub: 5 }),
    reply.matrixError(401, "M_UNKNOWN_TOKEN", "Access token unknown or expired"),
  ];
  const options = { rounds: 1, timeout: 300, ignoreBackoff: true };
  for (const behaviour of behaviours) {
    world.on(a, behaviour, "openid_userinfo");
    expectNoToken(shown(await rejection(client.request(a, openIdUserinfo, { accessToken }, options))));
  }
  expectNoToken(shown(await client.safe.request("dead.example", openIdUserinfo, { accessToken }, options)));
  world.on(a, reply.json({ sub: "@alice:a.example" }), "openid_userinfo");
  expectNoToken(shown(await client.safe.request(a, openIdUserinfo, { accessToken }, { ignoreBackoff: true })));
  expectNoToken(shown(client));
  await client.close();
  expect(seen.length).toBeGreaterThan(10);
  expectNoToken(shown(seen));
  expectNoToken(shown(kept));
});

test("a token of the wrong form is refused before any request, without being shown", async () => {
  for (const wrong of ["S3cretT0ken\ud800", { S3cretT0ken: 1 }, undefined] as unknown[]) {
    const error = await rejection(world.client().request(a, openIdUserinfo, { accessToken: wrong as string }));
    expect(error).toMatchObject({ code: "ERR_INPUT" });
    expect(shown(error)).not.toContain("S3cretT0ken");
  }
  expect(world.requestCount()).toBe(0);
});

// Synapse and Dendrite; Conduwuit, Continuwuity and Tuwunel; Synapse; Dendrite.
test.each(["M_UNKNOWN_TOKEN", "M_UNAUTHORIZED", "M_MISSING_TOKEN", "M_MISSING_PARAM"])(
  "a token that is refused with %s is an answer: it is not sent again and does not count against the server",
  async (errcode) => {
    world.on(a, reply.matrixError(401, errcode), "openid_userinfo");
    const client = world.client({ backoff: { threshold: 1 } });
    for (const requests of [1, 2]) {
      const error = await rejection(client.request(a, openIdUserinfo, { accessToken }));
      expect(error).toMatchObject({ errcode, status: 401 });
      expect(world.requests(a).length).toBe(requests);
    }
    expect((await client.backoff.get(a)).failures).toBe(0);
  },
);

test.each([
  ["@alice:a.example", "a.example", true],
  ["@alice:a.example:8448", "a.example:8448", true],
  ["@al/ice=é:[2001:db8::1]:8448", "[2001:db8::1]:8448", true],
  ["@:a.example", "a.example", true],
  ["@alice:a.example", "b.example", false],
  ["@alice:b.example", "a.example", false],
  ["@alice:evil.example:a.example", "a.example", false],
  ["@alice:a.example:8448", "a.example", false],
  ["@alice:a.example", "a.example:8448", false],
  ["@alice:A.example", "a.example", false],
  ["@alice:a.example ", "a.example", false],
  ["alice:a.example", "a.example", false],
  ["!alice:a.example", "a.example", false],
  ["@alice", "", false],
  ["@alice:", "", false],
  ["", "a.example", false],
  ["@ali\0ce:a.example", "a.example", false],
  [`@${"a".repeat(255)}:a.example`, "a.example", false],
])("%j is a subject of %j: %j", (sub, server, expected) => {
  expect(isSubjectOf(sub, server)).toBe(expected);
});

test("a server that repeats the token in its error finds its text left out (bug: it stood in the message)", async () => {
  const echo = `no such token: ${accessToken}, at ?access_token=${encodeURIComponent(accessToken)}`;
  world.on(a, reply.matrixError(401, "M_UNKNOWN_TOKEN", echo), "openid_userinfo");
  const error = await rejection(world.client().openid.userinfo(a, accessToken));
  expect(error).toMatchObject({ errcode: "M_UNKNOWN_TOKEN" });
  expect(shown(error)).not.toContain(accessToken);
  expect(shown(error)).not.toContain("no such token");
});

test("nor is a token shown that the server makes its error code (bug: it stayed there)", async () => {
  for (const [token, errcode] of [
    [accessToken, accessToken],
    ["SECRETTOKEN", "M_SECRETTOKEN"],
  ] as const) {
    world.on(a, reply.matrixError(401, errcode), "openid_userinfo");
    const error = await rejection(world.client().openid.userinfo(a, token));
    expect(shown(error)).not.toContain(token);
  }
});

test("a user is vouched for by the user's own server only", async () => {
  world.on(a, reply.json({ sub: "@alice:a.example" }), "openid_userinfo");
  const client = world.client();
  expect(await client.openid.userinfo(a, accessToken)).toEqual({ sub: "@alice:a.example" });
  world.on(a, reply.json({ sub: "@alice:good.example" }), "openid_userinfo");
  const result = await client.safe.openid.userinfo(a, accessToken);
  expect(result).toMatchObject({ ok: false, error: { code: "ERR_RESPONSE_INVALID", issues: [{ path: "$.sub" }] } });
});

test("wrong tokens do not cut us off from a server (bug: each 401 counted against it)", async () => {
  world.on(a, reply.matrixError(401, "M_UNKNOWN_TOKEN"), "openid_userinfo");
  const client = world.client({ backoff: { threshold: 1 } });
  for (let call = 0; call < 3; call++) await client.safe.openid.userinfo(a, `${accessToken}${call}`);
  expect(await client.backoff.get(a)).toMatchObject({ failures: 0, retryAt: undefined });
});
