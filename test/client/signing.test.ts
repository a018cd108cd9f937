import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { queryProfile } from "../../src/endpoints.js";
import { defineEndpoint, type Endpoint, parseServerName } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, ourName, roomId } from "./world.js";

const a = "a.example";
const withPort = "b.example:1234";
const literal = "127.0.0.1:4321";
const world = createWorld(a, withPort, literal);

const event = { type: "m.room.member", content: { "1": "é🐈", "\u0000": "\u2028", nested: [null, true, 0, 1e15] } };

describe("the federation's own check of signatures, which shares no code with ours, accepts", () => {
  test("a GET without a body", async () => {
    world.on(a, reply.json({ pdu_ids: [], auth_chain_ids: [] }));
    await world.room([a]).stateIds({ eventId });
    expect(world.requests(a)).toMatchObject([
      {
        method: "GET",
        signedBy: ourName,
        body: "",
        uri: `/_matrix/federation/v1/state_ids/!room%3Aa.example?event_id=${encodeURIComponent(eventId)}`,
      },
    ]);
    expect(world.requests(a)[0]?.headers).not.toHaveProperty("content-type");
  });

  test("a PUT with a body", async () => {
    world.on(a, reply.json({ state: [], auth_chain: [] }), "send_join");
    await world.room([a]).sendJoin({ eventId, event });
    expect(world.requests(a)).toMatchObject([{ method: "PUT", signedBy: ourName, json: event }]);
    expect(world.requests(a)[0]?.headers["content-type"]).toBe("application/json");
  });

  test("a POST with a body", async () => {
    world.on(a, reply.json({ events: [] }), "get_missing_events");
    await world.room([a]).getMissingEvents({ earliestEvents: [], latestEvents: [eventId], limit: 3 });
    expect(world.requests(a)).toMatchObject([
      { method: "POST", signedBy: ourName, json: { earliest_events: [], latest_events: [eventId], limit: 3 } },
    ]);
  });

  test("a transaction, which names us as its origin", async () => {
    world.on(a, reply.json({ pdus: {} }), "send");
    await world.client().sendTransaction(a, { txnId: "t/1", originServerTs: 5, pdus: [event], edus: [{}] });
    expect(world.requests(a)).toMatchObject([
      {
        signedBy: ourName,
        uri: "/_matrix/federation/v1/send/t%2F1",
        json: { origin: ourName, origin_server_ts: 5, pdus: [event], edus: [{}] },
      },
    ]);
  });

  test.each([withPort, literal])("a request to %s, whose name has a port in it", async (server) => {
    world.on(server, reply.json({}), "query_profile");
    await world.client().queryProfile(server, { userId: "@alice:a.example" });
    expect(world.requests(server)[0]).toMatchObject({ signedBy: ourName });
    expect(world.requests(server)[0]?.headers.host).toBe(server);
  });

  test("the same request made again elsewhere, which is signed for that server", async () => {
    world.on(a, reply.partialState());
    world.on(withPort, reply.json({ pdu_ids: [], auth_chain_ids: [] }));
    await world.room([a, withPort]).stateIds({ eventId });
    const headers = [a, withPort].map((server) => world.requests(server)[0]);
    expect(headers.map((request) => request?.signedBy)).toEqual([ourName, ourName]);
    expect(headers[0]?.authorization).not.toEqual(headers[1]?.authorization);
  });
});

describe("what is received is byte for byte what was signed,", () => {
  const odd = fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
    fc.constantFrom(
      "'",
      "%",
      "%2F",
      "..%2f",
      "?",
      "#",
      "\\",
      "//",
      "a;b",
      "é",
      "🐈",
      "\u0001",
      "\t",
      "+",
      " ",
      "&=",
      "{eventId}",
    ),
  );
  const fits = (text: string): boolean => !/[\0\p{Cs}]/u.test(text) && Buffer.byteLength(text) < 200;
  const runs = { numRuns: 60 };

  test("whatever characters the ids have", async () => {
    world.on(a, reply.json({ auth_chain: [] }), "event_auth");
    const client = world.client();
    await fc.assert(
      fc.asyncProperty(
        odd.filter(fits),
        odd.filter((text) => fits(text) && !text.includes(":")),
        async (tail, opaque) => {
          const ids = { roomId: `!${opaque}:a.example`, eventId: `$${tail}` };
          await client.room(ids.roomId, { residents: [a] }).eventAuth({ eventId: ids.eventId });
          const { uri, signedBy, endpoint } = world.requests(a).at(-1) ?? {};
          expect([endpoint, signedBy]).toEqual(["event_auth", ourName]);
          expect(uri?.split("/").slice(-2).map(decodeURIComponent)).toEqual([ids.roomId, ids.eventId]);
        },
      ),
      runs,
    );
  });

  test("whatever characters stand in the query and in the body", async () => {
    const endpoint: Endpoint<{ field?: string }, object, "server"> = defineEndpoint({
      ...(queryProfile as unknown as Endpoint<{ field?: string }, object, "server">),
      method: "PUT",
      path: "/_matrix/federation/unstable/x",
      query: { q: "field", "q'2": "field" },
      required: [],
      body: (input) => ({ [input.field ?? ""]: input.field ?? "" }),
    });
    world.on(a, reply.json({}), "*");
    const client = world.client();
    await fc.assert(
      fc.asyncProperty(odd.filter(fits), async (field) => {
        await client.request(a, endpoint, { field });
        const { uri = "", signedBy, json } = world.requests(a).at(-1) ?? {};
        expect([signedBy, json]).toEqual([ourName, { [field]: field }]);
        expect([...new URLSearchParams(uri.split("?")[1]).values()]).toEqual([field, field]);
      }),
      runs,
    );
  });
});

test("our own name may be anything that a server name may be", async () => {
  world.on(a, reply.json({}), "query_profile");
  for (const serverName of ["me.example:8448", "[2001:db8::1]", "192.0.2.1:443", "xn--bcher-kva.example"]) {
    const { keyId, publicKey } = world.server(a).signingKey;
    world.federation.trust(serverName, keyId, publicKey);
    const client = world.client({ serverName, signingKey: world.server(a).signingKey });
    await client.queryProfile(a, { userId: "@alice:a.example" });
    expect([world.requests(a).at(-1)?.signedBy, client.serverName]).toEqual([serverName, serverName]);
    expect(parseServerName(serverName).name).toBe(serverName);
  }
});

test("the user agent is ours, and says nothing but what the options say", async () => {
  await world.client().version(a);
  await world.client({ userAgent: "bot/1.0 (+https://bot.example)" }).version(a);
  expect(world.requests(a).map(({ headers }) => headers["user-agent"])).toEqual([
    "matrix-federation-sdk",
    "bot/1.0 (+https://bot.example)",
  ]);
});

test("a compressed answer is read as if it were not", async () => {
  world.on(a, reply.gzip({ pdu_ids: ["$a"], auth_chain_ids: [] }));
  expect(
    (
      await world
        .client()
        .room(roomId, { residents: [a] })
        .stateIds({ eventId })
    ).value.pdu_ids,
  ).toEqual(["$a"]);
});
