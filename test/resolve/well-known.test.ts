import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseServerName } from "../../src/name/server-name.js";
import { createWellKnownCache, type WellKnownCache } from "../../src/resolve/well-known.js";
import type { WellKnownAnswer } from "../../src/resolve/well-known-fetch.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const server = parseServerName("m.example:1");
const valid: WellKnownAnswer = { kind: "valid", server, lifetimeMs: 24 * HOUR };
const failed: WellKnownAnswer = { kind: "failed", reason: "answered 500" };
const malformed: WellKnownAnswer = { kind: "failed", reason: "the body is not JSON" };
const absent: WellKnownAnswer = { kind: "absent", reason: "answered 404" };

let cache: WellKnownCache;
let fetches: number;
const get = (answer: WellKnownAnswer) =>
  cache.get("a.example", async () => {
    fetches += 1;
    return answer;
  });

/** Asks again and again as soon as the cache lets it; how long it had to wait each time, in minutes. */
async function waits(times: number, answer: (time: number) => WellKnownAnswer): Promise<number[]> {
  const minutes: number[] = [];
  for (let time = 0; time < times; time++) {
    const { lifetimeMs } = await get(answer(time));
    minutes.push(lifetimeMs / MINUTE);
    vi.advanceTimersByTime(lifetimeMs);
  }
  return minutes;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  cache = createWellKnownCache();
  fetches = 0;
  // lru-cache takes an entry of time 0 for one without a TTL.
  vi.advanceTimersByTime(1);
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a valid answer", () => {
  it("is asked for once while it is fresh", async () => {
    expect(await get(valid)).toMatchObject({ server, result: "m.example:1", lifetimeMs: 24 * HOUR });
    vi.advanceTimersByTime(19 * HOUR);
    expect(await get(failed)).toMatchObject({ server, result: "m.example:1 (remembered)", lifetimeMs: 5 * HOUR });
    expect(fetches).toBe(1);
  });

  it("is asked for again when it has run out", async () => {
    await get(valid);
    vi.advanceTimersByTime(24 * HOUR);
    expect((await get(valid)).result).toBe("m.example:1");
    expect(fetches).toBe(2);
  });

  it.each([
    [0, 0.9 * 24 * HOUR],
    [0.999999999, 1.1 * 24 * HOUR],
  ])("lives up to ten percent shorter or longer (%d)", async (random, lifetimeMs) => {
    vi.spyOn(Math, "random").mockReturnValue(random);
    expect((await get(valid)).lifetimeMs).toBeCloseTo(lifetimeMs, -1);
  });

  it("lives between 5 minutes and 48 hours however its time varies", async () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(random, fc.integer({ min: 5 * MINUTE, max: 48 * HOUR }), async (chance, asked) => {
        vi.spyOn(Math, "random").mockReturnValue(chance);
        cache.clear();
        const { lifetimeMs } = await get({ kind: "valid", server, lifetimeMs: asked });
        expect(lifetimeMs).toBeGreaterThanOrEqual(Math.max(5 * MINUTE, Math.floor(asked * 0.9)));
        expect(lifetimeMs).toBeLessThanOrEqual(Math.min(48 * HOUR, Math.ceil(asked * 1.1)));
      }),
    );
  });

  it.each([5 * MINUTE, 48 * HOUR])("of %d ms, a bound, varies as well", async (asked) => {
    const lifetimes = new Set<number>();
    for (const chance of [0.1, 0.3, 0.5, 0.7, 0.9]) {
      vi.spyOn(Math, "random").mockReturnValue(chance);
      cache.clear();
      lifetimes.add((await get({ kind: "valid", server, lifetimeMs: asked })).lifetimeMs);
    }
    expect(lifetimes.size).toBe(5);
  });

  it("is not moved by a jump of the wall clock", async () => {
    await get(valid);
    vi.setSystemTime(Date.now() + 1000 * 24 * HOUR);
    expect((await get(failed)).lifetimeMs).toBe(24 * HOUR);
    vi.setSystemTime(0);
    expect((await get(failed)).lifetimeMs).toBe(24 * HOUR);
    expect(fetches).toBe(1);
  });
});

describe("a failure", () => {
  it("is remembered for longer each time, about an hour in the end", async () => {
    // The last times are drawn from 54 to 60 minutes.
    expect(await waits(7, (time) => (time % 2 ? absent : failed))).toEqual([5, 10, 20, 40, 57, 57, 57]);
    expect(fetches).toBe(7);
  });

  it("is told again meanwhile", async () => {
    await get(failed);
    expect(await get(valid)).toMatchObject({
      server: undefined,
      result: "answered 500 (remembered)",
      lifetimeMs: 5 * MINUTE,
    });
  });

  it("is never remembered for more than an hour, however its time varies", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999999999);
    const minutes = await waits(100, () => failed);
    expect(Math.max(...minutes)).toBeLessThanOrEqual(60);
    expect(minutes[0]).toBeCloseTo(5.5);
  });

  it("is forgotten after a valid answer", async () => {
    await waits(4, () => failed);
    await get(valid);
    vi.advanceTimersByTime(27 * HOUR);
    expect(await waits(2, () => failed)).toEqual([5, 10]);
  });

  it("is asked about every two minutes for two hours after a valid answer, and then ever less often", async () => {
    await get(valid);
    vi.advanceTimersByTime(24 * HOUR);
    expect(await waits(64, () => failed)).toEqual([...Array(60).fill(2), 5, 10, 20, 40]);
  });
});

describe("a stale answer", () => {
  beforeEach(async () => {
    await get(valid);
    vi.advanceTimersByTime(24 * HOUR);
  });

  it.each([failed, malformed])("is used while the host fails ($reason)", async (answer) => {
    const { reason } = answer as { reason: string };
    const result = `${reason}; still using m.example:1`;
    expect(await get(answer)).toMatchObject({ server, result, lifetimeMs: 2 * MINUTE });
    const again = `${reason} (remembered); still using m.example:1`;
    expect(await get(valid)).toMatchObject({ server, result: again, lifetimeMs: 2 * MINUTE });
  });

  it("is used for two hours", async () => {
    vi.advanceTimersByTime(2 * HOUR - 1);
    expect(await get(failed)).toMatchObject({ server, lifetimeMs: 1 });
    vi.advanceTimersByTime(1);
    expect(await get(failed)).toMatchObject({ server: undefined, result: "answered 500 (remembered)" });
  });

  it("is not used when the host says that it delegates no longer", async () => {
    expect(await get(absent)).toMatchObject({ server: undefined, result: "answered 404", lifetimeMs: 2 * MINUTE });
  });

  it("does not come back when a host that delegates no longer fails", async () => {
    await get(absent);
    vi.advanceTimersByTime(2 * MINUTE);
    expect(await get(failed)).toMatchObject({ server: undefined, result: "answered 500", lifetimeMs: 2 * MINUTE });
  });

  it("is replaced by the next valid one", async () => {
    await get(failed);
    vi.advanceTimersByTime(2 * MINUTE);
    const other = parseServerName("n.example");
    expect((await get({ kind: "valid", server: other, lifetimeMs: HOUR })).server).toBe(other);
  });
});

describe("expiring a host", () => {
  const expired = async (): Promise<void> => {
    await get(valid);
    vi.advanceTimersByTime(HOUR);
    cache.expire("A.example");
  };

  it("has it asked again, but uses its answer while that fails", async () => {
    await expired();
    const result = "answered 500; still using m.example:1";
    expect(await get(failed)).toMatchObject({ server, result, lifetimeMs: 2 * MINUTE });
  });

  it("lets its answer be used for two hours from then", async () => {
    await expired();
    vi.advanceTimersByTime(2 * HOUR - 1);
    expect((await get(failed)).server).toBe(server);
    vi.advanceTimersByTime(1);
    expect((await get(failed)).server).toBeUndefined();
  });

  it("does not lengthen the life of what had run out already", async () => {
    await get(valid);
    vi.advanceTimersByTime(25 * HOUR);
    cache.expire("a.example");
    vi.advanceTimersByTime(HOUR + 1);
    expect(cache.peek("a.example")).toBeUndefined();
    expect((await get(failed)).server).toBeUndefined();
  });

  it("takes a new answer for what it is", async () => {
    await expired();
    expect((await get(valid)).result).toBe("m.example:1");
    expect(await get(failed)).toMatchObject({ server, result: "m.example:1 (remembered)", lifetimeMs: 24 * HOUR });
  });

  it("believes a host that says that it delegates no longer", async () => {
    await expired();
    expect(await get(absent)).toMatchObject({ server: undefined, result: "answered 404", lifetimeMs: 2 * MINUTE });
  });

  it("has a failing host asked again, too", async () => {
    await get(failed);
    cache.expire("a.example");
    expect((await get(failed)).lifetimeMs).toBe(10 * MINUTE);
    cache.expire("a.example");
    expect((await get(valid)).server).toBe(server);
  });

  it("does nothing to a host that nothing is known of", () => {
    cache.expire("a.example");
    expect(cache.peek("a.example")).toBeUndefined();
  });
});

describe("peeking", () => {
  const peek = () => cache.peek("A.example");

  it("tells what is remembered, and asks nobody", async () => {
    expect(peek()).toBeUndefined();
    await get(valid);
    vi.advanceTimersByTime(23 * HOUR);
    const result = "m.example:1 (remembered)";
    expect(peek()).toMatchObject({ server: { name: "m.example:1" }, result, lifetimeMs: HOUR });
  });

  it("tells failures", async () => {
    await get(absent);
    expect(peek()).toMatchObject({ server: undefined, result: "answered 404 (remembered)", lifetimeMs: 5 * MINUTE });
  });

  it("tells the stale answer that is used", async () => {
    await get(valid);
    cache.expire("a.example");
    expect(peek()).toMatchObject({ server: { name: "m.example:1" }, lifetimeMs: 0 });
    await get(failed);
    const result = "answered 500 (remembered); still using m.example:1";
    expect(peek()).toMatchObject({ server: { name: "m.example:1" }, result, lifetimeMs: 2 * MINUTE });
  });

  it("finds nothing two hours after the last answer ran out", async () => {
    await get(valid);
    vi.advanceTimersByTime(26 * HOUR);
    expect(peek()).toBeDefined();
    vi.advanceTimersByTime(1);
    expect(peek()).toBeUndefined();
  });
});

describe("clearing", () => {
  it("forgets one host, whatever its case, or all", async () => {
    await get(valid);
    cache.clear("b.example");
    expect(cache.peek("a.example")).toBeDefined();
    cache.clear("A.example");
    expect(cache.peek("a.example")).toBeUndefined();
    await get(valid);
    cache.clear();
    expect(cache.peek("a.example")).toBeUndefined();
  });

  it("forgets the stale answer and the failures, too", async () => {
    await get(valid);
    cache.clear("a.example");
    expect(await get(failed)).toMatchObject({ server: undefined, lifetimeMs: 5 * MINUTE });
    cache.clear("a.example");
    expect(await get(failed)).toMatchObject({ lifetimeMs: 5 * MINUTE });
  });
});

it("has room for 10 000 hosts, and forgets the one that was of no use for longest", async () => {
  for (let host = 0; host <= 10_000; host++) await cache.get(`${host}.example`, async () => absent);
  expect(["0.example", "1.example"].map((host) => cache.peek(host)?.result)).toEqual([
    undefined,
    "answered 404 (remembered)",
  ]);
});
