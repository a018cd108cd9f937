import { describe, expect, test } from "vitest";

import { PartialMemory } from "../../src/failover/partial-memory.js";
import { type RankContext, rank } from "../../src/failover/rank.js";
import { Saved } from "../../src/failover/saved.js";
import { ServerRecords } from "../../src/failover/server-records.js";
import { TokenBudget } from "../../src/failover/token-budget.js";

const roomId = "!room:a.example";

function context(more: Partial<RankContext> = {}): RankContext {
  const saved = new Saved(undefined);
  return {
    records: new ServerRecords(saved, { threshold: 3 }),
    partial: new PartialMemory(saved),
    isUnsupported: () => false,
    roomId,
    sentBy: undefined,
    prefer: undefined,
    ...more,
  };
}

describe("the order in which servers are asked", () => {
  test("is: obliged, preferred, healthy, unknown, troubled, without the endpoint, in partial state, in backoff", () => {
    const { records, partial, ...rest } = context({
      sentBy: ["obliged"],
      prefer: ["preferred"],
      isUnsupported: (server) => server === "unsupported",
    });
    records.answered("healthy", 20);
    records.failed("troubled", 1);
    partial.seen(roomId, "partial");
    for (let time = 0; time < 9; time++) partial.seen(roomId, "partial for long");
    for (const startedAt of [1, 2, 3]) {
      records.failed("in backoff", Date.now() + startedAt * 1_000);
    }
    const right = [
      "obliged",
      "preferred",
      "healthy",
      "unknown",
      "troubled",
      "unsupported",
      "partial",
      "partial for long",
      "in backoff",
    ];
    expect(rank(right.toReversed(), { records, partial, ...rest })).toEqual(right);
    expect(rank(right, { records, partial, ...rest })).toEqual(right);
  });

  test("puts fast servers first, but leaves servers of about the same speed in the caller's order", () => {
    const { records, ...rest } = context();
    records.answered("slow", 2_000);
    records.answered("fast b", 60);
    records.answered("fast a", 50);
    expect(rank(["slow", "fast b", "fast a"], { records, ...rest })).toEqual(["fast b", "fast a", "slow"]);
  });

  test("puts a server that never answered and was once outrun behind those of which nothing is known", () => {
    const { records, ...rest } = context();
    records.outrun("outrun", 1_000);
    expect(rank(["outrun", "unknown"], { records, ...rest })).toEqual(["unknown", "outrun"]);
  });

  test("puts a server that was outrun behind faster ones, though it was fast before", () => {
    const { records, ...rest } = context();
    records.answered("a", 20);
    records.answered("b", 100);
    records.outrun("a", 5_000);
    expect(rank(["a", "b"], { records, ...rest })).toEqual(["b", "a"]);
  });

  test("counts misbehaviour as trouble, until answers make up for it", () => {
    const { records, ...rest } = context();
    records.misbehaved("odd");
    expect(rank(["odd", "unknown"], { records, ...rest })).toEqual(["unknown", "odd"]);
    records.answered("odd", 20);
    expect(rank(["odd", "unknown"], { records, ...rest })).toEqual(["odd", "unknown"]);
  });

  test("asks an obliged server first, even one that said it is in partial state", () => {
    const { partial, ...rest } = context({ sentBy: ["obliged"] });
    partial.seen(roomId, "obliged");
    expect(rank(["a", "obliged"], { partial, ...rest })).toEqual(["obliged", "a"]);
  });

  test("does not ask a preferred server first that is in partial state or in trouble", () => {
    const { partial, records, ...rest } = context({ prefer: ["partial", "troubled"] });
    partial.seen(roomId, "partial");
    records.failed("troubled", 1);
    expect(rank(["partial", "troubled", "a"], { partial, records, ...rest })).toEqual(["a", "troubled", "partial"]);
  });

  test("minds partial state in the room that is asked about, and in no other", () => {
    const { partial, ...rest } = context({ roomId: "!other:a.example" });
    partial.seen(roomId, "a");
    expect(rank(["a", "b"], { partial, ...rest })).toEqual(["a", "b"]);
    expect(rank(["a", "b"], { ...rest, partial, roomId: undefined })).toEqual(["a", "b"]);
  });

  test("is the caller's where nothing is known, and adds and drops nobody", () => {
    const many = Array.from({ length: 100 }, (_, index) => `s${index}`);
    expect(rank(many, context({ sentBy: ["elsewhere"], prefer: ["elsewhere too"] }))).toEqual(many);
    expect(rank([], context())).toEqual([]);
    expect(rank(["a"], context())).toEqual(["a"]);
  });
});

describe("a budget of tokens", () => {
  test("grants as many extra requests as it holds, and then none", () => {
    const budget = new TokenBudget(3, 0.5);
    expect([1, 2, 3, 4, 5].map(() => budget.take())).toEqual([true, true, true, false, false]);
  });

  test("grants one more for every few successes", () => {
    const budget = new TokenBudget(1, 0.5);
    expect(budget.take()).toBe(true);
    budget.succeed();
    expect(budget.take()).toBe(false);
    budget.succeed();
    expect([budget.take(), budget.take()]).toEqual([true, false]);
  });

  test("never holds more than it began with", () => {
    const budget = new TokenBudget(2, 1);
    for (let success = 0; success < 100; success++) budget.succeed();
    expect([1, 2, 3].map(() => budget.take())).toEqual([true, true, false]);
  });
});
