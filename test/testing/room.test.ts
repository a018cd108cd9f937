import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { eventIdOf, roomIdOf } from "../../src/events/hash-event.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { signEvent } from "../../src/events/sign-event.js";
import { type Client, SigningKey } from "../../src/index.js";
import { createTestFederation, reply, type TestFederation, type TestRoom } from "../../src/testing.js";
import { ask } from "./ask.js";
import { askAs, clientOf, verdictOn } from "./room-client.js";

const versions = Object.keys(roomVersions) as RoomVersion[];
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

const idsOf = (events: readonly { readonly eventId: string }[]): string[] => events.map(({ eventId }) => eventId);
const inRoom = (client: Client, room: TestRoom, residents = ["a.example"]) => client.room(room.roomId, { residents });

/** Joins as any homeserver does: a template, signed, sent back. */
async function joinAs(
  client: Client,
  room: TestRoom,
  user: string,
  { through = "a.example", omitMembers = false } = {},
) {
  const server = user.slice(user.indexOf(":") + 1);
  const calls = inRoom(client, room, [through]);
  const { value: template } = await calls.makeJoin({ userId: user, ver: versions });
  const version = template.room_version as RoomVersion;
  const draft = roomVersions[version].eventIds === "inEvent" ? { event_id: `$own:${server}` } : {};
  const event: JsonObject = {
    ...signEvent({ ...template.event, ...draft }, version, server, federation.server(server).signingKey),
  };
  const eventId = eventIdOf(event, version);
  const { value } = await calls.sendJoin({ eventId, event, omitMembers });
  return { eventId, event, version, answer: value };
}

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
    const join = await joinAs(asC, room, carol);
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

test("a partial join leaves members out and names the servers", async () => {
  const room = federation.createRoom({ creator: alice, name: "Room" });
  room.join(bob);
  const { answer, eventId } = await joinAs(asC, room, carol, { omitMembers: true });
  expect(answer.members_omitted).toBe(true);
  expect(answer.servers_in_room).toEqual(["a.example", "b.example"]);
  expect(answer.state.some(({ type }) => type === "m.room.member")).toBe(false);
  const sent = [...answer.state, ...answer.auth_chain].map((event) => eventIdOf(event, "10"));
  expect(new Set(sent).size).toBe(sent.length);
  // The rest is had from the state before the join.
  const { value } = await inRoom(asC, room).stateIds({ eventId });
  expect(value.pdu_ids).toHaveLength(idsOf(room.state(eventId)).length);
});

test("a partial join of a room without a name has its heroes", async () => {
  const room = federation.createRoom({ creator: alice });
  const { answer } = await joinAs(asC, room, carol, { omitMembers: true });
  expect(answer.state.map(({ state_key }) => state_key)).toContain(alice);
});

test("a join that was sent twice is taken once", async () => {
  const room = federation.createRoom({ creator: alice });
  const { event, eventId } = await joinAs(asC, room, carol);
  const count = room.events.length;
  await inRoom(asC, room).sendJoin({ eventId, event });
  expect(room.events).toHaveLength(count);
});

test("who may not join gets no template, and who lacks the version is told the right one", async () => {
  const room = federation.createRoom({ creator: alice, joinRule: "invite", version: "11" });
  const calls = inRoom(asC, room);
  await expect(calls.makeJoin({ userId: carol, ver: ["11"] })).rejects.toMatchObject({ errcode: "M_FORBIDDEN" });
  await expect(calls.makeJoin({ userId: carol, ver: ["10"] })).rejects.toMatchObject({
    errcode: "M_INCOMPATIBLE_ROOM_VERSION",
  });
  room.invite(alice, carol);
  await joinAs(asC, room, carol);
  expect(room.residents).toContain("c.example");
  expect(() => room.join(bob)).toThrow(/@bob:b.example is not invited/);
});

test("a restricted room lets in who is in an allowed room, with the signature of a server that may invite", async () => {
  const space = federation.createRoom({ creator: alice });
  const room = federation.createRoom({ creator: alice, joinRule: "restricted", allow: [space.roomId] });
  await expect(inRoom(asC, room).makeJoin({ userId: carol, ver: ["10"] })).rejects.toMatchObject({ status: 403 });
  space.join(carol);
  const { answer } = await joinAs(asC, room, carol);
  expect(answer.event?.signatures).toMatchObject({ "a.example": expect.anything(), "c.example": expect.anything() });
  expect(verdictOn(federation, answer.event, "10")).toBe("valid");
  expect(() => room.join(bob)).toThrow(/authorised/);
  space.join(bob);
  expect(verdictOn(federation, room.join(bob).event, "10")).toBe("valid");
});

test("a join with a wrong signature, hash, room or membership is refused", async () => {
  const room = federation.createRoom({ creator: alice });
  const calls = inRoom(asC, room);
  const { value } = await calls.makeJoin({ userId: carol, ver: ["10"] });
  const { signingKey } = federation.server("c.example");
  const send = (event: object) => calls.sendJoin({ eventId: eventIdOf(event, "10"), event });
  const stranger = signEvent(value.event, "10", "c.example", SigningKey.generate());
  const moved = signEvent({ ...value.event, room_id: "!other:a.example" }, "10", "c.example", signingKey);
  const leave = signEvent({ ...value.event, content: { membership: "leave" } }, "10", "c.example", signingKey);
  for (const event of [stranger, moved, leave])
    await expect(send(event)).rejects.toMatchObject({ name: "MatrixError" });
  const right = signEvent(value.event, "10", "c.example", signingKey);
  const lie = { eventId: "$other", event: right };
  await expect(calls.sendJoin(lie)).rejects.toMatchObject({ errcode: "M_INVALID_PARAM" });
  expect(room.residents).toEqual(["a.example"]);
});

test("a user leaves with make_leave and send_leave, and the server is no resident any more", async () => {
  const room = federation.createRoom({ creator: alice });
  await joinAs(asC, room, carol);
  const calls = inRoom(asC, room);
  const { value } = await calls.makeLeave({ userId: carol });
  const event = signEvent(value.event, "10", "c.example", federation.server("c.example").signingKey);
  await calls.sendLeave({ eventId: eventIdOf(event, "10"), event });
  expect(room.residents).toEqual(["a.example"]);
  const { eventId } = room.createEvent;
  await expect(calls.stateIds({ eventId })).rejects.toMatchObject({ code: "ERR_ALL_FAILED" });
});

test("events that a server sends are taken one by one, and again without harm", async () => {
  const room = federation.createRoom({ creator: alice });
  const join = await joinAs(asC, room, carol);
  const { signingKey } = federation.server("c.example");
  const message = (body: string, more: object = {}) => {
    const { state_key, signatures, hashes, ...rest } = join.event;
    const auth_events = [...(join.event.auth_events as string[]), join.eventId];
    const own = { type: "m.room.message", content: { body }, prev_events: [join.eventId], auth_events };
    return signEvent({ ...rest, ...own, ...more }, "10", "c.example", signingKey);
  };
  const good = message("good");
  const idOf = (event: object): string => eventIdOf(event, "10");
  const refused = {
    "prev_events are unknown": message("of nowhere", { prev_events: ["$nowhere"] }),
    "auth_events are unknown": message("of nobody", { auth_events: ["$nowhere"] }),
    "no signature of": message("of another", { sender: alice }),
    "is wrong": { ...message("changed"), depth: 99 },
    "not the power level": message("state", { type: "m.room.name", state_key: "" }),
    "is not in the room": message("of nobody here", { sender: "@dave:c.example" }),
  };
  const send = (txnId: string, pdus: object[]) => asC.sendTransaction("a.example", { txnId, originServerTs: 1, pdus });
  const { pdus } = await send("1", [good, ...Object.values(refused)]);
  expect(pdus[idOf(good)]).toEqual({});
  for (const [reason, event] of Object.entries(refused)) {
    expect(pdus[idOf(event)]?.error).toContain(reason);
  }
  expect((await send("2", [good])).pdus).toEqual({ [idOf(good)]: {} });
  expect(room.events.filter(({ event }) => event.type === "m.room.message").map(({ event }) => event)).toEqual([good]);
});

test("history is handed out backwards, and what is missing forwards", async () => {
  const room = federation.createRoom({ creator: alice });
  room.join(bob);
  const ids = ["1", "2", "3", "4", "5"].map((body) => room.send(alice, "m.room.message", { body }).eventId);
  const calls = inRoom(asB, room);
  const { value: back } = await calls.backfill({ from: [ids[4] as string], limit: 3 });
  expect(back.pdus.map((event) => eventIdOf(event, "10"))).toEqual([ids[4], ids[3], ids[2]]);
  const { value: missing } = await calls.getMissingEvents({
    earliestEvents: [ids[0] as string],
    latestEvents: [ids[4] as string],
  });
  expect(missing.events.map((event) => eventIdOf(event, "10"))).toEqual([ids[1], ids[2], ids[3]]);
});

test("an alias is resolved by every resident", async () => {
  const room = federation.createRoom({ creator: alice, alias: "#room:a.example" });
  room.join(bob);
  for (const server of ["a.example", "b.example"]) {
    expect(await asC.queryDirectory(server, { roomAlias: "#room:a.example" })).toEqual({
      room_id: room.roomId,
      servers: ["a.example", "b.example"],
    });
  }
  const asA = clientOf(federation, "a.example");
  const elsewhere = asA.queryDirectory("c.example", { roomAlias: "#room:a.example" });
  await expect(elsewhere).rejects.toMatchObject({ errcode: "M_NOT_FOUND" });
  await asA.close();
});

test("who is not in the room is told so, and who does not sign at all", async () => {
  const room = federation.createRoom({ creator: alice });
  const { eventId } = room.createEvent;
  const { roomId } = room;
  const told = { name: "MatrixError" };
  await expect(asC.stateIds("a.example", { roomId, eventId })).rejects.toMatchObject({
    ...told,
    errcode: "M_FORBIDDEN",
  });
  const backwards = { roomId, from: [eventId], limit: 1 };
  await expect(asC.backfill("a.example", backwards)).rejects.toMatchObject({ ...told, errcode: "M_FORBIDDEN" });
  await expect(asC.stateIds("b.example", { roomId, eventId })).rejects.toMatchObject({
    ...told,
    errcode: "M_NOT_FOUND",
  });
  const path = `/_matrix/federation/v1/state_ids/${encodeURIComponent(roomId)}?event_id=x`;
  expect((await ask(federation, "a.example", { path })).json()).toMatchObject({ errcode: "M_UNAUTHORIZED" });
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
  const join = await joinAs(asC, room, carol);
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

test("what a test sets is answered before what the room says", async () => {
  const room = federation.createRoom({ creator: alice });
  room.join(bob);
  const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
  federation.server("a.example").on("state_ids", reply.json({ pdu_ids: ["$set"], auth_chain_ids: [] }));
  expect((await inRoom(asB, room).stateIds({ eventId })).value.pdu_ids).toEqual(["$set"]);
  expect((await inRoom(asB, room).event({ eventId })).value.pdus).toHaveLength(1);
});

test("answers are held back for one room until they are released", async () => {
  const [room, other] = [federation.createRoom({ creator: alice }), federation.createRoom({ creator: alice })];
  for (const each of [room, other]) each.join(bob);
  const server = federation.server("a.example");
  const hold = server.hold("state_ids", { room });
  let isAnswered = false;
  const held = inRoom(asB, room)
    .stateIds({ eventId: room.createEvent.eventId })
    .then(() => {
      isAnswered = true;
    });
  await hold.requested;
  await inRoom(asB, other).stateIds({ eventId: other.createEvent.eventId });
  expect(isAnswered).toBe(false);
  hold.release();
  await held;
  expect(isAnswered).toBe(true);
});

test("what is held back goes on when the server is reset", async () => {
  const server = federation.server("a.example");
  const hold = server.hold("version");
  const answer = asB.version("a.example");
  await hold.requested;
  server.reset();
  expect(await answer).toMatchObject({ server: { version: "1" } });
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

test("a resident in partial state says so, and hands out others' events in redacted form until it is through", async () => {
  const room = federation.createRoom({ creator: alice });
  room.join(bob);
  room.join(carol);
  const { eventId: ofAlice } = room.send(alice, "m.room.message", { body: "hi" });
  const { eventId: ofBob } = room.send(bob, "m.room.message", { body: "hello" });
  room.partial("b.example");
  const { roomId } = room;
  const eventId = ofAlice;
  const refused = { errcode: "ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE" };
  await Promise.all([
    expect(asC.stateIds("b.example", { roomId, eventId })).rejects.toMatchObject(refused),
    expect(asC.state("b.example", { roomId, eventId })).rejects.toMatchObject(refused),
    expect(asC.event("b.example", { eventId })).rejects.toMatchObject(refused),
    expect(asC.eventAuth("b.example", { roomId, eventId })).rejects.toMatchObject(refused),
    expect(asC.makeJoin("b.example", { roomId, userId: "@new:c.example", ver: ["10"] })).rejects.toMatchObject({
      code: "ERR_PARTIAL_STATE",
      errcode: "M_NOT_FOUND",
    }),
  ]);

  // Another resident answers instead.
  const both = inRoom(asC, room, ["b.example", "a.example"]);
  expect((await both.stateIds({ eventId: ofAlice })).via).toBe("a.example");

  const backwards = `/_matrix/federation/v1/backfill/${encodeURIComponent(roomId)}?limit=2&v=${encodeURIComponent(ofBob)}`;
  const { pdus } = (await askAs(federation, "c.example", "b.example", backwards)).json();
  expect(pdus.map((event: object) => verdictOn(federation, event, "10"))).toEqual(["valid", "redacted"]);
  room.completed("b.example");
  const { value: whole } = await asC.backfill("b.example", { roomId, from: [ofBob], limit: 2 });
  expect(whole.pdus.map((event) => verdictOn(federation, event, "10"))).toEqual(["valid", "valid"]);
  const asA = clientOf(federation, "a.example");
  expect((await asA.stateIds("b.example", { roomId, eventId })).value.pdu_ids).toEqual(idsOf(room.state(eventId)));
  await asA.close();
  expect(() => room.partial("d.example")).toThrow(/not in the test room/);
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
