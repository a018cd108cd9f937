import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../../src/endpoint.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { signEvent } from "../../src/events/sign-event.js";
import { canonicalJson } from "../../src/sign/canonical-json.js";
import { authorizationHeaders } from "../../src/sign/sign-request.js";
import { createTestFederation, type TestFederation, type TestRoom, type TestRoomOptions } from "../../src/testing.js";
import { anyJson } from "../events/any-event.js";
import { type Answer, ask } from "./ask.js";

const alice = "@alice:a.example";
const bob = "@bob:b.example";
/** No text, no number, and neither can be made of it. */
const thing: JsonObject = { toString: 1, valueOf: 1 };

let federation: TestFederation;
let room: TestRoom;

beforeEach(async () => {
  federation = await createTestFederation({ servers: ["a.example", "b.example"] });
  room = federation.createRoom({ creator: alice, alias: "#room:a.example" });
  room.join(bob);
});
afterEach(async () => {
  await federation.close();
});

/** One signed request of b.example to a.example, whatever it is. */
async function say(method: string, path: string, json?: JsonValue): Promise<Answer> {
  const body = json === undefined ? undefined : canonicalJson(json);
  const { signingKey } = federation.server("b.example");
  const request = { method, uri: path, destination: "a.example", content: body };
  const [authorization = ""] = await authorizationHeaders(request, "b.example", [signingKey]);
  return await ask(federation, "a.example", {
    method,
    path,
    headers: { authorization, "content-type": "application/json" },
    ...(body !== undefined && { body }),
  });
}

const inRoom = (endpoint: string): string => `/_matrix/federation/v1/${endpoint}/${encodeURIComponent(room.roomId)}`;
const sendPath = "/_matrix/federation/v1/send/1";

/** An event of bob, which follows the newest one. */
function bobs(fields: JsonObject): JsonObject {
  const [create, member] = [room.createEvent, room.state().find(({ event }) => event.state_key === bob)];
  const event = {
    room_id: room.roomId,
    type: "m.room.message",
    sender: bob,
    content: { body: "hi" },
    depth: 20,
    origin_server_ts: 1,
    prev_events: [room.events.at(-1)?.eventId ?? ""],
    auth_events: [create.eventId, member?.eventId ?? ""],
    ...fields,
  };
  return { ...signEvent(event, "10", "b.example", federation.server("b.example").signingKey) };
}

test.each<[Record<string, unknown>, RegExp]>([
  [{ creator: undefined }, /no user id/],
  [{ creator: 5 }, /no user id/],
  [{ creator: "alice" }, /no user id/],
  [{ creator: "@alice:nowhere.example" }, /no server named/],
  [{ creator: `@${"a".repeat(300)}:a.example` }, /sender has more than 255 bytes/],
  [{ version: "13" }, /room version "13"/],
  [{ version: 10 }, /room version 10/],
  [{ joinRule: "knock" }, /no join rule "knock"/],
  [{ joinRule: "restricted", version: "7" }, /cannot be restricted/],
  [{ joinRule: "restricted", allow: "!a:a.example" }, /no array/],
  [{ alias: "room" }, /no room alias/],
  [{ alias: 5 }, /no room alias/],
  [{ name: "x".repeat(70_000) }, /more than 65536 bytes/],
])("a room cannot be made of %j", (options, why) => {
  const create = () => federation.createRoom({ creator: alice, ...options } as TestRoomOptions);
  expect(create).toThrow(expect.objectContaining({ code: "ERR_INPUT", message: expect.stringMatching(why) }));
});

test("a room does not make events that every homeserver would drop", () => {
  const before = room.events;
  const bad: [() => unknown, RegExp][] = [
    [() => room.send(alice, "m.room.message", { body: "x".repeat(65_536) }), /more than 65536 bytes/],
    [() => room.send(alice, "x".repeat(256), {}), /type has more than 255 bytes/],
    [() => room.sendState(alice, "org.example", "x".repeat(256), {}), /state_key has more than 255 bytes/],
    [() => room.send(alice, "m.room.message", [] as never), /content is no object/],
    [() => room.join(undefined as never), /no user id/],
  ];
  for (const [make, why] of bad) expect(make).toThrow(why);
  expect(room.events).toEqual(before);
});

test.each([-1, Number.NaN, 1.5, Number.POSITIVE_INFINITY, "2" as never])("a crowd of %j is none", (count) => {
  expect(() => room.addMembers(count)).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
});

test.each([[[]], [0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY]])("a crowd on servers %j is none", (servers) => {
  expect(() => room.addMembers(2, { servers })).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
});

test("what is no event in a transaction takes nothing from the events beside it", async () => {
  const good = bobs({});
  const redaction = bobs({ type: "m.room.redaction", redacts: thing });
  const pdus = [1, null, "x", [], {}, { room_id: thing }, { room_id: [[]] }, redaction, good];
  const { status, json } = await say("PUT", sendPath, { pdus });
  expect(status).toBe(200);
  expect(json().pdus[eventIdOf(good, "10")]).toEqual({});
});

test("a body that is nested more deeply than anybody can sign is not signed, and is recorded", async () => {
  const body = `{"pdus":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const { keyId } = federation.server("b.example").signingKey;
  const authorization = `X-Matrix origin="b.example",key="${keyId}",sig="AAAA"`;
  const { status } = await ask(federation, "a.example", {
    method: "PUT",
    path: sendPath,
    headers: { authorization },
    body,
  });
  expect(status).toBe(401);
  expect(federation.server("a.example").requests.at(-1)).toMatchObject({ endpoint: "send", signedBy: undefined });
});

test("limits that are no numbers are the usual ones", async () => {
  const latest_events = [room.events.at(-1)?.eventId ?? ""];
  for (const limit of [thing, [[5]], true, null, "x", -1]) {
    const answer = await say("POST", inRoom("get_missing_events"), { latest_events, limit, min_depth: limit });
    expect(answer.status).toBe(200);
    expect(answer.json().events).toHaveLength(room.events.length - 1);
  }
});

test("power levels that are none give nobody power, and an allowed room that is none lets nobody in", async () => {
  room.sendState(alice, "m.room.join_rules", "", { join_rule: "restricted", allow: [{ room_id: thing }] });
  expect((await say("GET", `${inRoom("make_join")}/@eve:b.example?ver=10`)).status).toBe(403);
  room.sendState(alice, "m.room.power_levels", "", { users: { [alice]: 100, [bob]: thing }, invite: thing });
  expect(() => room.sendState(bob, "m.room.name", "", { name: "x" })).toThrow("power level");
  expect((await say("GET", `${inRoom("make_leave")}/${bob}`)).status).toBe(200);
});

test("an event that does not exist is said not to exist", async () => {
  const answer = await say("GET", "/_matrix/federation/v1/event/%24nowhere");
  expect(answer.json()).toEqual({ errcode: "M_NOT_FOUND", error: "Could not find the event." });
});

test("nothing that a homeserver sends makes a room's server fail", async () => {
  const anyPdu = fc.oneof(
    anyJson,
    fc.record({ room_id: fc.constantFrom<JsonValue>(room.roomId, thing), type: anyJson, content: anyJson }),
  );
  const body = fc.record({ pdus: fc.array(anyPdu), latest_events: anyJson, limit: anyJson }, { requiredKeys: [] });
  const asked = fc.constantFrom<[string, string]>(
    ["PUT", sendPath],
    ["POST", inRoom("get_missing_events")],
    ["PUT", `${inRoom("send_join").replace("/v1/", "/v2/")}/$a`],
    ["PUT", `${inRoom("send_leave").replace("/v1/", "/v2/")}/$a`],
  );
  await fc.assert(
    fc.asyncProperty(asked, fc.oneof(body, anyJson), async ([method, path], json) => {
      const { status } = await say(method, path, json as JsonValue);
      expect(status).toBeLessThan(500);
    }),
    { numRuns: 100 },
  );
});

test("transactions and questions for an alias are held back for their own room alone", async () => {
  const other = federation.createRoom({ creator: alice, alias: "#other:a.example" });
  const server = federation.server("a.example");
  const holds = [server.hold("send", { room: other }), server.hold("query_directory", { room: other })];
  const alias = (name: string) => `/_matrix/federation/v1/query/directory?room_alias=%23${name}%3Aa.example`;
  expect((await say("PUT", sendPath, { pdus: [bobs({})] })).status).toBe(200);
  expect((await say("GET", alias("room"))).status).toBe(200);

  const answers = [say("PUT", sendPath, { pdus: [{ room_id: other.roomId }] }), say("GET", alias("other"))];
  await Promise.all(holds.map(({ requested }) => requested));
  for (const { release } of holds) {
    release();
    release();
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
});

test("when a port is taken, no server of the federation is left listening", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const ports = [taken, free].map((each) => (each.address() as AddressInfo).port);
  await once(free.close(), "close");
  const servers = ports.map((port) => ({ name: `localhost:${port}`, port }));
  await expect(createTestFederation({ servers })).rejects.toThrow("EADDRINUSE");
  const again = createServer().listen(ports[1], "127.0.0.1");
  await once(again, "listening");
  await Promise.all([taken, again].map((each) => once(each.close(), "close")));
});

test("of large requests, a server remembers the last", async () => {
  const server = federation.server("a.example");
  const body = "x".repeat(9 * 1024 * 1024);
  for (let index = 0; index < 9; index++) {
    await ask(federation, "a.example", { method: "PUT", path: `${sendPath}${index}`, body });
  }
  expect(server.requests.map(({ uri }) => uri)).toEqual([2, 3, 4, 5, 6, 7, 8].map((index) => `${sendPath}${index}`));
});
