import { once } from "node:events";

import { describe, expect, test } from "vitest";
import { stateIds } from "../../src/endpoints.js";
import { defineEndpoint, type FederationError, type Room, type SafeAnswer, type VerdictName } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId, stateIdsAnswer } from "../client/world.js";
import { heldBytes } from "../held-bytes.js";
import { oneByOne } from "../one-by-one.js";

const odd = "odd.example";
const good = "good.example";
const world = createWorld(
  odd,
  good,
  { name: "wrong-cert.example", certificateFor: "other.example" },
  {
    name: "dead.example",
    dead: true,
  },
);

const userId = "@me:me.example";
const event = { type: "m.room.member", content: { membership: "join" } };

/** Each call with what a good server answers to it. */
const calls = {
  stateIds: {
    endpoint: "state_ids",
    answer: stateIdsAnswer,
    ask: (room: Room) => room.safe.stateIds({ eventId }, oneRound),
  },
  eventAuth: {
    endpoint: "event_auth",
    answer: { auth_chain: [] },
    ask: (room: Room) => room.safe.eventAuth({ eventId }, { ...oneRound, sentBy: [odd] }),
  },
  afterJoin: {
    endpoint: "state_ids",
    answer: stateIdsAnswer,
    ask: (room: Room) => room.safe.stateIds({ eventId }, { ...oneRound, joinedVia: good }),
  },
  event: {
    endpoint: "event",
    answer: { pdus: [{ type: "m.x" }] },
    ask: (room: Room) => room.safe.event({ eventId }, oneRound),
  },
  backfill: {
    endpoint: "backfill",
    answer: { pdus: [] },
    ask: (room: Room) => room.safe.backfill({ from: [eventId], limit: 1 }, oneRound),
  },
  missingEvents: {
    endpoint: "get_missing_events",
    answer: { events: [] },
    ask: (room: Room) => room.safe.getMissingEvents({ earliestEvents: [eventId], latestEvents: [eventId] }, oneRound),
  },
  hierarchy: {
    endpoint: "hierarchy",
    answer: { room: { room_id: roomId }, children: [] },
    ask: (room: Room) => room.safe.hierarchy({}, oneRound),
  },
  makeJoin: {
    endpoint: "make_join",
    answer: { event, room_version: "11" },
    ask: (room: Room) => room.safe.makeJoin({ userId, ver: ["11"] }, oneRound),
  },
  sendJoin: {
    endpoint: "send_join",
    answer: { state: [], auth_chain: [] },
    ask: (room: Room) => room.safe.sendJoin({ eventId, event }, oneRound),
  },
} satisfies Record<string, { endpoint: string; answer: object; ask: (room: Room) => Promise<SafeAnswer<unknown>> }>;
const oneRound = { rounds: 1, ...oneByOne };

type Case = readonly [verdict: VerdictName, call: keyof typeof calls, behaviour: Behaviour, says: string];

const partial = { errcode: "M_UNABLE_DUE_TO_PARTIAL_STATE" };
const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const body = (text: string | Uint8Array, status = 200): Behaviour =>
  reply.raw({ status, headers: { "content-type": "application/json" }, body: text });

const cases: readonly Case[] = [
  ["invalid", "stateIds", reply.garbage(), "bytes that are neither JSON nor UTF-8"],
  ["invalid", "stateIds", reply.json({ pdu_ids: "no list", auth_chain_ids: [] }), "JSON of another form"],
  ["invalid", "stateIds", reply.json(null), "null"],
  ["invalid", "stateIds", reply.json({ errcode: partial.errcode }), "the partial-state code with status 200"],
  ["invalid", "stateIds", reply.htmlError(200), "a captive portal's page with status 200"],
  ["invalid", "stateIds", reply.raw({ status: 204 }), "204 and an empty body"],
  ["invalid", "stateIds", reply.raw({ status: 200 }), "200 and an empty body"],
  ["invalid", "stateIds", body(nested(100_000)), "arrays in arrays in arrays"],
  ["invalid", "event", body(" ".repeat(1024 * 1024 + 1)), "one byte more than the endpoint allows"],
  ["obligationBroken", "eventAuth", reply.partialState(), "partial state about an event that it sent us"],
  ["partialState", "stateIds", reply.partialState(), "the unstable code"],
  ["partialState", "stateIds", reply.partialState(partial), "the stable code"],
  ["partialState", "stateIds", reply.partialState({ ...partial, status: 404 }), "the code at 404"],
  ["partialState", "stateIds", reply.partialState({ status: 500 }), "the code at 500"],
  ["partialState", "stateIds", reply.partialState({ status: 429 }), "the code at 429"],
  ["partialState", "makeJoin", reply.notFullyJoined(), "“not fully joined”"],
  ["partialState", "sendJoin", reply.notFullyJoined("send_join"), "“not fully joined”"],
  ["partialState", "backfill", reply.approximateMembership(), "“(partial-state approx)”"],
  ["partialState", "missingEvents", reply.approximateMembership(), "“(partial-state approx)”"],
  ["rateLimited", "stateIds", reply.rateLimited({ retryAfterMs: 60_000 }), "M_LIMIT_EXCEEDED"],
  ["rateLimited", "stateIds", reply.raw({ status: 429, headers: { "retry-after": "60" } }), "a proxy's 429"],
  ["unsupported", "hierarchy", reply.matrixError(404, "M_UNRECOGNIZED"), "M_UNRECOGNIZED"],
  ["unsupported", "hierarchy", reply.raw({ status: 404 }), "an empty 404 as Conduit"],
  ["unsupported", "hierarchy", reply.raw({ status: 404, body: "404 page not found\n" }), "a 404 as Dendrite"],
  ["notYetPropagated", "afterJoin", reply.matrixError(403, "M_FORBIDDEN"), "M_FORBIDDEN a moment after our join"],
  ["notResident", "stateIds", reply.matrixError(403, "M_FORBIDDEN"), "M_FORBIDDEN"],
  ["notResident", "stateIds", reply.matrixError(404, "M_NOT_FOUND"), "M_NOT_FOUND"],
  ["notResident", "event", body('""', 404), '404 with the body ""'],
  ["unableHere", "makeJoin", reply.matrixError(400, "M_UNABLE_TO_AUTHORISE_JOIN"), "M_UNABLE_TO_AUTHORISE_JOIN"],
  ["unableHere", "hierarchy", reply.matrixError(404, "M_UNKNOWN", "Unknown room"), "Synapse's “Unknown room”"],
  ["unableHere", "stateIds", reply.htmlError(431), "a proxy that takes no request so large"],
  ["unavailable", "stateIds", reply.matrixError(401, "M_UNAUTHORIZED"), "401"],
  ["unavailable", "stateIds", reply.matrixError(500, "M_UNKNOWN"), "500"],
  ["unavailable", "stateIds", reply.htmlError(502), "a proxy's page"],
  ["unavailable", "stateIds", reply.htmlError(404), "a web server's 404"],
  ["unavailable", "stateIds", reply.reset(), "a reset before the response"],
  ["unavailable", "stateIds", reply.reset({ when: "midBody" }), "a reset in the middle of the body"],
  ["unavailable", "stateIds", body(nested(100_000), 400), "arrays in arrays in arrays as an error"],
  ["unavailable", "stateIds", body('{"__proto__":{"errcode":"M_FORBIDDEN"}}', 400), "an errcode in __proto__"],
  ["unavailable", "stateIds", body('{"errcode":["M_FORBIDDEN"]}', 403), "an errcode that is no text"],
  ["unavailable", "stateIds", body('{"errcode":"M_FORBIDDEN\\r\\nX: y"}', 403), "an errcode with line breaks"],
  ["refused", "makeJoin", reply.matrixError(403, "M_FORBIDDEN"), "M_FORBIDDEN to a join: a ban"],
  ["refused", "makeJoin", reply.matrixError(400, "M_INCOMPATIBLE_ROOM_VERSION"), "M_INCOMPATIBLE_ROOM_VERSION"],
  ["refused", "stateIds", reply.matrixError(400, "M_BAD_JSON"), "M_BAD_JSON"],
];

describe("a server that answers", () => {
  for (const [verdict, name, behaviour, says] of cases) {
    const { endpoint, answer, ask } = calls[name];
    const stops = verdict === "refused";
    test(`${says} to ${name}: ${verdict}, and ${stops ? "nobody else is asked" : "another resident answers"}`, async () => {
      world.on(odd, behaviour, endpoint);
      world.on(good, reply.json(answer), endpoint);
      const client = world.client();
      const result = await ask(world.room([odd, good], client));
      expect(result.attempts.map((attempt) => [attempt.server, attempt.verdict])).toEqual([
        [odd, verdict],
        ...(stops ? [] : [[good, "answered"]]),
      ]);
      expect(result).toMatchObject(stops ? { ok: false, error: { name: "MatrixError" } } : { ok: true, value: answer });
      expect([world.requests(odd).length, world.requests(good).length]).toEqual([1, stops ? 0 : 1]);

      const state = await client.backoff.get(odd);
      expect({ ...state, pausedUntil: state.pausedUntil !== undefined }).toEqual({
        server: odd,
        failures: verdict === "unavailable" ? 1 : 0,
        misbehaviours: ["invalid", "obligationBroken"].includes(verdict) ? 1 : 0,
        pausedUntil: verdict === "rateLimited",
        retryAt: undefined,
      });
    });
  }

  test("partial state, over and over: its backoff never opens, and it is remembered for the room", async () => {
    world.on(odd, reply.partialState());
    world.on(good, reply.partialState(partial));
    const client = world.client();
    const room = world.room([odd, good], client);
    for (let call = 0; call < 10; call++) await room.safe.stateIds({ eventId }, oneRound);
    expect(client.backoff.list()).toEqual([]);
    const known = await client.partialState.list(room.roomId);
    expect(known.map(({ server, times }) => [server, times]).sort()).toEqual([
      [good, 10],
      [odd, 10],
    ]);
  });

  test("partial state to a version request: an obligation broken, which the error calls partial state", async () => {
    world.on(odd, reply.partialState(), "version");
    const client = world.client();
    const result = await client.safe.version(odd, oneRound);
    expect(result).toMatchObject({
      ok: false,
      error: { code: "ERR_PARTIAL_STATE", partialState: true, status: 403, server: odd, endpoint: "version" },
      attempts: [{ verdict: "obligationBroken" }],
    });
    expect(await client.backoff.get(odd)).toMatchObject({ failures: 0, misbehaviours: 1 });
  });
});

describe("a server that cannot be talked to", () => {
  test.each([
    ["wrong-cert.example", "ERR_TLS"],
    ["dead.example", "ERR_CONNECT"],
    ["nowhere.example", "ERR_RESOLVE"],
  ])("%s is unavailable, counts one, and another resident answers", async (server, code) => {
    world.on(good, reply.json(stateIdsAnswer));
    const client = world.client();
    const { via, attempts } = await world.room([server, good], client).stateIds({ eventId }, oneRound);
    expect(via).toBe(good);
    expect(attempts[0]).toMatchObject({ server, verdict: "unavailable", status: undefined, mayHaveTakenEffect: false });
    expect(attempts[0]?.error).toMatchObject({ code, server });
    expect(await client.backoff.get(server)).toMatchObject({ failures: 1, misbehaviours: 0 });
    if (server === "wrong-cert.example") expect(world.requests(server)).toEqual([]);
  });

  test.each([
    ["before the headers", reply.stallBeforeHeaders()],
    ["after the headers", reply.stall()],
    ["in the middle of the body", reply.stall({ afterBytes: 5 })],
  ])("a server that falls silent %s is given up when its time is over", async (_, behaviour) => {
    const hasty = defineEndpoint({ ...stateIds, timeoutMs: 150 });
    const client = await world.connectedClient(odd);
    world.on(odd, behaviour);
    const input = { roomId: "!a:a.example", eventId };
    const error = await rejection<FederationError>(client.request(odd, hasty, input, oneRound));
    expect(error).toMatchObject({ code: "ERR_TIMEOUT", requestSent: true, server: odd });
    expect(await client.backoff.get(odd)).toMatchObject({ failures: 1 });
  });

  test.each([
    ["before the headers", reply.stallBeforeHeaders()],
    ["in the middle of the body", reply.stall({ afterBytes: 5 })],
  ])("a short timeout of the caller ends a silence %s, and is not held against the server", async (_, behaviour) => {
    world.on(odd, behaviour);
    const client = world.client();
    const result = await client.safe.request(odd, stateIds, { roomId: "!a:a.example", eventId }, { timeout: 150 });
    expect(result).toMatchObject({
      ok: false,
      error: { code: "ERR_TIMEOUT" },
      attempts: [{ server: odd, verdict: "aborted" }],
    });
    expect(await client.backoff.get(odd)).toMatchObject({ failures: 0 });
  });
});

describe("a redirect", () => {
  test.each([301, 302, 307, 308])("with status %i is not followed", async (status) => {
    world.on(odd, reply.redirect(`https://${good}/_matrix/federation/v1/version`, status), "version");
    const result = await world.client().safe.version(odd, oneRound);
    expect(result).toMatchObject({ ok: false, attempts: [{ verdict: "unavailable", status }] });
    expect(world.requests(good)).toEqual([]);
  });
});

describe("a body without an end", () => {
  test.each([
    ["as it is", reply.endless()],
    ["compressed, so that few bytes become many", reply.endless({ gzip: true })],
  ])("%s is cut off at the endpoint's limit, and nothing of it is kept", async (_, behaviour) => {
    world.on(odd, behaviour, "event");
    world.on(good, reply.json({ pdus: [{ type: "m.x" }] }), "event");
    const client = world.client();
    const room = world.room([odd, good], client);
    await room.event({ eventId });
    const before = heldBytes();
    for (let call = 0; call < 20; call++) {
      const { attempts } = await room.event({ eventId }, { prefer: [odd], sentBy: [odd], ...oneRound });
      expect(attempts[0]).toMatchObject({ server: odd, verdict: "invalid" });
      expect(attempts[0]?.error).toMatchObject({ code: "ERR_RESPONSE_TOO_LARGE" });
    }
    // Of twenty answers, each cut off at 1 MiB; the test server's own buffers are in it.
    expect(heldBytes() - before).toBeLessThan(8 * 1024 * 1024);
    expect(await client.backoff.get(odd)).toMatchObject({ failures: 0, misbehaviours: 21 });
  });

  test("of an error is cut off after 64 KiB", async () => {
    let written = 0;
    world.on(odd, async ({ response, signal }) => {
      response.writeHead(500, { "content-type": "text/plain" });
      while (!signal.aborted) {
        written += 64 * 1024;
        if (!response.write("x".repeat(64 * 1024))) await once(response, "drain", { signal });
      }
    });
    const { attempts } = await world.room([odd]).safe.stateIds({ eventId }, oneRound);
    expect(attempts).toMatchObject([{ verdict: "unavailable", status: 500 }]);
    expect(written).toBeLessThan(10 * 1024 * 1024);
  });
});

describe("Retry-After", () => {
  const pauseOf = async (behaviour: Behaviour): Promise<number> => {
    world.on(odd, behaviour, "version");
    const client = world.client();
    const result = await client.safe.version(odd, oneRound);
    expect(result).toMatchObject({ ok: false, attempts: [{ verdict: "rateLimited" }] });
    return ((await client.backoff.get(odd)).pausedUntil ?? Date.now()) - Date.now();
  };
  const about = (ms: number): object => ({ asymmetricMatch: (value: number) => value > ms - 5_000 && value <= ms });

  test("that is huge pauses a server for an hour at most", async () => {
    expect(await pauseOf(reply.rateLimited({ retryAfterHeader: "9999999999" }))).toEqual(about(3_600_000));
    expect(await pauseOf(reply.rateLimited({ retryAfterMs: Number.MAX_VALUE }))).toEqual(about(3_600_000));
  });

  test("in seconds goes before retry_after_ms", async () => {
    expect(await pauseOf(reply.rateLimited({ retryAfterHeader: "120", retryAfterMs: 1_000 }))).toEqual(about(120_000));
  });

  test("as a date is understood", async () => {
    const retryAfterHeader = new Date(Date.now() + 600_000).toUTCString();
    expect(await pauseOf(reply.rateLimited({ retryAfterHeader }))).toEqual(about(600_000));
  });

  test.each(["soon", "", "-1", "1.5", "12, 13", "99999999999"])(
    "of %j is no time: retry_after_ms is used",
    async (retryAfterHeader) => {
      expect(await pauseOf(reply.rateLimited({ retryAfterHeader, retryAfterMs: 300_000 }))).toEqual(about(300_000));
    },
  );

  test("in the past, and no hint at all, pause for some seconds at most", async () => {
    expect(await pauseOf(reply.rateLimited({ retryAfterHeader: new Date(0).toUTCString() }))).toBeLessThanOrEqual(0);
    expect(await pauseOf(reply.rateLimited())).toEqual(about(7_500));
  });
});

describe("text of a server", () => {
  test("reaches messages without its control characters, line breaks and direction marks, and capped", async () => {
    const forged = `no\r\nServer: forged.example\u0000\u001b[31m\u202e\u2028${"x".repeat(10_000)}`;
    world.on(odd, reply.matrixError(400, "M_BAD_JSON", forged), "version");
    const error = await rejection(world.client().version(odd));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(error.message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202e\u2028]/);
    expect(error.message.split("\n").filter((line) => line.startsWith("Server:"))).toEqual([`Server: ${odd}`]);
    expect(error.message.length).toBeLessThan(600);
  });

  test("that is no JSON reaches messages in the same way", async () => {
    world.on(odd, reply.raw({ status: 400, body: `<h1>\u001b]0;\r\nDocs: evil\u0007${"é".repeat(5_000)}` }), "version");
    const error = await rejection(world.client().version(odd));
    expect(error.message.split("\n").some((line) => line.startsWith("Docs: evil"))).toBe(false);
    expect(error.message).not.toContain("\u001b");
    expect(error.message.length).toBeLessThan(600);
  });

  test("in the names of wrong fields reaches messages in the same way", async () => {
    const answer = { pdus: { "evil\n\u001b[31mkey": 1 } };
    world.on(odd, reply.json(answer), "event");
    const { attempts } = await world.room([odd]).safe.event({ eventId }, oneRound);
    expect(attempts[0]?.error).toMatchObject({ name: "ResponseError", issues: [{ path: "$.pdus" }] });
    expect(attempts[0]?.error?.message).not.toContain("\u001b");
  });
});

describe("headers that are odd", () => {
  test.each([
    ["no content type", {}],
    ["the content type of a page", { "content-type": "text/html" }],
    ["an encoding in capitals", { "content-encoding": "IDENTITY" }],
    ["many cookies", { "set-cookie": Array.from({ length: 50 }, (_, index) => `a${index}=b`) }],
    ["bytes that are no ASCII", { "x-odd": "\u00ff\u00fe" }],
    ["a redirect's location on a success", { location: "https://elsewhere.example/" }],
  ])("with %s do not spoil an answer", async (_, headers) => {
    world.on(odd, reply.raw({ headers, body: JSON.stringify(stateIdsAnswer) }));
    expect((await world.room([odd]).stateIds({ eventId }, oneRound)).value).toEqual(stateIdsAnswer);
  });

  test("larger than anybody needs make the server unavailable", async () => {
    world.on(odd, reply.raw({ headers: { "x-odd": "x".repeat(200_000) }, body: JSON.stringify(stateIdsAnswer) }));
    world.on(good, reply.json(stateIdsAnswer));
    const { via, attempts } = await world.room([odd, good]).stateIds({ eventId }, oneRound);
    expect([via, attempts[0]?.verdict]).toEqual([good, "unavailable"]);
  });
});
