/** An answer has to be one to what was asked: about the same room, of a version that the asker knows, of the same server. */
import { describe, expect, test } from "vitest";

import { isSubjectOf } from "../../src/endpoints.js";
import type { JsonValue } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const userId = "@me:me.example";
const event = { type: "m.room.member", content: { membership: "join" } };
const space = { room: { room_id: roomId, name: "Space" }, children: [] };

describe("a hierarchy", () => {
  test("of another room is none, and the next resident is asked (bug: it was taken)", async () => {
    world.on(a, reply.json({ ...space, room: { room_id: "!other:a.example" } }), "hierarchy");
    world.on(b, reply.json(space), "hierarchy");
    const { via, attempts } = await world.room([a, b]).hierarchy({});
    expect([via, attempts[0]]).toMatchObject([
      b,
      { server: a, verdict: "invalid", error: { issues: [{ path: "$.room.room_id" }] } },
    ]);
  });

  test("loses rooms that nobody can make sense of, and tells of them", async () => {
    const child = { room_id: "!child:a.example", room_type: "m.space", num_joined_members: 3, "org.example": [1] };
    const bad = [5, null, { name: "no id" }, { ...child, name: 5 }, { ...child, allowed_room_ids: [5] }];
    const odd = { room_id: "!odd:a.example", name: null, topic: null, children_state: null };
    world.on(a, reply.json({ ...space, children: [child, ...bad, odd] }), "hierarchy");
    const { value, dropped } = await world.room([a]).hierarchy({});
    expect(value.children).toEqual([child, odd]);
    expect(dropped).toEqual([
      { path: "$.children[1]", reason: "expected an object" },
      { path: "$.children[2]", reason: "expected an object" },
      { path: "$.children[3]", reason: "expected a string in room_id" },
      { path: "$.children[4]", reason: "expected a string in name" },
      { path: "$.children[5]", reason: "expected an array of strings in allowed_room_ids" },
    ]);
  });

  test("whose own room is odd is invalid", async () => {
    for (const room of [
      null,
      { room_id: 5 },
      { room_id: roomId, children_state: {} },
      { room_id: roomId, topic: [] },
    ]) {
      world.on(a, reply.json({ room, children: [] } as JsonValue), "hierarchy");
      const { attempts } = await world.room([a]).safe.hierarchy({}, { rounds: 1 });
      expect(attempts).toMatchObject([{ verdict: "invalid", error: { issues: [{ path: "$.room" }] } }]);
    }
  });
});

describe("a template of a room of a version that was not asked for is of no use, and the next resident is asked:", () => {
  test.each<[call: "makeJoin" | "makeKnock", version: string | undefined, ver: readonly string[], isTaken: boolean]>([
    ["makeJoin", "11", ["10", "11"], true],
    ["makeJoin", "12", ["10", "11"], false],
    ["makeJoin", "1", ["11"], false],
    ["makeJoin", "__proto__", ["11"], false],
    // "If not provided, the room version is assumed to be either 1 or 2."
    ["makeJoin", undefined, ["1"], true],
    ["makeJoin", undefined, ["2", "11"], true],
    ["makeJoin", undefined, ["10", "11"], false],
    // Without a version in the query, "it means version 1" (bug: no answer was one, and an honest server misbehaved).
    ["makeJoin", "1", [], true],
    ["makeJoin", undefined, [], true],
    ["makeJoin", "10", [], false],
    ["makeKnock", "7", ["7"], true],
    ["makeKnock", "8", ["7"], false],
  ])("%s of %j, asked for %j: %j", async (call, version, ver, isTaken) => {
    const name = call === "makeJoin" ? "make_join" : "make_knock";
    world.on(a, reply.json(version === undefined ? { event } : { event, room_version: version }), name);
    world.on(b, reply.json({ event, room_version: ver[0] ?? "1" }), name);
    const { via, attempts } = await world.room([a, b])[call]({ userId, ver });
    expect([via, attempts[0]?.verdict]).toEqual(isTaken ? [a, "answered"] : [b, "invalid"]);
  });
});

describe("keys of users who were not asked for are no answer (bug: a server could slip in those of another server's user):", () => {
  const alice = "@alice:a.example";
  const victim = "@victim:b.example";

  test("their devices", async () => {
    const devices = { user_id: victim, stream_id: 1, devices: [] };
    world.on(a, reply.json(devices), "user_devices");
    const error = await rejection(world.client().userDevices(a, { userId: alice }));
    expect(error).toMatchObject({ code: "ERR_RESPONSE_INVALID", issues: [{ path: "$.user_id" }] });
    world.on(a, reply.json({ ...devices, user_id: alice }), "user_devices");
    expect(await world.client().userDevices(a, { userId: alice })).toMatchObject({ user_id: alice });
  });

  test.each([
    ["device_keys", false],
    ["master_keys", false],
    ["self_signing_keys", false],
    ["failures", true],
  ])("in %s: taken: %j", async (field, isTaken) => {
    for (const other of [victim, "__proto__", "toString"]) {
      const body = JSON.stringify({ device_keys: { [alice]: {} }, [field]: { "@": {} } }).replace('@"', `${other}"`);
      world.on(a, reply.raw({ body }), "query_user_keys");
      const result = await world.client().safe.queryUserKeys(a, { deviceKeys: { [alice]: [] } });
      if (isTaken) expect(result.ok).toBe(true);
      else expect(result).toMatchObject({ error: { issues: [{ path: `$.${field}` }] } });
    }
  });

  test("nor does one of several users that is not in it cost the others", async () => {
    const answer = { device_keys: { [alice]: { D: 5 } }, master_keys: null };
    world.on(a, reply.json(answer), "query_user_keys");
    const deviceKeys = { [alice]: [], "@bob:a.example": ["E"] };
    expect(await world.client().queryUserKeys(a, { deviceKeys })).toEqual(answer);
  });
});

describe("what became of a transaction's events", () => {
  const transaction = { txnId: "1", originServerTs: 1, pdus: [event] };
  test.each<[pdus: JsonValue, isTaken: boolean]>([
    [{}, true],
    [{ [eventId]: {} }, true],
    [{ [eventId]: { error: "no" } }, true],
    [{ [eventId]: { error: "", "org.example.more": 1 } }, true],
    [JSON.parse('{"__proto__":{}}'), true],
    [{ [eventId]: "ok" }, false],
    [{ [eventId]: null }, false],
    [{ [eventId]: [] }, false],
    [{ [eventId]: { error: 5 } }, false],
    [JSON.parse('{"__proto__":"ok"}'), false],
    [[], false],
    [null, false],
  ])("is said with an object for each: %j is taken: %j (bug: a text was taken)", async (pdus, isTaken) => {
    world.on(a, reply.json({ pdus }), "send");
    const { ok } = await world.client().safe.sendTransaction(a, transaction, { rounds: 1 });
    expect(ok).toBe(isTaken);
  });
});

test.each([
  ["@ali\ud800ce:a.example", a],
  ["@alice\udc00:a.example", a],
  ["@alice:a b", "a b"],
  ["@alice:a.example:x", "a.example:x"],
  ["@alice:", ""],
])("%j is no user of %j (bug: half a character and names that are none were taken)", async (sub, server) => {
  expect(isSubjectOf(sub, server)).toBe(false);
  world.on(a, reply.raw({ body: JSON.stringify({ sub }) }), "openid_userinfo");
  const error = await rejection(world.client().openid.userinfo(a, "token"));
  expect(error).toMatchObject({ code: "ERR_RESPONSE_INVALID", issues: [{ path: "$.sub" }] });
});
