import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { PartialMemory } from "../../src/failover/partial-memory.js";
import { Saved } from "../../src/failover/saved.js";
import { createMemoryStore, type Store } from "../../src/index.js";

const room = "!room:a.example";
const a = "a.example";
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const start = Date.UTC(2026, 0, 1);

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: start }));
afterEach(() => void vi.useRealTimers());

const memoryOver = (store?: Store): PartialMemory => new PartialMemory(new Saved(store));
const pass = (ms: number): void => void vi.setSystemTime(Date.now() + ms);
const seenTimes = (memory: PartialMemory, times: number): void => {
  for (let time = 0; time < times; time++) memory.seen(room, a);
};

describe("a server that says it is still joining a room", () => {
  test("is remembered for that room alone, with when and how often it said so", () => {
    const memory = memoryOver();
    memory.seen(room, a);
    pass(minuteMs);
    memory.seen(room, a);
    expect(memory.list(room)).toEqual([{ server: a, since: start, lastSeen: start + minuteMs, times: 2 }]);
    expect(memory.list("!other:a.example")).toEqual([]);
    expect(memory.demotion("!other:a.example", a)).toBe(0);
  });

  test("is demoted further each time", () => {
    const memory = memoryOver();
    const demotions = [1, 2, 3].map(() => {
      memory.seen(room, a);
      return memory.demotion(room, a);
    });
    expect([...demotions, memory.demotion(room, "b.example")]).toEqual([1, 2, 3, 0]);
  });

  test("gets another chance after ten minutes, and later the longer it goes on", () => {
    for (const [times, minutes] of [
      [1, 10],
      [2, 20],
      [3, 40],
    ] as const) {
      const memory = memoryOver();
      seenTimes(memory, times);
      pass(minutes * minuteMs - 1);
      expect(memory.demotion(room, a)).toBe(times);
      pass(1);
      expect(memory.demotion(room, a)).toBe(0);
    }
  });

  test("is forgotten a day after it last said so, however often that was", () => {
    const memory = memoryOver();
    seenTimes(memory, 1_000);
    pass(24 * hourMs - 1);
    expect([memory.list(room).length, memory.demotion(room, a)]).toEqual([1, 1_000]);
    pass(1);
    expect([memory.list(room).length, memory.demotion(room, a)]).toEqual([0, 0]);
  });

  test("begins anew when it says so after it was forgotten (bug: it was demoted as if it had never stopped)", () => {
    const memory = memoryOver();
    seenTimes(memory, 10);
    pass(25 * hourMs);
    memory.seen(room, "b.example");
    memory.seen(room, a);
    expect(memory.list(room)).toContainEqual({ server: a, since: Date.now(), lastSeen: Date.now(), times: 1 });
    expect(memory.demotion(room, a)).toBe(1);
  });

  test("is forgotten when it answers for the room", () => {
    const memory = memoryOver();
    memory.seen(room, a);
    memory.seen(room, "b.example");
    memory.over(room, a);
    memory.over(room, "never-seen.example");
    memory.over("!other:a.example", a);
    expect(memory.list(room).map(({ server }) => server)).toEqual(["b.example"]);
  });

  test("is not held back by a clock that was set back since", () => {
    const memory = memoryOver();
    memory.seen(room, a);
    pass(-hourMs);
    expect([memory.list(room).length, memory.demotion(room, a)]).toEqual([0, 0]);
  });
});

describe("the memory is bounded", () => {
  test("to 500 servers a room, those that said so last", () => {
    const memory = memoryOver();
    for (let index = 0; index < 600; index++) memory.seen(room, `s${index}.example`);
    memory.seen(room, "s100.example");
    memory.seen(room, "new.example");
    const servers = memory.list(room).map(({ server }) => server);
    expect(servers.length).toBe(500);
    expect([servers.includes("s100.example"), servers.includes("s101.example"), servers.at(-1)]).toEqual([
      true,
      false,
      "new.example",
    ]);
  });

  test("to 5,000 rooms", () => {
    const memory = memoryOver();
    for (let index = 0; index < 5_001; index++) memory.seen(`!r${index}:a.example`, a);
    expect(memory.list("!r0:a.example")).toEqual([]);
    expect(memory.list("!r5000:a.example").length).toBe(1);
  });
});

describe("in a store", () => {
  test("what is known of a room outlives the process, until it is over", async () => {
    const store = createMemoryStore();
    const saved = new Saved(store);
    const before = new PartialMemory(saved);
    before.seen(room, a);
    before.seen(room, "b.example");
    await saved.flush();
    const after = memoryOver(store);
    expect(after.list(room)).toEqual([]);
    await after.load(room);
    expect(after.list(room)).toEqual(before.list(room));
    before.over(room, a);
    before.over(room, "b.example");
    await saved.flush();
    const later = memoryOver(store);
    await later.load(room);
    expect(later.list(room)).toEqual([]);
  });

  const entry = { server: a, since: start, lastSeen: start, times: 2 };
  test.each([
    ["no JSON", "[", []],
    ["no list", JSON.stringify(entry), []],
    [
      "entries of another form",
      JSON.stringify([null, 1, "x", {}, { ...entry, times: "2" }, { ...entry, since: 0.5 }]),
      [],
    ],
    ["a good entry among bad ones", JSON.stringify([null, entry, {}]), [entry]],
    ["a server without a name", JSON.stringify([{ ...entry, server: 5 }]), []],
  ])("%s costs nothing but what cannot be read", async (_, text, expected) => {
    const memory = memoryOver({ get: async () => text, set: async () => {}, delete: async () => {} });
    await memory.load(room);
    expect(memory.list(room)).toEqual(expected);
  });

  test("a list without end is cut at 500 entries", async () => {
    const text = JSON.stringify(
      Array.from({ length: 10_000 }, (_, index) => ({ ...entry, server: `s${index}.example` })),
    );
    const memory = memoryOver({ get: async () => text, set: async () => {}, delete: async () => {} });
    await memory.load(room);
    expect(memory.list(room).length).toBe(500);
  });
});
