import { describe, expect, test } from "vitest";

import { queryProfile, stateIds } from "../../src/endpoints.js";
import { type ClientOptions, createClient, defineEndpoint, type FederationError, SigningKey } from "../../src/index.js";
import { createWorld, eventId, ourKey, ourName, rejection, roomId } from "./world.js";

const a = "a.example";
const world = createWorld(a);

/** What is wrong on purpose has the wrong type as well. */
// biome-ignore lint/suspicious/noExplicitAny: these are the calls of users without types
type Wrong = any;

function thrown(action: () => unknown): FederationError {
  try {
    action();
  } catch (error) {
    return error as FederationError;
  }
  throw new Error("It threw nothing");
}

describe("a client with a wrong option is not made, and the message shows a right one:", () => {
  const seed = "x".repeat(43);
  const cases: readonly [says: string, options: Wrong, code: string, right: RegExp][] = [
    ["no object", null, "ERR_OPTION", /an object/],
    ["a URL for a server name", { serverName: "https://me.example" }, "ERR_SERVER_NAME", /"matrix\.org:8448"/],
    ["a number for a server name", { serverName: 5 }, "ERR_SERVER_NAME", /"matrix\.org"/],
    ["a key as text", { serverName: ourName, signingKey: `ed25519 a ${seed}` }, "ERR_OPTION", /SigningKey\.parse/],
    ["a list with a key as text", { serverName: ourName, signingKey: [ourKey, seed] }, "ERR_OPTION", /SigningKey/],
    ["a key without a server name", { signingKey: ourKey }, "ERR_SIGNING_KEY", /serverName/],
    ["a store without delete", { store: { get() {}, set() {} } }, "ERR_OPTION", /get, set and delete/],
    ["null for a store", { store: null }, "ERR_OPTION", /get, set and delete/],
    ["a user agent with a line break", { userAgent: "a\r\nX: y" }, "ERR_OPTION", /ASCII/],
    ["an empty user agent", { userAgent: "" }, "ERR_OPTION", /ASCII/],
    ["no connections", { maxConnectionsPerServer: 0 }, "ERR_OPTION", /positive integer/],
    ["half a connection", { maxConnectionsPerServer: 0.5 }, "ERR_OPTION", /positive integer/],
    ["an object for connectTo", { connectTo: {} }, "ERR_OPTION", /function/],
    ["a path for a certificate", { ca: "/etc/ssl/ca.pem" }, "ERR_OPTION", /PEM/],
    ["a list of paths for certificates", { ca: ["/etc/ssl/ca.pem"] }, "ERR_OPTION", /PEM/],
    ["a number for the backoff", { backoff: 5 }, "ERR_OPTION", /object/],
    ["a threshold of nought", { backoff: { threshold: 0 } }, "ERR_OPTION", /backoff\.threshold.*positive/],
    ["an endless backoff", { backoff: { maxMs: Number.POSITIVE_INFINITY } }, "ERR_OPTION", /backoff\.maxMs.*positive/],
    [
      "a notary's key id without an algorithm",
      { trustedNotaryKeys: { "n.org": { a_1: ourKey.publicKey } } },
      "ERR_OPTION",
      /"a_1".*ed25519:a_1/,
    ],
    [
      "a notary's key of no 32 bytes",
      { trustedNotaryKeys: { "n.org": { "ed25519:a": "zzz" } } },
      "ERR_OPTION",
      /32 bytes/,
    ],
    ["a URL for a notary with keys", { trustedNotaryKeys: { "https://n.org": {} } }, "ERR_SERVER_NAME", /matrix\.org/],
    [
      "an old key of no 32 bytes",
      { oldSigningKeys: { "ed25519:a": { key: "x", expired_ts: 1 } } },
      "ERR_OPTION",
      /32 bytes/,
    ],
    [
      "an old key without an algorithm",
      { oldSigningKeys: { a: { key: seed, expired_ts: 1 } } },
      "ERR_OPTION",
      /ed25519:a_1/,
    ],
    [
      "an old key since a broken time",
      { oldSigningKeys: { "ed25519:a": { key: seed, expired_ts: 1.5 } } },
      "ERR_OPTION",
      /expired_ts/,
    ],
    ["a list of old keys", { oldSigningKeys: [{}] }, "ERR_OPTION", /object of objects/],
    ["a backoff as text", { backoff: { baseMs: "1 min" } }, "ERR_OPTION", /backoff\.baseMs.*"1 min".*positive/],
  ];
  for (const [says, options, code, right] of cases) {
    test(says, () => {
      const error = thrown(() => createClient(options as ClientOptions));
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(right)]);
      expect(error.message).not.toContain(seed);
    });
  }
});

describe("a room handle is not made of", () => {
  test.each([
    ["a room alias", "#room:a.example", "!abc:example.org"],
    ["a room id without a server", "!room", "!abc:example.org"],
    ["no text", undefined, "!abc:example.org"],
  ])("%s", (_, id, right) => {
    const error = thrown(() => world.client().room(id as string, { residents: [a] }));
    expect([error.code, error.message]).toEqual(["ERR_ROOM_ID", expect.stringContaining(right)]);
  });

  test.each([
    ["a list with a URL in it", ["https://a.example"], "ERR_SERVER_NAME"],
    ["a list with a number in it", [5], "ERR_SERVER_NAME"],
    ["one server instead of a list", a, "ERR_OPTION"],
    ["nothing", undefined, "ERR_OPTION"],
    ["an object", { a: true }, "ERR_OPTION"],
  ])("%s for residents", (_, residents, code) => {
    const error = thrown(() => world.client().room(roomId, { residents: residents as Wrong }));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(/"(a\.example|matrix\.org)/)]);
  });
});

describe("a call with something wrong fails before any request, and the message shows a right one:", () => {
  const room = (): Wrong => world.room([a]);
  const client = (): Wrong => world.client();
  const member = { roomId, eventId };
  const cases: readonly [says: string, call: () => Promise<unknown>, code: string, right: RegExp][] = [
    ["no event id", () => room().stateIds({}), "ERR_INPUT", /"eventId" is missing/],
    ["no input", () => room().stateIds(), "ERR_INPUT", /"eventId" is missing/],
    ["a wrong event id", () => room().stateIds({ eventId: "event" }), "ERR_EVENT_ID", /right one looks like "\$/],
    ["a number for an event id", () => room().event({ eventId: 5 }), "ERR_EVENT_ID", /right one looks like "\$/],
    ["a wrong user id", () => room().makeJoin({ userId: "me", ver: ["11"] }), "ERR_USER_ID", /"@alice:example\.org"/],
    [
      "a wrong alias",
      () => client().queryDirectory(a, { roomAlias: "!a:b" }),
      "ERR_ROOM_ALIAS",
      /"#room:example\.org"/,
    ],
    ["no input to a client's call", () => client().queryProfile(a), "ERR_INPUT", /object of fields/],
    [
      "a wrong room id in a client's call",
      () => client().request(a, stateIds, { ...member, roomId: "x" }),
      "ERR_ROOM_ID",
      /"!abc:/,
    ],
    ["a URL for a server", () => client().version("https://a.example"), "ERR_SERVER_NAME", /"matrix\.org:8448"/],
    ["a list for a server", () => client().version([a]), "ERR_SERVER_NAME", /string such as "matrix\.org"/],
    ["no server", () => client().version(), "ERR_SERVER_NAME", /string such as "matrix\.org"/],
    [
      "events that are no array",
      () => client().sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: {} }),
      "ERR_INPUT",
      /at most 50/,
    ],
    [
      "51 events",
      () => client().sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: Array(51).fill({}) }),
      "ERR_INPUT",
      /at most 50/,
    ],
    [
      "a transaction id that URL parsers would drop",
      () => client().sendTransaction(a, { txnId: "..", originServerTs: 1, pdus: [] }),
      "ERR_PATH_SEGMENT",
      /path segment/,
    ],
    [
      "an event with a fraction in it",
      () => client().sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: [{ depth: 1.5 }] }),
      "ERR_CANONICAL_JSON",
      /1\.5/,
    ],
    ["no options", () => room().stateIds({ eventId }, null), "ERR_OPTION", /an object/],
    ["a timeout as text", () => room().stateIds({ eventId }, { timeout: "20s" }), "ERR_OPTION", /"20s".*20_000/],
    ["no time at all", () => room().stateIds({ eventId }, { timeout: 0 }), "ERR_OPTION", /20_000/],
    [
      "an endless timeout",
      () => room().stateIds({ eventId }, { timeout: Number.POSITIVE_INFINITY }),
      "ERR_OPTION",
      /20_000/,
    ],
    ["no rounds", () => room().stateIds({ eventId }, { rounds: 0 }), "ERR_OPTION", /1 to 100/],
    ["too many rounds", () => room().stateIds({ eventId }, { rounds: 101 }), "ERR_OPTION", /1 to 100/],
    [
      "a controller for a signal",
      () => room().stateIds({ eventId }, { signal: new AbortController() }),
      "ERR_OPTION",
      /AbortSignal/,
    ],
    ["one server for a list", () => room().stateIds({ eventId }, { prefer: a }), "ERR_OPTION", /\["a\.example"\]/],
    [
      "a wrong name of an obliged server",
      () => room().stateIds({ eventId }, { sentBy: ["a b"] }),
      "ERR_SERVER_NAME",
      /"matrix\.org"/,
    ],
    [
      "a wrong name of the server joined through",
      () => room().stateIds({ eventId }, { joinedVia: "" }),
      "ERR_SERVER_NAME",
      /"matrix\.org"/,
    ],
    [
      "a truthy text for yes",
      () => room().stateIds({ eventId }, { ignoreBackoff: "yes" }),
      "ERR_OPTION",
      /true or false/,
    ],
    [
      "a list with a hole in it",
      () => room().stateIds({ eventId }, { prefer: Array(1) }),
      "ERR_SERVER_NAME",
      /"matrix\.org"/,
    ],
    ["null for a room's input (bug: a TypeError)", () => room().state(null), "ERR_INPUT", /object of fields, not null/],
    ["a text for a room's input", () => room().state(eventId), "ERR_INPUT", /object of fields/],
    ["a list for an input", () => client().publicRooms(a, []), "ERR_INPUT", /object of fields, not an array/],
    [
      "null for the events to go back from (bug: a TypeError)",
      () => room().eachBackfilled({ from: null }).next(),
      "ERR_INPUT",
      /`from` is null; it must be a list of event ids/,
    ],
    ["one event to go back from", () => room().eachBackfilled({ from: eventId }).next(), "ERR_INPUT", /`from`.*a list/],
    [
      "a wrong event to go back from",
      () =>
        room()
          .eachBackfilled({ from: ["x"] })
          .next(),
      "ERR_EVENT_ID",
      /"\$/,
    ],
    ["nothing to go back from", () => room().eachBackfilled().next(), "ERR_INPUT", /object of fields/],
    [
      "text to be told",
      () =>
        room()
          .eachBackfilled({ from: ["$1"], onDropped: "x" })
          .next(),
      "ERR_INPUT",
      /a function/,
    ],
    [
      "text to tell",
      () =>
        room()
          .eachBackfilled({ from: ["$1"], onRedacted: "x" })
          .next(),
      "ERR_INPUT",
      /a function/,
    ],
    [
      "no event to go back from (bug: it ended silently)",
      () => room().eachBackfilled({ from: [] }).next(),
      "ERR_INPUT",
      /an empty list/,
    ],
    ["null for a hierarchy", () => room().eachInHierarchy(null).next(), "ERR_INPUT", /object of fields/],
    ["null for its options", () => room().eachInHierarchy({}, null).next(), "ERR_OPTION", /an object/],
    ["null for a directory", () => client().eachPublicRoom(a, null).next(), "ERR_INPUT", /object of fields/],
    ["null for a file's options", () => client().media.download(a, { mediaId: "x" }, null), "ERR_OPTION", /an object/],
    ["a wrong name in backoff.get", () => client().backoff.get("a b"), "ERR_SERVER_NAME", /"matrix\.org"/],
    ["a wrong name in markAlive", () => client().markAlive(""), "ERR_SERVER_NAME", /"matrix\.org"/],
    ["a wrong room id in partialState.list", () => client().partialState.list("room"), "ERR_ROOM_ID", /"!abc:/],
  ];
  for (const [says, call, code, right] of cases) {
    test(says, async () => {
      const error = await rejection<FederationError>((async () => call())());
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(right)]);
      expect(world.server(a).requests).toEqual([]);
    });
  }

  test.each([
    ["a field of the path is missing", { roomId }, "ERR_INPUT"],
    ["a name in it is wrong", { roomId, eventId: "x" }, "ERR_EVENT_ID"],
  ])("and the message names the endpoint where %s (bug: it did not)", async (_, input, code) => {
    const error = await rejection<FederationError>(world.client().eventAuth(a, input as Wrong));
    expect([error.code, error.endpoint, error.message]).toEqual([
      code,
      "event_auth",
      expect.stringContaining("\nEndpoint: event_auth\n"),
    ]);
    expect(error.docsUrl).toMatch(code === "ERR_INPUT" ? /#get_matrixfederationv1event_auth/ : /#event-ids/);
  });

  test("and the safe twins return it", async () => {
    const result = await world.room([a]).safe.stateIds({ eventId: "event" });
    expect(result).toMatchObject({ ok: false, error: { code: "ERR_EVENT_ID" }, attempts: [] });
    const noServer = await world.client().safe.version("a b");
    expect(noServer).toMatchObject({ ok: false, error: { code: "ERR_SERVER_NAME" }, attempts: [] });
  });
});

describe("an endpoint that contradicts itself is not made:", () => {
  test.each([
    ["a path that is none", { path: "state_ids" }, /"\/_matrix\/federation\/v1\/state_ids\/\{roomId\}"/],
    ["a path with a query", { path: "/_matrix/x?a=b" }, /"\/_matrix/],
    ["a GET with a body", { body: () => ({}) }, /`query`/],
    ["no time", { timeoutMs: 0 }, /`timeoutMs`/],
    ["a time in fractions", { timeoutMs: 0.5 }, /`timeoutMs`/],
    ["more time than timers can count (bug: the attempt timed out at once)", { timeoutMs: 2 ** 31 }, /`timeoutMs`/],
    ["no room for an answer", { maxResponseBytes: -1 }, /`maxResponseBytes`/],
    ["no schema", { response: undefined }, /z\.looseObject/],
    ["a function for a schema", { response: () => true }, /z\.looseObject/],
  ])("%s", (_, part, right) => {
    const error = thrown(() => defineEndpoint({ ...queryProfile, ...(part as Wrong) }));
    expect([error.code, error.message]).toEqual(["ERR_OPTION", expect.stringMatching(right)]);
    expect(error.message).toContain('"query_profile"');
  });
});

describe("a client without a key", () => {
  test("refuses endpoints that need a signature before any request", async () => {
    for (const options of [
      { serverName: undefined, signingKey: undefined },
      { signingKey: undefined },
      { signingKey: [] },
    ]) {
      const client = world.client(options);
      const error = await rejection<FederationError>(client.room(roomId, { residents: [a] }).stateIds({ eventId }));
      expect([error.code, error.message]).toEqual(["ERR_NO_SIGNING_KEY", expect.stringContaining("`signingKey`")]);
    }
    expect(world.server(a).requests).toEqual([]);
  });

  test("asks for versions, without a signature", async () => {
    const client = world.client({ serverName: undefined, signingKey: undefined });
    expect(client.serverName).toBeUndefined();
    expect((await client.version(a)).server?.name).toBe("matrix-federation-sdk test server");
    expect(world.requests(a)[0]).toMatchObject({
      authorization: [],
      signedBy: undefined,
      uri: "/_matrix/federation/v1/version",
    });
  });
});

test("a client with several keys signs with each of them", async () => {
  const old = SigningKey.generate("old");
  const client = world.client({ signingKey: [old, ourKey] });
  await client.safe.queryProfile(a, { userId: "@alice:a.example" });
  const [request] = world.requests(a);
  expect(request?.authorization.map((header) => /key="([^"]*)"/.exec(header)?.[1])).toEqual([
    "ed25519:old",
    ourKey.keyId,
  ]);
  expect(request?.signedBy).toBe(ourName);
});

describe("without types,", () => {
  test("null for a call's options is an error with a code, also of the safe twin (bug: it was a TypeError)", async () => {
    const { ok, error } = (await world.client().safe.version(a, null as Wrong)) as Wrong;
    expect([ok, error.code]).toEqual([false, "ERR_OPTION"]);
  });

  test("a room without options is an error with a code (bug: it was a TypeError)", () => {
    const error = thrown(() => (world.client().room as Wrong)(roomId));
    expect([error.code, error.message]).toEqual(["ERR_OPTION", expect.stringContaining('["a.example"]')]);
  });
});
