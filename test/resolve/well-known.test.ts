import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseServerName } from "../../src/name/server-name.js";
import { cacheLifetimeMs } from "../../src/resolve/cache-lifetime.js";
import { createWellKnownCache, type WellKnownCache } from "../../src/resolve/well-known.js";
import type { WellKnownAnswer } from "../../src/resolve/well-known-fetch.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("how long an answer is used", () => {
  it.each([
    [{}, 24 * HOUR],
    [{ "cache-control": "max-age=3600" }, HOUR],
    [{ "cache-control": ["public", 'Max-Age = "3600"'] }, HOUR],
    [{ "cache-control": "max-age=1" }, 5 * MINUTE],
    [{ "cache-control": `max-age=${"9".repeat(400)}` }, 48 * HOUR],
    [{ "cache-control": "no-store, max-age=7200" }, 5 * MINUTE],
    [{ "cache-control": "s-maxage=7200" }, 24 * HOUR],
    [{ "cache-control": "max-age=7200", expires: "0" }, 2 * HOUR],
    [{ expires: "Thu, 01 Jan 2026 02:00:00 GMT", date: "Thu, 01 Jan 2026 00:00:00 GMT" }, 2 * HOUR],
    [{ expires: "0" }, 5 * MINUTE],
  ])("%j", (headers, lifetimeMs) => {
    expect(cacheLifetimeMs(headers)).toBe(lifetimeMs);
  });
});

describe("the memory of answers", () => {
  const server = parseServerName("m.example:1");
  const valid: WellKnownAnswer = { kind: "valid", server, lifetimeMs: 24 * HOUR };
  const failed: WellKnownAnswer = { kind: "failed", reason: "answered 500" };
  const absent: WellKnownAnswer = { kind: "absent", reason: "answered 404" };
  let cache: WellKnownCache;
  let fetches: number;
  const get = (answer: WellKnownAnswer) =>
    cache.get("a.example", async () => {
      fetches += 1;
      return answer;
    });

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    cache = createWellKnownCache();
    fetches = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("asks once while the answer is fresh", async () => {
    expect(await get(valid)).toEqual({ server, result: "m.example:1", lifetimeMs: 24 * HOUR });
    vi.advanceTimersByTime(23 * HOUR);
    expect(await get(failed)).toEqual({ server, result: "m.example:1 (remembered)", lifetimeMs: HOUR });
    expect(fetches).toBe(1);
  });

  it("varies the time by ten percent", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    expect((await get(valid)).lifetimeMs).toBeCloseTo(0.9 * 24 * HOUR);
  });

  it("waits longer from failure to failure, an hour at most", async () => {
    const waits: number[] = [];
    for (let time = 0; time < 6; time++) {
      const { server, lifetimeMs } = await get(time % 2 ? absent : failed);
      expect(server).toBeUndefined();
      waits.push(Math.round(lifetimeMs / MINUTE));
      vi.advanceTimersByTime(lifetimeMs);
    }
    expect(waits).toEqual([5, 10, 20, 40, 60, 60]);
    expect(fetches).toBe(6);
  });

  it("uses a stale answer for two hours, and asks every two minutes", async () => {
    await get(valid);
    vi.advanceTimersByTime(24 * HOUR);
    expect(await get(failed)).toEqual({
      server,
      result: "answered 500; still using m.example:1",
      lifetimeMs: 2 * MINUTE,
    });
    vi.advanceTimersByTime(2 * HOUR - 1);
    expect((await get(failed)).server).toBe(server);
    vi.advanceTimersByTime(2 * MINUTE);
    expect((await get(failed)).server).toBeUndefined();
  });

  it("believes a host that says that it delegates no longer", async () => {
    await get(valid);
    vi.advanceTimersByTime(24 * HOUR);
    expect(await get(absent)).toEqual({ server: undefined, result: "answered 404", lifetimeMs: 2 * MINUTE });
  });

  it("forgets failures after a valid answer", async () => {
    await get(failed);
    vi.advanceTimersByTime(HOUR);
    await get(valid);
    vi.advanceTimersByTime(27 * HOUR);
    expect((await get(failed)).lifetimeMs).toBe(5 * MINUTE);
  });

  it("clears one host, whatever its case, or all", async () => {
    await get(valid);
    cache.clear("A.example");
    await get(valid);
    cache.clear();
    await get(valid);
    expect(fetches).toBe(3);
  });
});
