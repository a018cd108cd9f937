import { describe, expect, test } from "vitest";
import { z } from "zod";

import { allEndpoints, queryProfile, sendJoin, sendLeaveV1, stateIds } from "../src/endpoints.js";
import { defineEndpoint, type Endpoint, type FederationError } from "../src/index.js";
import { reply } from "../src/testing.js";
import { createWorld, rejection } from "./client/world.js";

const a = "a.example";
const world = createWorld(a);

/** What users without types pass. */
// biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
type Wrong = any;

function refusalOf(part: object): FederationError {
  try {
    defineEndpoint({ ...queryProfile, ...part } as Wrong);
  } catch (error) {
    return error as FederationError;
  }
  throw new Error("It was taken");
}

describe("an endpoint is refused with", () => {
  const older = { ...queryProfile, name: "older" };
  test.each<[says: string, part: object, message: RegExp]>([
    ["no name", { name: undefined }, /short name/],
    ["a name that could forge a line of a log", { name: "a\nServer: b" }, /short name/],
    ["a path that is no text", { path: 5 }, /path/],
    ["a place that is not closed", { path: "/_matrix/x/{roomId" }, /path/],
    ["a place without a name", { path: "/_matrix/x/{}" }, /path/],
    ["a place in a place", { path: "/_matrix/x/{a{b}}" }, /path/],
    ["a path that URL parsers shorten", { path: "/_matrix/x/../y" }, /path/],
    ["a path that ends in a dot", { path: "/_matrix/x/." }, /path/],
    ["another method", { method: "DELETE" }, /GET, PUT, POST in `method`/],
    ["nobody to ask", { audience: "everybody" }, /server, resident in `audience`/],
    ["another authentication", { authentication: "token" }, /`authentication`/],
    ["another way to repeat", { repeatable: "never" }, /`repeatable`/],
    ["another meaning of partial state", { partialState: true }, /`partialState`/],
    ["another disguise", { partialStateDisguise: "hidden" }, /`partialStateDisguise`/],
    ["another kind of answer", { answer: "text" }, /multipart in `answer`/],
    ["a file as the answer to a POST", { answer: "multipart", method: "POST" }, /GET for one server/],
    ["a file that any resident may have", { answer: "multipart", audience: "resident" }, /GET for one server/],
    ...["events", "rooms", "secrets", "errors", "required", "nextResidentOn"].flatMap((field) =>
      [null, "x", {}, [null], [5]].map((wrong): [string, object, RegExp] => [
        `${JSON.stringify(wrong)} in ${field}`,
        { [field]: wrong },
        new RegExp(`list of .* in \`${field}\``),
      ]),
    ),
    ...["fault", "pinnedTo"].map((field): [string, object, RegExp] => [
      `no function in ${field}`,
      { [field]: {} },
      new RegExp(`function in \`${field}\``),
    ]),
    ["no function in body", { method: "POST", body: {} }, /function in `body`/],
    ["a list for its query", { query: ["eventId"] }, /`query`/],
    ["a parameter without a name", { query: { "": "userId" } }, /`query`/],
    ["a parameter whose name has a space in it", { query: { "user id": "userId" } }, /`query`/],
    ["a parameter that nothing fills", { query: { user_id: 5 } }, /`query`/],
    ["null for its query", { query: null }, /`query`/],
    ["half an element", { maxItems: { pdus: 0.5 } }, /`maxItems`/],
    ["a form that there is not", { forms: { userId: "text" } }, /`forms`/],
    ["null for its older version", { olderVersion: null }, /`olderVersion\.endpoint`/],
    ["a text for its older version", { olderVersion: { endpoint: "v1" } }, /`olderVersion\.endpoint`/],
    ["no function in suits", { olderVersion: { endpoint: older, suits: true } }, /`olderVersion\.suits`/],
    ["a chain of older versions", { olderVersion: { endpoint: sendJoin } }, /older version itself/],
    ["an older version that is none", { olderVersion: { endpoint: { ...older, path: "/x" } } }, /"older" has a path/],
    [
      "an older version that answers with a file",
      { olderVersion: { endpoint: { ...older, answer: "multipart" } } },
      /file/,
    ],
  ])("%s", (_says, part, message) => {
    expect(refusalOf(part)).toMatchObject({ code: "ERR_OPTION", message: expect.stringMatching(message) });
  });

  test("itself as its older version, which nobody would come to the end of (bug: it was no error of ours)", async () => {
    const endless: Wrong = { ...queryProfile };
    endless.olderVersion = { endpoint: endless };
    const error = await rejection(world.client().request(a, endless, { userId: "@alice:a.example" }));
    expect(error).toMatchObject({ code: "ERR_OPTION" });
  });
});

test("an endpoint that was not made by defineEndpoint is refused, for it has no limits (bug: it was asked)", async () => {
  const { timeoutMs, ...unlimited } = queryProfile;
  for (const wrong of [unlimited, { ...unlimited, olderVersion: undefined }, 5, null]) {
    const error = await rejection(world.client().request(a, wrong as Wrong, { userId: "@alice:a.example" }));
    expect(error).toMatchObject({ code: "ERR_INPUT", message: expect.stringContaining("defineEndpoint") });
  }
  expect([timeoutMs, world.requestCount()]).toEqual([10_000, 0]);
});

test("a copy of an endpoint with another time is an endpoint", async () => {
  world.on(a, reply.json({ displayname: "Alice" }), "query_profile");
  const patient: typeof queryProfile = { ...queryProfile, timeoutMs: 15_000 };
  expect(await world.client().request(a, patient, { userId: "@alice:a.example" })).toEqual({ displayname: "Alice" });
});

test("every place in a path of the table is an input field's, and every parameter has a legal name", () => {
  for (const { name, path, query = {} } of allEndpoints) {
    for (const place of path.match(/\{[^}]*\}/g) ?? []) expect(place, name).toMatch(/^\{[a-zA-Z]+\}$/);
    for (const [parameter, field] of Object.entries(query)) {
      expect([parameter, field], name).toEqual([
        expect.stringMatching(/^(\*|[a-z_]+)$/),
        expect.stringMatching(/^\w+$/),
      ]);
    }
  }
});

describe("a function of the endpoint's that does not know what to make of the input is", () => {
  const broken = (): never => {
    throw new TypeError("no");
  };
  const input = { eventId: "$e" };
  test.each<[field: string, endpoint: Endpoint<Wrong, unknown, "resident">]>([
    ["pinnedTo", defineEndpoint({ ...stateIds, pinnedTo: broken })],
    ["body", defineEndpoint({ ...stateIds, method: "POST", body: broken })],
    ["suits", defineEndpoint({ ...stateIds, olderVersion: { endpoint: stateIds, suits: broken } })],
  ])("an error of the library before any request (%s)", async (_field, endpoint) => {
    const error = await rejection(world.room([a]).request(endpoint, input));
    expect(error).toMatchObject({ code: "ERR_INPUT", endpoint: "state_ids", cause: expect.any(TypeError) });
    expect(world.requestCount()).toBe(0);
  });
});

test("a body that is no object is refused before any request (bug: a text or a list was sent)", async () => {
  for (const body of ["text", 5, null, [], undefined]) {
    const endpoint = defineEndpoint({ ...sendLeaveV1, forms: {}, body: () => body as Wrong });
    const error = await rejection(world.room([a]).request(endpoint, { eventId: "$e", event: {} }));
    expect(error).toMatchObject({ code: "ERR_INPUT", message: expect.stringContaining("object") });
  }
  expect(world.requestCount()).toBe(0);
});

test("what is secret to an endpoint is no secret to be told by its older version, nor the other way", async () => {
  interface Input {
    token: string;
    code: string;
  }
  const any = { audience: "server", response: z.any(), spec: "https://example.org" } as const;
  const fields = { query: { token: "token", code: "code" } } as const;
  const v1: Endpoint<Input, unknown, "server"> = defineEndpoint({
    ...any,
    ...fields,
    name: "x_v1",
    path: "/_matrix/x/v1",
    secrets: ["code"],
  });
  const v2: Endpoint<Input, unknown, "server"> = defineEndpoint({
    ...any,
    ...fields,
    name: "x_v2",
    path: "/_matrix/x/v2",
    secrets: ["token"],
    olderVersion: { endpoint: v1 },
  });
  for (const token of [["T0KEN"], 7, { toString: () => "T0KEN" }]) {
    // What is no text could not be found in a server's answer (bug: an array's was told).
    const error = await rejection(world.client().request(a, v2, { token, code: "C0DE" } as never));
    expect(error).toMatchObject({ code: "ERR_INPUT" });
    expect(String(error)).not.toContain("T0KEN");
  }
  expect(world.requestCount()).toBe(0);
  const input = { token: "T0KEN", code: "C0DE" };
  world.server(a).on(v2, reply.matrixError(403, "M_FORBIDDEN", "T0KEN and C0DE"));
  expect(String(await rejection(world.client().request(a, v2, input)))).not.toMatch(/T0KEN|C0DE/);
  world.server(a).on(v2, reply.matrixError(404, "M_UNRECOGNIZED"));
  world.server(a).on(v1, reply.matrixError(403, "M_FORBIDDEN", "T0KEN and C0DE"));
  const error = await rejection(world.client().request(a, v2, input));
  expect(error).toMatchObject({ errcode: "M_FORBIDDEN", endpoint: "x_v1" });
  expect(String(error)).not.toMatch(/T0KEN|C0DE/);
});
