import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { redactEvent } from "../../src/events/redact-event.js";
import { reply, type TestRoom } from "../../src/testing.js";
import { oneByOne } from "../one-by-one.js";
import { alice, bob, createVerifyWorld, json, poisons, stateAnswer, transactionOf, type VerifyWorld } from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const honest = ["content", "signature"] as const;
const idChanging = ["protectedField", "forgery"] as const;

const idOf = (event: JsonObject | undefined): string => eventIdOf(event as JsonObject, "10");

/** Messages of alice and bob, in turn. */
function talk(room: TestRoom, count: number): { readonly eventId: string; readonly event: JsonObject }[] {
  return Array.from({ length: count }, (_, at) =>
    room.send(at % 2 ? bob : alice, "m.room.message", { body: `message ${at}` }),
  );
}

describe("poisoned events among 10,000 of a room's state", () => {
  test("are found whatever was done to them, and asked of another resident where their id is known; the rest is untouched", async () => {
    const room = world.room();
    room.addMembers(9_990, { servers: ["a.example", "b.example", "c.example"] });
    const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
    const whole = stateAnswer(room, eventId);
    expect(whole.pdus.length).toBeGreaterThan(9_990);
    const answer = { pdus: [...whole.pdus], auth_chain: [...whole.auth_chain] };
    const poison = (field: keyof typeof answer, at: number, kind: keyof typeof poisons): void => {
      answer[field][at] = poisons[kind](whole[field][at] as JsonObject);
    };
    poison("pdus", 4_321, "content");
    poison("pdus", 9_990, "signature");
    poison("pdus", 1_234, "protectedField");
    poison("auth_chain", 1, "forgery");
    world.on("a.example", "state", json(answer));
    const { value, via, dropped, redacted } = await world.view(room).state({ eventId }, { roomVersion: "10" });
    expect(via).toBe("a.example");
    expect(redacted).toEqual([]);
    expect(dropped.toSorted((left, right) => (left.path < right.path ? -1 : 1))).toEqual([
      { path: "$.auth_chain[1]", reason: expect.stringMatching(/signature/), eventId: idOf(answer.auth_chain[1]) },
      { path: "$.pdus[1234]", reason: expect.stringMatching(/signature/), eventId: idOf(answer.pdus[1_234]) },
    ]);
    expect(value.pdus).toEqual(whole.pdus.toSpliced(1_234, 1));
    expect(value.auth_chain).toEqual(whole.auth_chain.toSpliced(1, 1));
  });
});

describe("one poisoned event of an answer that is read whole", () => {
  const calls = {
    event_auth: {
      answer: (room: TestRoom, all: readonly JsonObject[]) => ({ auth_chain: [room.createEvent.event, ...all] }),
      ask: async (room: TestRoom, eventId: string) => {
        const { value, ...rest } = await world.view(room).eventAuth({ eventId }, oneByOne);
        return { ...rest, events: value.auth_chain.slice(1) };
      },
    },
    backfill: {
      answer: (_room: TestRoom, all: readonly JsonObject[]) => transactionOf(...all),
      ask: async (room: TestRoom, eventId: string) => {
        const { value, ...rest } = await world.view(room).backfill({ from: [eventId], limit: 100 }, oneByOne);
        return { ...rest, events: value.pdus };
      },
    },
    get_missing_events: {
      answer: (_room: TestRoom, all: readonly JsonObject[]) => ({ events: [...all] }),
      ask: async (room: TestRoom, eventId: string) => {
        const input = { earliestEvents: [], latestEvents: [eventId] };
        const { value, ...rest } = await world.view(room).getMissingEvents(input, oneByOne);
        return { ...rest, events: value.events };
      },
    },
  };

  for (const [endpoint, { answer, ask }] of Object.entries(calls)) {
    test.each(honest)(`${endpoint}: with another %s, it is taken whole from another resident`, async (kind) => {
      const room = world.room();
      const events = talk(room, 10).map(({ event }) => event);
      const { eventId } = room.send(alice, "m.room.message", { body: "last" });
      const bad = events.map((event, at) => (at === 3 ? poisons[kind](event) : event));
      world.on("a.example", endpoint, json(answer(room, bad)));
      const { events: got, via, dropped, redacted } = await ask(room, eventId);
      expect({ got, via, dropped, redacted }).toEqual({ got: events, via: "a.example", dropped: [], redacted: [] });
    });

    test.each(idChanging)(`${endpoint}: with a changed %s, it is left out and told`, async (kind) => {
      const room = world.room();
      const events = talk(room, 10).map(({ event }) => event);
      const { eventId } = room.send(alice, "m.room.message", { body: "last" });
      const bad = events.map((event, at) => (at === 3 ? poisons[kind](event) : event));
      world.on("a.example", endpoint, json(answer(room, bad)));
      const { events: got, via, dropped } = await ask(room, eventId);
      expect(got).toEqual(events.toSpliced(3, 1));
      expect(via).toBe("a.example");
      const told = { path: expect.stringMatching(/\[[34]\]$/), reason: expect.any(String), eventId: idOf(bad[3]) };
      expect(dropped).toEqual([told]);
    });
  }

  test("where no other resident has it, its redacted form stays, and is told", async () => {
    const room = world.room();
    const events = talk(room, 5);
    const { eventId } = room.send(alice, "m.room.message", { body: "last" });
    const all = events.map(({ event }, at) => (at === 2 ? poisons.content(event) : event));
    world.on("a.example", "backfill", json(transactionOf(...all)));
    for (const other of ["b.example", "c.example"]) world.on(other, "event", reply.matrixError(404, "M_NOT_FOUND"));
    const { value, redacted, dropped } = await world.view(room).backfill({ from: [eventId], limit: 10 });
    const poisoned = events[2] as (typeof events)[number];
    expect(value.pdus[2]).toEqual(redactEvent(poisoned.event, "10"));
    expect(redacted).toEqual([poisoned.eventId]);
    expect(dropped).toEqual([]);
  });

  test("of more than 64 events, a number that is beyond all bounds does not pass for the null that was signed", async () => {
    const room = world.room("5");
    const events = talk(room, 80).map(({ event }) => event);
    const strange = room.send(alice, "m.room.message", { body: "x", none: null });
    const { eventId } = room.send(alice, "m.room.message", { body: "last" });
    const body = JSON.stringify(transactionOf(...events, strange.event)).replace('"none":null', '"none":1e400');
    const headers = { "content-type": "application/json" };
    world.on("a.example", "backfill", reply.raw({ headers, body }));
    const { value, dropped } = await world.view(room).backfill({ from: [eventId], limit: 100 }, oneByOne);
    expect(value.pdus).toEqual(events);
    expect(dropped).toEqual([{ path: "$.pdus[80]", reason: expect.stringContaining("number") }]);
  });

  test("a whole answer of such events is no answer: the next resident gives one", async () => {
    const room = world.room();
    const events = talk(room, 5).map(({ event }) => event);
    const { eventId } = room.send(alice, "m.room.message", { body: "last" });
    world.on("a.example", "backfill", json(transactionOf(...events.map(poisons.forgery))));
    const client = world.client();
    const { via, attempts } = await world.view(room, client).backfill({ from: [eventId], limit: 10 });
    expect(via).toBe("b.example");
    expect(attempts.map(({ verdict }) => verdict)).toEqual(["invalid", "answered"]);
    expect(client.backoff.list()).toMatchObject([{ server: "a.example", misbehaviours: 1 }]);
  });

  test("an event of another room is left out, though it holds", async () => {
    const room = world.room();
    const other = world.room();
    const [first, second] = talk(room, 2).map(({ event }) => event) as [JsonObject, JsonObject];
    const foreign = other.send(alice, "m.room.message", { body: "hi" });
    const { eventId } = room.send(alice, "m.room.message", { body: "last" });
    world.on("a.example", "backfill", json(transactionOf(first, foreign.event, second)));
    const { value, dropped } = await world.view(room).backfill({ from: [eventId], limit: 10 });
    expect(value.pdus).toEqual([first, second]);
    expect(dropped).toEqual([{ path: "$.pdus[1]", reason: "it is of another room" }]);
  });

  test("with verification off for the client and on for the call, what another resident has is verified too", async () => {
    const room = world.room();
    const { eventId, event } = room.send(alice, "m.room.message", { body: "hi" });
    world.on("a.example", "event", json(transactionOf(poisons.content(event))));
    world.on("b.example", "event", json(transactionOf(poisons.content(event))));
    const view = world.view(room, world.client({ verify: "none" }));
    const prefer = ["a.example"];
    const { value, redacted } = await view.event({ eventId }, { verify: "full", prefer });
    expect({ pdus: value.pdus, redacted }).toEqual({ pdus: [event], redacted: [] });
    const unverified = await view.event({ eventId }, { prefer });
    expect(unverified.value.pdus).toEqual([poisons.content(event)]);
    expect(unverified.roomVersion).toBeUndefined();
  });

  test("of very many poisoned events no more than 200 are asked of others; of the rest the redacted form is there", async () => {
    const room = world.room();
    const events = talk(room, 230).map(({ event }) => event);
    const { eventId } = room.send(alice, "m.room.message", { body: "last" });
    const view = world.view(room, world.client(), "10");
    world.on("a.example", "backfill", json(transactionOf(...events.map(poisons.content))));
    const { value, redacted, dropped } = await view.backfill({ from: [eventId], limit: 300 });
    expect({ events: value.pdus.length, redacted: redacted.length, dropped }).toEqual({
      events: 230,
      redacted: 30,
      dropped: [],
    });
    // On a busy machine a slow server's turn is shared with another: one event may be asked for twice.
    const asked = ["a.example", "b.example", "c.example"].flatMap((server) => world.asked(server, "event"));
    expect(new Set(asked.map(({ uri }) => uri)).size).toBe(200);
  });
});
