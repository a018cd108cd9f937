import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { signEvent } from "../../src/events/sign-event.js";
import { reply, type TestRoom } from "../../src/testing.js";
import {
  alice,
  bob,
  createVerifyWorld,
  json,
  ourName,
  poisons,
  signedBy,
  stateAnswer,
  transactionOf,
  type VerifyWorld,
} from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const versions = Object.keys(roomVersions) as RoomVersion[];
const say = (room: TestRoom, user = alice) => room.send(user, "m.room.message", { body: "hi" });

describe.each(versions)("in a room of version %s", (version) => {
  test("reads are verified without anybody telling the version: it is asked for once, with one event_auth", async () => {
    const room = world.room(version);
    const { eventId, event } = say(room);
    const view = world.view(room);
    const state = await view.state({ eventId });
    expect(state.value).toEqual(stateAnswer(room, eventId));
    expect(state.roomVersion).toBe(version);
    const one = await view.event({ eventId });
    expect(one.value.pdus).toEqual([event]);
    const history = await view.backfill({ from: [eventId], limit: 50 });
    expect(history.value.pdus).toEqual(room.events.map((each) => each.event).toReversed());
    const missing = await view.getMissingEvents({ earliestEvents: [], latestEvents: [eventId] });
    expect(missing.value.events).toEqual(room.events.slice(0, -1).map((each) => each.event));
    for (const { dropped, redacted, roomVersion } of [state, one, history, missing]) {
      expect({ dropped, redacted, roomVersion }).toEqual({ dropped: [], redacted: [], roomVersion: version });
    }
    expect(world.askedInAll("event_auth")).toBe(1);
  });

  test("a version that is told is not asked for", async () => {
    const room = world.room(version);
    const { eventId } = say(room);
    const view = world.view(room, world.client(), version);
    expect((await view.backfill({ from: [eventId], limit: 50 })).dropped).toEqual([]);
    expect((await view.event({ eventId })).roomVersion).toBe(version);
    expect(world.askedInAll("event_auth")).toBe(0);
  });

  test("the room's first event is found, which has no auth chain that could tell the version", async () => {
    const room = world.room(version);
    const { eventId, event } = room.createEvent;
    const { value, roomVersion } = await world.view(room).event({ eventId });
    expect({ pdus: value.pdus, roomVersion }).toEqual({ pdus: [event], roomVersion: version });
    const outside = await world.client().request("a.example", (await import("../../src/endpoints.js")).event, {
      eventId,
    });
    expect(outside.pdus).toEqual([event]);
  });

  test("a join is verified with the version that make_join told", async () => {
    const room = world.room(version);
    room.leave("@me:me.example");
    const view = world.client().room(room.roomId, { residents: ["a.example"] });
    const { value: template } = await view.makeJoin({ userId: "@me:me.example", ver: versions });
    const { signingKey } = world.server(ourName);
    const own = roomVersions[version].eventIds === "inEvent" ? { event_id: "$join:me.example" } : {};
    const event: JsonObject = { ...signEvent({ ...template.event, ...own }, version, ourName, signingKey) };
    const eventId = eventIdOf(event, version);
    const { value, dropped, roomVersion } = await view.sendJoin({ eventId, event });
    expect({ dropped, roomVersion }).toEqual({ dropped: [], roomVersion: version });
    expect(value.state).toEqual(stateAnswer(room, eventId).pdus);
    expect(value.event).toEqual(event);
    expect(world.askedInAll("event_auth")).toBe(0);
  });
});

test("with a wrong version, given by the caller, nothing comes out that does not hold by it", async () => {
  const room = world.room("10");
  const { eventId } = say(room);
  for (const wrong of ["1", "12"] as const) {
    const answer = await world.view(room, world.client(), wrong).safe.backfill({ from: [eventId], limit: 10 });
    expect(answer).toMatchObject({ ok: false, error: { code: "ERR_ALL_FAILED" } });
  }
});

test("a room whose version is not known here cannot be verified, and the call says so", async () => {
  const room = world.room("10");
  const { eventId } = say(room);
  const create = room.createEvent.event;
  const content = { ...(create.content as JsonObject), room_version: "org.example.x" };
  const strange = signedBy(world, "a.example", { ...create, content }, "10");
  for (const server of ["a.example", "b.example", "c.example"]) {
    world.on(server, "event_auth", json({ auth_chain: [strange] }));
  }
  const answer = await world.view(room).safe.backfill({ from: [eventId], limit: 10 });
  expect(answer).toMatchObject({ ok: false, error: { code: "ERR_ALL_FAILED" } });
  expect(String(answer.attempts[0]?.error)).toContain(
    'the room\'s version "org.example.x" is none that could be verified',
  );
  const { value } = await world.view(room).backfill({ from: [eventId], limit: 10 }, { verify: "none" });
  expect(value.pdus.length).toBe(room.events.length);
});

describe("a version that nobody vouches for", () => {
  test("from a lying make_join is not believed by event_auth, nor by reads after it", async () => {
    const room = world.room("10");
    const { eventId, event } = say(room);
    const lie = { event: { type: "m.room.member" }, room_version: "6" };
    world.on("a.example", "make_join", json(lie));
    const view = world.view(room);
    await view.makeJoin({ userId: "@me:me.example", ver: versions }, { prefer: ["a.example"] });
    const { roomVersion, value } = await view.eventAuth({ eventId });
    expect(roomVersion).toBe("10");
    expect(value.auth_chain.length).toBeGreaterThan(2);
    const read = await view.event({ eventId });
    expect({ pdus: read.value.pdus, roomVersion: read.roomVersion }).toEqual({ pdus: [event], roomVersion: "10" });
  });

  test("from a lying make_join makes an answer to send_join none: its m.room.create event names another one", async () => {
    const room = world.room("10");
    room.leave("@me:me.example");
    const view = world.client().room(room.roomId, { residents: ["a.example"] });
    const honest = await view.makeJoin({ userId: "@me:me.example", ver: versions });
    world.on("a.example", "make_join", json({ ...honest.value, room_version: "9" }));
    const { value } = await view.makeJoin({ userId: "@me:me.example", ver: versions });
    expect(value.room_version).toBe("9");
    const { signingKey } = world.server(ourName);
    const event: JsonObject = { ...signEvent({ ...value.event }, "9", ourName, signingKey) };
    const answer = await view.safe.sendJoin({ eventId: eventIdOf(event, "9"), event }, { rounds: 1 });
    expect(answer.ok).toBe(false);
    expect(String(answer.attempts.at(-1)?.error)).toContain("m.room.create");
  });

  test("from a create event that another server than the room's made is not believed", async () => {
    const room = world.room("10");
    const { eventId, event } = say(room);
    const create = { ...room.createEvent.event, sender: bob };
    const forged = signedBy(world, "b.example", { ...create, content: { room_version: "6" } }, "6");
    world.on("a.example", "event_auth", json({ auth_chain: [forged] }));
    const { value, roomVersion } = await world.view(room).event({ eventId });
    expect({ pdus: value.pdus, roomVersion }).toEqual({ pdus: [event], roomVersion: "10" });
  });

  test("from a create event with a wrong signature is not believed", async () => {
    const room = world.room("10");
    const { eventId } = say(room);
    const forged = { ...room.createEvent.event, content: { room_version: "6" } };
    world.on("a.example", "event_auth", json({ auth_chain: [forged] }));
    const { roomVersion } = await world.view(room).event({ eventId });
    expect(roomVersion).toBe("10");
  });

  test("from an unverified first event is not believed: an empty auth chain and a forged create event", async () => {
    const room = world.room("10");
    const { eventId, event } = say(room);
    const create = { ...room.createEvent.event, content: { room_version: "6" } };
    world.on("a.example", "event_auth", json({ auth_chain: [] }));
    world.on("a.example", "event", json(transactionOf(create)));
    const client = world.client();
    const { value, roomVersion, via } = await world.view(room, client).event({ eventId });
    expect({ pdus: value.pdus, roomVersion }).toEqual({ pdus: [event], roomVersion: "10" });
    expect(via).not.toBe("a.example");
    // The liar's chain does not make liars of the others.
    expect(client.backoff.list().filter(({ server }) => server !== "a.example")).toEqual([]);
  });

  test("of a room of version 12, from a create event whose hash is not the room's id, is not believed", async () => {
    const room = world.room("12");
    const { eventId, event } = say(room);
    const { content, ...create } = room.createEvent.event;
    const forged = signedBy(
      world,
      "a.example",
      { ...create, content: { ...(content as object), x: 1 }, depth: 2 },
      "12",
    );
    for (const bad of [forged, poisons.content(room.createEvent.event), { ...create, content, depth: 7 }]) {
      world.server("a.example").reset();
      world.on("a.example", "event_auth", json({ auth_chain: [bad] }));
      const { value, roomVersion } = await world.view(room).event({ eventId });
      expect({ pdus: value.pdus, roomVersion }).toEqual({ pdus: [event], roomVersion: "12" });
    }
  });

  test("is not what a create event of version 10 tells of a room with an id of version 12, or the other way round", async () => {
    const [old, late] = [world.room("10"), world.room("12")];
    const foreign = (create: JsonObject, room_version: string): JsonObject => ({
      ...create,
      content: { room_version },
    });
    world.on("a.example", "event_auth", json({ auth_chain: [foreign(old.createEvent.event, "12")] }));
    expect((await world.view(old).event({ eventId: say(old).eventId })).roomVersion).toBe("10");
    world.server("a.example").reset();
    const tenth = { ...foreign(late.createEvent.event, "10"), room_id: late.roomId };
    world.on("a.example", "event_auth", json({ auth_chain: [signedBy(world, "a.example", tenth, "10")] }));
    expect((await world.view(late).event({ eventId: say(late).eventId })).roomVersion).toBe("12");
  });
});

test("to ask for the version takes no longer than the call may", async () => {
  const room = world.room("10");
  const { eventId } = say(room);
  for (const server of ["a.example", "b.example", "c.example"]) {
    world.on(server, "event_auth", reply.delay(200, json({ auth_chain: [] })));
    world.on(server, "event", reply.stallBeforeHeaders());
  }
  const startedAt = performance.now();
  const answer = await world.view(room).safe.backfill({ from: [eventId], limit: 10 }, { timeout: 1_000 });
  expect(answer.ok).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(1_900);
});

test("a resident in partial state that has no auth chain costs nothing when another one has it", async () => {
  const room = world.room("10");
  room.partial("a.example");
  const { eventId, event } = say(room);
  const { value, via } = await world.view(room).event({ eventId });
  expect({ pdus: value.pdus, via }).toEqual({ pdus: [event], via: "b.example" });
});
