import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventIdOf, roomIdOf } from "../../src/events/hash-event.js";
import type { RoomVersion } from "../../src/events/room-versions.js";
import { signEvent } from "../../src/events/sign-event.js";
import type { Client } from "../../src/index.js";
import { createTestFederation, reply, type TestFederation } from "../../src/testing.js";
import { anyEvent, anyJson } from "../events/any-event.js";
import { clientOf, idsOf, inRoom, joinAs, verdictOn, versions } from "./room-client.js";

const alice = "@alice:a.example";
const bob = "@bob:b.example";
const carol = "@carol:c.example";

let federation: TestFederation;
let asB: Client;
let asC: Client;

beforeEach(async () => {
  federation = await createTestFederation({ servers: ["a.example", "b.example", "c.example"] });
  asB = clientOf(federation, "b.example");
  asC = clientOf(federation, "c.example");
});
afterEach(async () => {
  await asB.close();
  await asC.close();
  await federation.close();
});

describe.each(versions)("a room of version %s", (version) => {
  test("has hashed and signed events that everybody can verify", () => {
    const room = federation.createRoom({ version, creator: alice, name: "Room", alias: "#room:a.example" });
    room.join(bob);
    const { eventId } = room.send(bob, "m.room.message", { body: "hi" });
    room.redact(alice, eventId);
    room.leave(bob);
    expect(room.version).toBe(version);
    for (const { eventId, event } of room.events) {
      expect(verdictOn(federation, event, version)).toBe("valid");
      expect(eventIdOf(event, version)).toBe(eventId);
      expect(roomIdOf(event, version)).toBe(room.roomId);
    }
    expect(room.residents).toEqual(["a.example"]);
  });

  test("is served over TLS: its state, the ids of that, its events and their auth chains", async () => {
    const room = federation.createRoom({ version, creator: alice });
    room.join(bob);
    const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
    const calls = inRoom(asB, room);

    const { value: ids } = await calls.stateIds({ eventId });
    expect(ids.pdu_ids.toSorted()).toEqual(idsOf(room.state(eventId)).toSorted());
    expect(ids.auth_chain_ids.toSorted()).toEqual(idsOf(room.authChain()).toSorted());
    expect(ids.auth_chain_ids).toContain(room.createEvent.eventId);

    const { value: state } = await calls.state({ eventId });
    expect(state.pdus.map((event) => eventIdOf(event, version))).toEqual(idsOf(room.state(eventId)));
    for (const event of [...state.pdus, ...state.auth_chain]) {
      expect(verdictOn(federation, event, version)).toBe("valid");
    }

    const { value: one } = await calls.event({ eventId });
    expect(one.pdus).toEqual([room.events.at(-1)?.event]);
    const { value: auth } = await calls.eventAuth({ eventId });
    expect(auth.auth_chain.map((event) => eventIdOf(event, version))).toEqual(idsOf(room.authChain(eventId)));
  });

  test("is joined with make_join and send_join, and the join is seen by the other residents", async () => {
    const room = federation.createRoom({ version, creator: alice });
    room.join(bob);
    const before = idsOf(room.state());
    const join = await joinAs(federation, asC, room, carol);
    expect(join.version).toBe(version);
    expect(join.answer.state.map((event) => eventIdOf(event, version))).toEqual(before);
    expect(join.answer.members_omitted).toBe(false);
    for (const event of [...join.answer.state, ...join.answer.auth_chain]) {
      expect(verdictOn(federation, event, version)).toBe("valid");
    }
    expect(room.residents).toEqual(["a.example", "b.example", "c.example"]);

    const { eventId } = room.send(bob, "m.room.message", { body: "welcome" });
    const { value: state } = await inRoom(asC, room, ["b.example"]).stateIds({ eventId });
    expect(state.pdu_ids).toContain(join.eventId);
  });

  test("lets every event in only by state that was there: auth_events are those of the state before", () => {
    const room = federation.createRoom({ version, creator: alice });
    room.join(bob);
    room.sendState(alice, "m.room.topic", "", { topic: "Tests" });
    room.invite(alice, carol);
    room.join(carol);
    for (const { eventId, event } of room.events.slice(1)) {
      const before = new Map(room.state(eventId).map((each) => [each.eventId, each.event]));
      const auth = (event.auth_events as unknown[]).map((link) => String(Array.isArray(link) ? link[0] : link));
      const types = auth.map((id) => before.get(id)?.type);
      expect(types).not.toContain(undefined);
      expect(types.includes("m.room.create")).toBe(version !== "12");
      expect(new Set(auth).size).toBe(auth.length);
    }
  });
});

test("a redacted event is handed out in redacted form", async () => {
  for (const version of ["10", "11"] as const) {
    const room = federation.createRoom({ creator: alice, version });
    room.join(bob);
    const { eventId } = room.send(alice, "m.room.message", { body: "secret" });
    room.send(alice, "m.room.message", { body: "other" });
    room.redact(bob, room.createEvent.eventId);
    room.redact(alice, eventId);
    const { value } = await inRoom(asB, room).event({ eventId });
    expect(value.pdus[0].content).toEqual({});
    expect(verdictOn(federation, value.pdus[0], version)).toBe("redacted");
    const { value: create } = await inRoom(asB, room).event({ eventId: room.createEvent.eventId });
    expect(verdictOn(federation, create.pdus[0], version)).toBe("valid");
  }
});

test("branches are joined by the next event, and the state has what came last of each", async () => {
  const room = federation.createRoom({ creator: alice });
  const join = await joinAs(federation, asC, room, carol);
  const { state_key, signatures, hashes, ...rest } = join.event;
  const fork = signEvent(
    {
      ...rest,
      type: "m.room.message",
      content: { body: "fork" },
      prev_events: [join.eventId],
      auth_events: [...(join.event.auth_events as string[]), join.eventId],
      depth: Number(join.event.depth) + 1,
    },
    "10",
    "c.example",
    federation.server("c.example").signingKey,
  );
  room.sendState(alice, "m.room.topic", "", { topic: "other branch" });
  expect(room.accept(fork)).toBeUndefined();
  const { event, eventId } = room.send(alice, "m.room.message", { body: "joined" });
  expect(event.prev_events).toHaveLength(2);
  const types = room.state(eventId).map(({ event: { type } }) => type);
  expect(types).toContain("m.room.topic");
  expect(types.filter((type) => type === "m.room.member")).toHaveLength(2);
});

test("a depth that is at its end stays there", async () => {
  const room = federation.createRoom({ creator: alice });
  const calls = inRoom(asC, room);
  const { value } = await calls.makeJoin({ userId: carol, ver: ["10"] });
  const { signingKey } = federation.server("c.example");
  const event = signEvent({ ...value.event, depth: Number.MAX_SAFE_INTEGER }, "10", "c.example", signingKey);
  expect(room.accept(event)).toBeUndefined();
  const next = room.send(alice, "m.room.message", { body: "hi" });
  expect(next.event.depth).toBe(Number.MAX_SAFE_INTEGER);
  expect(verdictOn(federation, next.event, "10")).toBe("valid");
});

test("a crowd joins from servers that are nowhere, whose keys every server has as a notary", async () => {
  const room = federation.createRoom({ creator: alice, version: "12" });
  room.join(bob);
  const { eventId } = room.addMembers(500, { servers: 16 });
  expect(room.residents).toHaveLength(18);
  await using client = clientOf(federation, "b.example", { notaries: ["a.example"] });
  // The client verifies each event, with keys that it has from the notary.
  const { value } = await inRoom(client, room).state({ eventId });
  expect(value.pdus).toHaveLength(room.state(eventId).length);

  const names = room.residents.filter((server) => server.endsWith(".invalid"));
  const { server_keys } = await asB.queryKeys("a.example", {
    serverKeys: Object.fromEntries(names.map((name) => [name, {}])),
  });
  expect(server_keys).toHaveLength(16);
  for (const document of server_keys as { server_name: string; verify_keys: object; signatures: object }[]) {
    const [keyId] = Object.keys(document.verify_keys);
    expect(federation.publicKeys.get(document.server_name)?.has(keyId as string)).toBe(true);
    expect(Object.keys(document.signatures).toSorted()).toEqual(["a.example", document.server_name].toSorted());
  }
});

test("a crowd is of the federation's servers when none are named", () => {
  const room = federation.createRoom({ creator: alice });
  room.addMembers(6);
  expect(room.residents).toEqual(["a.example", "b.example", "c.example"]);
});

test("nothing that is sent as an event breaks a room", () => {
  for (const version of ["1", "10", "12"] as const) {
    const room = federation.createRoom({ creator: alice, version });
    const count = room.events.length;
    fc.assert(
      fc.property(fc.oneof(anyEvent, anyJson), (event) => {
        expect(typeof room.accept(event as object)).toBe("string");
      }),
    );
    expect(room.events).toHaveLength(count);
  }
});

test("odd join rules, power levels and names are state like any other (bug: an allow rule that was null)", () => {
  const room = federation.createRoom({ creator: alice, joinRule: "restricted" });
  room.sendState(alice, "m.room.join_rules", "", { join_rule: "restricted", allow: [null, "x", { room_id: 1 }] });
  expect(() => room.join(bob)).toThrow(/authorised/);
  room.sendState(alice, "__proto__", "__proto__", JSON.parse('{"__proto__": {"a": 1}}'));
  room.sendState(alice, "m.room.power_levels", "", { users: { [alice]: "100", constructor: 1 }, state_default: "x" });
  expect(() => room.sendState(alice, "m.room.topic", "", {})).toThrow(/power level/);
  for (const { event } of room.events) expect(verdictOn(federation, event, "10")).toBe("valid");
});

test("what a test does to a content afterwards changes no event", () => {
  const room = federation.createRoom({ creator: alice });
  const content = { body: "hi", nested: { a: 1 } };
  const { event } = room.send(alice, "m.room.message", content);
  content.nested.a = 2;
  expect(verdictOn(federation, event, "10")).toBe("valid");
});

test("who is named by something else than a user id is told what one looks like", () => {
  const taught = { code: "ERR_INPUT", message: expect.stringContaining('one looks like "@alice:a.example"') };
  for (const creator of ["alice", "@alice", "a.example", ":a.example", ""]) {
    expect(() => federation.createRoom({ creator })).toThrow(expect.objectContaining(taught));
  }
  const room = federation.createRoom({ creator: alice });
  expect(() => room.send("bob", "m.room.message", {})).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
});

test("options that may be undefined can be passed as they are", async () => {
  const version: RoomVersion | undefined = undefined;
  const absent = undefined as string | undefined;
  const options = { version, joinRule: undefined, allow: undefined, alias: absent, name: absent };
  const room = federation.createRoom({ creator: alice, ...options });
  expect(room.version).toBe("10");
  room.addMembers(1, { servers: undefined });
  federation.server("a.example").hold("state", { room: undefined }).release();
  const server = { name: "d.example", dead: undefined, certificateFor: absent, port: undefined };
  await (await createTestFederation({ servers: [server] })).close();
  reply.raw({ status: undefined, headers: undefined, body: undefined });
  reply.media({ body: undefined, contentType: absent, filename: absent, headers: undefined, metadata: undefined });
  reply.partialState({ errcode: absent, status: undefined });
  reply.rateLimited({ retryAfterMs: undefined, retryAfterHeader: absent });
  reply.stall({ afterBytes: undefined, body: absent });
  reply.endless({ chunk: absent, gzip: undefined });
  reply.reset({ when: undefined });
});

test("the test is told what it does wrong", () => {
  const room = federation.createRoom({ creator: alice, alias: "#room:a.example" });
  expect(() => federation.createRoom({ creator: alice, alias: "#room:a.example" })).toThrow(
    /has a room with the alias/,
  );
  expect(() => federation.createRoom({ creator: "@x:elsewhere.example" })).toThrow(
    /no server named "elsewhere.example"/,
  );
  expect(() => federation.createRoom({ creator: alice, version: "99" as RoomVersion })).toThrow(/room version/);
  expect(() => room.send(bob, "m.room.message", {})).toThrow(/@bob:b.example is not in the room/);
  room.join(bob);
  expect(() => room.sendState(bob, "m.room.name", "", { name: "Mine" })).toThrow(/has not the power level 50/);
  expect(() => room.state("$nowhere")).toThrow(/no event "\$nowhere"/);
});
