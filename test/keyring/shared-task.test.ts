import { describe, expect, test } from "vitest";

import { Cancellation } from "../../src/cancellation.js";
import { SharedTask, withinTime } from "../../src/keyring/shared-task.js";
import { rejection } from "../client/world.js";

const never = (): Promise<never> => new Promise(() => {});

describe("what may hang", () => {
  test("is given up after its time, and its signal says so", async () => {
    let seen: AbortSignal | undefined;
    const error = await rejection(
      withinTime(5, new Cancellation(), (signal) => {
        seen = signal;
        return never();
      }),
    );
    expect(error.name).toBe("TimeoutError");
    expect(seen?.reason).toBe(error);
  });

  test("is given up when it is cancelled, and not begun when it was before", async () => {
    const cancellation = new Cancellation();
    const call = rejection(withinTime(60_000, cancellation, never));
    cancellation.abort("enough");
    expect(await call).toBe("enough");
    const start = (): Promise<never> => Promise.reject(new Error("begun"));
    expect(await rejection(withinTime(60_000, cancellation, start))).toBe("enough");
  });

  test("may have endless time, and has none when its time is no number", async () => {
    expect(await withinTime(Number.POSITIVE_INFINITY, new Cancellation(), async () => 1)).toBe(1);
    expect((await rejection(withinTime(Number.NaN, new Cancellation(), never))).name).toBe("TimeoutError");
  });
});

describe("a task that several wait for", () => {
  const begun = async (): Promise<SharedTask> => {
    const task = new SharedTask(async (self) => {
      self.hasBegun = true;
      await never();
    });
    await undefined;
    await undefined;
    return task;
  };

  test("is cancelled when the last of them wants it no more, and not before", async () => {
    const task = await begun();
    const [one, two] = [new Cancellation(), new Cancellation()];
    const joined = [task.join(one), task.join(two)];
    one.abort("unwanted");
    await joined[0];
    expect(task.isCancelled).toBe(false);
    two.abort("unwanted");
    await joined[1];
    expect(task.isCancelled).toBe(true);
  });

  test("goes on when they run out of time, unless it has not begun", async () => {
    const waiting = new SharedTask(never);
    for (const [task, isCancelled] of [
      [await begun(), false],
      [waiting, true],
    ] as const) {
      const leaving = new Cancellation();
      const joined = task.join(leaving);
      leaving.abort("outOfTime");
      await joined;
      expect(task.isCancelled).toBe(isCancelled);
    }
  });

  test("is left at once by who has left before", async () => {
    const leaving = new Cancellation();
    leaving.abort("unwanted");
    const task = await begun();
    await task.join(leaving);
    expect(task.isCancelled).toBe(true);
  });
});
