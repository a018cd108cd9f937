import { describe, expect, test } from "vitest";

import { createMemoryStore, type Store } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId, stateIdsAnswer } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const backoff = { threshold: 1, baseMs: 3_600_000 };

describe("clients that share a store, one after the other", () => {
  test("keep a backoff over a restart", async () => {
    world.on(a, reply.htmlError());
    world.on(b, reply.json(stateIdsAnswer));
    const store = createMemoryStore();
    const before = world.client({ store, backoff });
    await world.room([a, b], before).stateIds({ eventId });
    const state = await before.backoff.get(a);
    await before.close();
    const after = world.client({ store, backoff });
    expect(await after.backoff.get(a)).toEqual(state);
    const { attempts } = await world.room([a, b], after).stateIds({ eventId });
    expect(attempts.map(({ server }) => server)).toEqual([b]);
  });

  test("keep what they know of rooms in partial state over a restart", async () => {
    world.on(a, reply.partialState());
    world.on(b, reply.json(stateIdsAnswer));
    const store = createMemoryStore();
    const before = world.client({ store });
    await world.room([a, b], before).stateIds({ eventId });
    const known = await before.partialState.list(roomId);
    await before.close();
    const after = world.client({ store });
    expect(await after.partialState.list(roomId)).toEqual(known);
    expect((await world.room([a, b], after).stateIds({ eventId })).attempts.map(({ server }) => server)).toEqual([b]);
  });

  test("keep a pause, a reset and a sign of life as well", async () => {
    world.on(a, reply.rateLimited({ retryAfterMs: 600_000 }), "version");
    world.on(b, reply.htmlError(), "version");
    const store = createMemoryStore();
    const before = world.client({ store, backoff });
    await before.safe.version(a);
    await before.safe.version(b, { rounds: 1 });
    await before.close();
    const between = world.client({ store, backoff });
    expect((await between.backoff.get(a)).pausedUntil).toBeGreaterThan(Date.now());
    expect((await between.backoff.get(b)).retryAt).toBeGreaterThan(Date.now());
    await between.backoff.reset(a);
    await between.markAlive(b);
    await between.close();
    const after = world.client({ store, backoff });
    expect(await after.backoff.get(a)).toEqual({ server: a, failures: 0, misbehaviours: 0 });
    expect(await after.backoff.get(b)).toMatchObject({ failures: 0, retryAt: undefined });
  });
});

describe("a store that is broken", () => {
  const never = (): Promise<never> => new Promise(() => {});
  const down = (): Promise<never> => Promise.reject(new Error("down"));
  const thrown = (): never => {
    throw new Error("down");
  };
  const stores: Record<string, Store> = {
    hangs: { get: never, set: never, delete: never },
    rejects: { get: down, set: down, delete: down },
    throws: { get: thrown, set: thrown, delete: thrown },
    "answers garbage": { get: async () => "\u0000{", set: async () => {}, delete: async () => {} },
  };
  for (const [how, store] of Object.entries(stores)) {
    test(`because it ${how}: calls work, and remember what they can`, async () => {
      world.on(a, reply.htmlError());
      world.on(b, reply.json(stateIdsAnswer));
      const client = world.client({ store, backoff });
      const room = world.room([a, b], client);
      expect((await room.stateIds({ eventId })).via).toBe(b);
      expect((await room.stateIds({ eventId })).attempts.length).toBe(1);
      expect(await client.backoff.get(a)).toMatchObject({ failures: 1 });
      await client.backoff.reset(a);
      await client.close();
    });
  }

  test("by numbers that no clock can show still makes errors that can be read (bug: a RangeError)", async () => {
    const times = { failures: 9, opens: 9, openForMs: 1e300, retryAt: 1e300, pauseMs: 1e300, pausedUntil: 1e300 };
    const text = JSON.stringify(times);
    const client = world.client({ store: { get: async () => text, set: async () => {}, delete: async () => {} } });
    const error = await rejection(world.room([a, b], client).stateIds({ eventId }));
    expect(error).toMatchObject({ code: "ERR_IN_BACKOFF", retryAt: expect.any(Number) });
    expect(world.requestCount()).toBe(0);
  });
});
