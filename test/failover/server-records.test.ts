import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Saved } from "../../src/failover/saved.js";
import { type BackoffOptions, ServerRecords } from "../../src/failover/server-records.js";
import { createMemoryStore, type Store } from "../../src/index.js";

const a = "a.example";
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const start = Date.UTC(2026, 0, 1);

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: start }));
afterEach(() => void vi.useRealTimers());

const recordsOver = (store?: Store, options?: BackoffOptions): ServerRecords =>
  new ServerRecords(new Saved(store), options);
const pass = (ms: number): void => void vi.setSystemTime(Date.now() + ms);
/** A failure of a request that takes a second, after everything before it. */
const fail = (records: ServerRecords, server = a): void => {
  const startedAt = Date.now() + 1;
  pass(1_000);
  records.failed(server, startedAt);
};
const failTimes = (records: ServerRecords, times: number): void => {
  for (let time = 0; time < times; time++) fail(records);
};
const openMs = (records: ServerRecords): number => (records.state(a).retryAt ?? Date.now()) - Date.now();

describe("the backoff of a server", () => {
  test("opens at the third failure in a row, for three quarters of a minute to a whole one", () => {
    const records = recordsOver();
    failTimes(records, 2);
    expect(records.state(a)).toEqual({ server: a, failures: 2, misbehaviours: 0 });
    fail(records);
    expect(records.state(a).failures).toBe(3);
    expect(openMs(records)).toBeGreaterThanOrEqual(45_000);
    expect(openMs(records)).toBeLessThanOrEqual(minuteMs);
  });

  test("opens at the threshold that the options say", () => {
    const records = recordsOver(undefined, { threshold: 1, baseMs: 2_000 });
    fail(records);
    expect(openMs(records)).toBeGreaterThanOrEqual(1_500);
    expect(openMs(records)).toBeLessThanOrEqual(2_000);
  });

  test("lasts twice as long each time it opens, and no longer than the cap", () => {
    const records = recordsOver(undefined, { threshold: 1, baseMs: minuteMs, maxMs: 5 * minuteMs });
    const fullMs = [1, 2, 4, 5, 5].map((minutes) => minutes * minuteMs);
    for (const full of fullMs) {
      fail(records);
      expect(openMs(records)).toBeGreaterThanOrEqual(full * 0.75);
      expect(openMs(records)).toBeLessThanOrEqual(full);
      pass(full);
      expect(records.state(a).retryAt).toBeUndefined();
    }
  });

  test("stays finite after a thousand openings", () => {
    const records = recordsOver(undefined, { threshold: 1, baseMs: 1 });
    for (let time = 0; time < 1_000; time++) {
      fail(records);
      pass(13 * hourMs);
    }
    fail(records);
    expect(openMs(records)).toBeLessThanOrEqual(12 * hourMs);
  });

  test("is jittered: servers that fail together do not come back together", () => {
    const records = recordsOver(undefined, { threshold: 1 });
    const servers = Array.from({ length: 50 }, (_, index) => `s${index}.example`);
    for (const server of servers) records.failed(server, Date.now());
    expect(new Set(servers.map((server) => records.state(server).retryAt)).size).toBeGreaterThan(40);
  });

  test("counts requests that were under way together once", () => {
    const records = recordsOver();
    const startedAt = Date.now();
    for (let request = 0; request < 20; request++) {
      pass(10);
      records.failed(a, startedAt);
    }
    expect(records.state(a)).toMatchObject({ failures: 1 });
  });

  test("counts requests that began and failed within one millisecond once (bug: each was counted)", () => {
    const records = recordsOver();
    for (let request = 0; request < 20; request++) records.failed(a, Date.now());
    expect(records.state(a)).toMatchObject({ failures: 1, retryAt: undefined });
  });

  test("counts nothing while it is open", () => {
    const records = recordsOver();
    failTimes(records, 3);
    const { retryAt } = records.state(a);
    failTimes(records, 10);
    expect(records.state(a)).toMatchObject({ failures: 3, retryAt });
  });

  test("does not add up failures that lie more than ten minutes apart", () => {
    const records = recordsOver();
    for (let time = 0; time < 10; time++) {
      fail(records);
      pass(11 * minuteMs);
    }
    expect(records.state(a)).toMatchObject({ failures: 1, retryAt: undefined });
  });

  test("is over after an answer, and begins anew at the first step", () => {
    const records = recordsOver();
    failTimes(records, 3);
    pass(hourMs);
    records.answered(a, 20);
    expect(records.state(a)).toEqual({ server: a, failures: 0, misbehaviours: 0 });
    failTimes(records, 3);
    expect(openMs(records)).toBeLessThanOrEqual(minuteMs);
  });

  test("is over when somebody vouches for the server, while its misbehaviour is not forgotten", () => {
    const records = recordsOver();
    failTimes(records, 3);
    records.misbehaved(a);
    records.clear(a);
    expect(records.state(a)).toEqual({ server: a, failures: 0, misbehaviours: 1 });
  });

  test("is forgotten with everything else on request", () => {
    const records = recordsOver();
    failTimes(records, 3);
    records.misbehaved(a);
    records.paused(a, minuteMs);
    records.forget(a);
    expect(records.state(a)).toEqual({ server: a, failures: 0, misbehaviours: 0 });
    expect(records.list()).toEqual([]);
  });
});

describe("a pause", () => {
  test("counts no failure, and ends by itself", () => {
    const records = recordsOver();
    records.paused(a, 5_000);
    expect(records.state(a)).toEqual({ server: a, failures: 0, misbehaviours: 0, pausedUntil: start + 5_000 });
    pass(5_000);
    expect(records.state(a).pausedUntil).toBeUndefined();
  });

  test("lasts an hour at most, whatever the server asks for", () => {
    const records = recordsOver();
    for (const ms of [2 * hourMs, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
      records.paused(a, ms);
      expect(records.state(a).pausedUntil).toBe(start + hourMs);
    }
  });
});

describe("the clock", () => {
  test("set back does not prolong a backoff or a pause", () => {
    const records = recordsOver();
    failTimes(records, 3);
    records.paused(a, minuteMs);
    pass(-24 * hourMs);
    expect(openMs(records)).toBeLessThanOrEqual(minuteMs);
    expect(records.state(a).pausedUntil).toBeLessThanOrEqual(Date.now() + minuteMs);
    pass(minuteMs);
    expect(records.state(a)).toMatchObject({ retryAt: undefined, pausedUntil: undefined });
  });

  test("set back does not keep failures from being counted", () => {
    const records = recordsOver();
    fail(records);
    pass(-24 * hourMs);
    fail(records);
    fail(records);
    expect(records.state(a)).toMatchObject({ failures: 3, retryAt: expect.any(Number) });
  });

  test("set forward ends a backoff early and breaks nothing", () => {
    const records = recordsOver();
    failTimes(records, 3);
    pass(365 * 24 * hourMs);
    expect(records.state(a)).toMatchObject({ failures: 3, retryAt: undefined });
    fail(records);
    expect(openMs(records)).toBeGreaterThan(minuteMs);
  });
});

describe("the list", () => {
  test("holds servers that failed, paused or misbehaved, and not those that merely answered", () => {
    const records = recordsOver();
    fail(records, "failed.example");
    records.paused("paused.example", minuteMs);
    records.misbehaved("odd.example");
    records.answered("good.example", 10);
    records.outrun("slow.example", 1_000);
    records.clear("alive.example");
    expect(
      records
        .list()
        .map(({ server }) => server)
        .sort(),
    ).toEqual(["failed.example", "odd.example", "paused.example"]);
  });

  test("is bounded: ten thousand servers, those met last", () => {
    const records = recordsOver();
    for (let index = 0; index < 10_100; index++) records.misbehaved(`s${index}.example`);
    const servers = new Set(records.list().map(({ server }) => server));
    expect(servers.size).toBe(10_000);
    expect([servers.has("s0.example"), servers.has("s10099.example")]).toEqual([false, true]);
  });

  test("keeps a server that goes on failing for days (bug: a record lived 48 hours from the first failure)", async () => {
    const records = recordsOver();
    let hour = 0;
    vi.spyOn(performance, "now").mockImplementation(() => 1 + hour * hourMs);
    for (; hour < 96; hour += 24) {
      failTimes(records, 3);
      pass(24 * hourMs);
      // The cache looks at the clock once a millisecond.
      await sleep(5);
    }
    expect(records.state(a).failures).toBe(6);
  });
});

describe("in a store", () => {
  test("what is known of a server outlives the process, with all its numbers", async () => {
    const store = createMemoryStore();
    const saved = new Saved(store);
    const before = new ServerRecords(saved, { threshold: 3 });
    failTimes(before, 3);
    before.paused(a, minuteMs);
    before.misbehaved(a);
    await saved.flush();
    const after = recordsOver(store);
    expect(after.state(a)).toMatchObject({ failures: 0 });
    await after.load([a]);
    expect(after.state(a)).toEqual(before.state(a));
    expect(after.get(a)).toEqual(before.get(a));
  });

  test("a reset is saved too", async () => {
    const store = createMemoryStore();
    const saved = new Saved(store);
    const before = new ServerRecords(saved);
    failTimes(before, 3);
    before.forget(a);
    await saved.flush();
    const after = recordsOver(store);
    await after.load([a]);
    expect(after.list()).toEqual([]);
  });

  test("a server that this process has met is not read again", async () => {
    const store = createMemoryStore();
    const get = vi.spyOn(store, "get");
    const records = recordsOver(store);
    await records.load([a, "b.example"]);
    fail(records);
    expect(records.load([a, "b.example"])).toBeUndefined();
    expect(get).toHaveBeenCalledTimes(2);
  });

  const hugeTimes = JSON.stringify({
    failures: 3,
    opens: 3,
    openForMs: 1e300,
    retryAt: 1e300,
    pauseMs: 1e300,
    pausedUntil: 1e300,
  });
  test.each([
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[1,2]"],
    ["a text", '"x"'],
    ["wrong types", '{"failures":"3","retryAt":null,"opens":{},"misbehaviours":[1]}'],
    ["negative and infinite numbers", '{"failures":-3,"retryAt":1e999,"pausedUntil":-1}'],
    ["no text at all", 5 as unknown as string],
  ])("%s is taken as nothing known", async (_, text) => {
    const records = recordsOver({ get: async () => text, set: async () => {}, delete: async () => {} });
    await records.load([a]);
    expect(records.state(a)).toEqual({ server: a, failures: 0, misbehaviours: 0 });
  });

  test("times beyond the caps are cut to them (bug: the server was never asked again)", async () => {
    const records = recordsOver({ get: async () => hugeTimes, set: async () => {}, delete: async () => {} });
    await records.load([a]);
    expect(openMs(records)).toBeLessThanOrEqual(12 * hourMs);
    expect(records.state(a).pausedUntil).toBeLessThanOrEqual(Date.now() + hourMs);
  });
});

describe("a store that is broken", () => {
  const rejecting: Store = {
    get: () => Promise.reject(new Error("down")),
    set: () => Promise.reject(new Error("down")),
    delete: () => Promise.reject(new Error("down")),
  };
  const throwing: Store = {
    get: () => {
      throw new Error("down");
    },
    set: () => {
      throw new Error("down");
    },
    delete: () => {
      throw new Error("down");
    },
  };
  test.each([
    ["rejects", rejecting],
    ["throws", throwing],
  ])("because it %s costs nothing but the memory", async (_, store) => {
    const saved = new Saved(store);
    const records = new ServerRecords(saved);
    await records.load([a]);
    failTimes(records, 3);
    records.forget("b.example");
    await saved.flush();
    expect(records.state(a)).toMatchObject({ failures: 3 });
  });

  test("because it hangs is waited for once, and no longer than a second", async () => {
    vi.useFakeTimers({ now: start });
    const never = (): Promise<never> => new Promise(() => {});
    const saved = new Saved({ get: never, set: never, delete: never });
    const records = new ServerRecords(saved);
    const loading = records.load([a]);
    await vi.advanceTimersByTimeAsync(1_000);
    await loading;
    expect(records.load([a])).toBeUndefined();
    records.misbehaved(a);
    const flushing = saved.flush();
    await vi.advanceTimersByTimeAsync(1_000);
    await flushing;
    expect(vi.getTimerCount()).toBe(0);
  });

  test("because it is slow is written to in order (bug: an old value could come last)", async () => {
    const entries = new Map<string, string>();
    const delays = [30, 1, 1];
    const slow: Store = {
      get: async (key) => entries.get(key),
      set: async (key, value) => {
        await new Promise((resolve) => setTimeout(resolve, delays.shift() ?? 0));
        entries.set(key, value);
      },
      delete: async (key) => void entries.delete(key),
    };
    const saved = new Saved(slow);
    saved.put("key", 1, minuteMs);
    saved.put("key", 2, minuteMs);
    saved.put("key", 3, minuteMs);
    await saved.flush();
    expect(entries.get("key")).toBe("3");
    saved.put("key", 4, minuteMs);
    saved.put("key", undefined, minuteMs);
    await saved.flush();
    expect(entries.has("key")).toBe(false);
  });
});

describe("what is not worth remembering", () => {
  test("a sign of life of a server that nothing is held against takes no room (bug: it pushed out others)", () => {
    const records = new ServerRecords(new Saved(undefined));
    records.clear("alive.example");
    expect(records.get("alive.example")).toBeUndefined();
  });

  test("misbehaviour that was made up for is made up for in the store too (bug: a restart brought it back)", async () => {
    const store = createMemoryStore();
    const saved = new Saved(store);
    const records = new ServerRecords(saved);
    records.misbehaved("liar.example");
    records.answered("liar.example", 5);
    await saved.flush();
    const restarted = new ServerRecords(new Saved(store));
    await restarted.load(["liar.example"]);
    expect(restarted.state("liar.example").misbehaviours).toBe(0);
  });
});
