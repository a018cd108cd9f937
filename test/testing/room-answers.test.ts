import { afterEach, beforeEach, expect, test } from "vitest";
import { eventIdOf } from "../../src/events/hash-event.js";
import { signEvent } from "../../src/events/sign-event.js";
import type { Client } from "../../src/index.js";
import { createTestFederation, reply, type TestFederation } from "../../src/testing.js";
import { ask } from "./ask.js";
import { askAs, clientOf, idsOf, inRoom, joinAs, verdictOn } from "./room-client.js";

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

test("events that a server sends are taken one by one, and again without harm", async () => {
  const room = federation.createRoom({ creator: alice });
  const join = await joinAs(federation, asC, room, carol);
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
