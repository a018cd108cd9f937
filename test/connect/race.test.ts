import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { race } from "../../src/connect/race.js";

/** What a candidate does, in milliseconds after its try began; what is absent never happens. */
interface Script {
  readonly reachedAfter?: number | undefined;
  readonly endsAfter?: number | undefined;
  readonly succeeds?: boolean;
  /** Goes on when it is aborted, as a task without a way back does. */
  readonly ignoresAbort?: boolean;
}

interface Tried {
  readonly candidate: number;
  readonly startedAt: number;
  readonly signal: AbortSignal;
  ended: boolean;
}

/** A race of scripted candidates under fake timers. */
function run(scripts: readonly Script[], signal: AbortSignal = new AbortController().signal) {
  const begunAt = Date.now();
  const now = (): number => Date.now() - begunAt;
  const tried: Tried[] = [];
  const discarded: number[] = [];
  const attempt = (candidate: number, inner: AbortSignal, reached: () => void): Promise<number> => {
    const { reachedAfter, endsAfter, succeeds = false, ignoresAbort = false } = scripts[candidate] as Script;
    const one: Tried = { candidate, startedAt: now(), signal: inner, ended: false };
    tried.push(one);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => () => {
        one.ended = true;
        settle();
      };
      if (reachedAfter !== undefined) setTimeout(reached, reachedAfter);
      if (endsAfter !== undefined) {
        setTimeout(
          end(() => (succeeds ? resolve(candidate) : reject(new Error(`candidate ${candidate}`)))),
          endsAfter,
        );
      }
      if (!ignoresAbort)
        inner.addEventListener(
          "abort",
          end(() => reject(inner.reason)),
        );
    });
  };
  let settled: { at: number; winner?: number; error?: unknown } | undefined;
  const result = race([...scripts.keys()], attempt, signal, (late) => discarded.push(late)).then(
    (winner) => {
      settled = { at: now(), winner };
    },
    (error: unknown) => {
      settled = { at: now(), error };
    },
  );
  return {
    tried,
    discarded,
    result,
    startTimes: () => tried.map(({ startedAt }) => startedAt),
    settled: () => settled,
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the next candidate is tried", () => {
  test("as soon as the one before fails", async () => {
    const { startTimes, settled } = run([{ endsAfter: 20 }, { endsAfter: 30, succeeds: true }]);
    await vi.advanceTimersByTimeAsync(100);
    expect(startTimes()).toEqual([0, 20]);
    expect(settled()).toEqual({ at: 50, winner: 1 });
  });

  test("after 250 ms beside one that is not reached", async () => {
    const { startTimes, tried } = run([{}, {}, {}]);
    await vi.advanceTimersByTimeAsync(600);
    expect(startTimes()).toEqual([0, 250, 500]);
    expect(tried.map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
  });

  test("3 s after one was reached that then says nothing", async () => {
    const { startTimes } = run([{ reachedAfter: 100 }, {}]);
    await vi.advanceTimersByTimeAsync(3_099);
    expect(startTimes()).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1);
    expect(startTimes()).toEqual([0, 3_100]);
  });

  test("at once when one fails after it was reached", async () => {
    const { startTimes } = run([{ reachedAfter: 100, endsAfter: 120 }, {}]);
    await vi.advanceTimersByTimeAsync(200);
    expect(startTimes()).toEqual([0, 120]);
  });

  test("no sooner because an earlier one fails or is reached late", async () => {
    const { startTimes } = run([{ endsAfter: 300 }, { reachedAfter: 10 }, {}, {}]);
    await vi.advanceTimersByTimeAsync(3_300);
    expect(startTimes()).toEqual([0, 250, 3_260]);
    const late = run([{ reachedAfter: 260 }, {}, {}]);
    await vi.advanceTimersByTimeAsync(600);
    expect(late.startTimes()).toEqual([0, 250, 500]);
  });

  test("not any more when somebody has won", async () => {
    const { startTimes } = run([{ endsAfter: 10, succeeds: true }, {}]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(startTimes()).toEqual([0]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a slow candidate", () => {
  test("goes on for as long as it takes: it is not aborted after 250 ms (nodejs/node#54359)", async () => {
    const { tried, settled } = run([{ endsAfter: 5_000, succeeds: true }, { endsAfter: 10 }, {}]);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(tried[0]?.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(settled()).toEqual({ at: 5_000, winner: 0 });
  });

  test("that is the only one is waited for", async () => {
    const { settled } = run([{ endsAfter: 60_000, succeeds: true }]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(settled()).toEqual({ at: 60_000, winner: 0 });
  });

  test("is aborted when a later one wins", async () => {
    const { tried, settled } = run([{}, { endsAfter: 10, succeeds: true }]);
    await vi.advanceTimersByTimeAsync(260);
    expect(settled()).toEqual({ at: 260, winner: 1 });
    expect(tried[0]?.signal.aborted).toBe(true);
  });

  test("that ends in spite of that has its result discarded", async () => {
    const { discarded, settled } = run([
      { endsAfter: 400, succeeds: true, ignoresAbort: true },
      { endsAfter: 10, succeeds: true },
    ]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(settled()?.winner).toBe(1);
    expect(discarded).toEqual([0]);
  });
});

describe("a race in which nobody can win", () => {
  test("fails when the last one has failed, with all errors in the order in which they came", async () => {
    const { settled } = run([{ endsAfter: 700 }, { endsAfter: 10 }, { endsAfter: 20 }]);
    await vi.advanceTimersByTimeAsync(1_000);
    const { at, error } = settled() ?? {};
    expect(at).toBe(700);
    expect(error).toBeInstanceOf(AggregateError);
    const messages = (error as AggregateError).errors.map(({ message }: Error) => message);
    expect(messages).toEqual(["candidate 1", "candidate 2", "candidate 0"]);
  });

  test("because there is nobody fails at once, and without a timer", async () => {
    const { result, settled } = run([]);
    await result;
    expect(settled()?.error).toMatchObject({ errors: [] });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("an abort", () => {
  test("before the race lets nobody begin", async () => {
    const { result, tried, settled } = run([{}], AbortSignal.abort("before"));
    await result;
    expect(settled()?.error).toBe("before");
    expect(tried).toEqual([]);
  });

  test("in mid-flight ends all tries and starts no more", async () => {
    const controller = new AbortController();
    const { tried, settled } = run([{}, {}, {}], controller.signal);
    await vi.advanceTimersByTimeAsync(300);
    controller.abort("enough");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(settled()).toEqual({ at: 300, error: "enough" });
    expect(tried.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("at the very moment in which somebody wins loses no result", async () => {
    const controller = new AbortController();
    const discarded: string[] = [];
    let win = (_: string): void => {};
    const attempt = (): Promise<string> => new Promise((resolve) => (win = resolve));
    const racing = race(["a"], attempt, controller.signal, (late) => discarded.push(late));
    win("socket");
    controller.abort("enough");
    await expect(racing).rejects.toBe("enough");
    expect(discarded).toEqual(["socket"]);
  });

  test("after the race changes nothing, and nobody listens for it any more", async () => {
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, "removeEventListener");
    const add = vi.spyOn(signal, "addEventListener");
    const { result, settled } = run([{ endsAfter: 1, succeeds: true }], signal);
    await vi.advanceTimersByTimeAsync(1);
    await result;
    expect(settled()).toEqual({ at: 1, winner: 0 });
    expect(remove.mock.calls.map(([, listener]) => listener)).toEqual(add.mock.calls.map(([, listener]) => listener));
  });
});

/** When each try would begin if nobody won, and when the first one would win. */
function model(scripts: readonly Script[]): { startTimes: number[]; winsAt: number } {
  const startTimes: number[] = [];
  let at = 0;
  let winsAt = Number.POSITIVE_INFINITY;
  for (const { reachedAfter = 250, endsAfter = Number.POSITIVE_INFINITY, succeeds } of scripts) {
    startTimes.push(at);
    if (succeeds) winsAt = Math.min(winsAt, at + endsAfter);
    const patience = reachedAfter < 250 && reachedAfter <= endsAfter ? reachedAfter + 3_000 : 250;
    at += Math.min(patience, succeeds ? Number.POSITIVE_INFINITY : endsAfter);
  }
  return { startTimes, winsAt };
}

const time = fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 8_000 })).filter((ms) => ms !== 250);
const script: fc.Arbitrary<Script> = fc.record({
  reachedAfter: fc.option(time, { nil: undefined }),
  endsAfter: fc.option(time, { nil: undefined, freq: 6 }),
  succeeds: fc.boolean(),
  ignoresAbort: fc.boolean(),
});
const LONG = 100_000;

test("whatever the candidates do, the earliest possible one wins, and nothing is left of the others", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(script, { maxLength: 6 }),
      fc.option(fc.integer({ min: 1, max: 4_000 }), { nil: LONG }),
      async (scripts, abortAt) => {
        const controller = new AbortController();
        const raced = run(scripts, controller.signal);
        await vi.advanceTimersByTimeAsync(abortAt);
        controller.abort("enough");
        await vi.advanceTimersByTimeAsync(LONG);
        await raced.result;

        const { startTimes, winsAt } = model(scripts);
        const { at, winner } = raced.settled() ?? { at: Number.NaN };
        if (winner !== undefined) {
          expect(at).toBe(winsAt);
          expect((startTimes[winner] ?? 0) + (scripts[winner]?.endsAfter ?? 0)).toBe(winsAt);
        } else expect(winsAt).toBeGreaterThanOrEqual(Math.min(abortAt, LONG));
        // Everybody who was due before the end was begun, in turn and at the right time, and nobody after it.
        const begun = raced.startTimes();
        expect(begun).toEqual(startTimes.slice(0, begun.length));
        expect(startTimes.filter((due) => due < at).length).toBeLessThanOrEqual(begun.length);
        expect(startTimes.filter((due) => due <= at).length).toBeGreaterThanOrEqual(begun.length);
        expect(raced.tried.map(({ candidate }) => candidate)).toEqual([...begun.keys()]);
        for (const { ended, signal } of raced.tried) expect(ended || signal.aborted).toBe(true);
        // Every result is either the winner's or discarded.
        const results = raced.tried.filter(({ candidate, startedAt }) => {
          const { endsAfter = Number.POSITIVE_INFINITY, succeeds, ignoresAbort } = scripts[candidate] as Script;
          return succeeds && (startedAt + endsAfter < at || (ignoresAbort && endsAfter < LONG));
        });
        const taken = winner === undefined ? raced.discarded : [winner, ...raced.discarded];
        expect(new Set(taken).size).toBe(taken.length);
        for (const { candidate } of results) expect(taken).toContain(candidate);
        expect(vi.getTimerCount()).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});
