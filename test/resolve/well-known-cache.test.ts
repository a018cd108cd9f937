import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseServerName } from "../../src/name/server-name.js";
import { createWellKnownCache, type WellKnown, type WellKnownCache } from "../../src/resolve/well-known.js";
import type { WellKnownAnswer } from "../../src/resolve/well-known-fetch.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const delegating = (name: string): WellKnownAnswer => ({
  kind: "valid",
  server: parseServerName(name),
  lifetimeMs: 10 * HOUR,
});
const failed: WellKnownAnswer = { kind: "failed", reason: "answered 500" };
const absent: WellKnownAnswer = { kind: "absent", reason: "answered 404" };

/** A fetch under way: the test decides how it ends. */
interface Flight {
  readonly hostname: string;
  end(answer: WellKnownAnswer): Promise<void>;
  break(reason: unknown): Promise<void>;
}

let cache: WellKnownCache;
let flights: Flight[];
let background: Promise<unknown>[];

/** Lets everything that only waits for promises go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const get = (hostname = "a.example"): Promise<WellKnown> =>
  cache.get(
    hostname,
    () =>
      new Promise((resolve, reject) => {
        const then = (settle: (value: never) => void) => (value: unknown) => {
          settle(value as never);
          return settled();
        };
        flights.push({ hostname, end: then(resolve), break: then(reject) });
      }),
  );

/** What a get says: the server that is used, and how it is known. */
async function said(promise: Promise<WellKnown>): Promise<string> {
  const { server, result } = await promise;
  return `${server?.name}: ${result}`;
}

/** Has the cache remember an answer. */
async function given(answer: WellKnownAnswer, hostname?: string): Promise<void> {
  const promise = get(hostname);
  await settled();
  await flights.pop()?.end(answer);
  await promise;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  flights = [];
  background = [];
  cache = createWellKnownCache((task) => background.push(task));
  // lru-cache takes an entry of time 0 for one without a TTL.
  vi.advanceTimersByTime(1);
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a host", () => {
  it("is asked once by all who ask at the same time, whatever its case", async () => {
    const both = [get("a.example"), get("A.Example")];
    await settled();
    expect(flights).toHaveLength(1);
    await flights[0]?.end(delegating("m.example"));
    expect(await Promise.all(both.map(said))).toEqual(["m.example: m.example", "m.example: m.example"]);
  });

  it("does not wait for another host", async () => {
    void get("a.example");
    const other = get("b.example");
    await settled();
    expect(flights.map(({ hostname }) => hostname)).toEqual(["a.example", "b.example"]);
    await flights[1]?.end(absent);
    expect(await said(other)).toBe("undefined: answered 404");
  });

  it("is asked again after a fetch that rejected, of which nothing is remembered", async () => {
    const outcomes = Promise.allSettled([get(), get()]);
    await settled();
    await flights[0]?.break("closed");
    expect(await outcomes).toEqual([
      { status: "rejected", reason: "closed" },
      { status: "rejected", reason: "closed" },
    ]);
    expect(cache.peek("a.example")).toBeUndefined();
    await given(delegating("m.example"));
    expect(cache.peek("a.example")?.server?.name).toBe("m.example");
  });

  it("is asked again after a fetch that threw at once", async () => {
    const broken = (): never => {
      throw new Error("broken");
    };
    await expect(cache.get("a.example", broken)).rejects.toThrow("broken");
    await given(delegating("m.example"));
    vi.advanceTimersByTime(9 * HOUR);
    expect(await said(cache.get("a.example", broken))).toBe("m.example: m.example (remembered)");
  });
});

describe("in the last fifth of its life, a valid answer", () => {
  beforeEach(async () => {
    await given(delegating("m.example"));
    vi.advanceTimersByTime(8 * HOUR);
  });

  it("is told at once, while one fetch goes on in the background", async () => {
    expect(await Promise.all([get(), get(), get()].map(said))).toEqual(
      Array(3).fill("m.example: m.example (remembered)"),
    );
    vi.advanceTimersByTime(HOUR);
    await get();
    expect(flights).toHaveLength(1);
    expect(background).toHaveLength(1);
  });

  it("is not fetched before that", async () => {
    await given(delegating("m.example"), "b.example");
    vi.advanceTimersByTime(8 * HOUR - 1);
    await get("b.example");
    expect(flights).toEqual([]);
    vi.advanceTimersByTime(1);
    await get("b.example");
    expect(flights).toHaveLength(1);
  });

  it("is measured by its varied life", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    await given(delegating("m.example"), "b.example");
    vi.advanceTimersByTime(9 * HOUR * 0.8 - 1);
    await get("b.example");
    expect(flights).toEqual([]);
    vi.advanceTimersByTime(1);
    await get("b.example");
    expect(flights).toHaveLength(1);
  });

  it("is replaced by the new answer", async () => {
    await get();
    await flights[0]?.end(delegating("n.example"));
    expect(await get()).toMatchObject({ result: "n.example (remembered)", lifetimeMs: 10 * HOUR });
    expect(flights).toHaveLength(1);
  });

  it("is used until it runs out when the fetch fails, and is fetched anew two minutes later", async () => {
    await get();
    await flights[0]?.end(failed);
    vi.advanceTimersByTime(2 * MINUTE - 1);
    expect(await get()).toMatchObject({ result: "m.example (remembered)", lifetimeMs: 2 * HOUR - 2 * MINUTE + 1 });
    expect(flights).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await said(get())).toBe("m.example: m.example (remembered)");
    expect(flights).toHaveLength(2);
    await flights[1]?.end(failed);
    vi.advanceTimersByTime(2 * HOUR - 2 * MINUTE);
    const late = get();
    await settled();
    await flights[2]?.end(failed);
    expect(await said(late)).toBe("m.example: answered 500; still using m.example");
    expect((await get()).lifetimeMs).toBe(2 * MINUTE);
  });

  it.each([
    [0, 108_000],
    [0.999999999, 132_000],
  ])("varies those two minutes by ten percent (%d)", async (random, waitMs) => {
    vi.spyOn(Math, "random").mockReturnValue(random);
    await get();
    await flights[0]?.end(failed);
    vi.advanceTimersByTime(waitMs - 1);
    await get();
    expect(flights).toHaveLength(1);
    vi.advanceTimersByTime(1);
    await get();
    expect(flights).toHaveLength(2);
  });

  it("ends when the host says that it delegates no longer", async () => {
    await get();
    await flights[0]?.end(absent);
    expect(await get()).toMatchObject({ server: undefined, lifetimeMs: 2 * MINUTE });
    vi.advanceTimersByTime(2 * HOUR);
    await given(absent);
    expect(await get()).toMatchObject({ result: "answered 404 (remembered)", lifetimeMs: 5 * MINUTE });
  });

  it("outlives a fetch that rejects, of which whoever closes is told", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    await get();
    await flights[0]?.break(new Error("closed"));
    await expect(Promise.all(background)).resolves.toHaveLength(1);
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(await said(get())).toBe("m.example: m.example (remembered)");
    expect(flights).toHaveLength(1);
  });

  it("needs nobody to be told of the fetch", async () => {
    cache = createWellKnownCache();
    await given(delegating("m.example"));
    vi.advanceTimersByTime(9 * HOUR);
    await get();
    await flights[0]?.break("closed");
    expect(await said(get())).toBe("m.example: m.example (remembered)");
  });

  it("may be expired during the fetch, which is then waited for", async () => {
    await get();
    cache.expire("a.example");
    const late = get();
    await settled();
    expect(flights).toHaveLength(1);
    await flights[0]?.end(failed);
    expect(await said(late)).toBe("m.example: answered 500; still using m.example");
  });

  it("may run out during the fetch, which is then waited for", async () => {
    await get();
    vi.advanceTimersByTime(2 * HOUR);
    const late = get();
    await settled();
    expect(flights).toHaveLength(1);
    await flights[0]?.end(failed);
    expect(await said(late)).toBe("m.example: answered 500; still using m.example");
  });

  it("is not fetched anew when it is a failure", async () => {
    await given(failed, "b.example");
    vi.advanceTimersByTime(5 * MINUTE - 1);
    await get("b.example");
    expect(flights).toEqual([]);
  });
});

describe("clearing", () => {
  it.each(["a.example", undefined])("%s leaves a fetch in flight to those who wait for it", async (hostname) => {
    await given(delegating("m.example"));
    cache.expire("a.example");
    const before = get();
    await settled();
    cache.clear(hostname);
    await flights[0]?.end(delegating("n.example"));
    expect(await said(before)).toBe("n.example: n.example");
    expect(cache.peek("a.example")).toBeUndefined();
  });

  it("leaves the next fetch alone when the one before it ends late", async () => {
    const before = get();
    await settled();
    cache.clear("a.example");
    const after = get();
    await settled();
    await flights[0]?.end(delegating("old.example"));
    const joined = get();
    await settled();
    expect(flights).toHaveLength(2);
    await flights[1]?.end(delegating("new.example"));
    expect(await Promise.all([before, after, joined].map(said))).toEqual([
      "old.example: old.example",
      "new.example: new.example",
      "new.example: new.example",
    ]);
    expect(cache.peek("a.example")?.server?.name).toBe("new.example");
  });

  it("keeps what was learned since from a fetch of before", async () => {
    const before = get();
    await settled();
    cache.clear();
    const [flight] = flights.splice(0);
    await given(delegating("m.example"));
    cache.expire("a.example");
    await flight?.end(failed);
    expect(await said(before)).toBe("undefined: answered 500");
  });

  it("has a background fetch forgotten", async () => {
    await given(delegating("m.example"));
    vi.advanceTimersByTime(9 * HOUR);
    await get();
    cache.clear();
    await flights[0]?.end(delegating("n.example"));
    await Promise.all(background);
    expect(cache.peek("a.example")).toBeUndefined();
  });
});
