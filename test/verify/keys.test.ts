import { afterEach, describe, expect, test, vi } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import type { RoomVersion } from "../../src/events/room-versions.js";
import { signEvent } from "../../src/events/sign-event.js";
import { SigningKey, signJson } from "../../src/index.js";
import { reply, type TestRoom } from "../../src/testing.js";
import { oneByOne } from "../one-by-one.js";
import { alice, bob, carol, createVerifyWorld, json, me, ourName, transactionOf, type VerifyWorld } from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const day = 24 * 3_600_000;

afterEach(() => void vi.useRealTimers());

/** What a server publishes of its keys. */
function publishes(server: string, fields: JsonObject, keys: readonly SigningKey[] = []): void {
  const { signingKey } = world.server(server);
  const all = [signingKey, ...keys];
  const document: JsonObject = {
    server_name: server,
    verify_keys: Object.fromEntries(all.map(({ keyId, publicKey }) => [keyId, { key: publicKey }])),
    old_verify_keys: {},
    valid_until_ts: Date.now() + day,
    ...fields,
  };
  world.on(server, "server_keys", json(signJson(document, server, signingKey)));
}

/** An event of bob's, signed with a key, made at a time. */
function ofBob(room: TestRoom, key: SigningKey, at: number, user = bob): JsonObject {
  const { event } = room.send(user, "m.room.message", { body: "hi" });
  const { hashes: _hashes, signatures: _signatures, ...rest } = event;
  const server = user.slice(user.indexOf(":") + 1);
  return { ...signEvent({ ...rest, origin_server_ts: at }, room.version, server, key) };
}

/** What is left of events that a resident hands out beside one that holds. */
async function leftOf(room: TestRoom, events: readonly JsonObject[], client = world.client()): Promise<JsonObject[]> {
  const { event, eventId } = room.send(alice, "m.room.message", { body: "last" });
  world.on("a.example", "backfill", json(transactionOf(event, ...events)));
  const { value } = await world.view(room, client, room.version).backfill({ from: [eventId], limit: 9 });
  expect(value.pdus[0]).toEqual(event);
  return value.pdus.slice(1);
}

describe("servers whose keys cannot be had", () => {
  test("cost their own events, which are told; the others are there, and whoever answered is not blamed", async () => {
    const room = world.room();
    const { eventId } = room.send(carol, "m.room.message", { body: "hi" });
    await world.server("c.example").stop();
    const client = world.client();
    const { value, via, dropped } = await world.view(room, client).backfill({ from: [eventId], limit: 50 }, oneByOne);
    expect(via).toBe("a.example");
    expect(value.pdus.length).toBe(room.events.length - 2);
    expect(value.pdus.some(({ sender }) => sender === carol)).toBe(false);
    expect(dropped.length).toBe(2);
    for (const { reason, unproved } of dropped) {
      expect(reason).toMatch(/^keys are missing: ed25519:\S+ of c\.example$/);
      expect(unproved).toBe("keysMissing");
    }
    expect(client.backoff.list()).toEqual([]);
  });

  test("of which one is silent, cost no more than their own events and some seconds", async () => {
    const room = world.room();
    room.addMembers(200, { servers: ["a.example", "b.example", "c.example"] });
    const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
    world.on("c.example", "server_keys", reply.stallBeforeHeaders());
    const { value, dropped } = await world.view(room, world.client(), "10").state({ eventId });
    expect(value.pdus.length).toBeGreaterThan(130);
    expect(dropped.length).toBeGreaterThan(60);
    expect(dropped.every(({ reason }) => reason.includes("of c.example"))).toBe(true);
  });

  test("are stood in for by a notary that the client trusts", async () => {
    const room = world.room();
    const { eventId } = room.send(carol, "m.room.message", { body: "hi" });
    await world.server("c.example").stop();
    const client = world.client({ notaries: ["b.example"] });
    const { value, dropped } = await world.view(room, client).backfill({ from: [eventId], limit: 50 });
    expect(dropped).toEqual([]);
    expect(value.pdus.length).toBe(room.events.length);
  });

  test("of which there are many that are nowhere, are all told by one notary", async () => {
    const room = world.room();
    room.addMembers(120, { servers: 60 });
    const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
    const client = world.client({ notaries: ["b.example"] });
    const { value, dropped } = await world.view(room, client, "10").state({ eventId });
    expect(dropped).toEqual([]);
    expect(value.pdus.length).toBe(room.state(eventId).length);
    expect(world.asked("b.example", "query_keys").length).toBeLessThan(4);
  });

  test("make the only event that was asked for unprovable, wherever it is from", async () => {
    const room = world.room();
    const { eventId } = room.send(carol, "m.room.message", { body: "hi" });
    await world.server("c.example").stop();
    const answer = await world.view(room, world.client(), "10").safe.event({ eventId });
    expect(answer).toMatchObject({ ok: false, error: { code: "ERR_ALL_FAILED" } });
    expect(String(answer.attempts[0]?.error)).toContain("keys are missing");
  });
});

describe("the time of an event", () => {
  test.each([
    ["4", 1],
    ["5", 0],
    ["10", 0],
  ] as const)("in a room of version %s, after a key's validity: %i event is left", async (version, count) => {
    const room = world.room(version);
    const key = world.server("b.example").signingKey;
    publishes("b.example", { valid_until_ts: Date.now() - 2 * day });
    const late = ofBob(room, key, Date.now() - day);
    expect(await leftOf(room, [late])).toEqual([late].slice(0, count));
  });

  test("before the end of a validity that is over by now is right", async () => {
    const room = world.room();
    publishes("b.example", { valid_until_ts: Date.now() - 2 * day });
    const early = ofBob(room, world.server("b.example").signingKey, Date.now() - 3 * day);
    expect(await leftOf(room, [early])).toEqual([early]);
  });

  test("decides whether a key that is out of use is right: until expired_ts", async () => {
    const room = world.room();
    const old = SigningKey.generate("old");
    const expired_ts = Date.now() - day;
    publishes("b.example", { old_verify_keys: { [old.keyId]: { key: old.publicKey, expired_ts } } });
    const [before, at, after] = [expired_ts - 1, expired_ts, expired_ts + 1].map((time) => ofBob(room, old, time));
    expect(await leftOf(room, [before, at, after] as JsonObject[])).toEqual([before, at]);
  });

  test("more than a week ahead is no time at which any key is known to be valid", async () => {
    const room = world.room();
    publishes("b.example", { valid_until_ts: Date.now() + 100 * day });
    const key = world.server("b.example").signingKey;
    const [soon, far] = [Date.now() + 6 * day, Date.now() + 8 * day].map((time) => ofBob(room, key, time));
    expect(await leftOf(room, [soon, far] as JsonObject[])).toEqual([soon]);
  });

  test("counts whatever our own clock does meanwhile", async () => {
    const room = world.room();
    const key = world.server("b.example").signingKey;
    const now = Date.now();
    publishes("b.example", { valid_until_ts: now + day });
    const [early, late] = [now, now + 2 * day].map((time) => ofBob(room, key, time)) as [JsonObject, JsonObject];
    world.on("a.example", "backfill", json(transactionOf(early, late)));
    const view = world.view(room, world.client(), "10");
    const left = async (): Promise<JsonObject[]> =>
      (await view.backfill({ from: ["$any"], limit: 9 }, { ignoreBackoff: true, prefer: ["a.example"] })).value.pdus;
    expect(await left()).toEqual([early]);
    vi.useFakeTimers({ toFake: ["Date"], now: now + 30 * day });
    expect(await left()).toEqual([early]);
    vi.setSystemTime(now - 30 * day);
    expect(await left()).not.toContainEqual(late);
  });
});

describe("keys that change", () => {
  test("are both right: the new one, and the one before for what it signed in its time", async () => {
    const room = world.room();
    const [old, current] = [SigningKey.generate("old"), SigningKey.generate("new")];
    const expired_ts = Date.now() - day;
    publishes("b.example", { old_verify_keys: { [old.keyId]: { key: old.publicKey, expired_ts } } }, [current]);
    const events = [ofBob(room, old, expired_ts - 1), ofBob(room, current, Date.now())];
    expect(await leftOf(room, events)).toEqual(events);
    expect(world.asked("b.example", "server_keys").length).toBe(1);
  });

  test("are not asked for again and again: an event may name any number of keys that do not exist", async () => {
    const room = world.room();
    const events = Array.from({ length: 20 }, (_, at) => ofBob(room, SigningKey.generate(`none${at}`), Date.now()));
    expect(await leftOf(room, events)).toEqual([]);
    expect(world.asked("b.example", "server_keys").length).toBe(1);
  });
});

describe("our own events", () => {
  test("are verified with our own keys, in use and out of use, without a request to ourselves", async () => {
    const room = world.room();
    const old = SigningKey.generate("old");
    const expired_ts = Date.now() - day;
    const client = world.client({ oldSigningKeys: { [old.keyId]: { key: old.publicKey, expired_ts } } });
    const { signingKey } = world.server(ourName);
    const [now, then, forged] = [
      ofBob(room, signingKey, Date.now(), me),
      ofBob(room, old, expired_ts - 1, me),
      ofBob(room, old, expired_ts + 1, me),
    ];
    expect(await leftOf(room, [now, then, forged], client)).toEqual([now, then]);
    expect(world.asked(ourName, "server_keys")).toEqual([]);
  });

  test("with a key of ours that nobody knows are left out", async () => {
    const room = world.room();
    const forged = ofBob(room, SigningKey.generate("none"), Date.now(), me);
    expect(await leftOf(room, [forged])).toEqual([]);
    expect(world.asked(ourName, "server_keys")).toEqual([]);
  });
});

test("an event that a key of another server signed under its name does not hold", async () => {
  const room = world.room();
  const { signingKey } = world.server("c.example");
  expect(await leftOf(room, [ofBob(room, signingKey, Date.now())])).toEqual([]);
});

test("the keys of all room versions' events are asked for once per client", async () => {
  const client = world.client();
  for (const version of ["1", "6", "12"] as readonly RoomVersion[]) {
    const room = world.room(version);
    const { eventId } = room.send(bob, "m.room.message", { body: "hi" });
    await world.view(room, client).backfill({ from: [eventId], limit: 50 });
  }
  for (const server of ["a.example", "b.example", "c.example"]) {
    expect(world.asked(server, "server_keys").length).toBe(1);
  }
});
