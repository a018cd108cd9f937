import { expect, test } from "vitest";
import { redactEvent } from "../../src/events/redact-event.js";
import { reply } from "../../src/testing.js";
import { oneByOne } from "../one-by-one.js";
import { alice, bob, createVerifyWorld, json, poisons, transactionOf, type VerifyWorld } from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const hi = { body: "hi" };

test.each([
  ["another event than the one that was asked for", "other"],
  ["an event of another room", "foreign"],
  ["an event with a wrong signature", "signature"],
] as const)(
  "%s is no answer: the next resident gives one, and the server's misbehaviour is counted",
  async (_, kind) => {
    const room = world.room();
    const { eventId, event } = room.send(bob, "m.room.message", hi);
    const wrong = {
      other: () => room.send(alice, "m.room.message", hi).event,
      foreign: () => world.room().send(alice, "m.room.message", hi).event,
      signature: () => poisons.signature(event),
    };
    world.on("a.example", "event", json(transactionOf(wrong[kind]())));
    const client = world.client();
    const { value, via, attempts } = await world.view(room, client).event({ eventId }, { prefer: ["a.example"] });
    expect(value.pdus).toEqual([event]);
    expect(via).toBe("b.example");
    expect(attempts.map(({ verdict }) => verdict)).toEqual(["invalid", "answered"]);
    expect(client.backoff.list()).toMatchObject([{ server: "a.example", failures: 0, misbehaviours: 1 }]);
  },
);

test("in a room of version 1, whose events name their ids, an event of another room with the id is none", async () => {
  const room = world.room("1");
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  const impostor = { ...world.room("1").send(bob, "m.room.message", hi).event, event_id: eventId };
  world.on("a.example", "event", json(transactionOf(impostor)));
  const { value, via } = await world.view(room).event({ eventId }, { roomVersion: "1" });
  expect({ via, pdus: value.pdus }).toEqual({ via: "b.example", pdus: [event] });
});

test("a redacted copy, as servers in partial state give it, is replaced by the whole event, and the server is held to be in partial state", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  world.on("a.example", "event", json(transactionOf(redactEvent(event, "10"))));
  const client = world.client();
  const { value, via, redacted } = await world
    .view(room, client)
    .event({ eventId }, { prefer: ["a.example"], ...oneByOne });
  expect({ pdus: value.pdus, via, redacted }).toEqual({ pdus: [event], via: "a.example", redacted: [] });
  expect(await client.partialState.list(room.roomId)).toMatchObject([{ server: "a.example" }]);
});

test("where two residents are in partial state, the third has it whole", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  for (const server of ["a.example", "b.example"]) {
    world.on(server, "event", json(transactionOf(redactEvent(event, "10"))));
  }
  const { value, redacted } = await world.view(room).event({ eventId });
  expect({ pdus: value.pdus, redacted }).toEqual({ pdus: [event], redacted: [] });
});

test("what has really been redacted stays so, and nobody is held to be in partial state", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  room.redact(alice, eventId);
  const client = world.client();
  const { value, via, redacted } = await world
    .view(room, client)
    .event({ eventId }, { prefer: ["a.example"], ...oneByOne });
  const [{ unsigned: _unsigned, ...left }] = value.pdus;
  expect(left).toEqual(redactEvent(event, "10"));
  expect({ via, redacted }).toEqual({ via: "a.example", redacted: [eventId] });
  expect(await client.partialState.list(room.roomId)).toEqual([]);
});

test("a changed event is replaced by the whole one, and that is no sign of partial state", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  world.on("a.example", "event", json(transactionOf(poisons.content(event))));
  const client = world.client();
  const { value } = await world.view(room, client).event({ eventId });
  expect(value.pdus).toEqual([event]);
  expect(await client.partialState.list(room.roomId)).toEqual([]);
});

test("a call to one server asks no other: the redacted form of what it said stays", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  world.on("a.example", "event", json(transactionOf(poisons.content(event))));
  const view = world.client().room(room.roomId, { residents: ["a.example"] });
  const { value, redacted } = await view.event({ eventId });
  expect(value.pdus).toEqual([redactEvent(event, "10")]);
  expect(redacted).toEqual([eventId]);
  expect(world.asked("b.example", "event")).toEqual([]);
});

test("when nobody has it as it was signed, the call says that all failed and why", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  for (const server of ["a.example", "b.example", "c.example"]) {
    world.on(server, "event", json(transactionOf(poisons.signature(event))));
  }
  const answer = await world.view(room).safe.event({ eventId });
  expect(answer).toMatchObject({ ok: false, error: { code: "ERR_ALL_FAILED" } });
  expect(answer.attempts.map(({ verdict }) => verdict)).toEqual(["invalid", "invalid", "invalid"]);
  expect(String(answer.attempts[0]?.error)).toContain("the signature of");
});

test("an answer that is no event at all, or more than one, or none, is no answer", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  for (const pdus of [[], [event, event], [null], ["x"], [[]], [{}]]) {
    world.server("a.example").reset();
    world.on("a.example", "event", reply.json({ pdus: pdus as never }));
    const { via } = await world.view(room).event({ eventId }, { roomVersion: "10" });
    expect(via).toBe("b.example");
  }
});
