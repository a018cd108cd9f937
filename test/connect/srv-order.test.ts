import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { inSrvOrder } from "../../src/connect/srv-order.js";
import type { Target } from "../../src/connect/target.js";

const DRAWS = 10_000;

const target = (hostname: string, weight = 0, priority = 0): Target => ({
  hostname,
  port: 8448,
  priority,
  weight,
  addresses: [],
});

/** Numbers from 0 to 1 that are the same at each run: Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How large a share of many draws each order has; an order is told by its hosts, such as `a b c`. */
function shares(targets: readonly Target[], told = (hosts: string[]) => hosts.join(" ")): Map<string, number> {
  const random = seeded(7);
  const found = new Map<string, number>();
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const key = told(inSrvOrder(targets, random).map(({ hostname }) => hostname));
    found.set(key, (found.get(key) ?? 0) + 1 / DRAWS);
  }
  return found;
}

const firsts = (targets: readonly Target[]) => shares(targets, ([first = ""]) => first);

const uint16 = fc.oneof(fc.nat(3), fc.nat(65_535));
const targetLists = fc
  .array(fc.record({ weight: uint16, priority: uint16 }), { maxLength: 16 })
  .map((list) => list.map(({ weight, priority }, at) => target(`host-${at}.example`, weight, priority)));
const randoms = fc.oneof(
  fc.integer().map(seeded),
  fc.constantFrom(0, 0.5, 1 - Number.EPSILON).map((value) => () => value),
);

describe("inSrvOrder", () => {
  it("gives every target once, and leaves its input as it is", () => {
    fc.assert(
      fc.property(targetLists, randoms, (targets, random) => {
        const before = [...targets];
        const order = inSrvOrder(targets, random);
        expect(targets).toEqual(before);
        expect(order).toHaveLength(targets.length);
        expect(new Set(order)).toEqual(new Set(targets));
      }),
    );
  });

  it("gives ascending priorities, whatever the weights", () => {
    fc.assert(
      fc.property(targetLists, randoms, (targets, random) => {
        const priorities = inSrvOrder(targets, random).map(({ priority }) => priority);
        expect(priorities).toEqual(targets.map(({ priority }) => priority).sort((a, b) => a - b));
      }),
    );
  });

  it("asks for no randomness where there is nothing to draw", () => {
    const random = vi.fn(() => 0);
    const a = target("a", 1);
    expect(inSrvOrder([], random)).toEqual([]);
    expect(inSrvOrder([a], random)).toEqual([a]);
    expect(inSrvOrder([target("b", 9, 2), target("c", 0, 1)], random)).toHaveLength(2);
    expect(random).not.toHaveBeenCalled();
  });

  it("gives a new list even of one target", () => {
    const targets = [target("a")];
    expect(inSrvOrder(targets)).not.toBe(targets);
  });

  it("puts each target first about as often as its weight says, wherever it stands in the list", () => {
    const targets = [target("a", 10), target("b", 60), target("c", 30)];
    for (const list of [targets, targets.toReversed()]) {
      const found = firsts(list);
      expect(found.get("a")).toBeCloseTo(0.1, 1);
      expect(found.get("b")).toBeCloseTo(0.6, 1);
      expect(found.get("c")).toBeCloseTo(0.3, 1);
    }
  });

  it("draws those behind the first by their weights too", () => {
    const found = shares([target("a", 10), target("b", 60), target("c", 30)]);
    expect(found.get("b c a")).toBeCloseTo(0.6 * 0.75, 1);
    expect(found.get("a b c")).toBeCloseTo(0.1 * (2 / 3), 1);
  });

  it("is fair to small weights: 1 and 3 are a quarter and three quarters", () => {
    for (const list of [
      [target("a", 1), target("b", 3)],
      [target("b", 3), target("a", 1)],
    ]) {
      expect(Math.abs((firsts(list).get("a") ?? 0) - 0.25)).toBeLessThan(0.025);
    }
  });

  it("draws each priority on its own", () => {
    const found = shares([target("a", 1, 10), target("b", 1, 10), target("c", 9, 20), target("d", 1, 20)]);
    expect(found.get("a b c d")).toBeCloseTo(0.5 * 0.9, 1);
    expect(found.get("b a c d")).toBeCloseTo(0.5 * 0.9, 1);
    expect([...found.keys()].sort()).toEqual(["a b c d", "a b d c", "b a c d", "b a d c"]);
  });

  it("comes to every order where all weights are 0, about equally often", () => {
    const found = shares([target("a"), target("b"), target("c")]);
    expect(found.size).toBe(6);
    for (const share of found.values()) expect(Math.abs(share - 1 / 6)).toBeLessThan(0.03);
  });

  it("puts a weight of 0 first now and then, but hardly ever", () => {
    const found = firsts([target("a", 99), target("b", 0), target("c", 0)]);
    const without = (found.get("b") ?? 0) + (found.get("c") ?? 0);
    expect(without).toBeGreaterThan(0);
    expect(without).toBeLessThan(0.03);
    expect(found.get("b")).toBeGreaterThan(0);
    expect(found.get("c")).toBeGreaterThan(0);
  });

  it("draws anew at each call, with randomness of its own", () => {
    const targets = Array.from({ length: 16 }, (_, at) => target(`host-${at}.example`, 1));
    const orders = Array.from({ length: 20 }, () =>
      inSrvOrder(targets)
        .map(({ hostname }) => hostname)
        .join(),
    );
    expect(new Set(orders).size).toBeGreaterThan(1);
  });
});
