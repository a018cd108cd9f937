import fc from "fast-check";
import { expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { type LogEntry, RoomLog, slotOf, stateSlot } from "../../src/testing/room-log.js";

interface Step {
  readonly type: string;
  readonly stateKey: string | undefined;
  /** Which of the newest events it follows, by their places; all of them when there are none. */
  readonly follows: readonly number[];
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom("m.room.member", "m.room.name", "a", "__proto__", "constructor"),
  stateKey: fc.option(fc.constantFrom("", "a", "b", "__proto__"), { nil: undefined }),
  follows: fc.array(fc.nat(50), { maxLength: 3 }),
});

function logOf(steps: readonly Step[], isLinear = false): RoomLog {
  const log = new RoomLog("10");
  for (const [index, { type, stateKey, follows }] of steps.entries()) {
    const chosen = follows
      .map((place) => log.entries[place % log.entries.length])
      .filter((entry) => entry !== undefined);
    const prev = isLinear || chosen.length === 0 ? log.latest : chosen;
    const event: JsonObject = { type, prev_events: prev.map(({ eventId }) => eventId), auth_events: [], depth: index };
    log.append(`$${index}`, stateKey === undefined ? event : { ...event, state_key: stateKey });
  }
  return log;
}

const textOf = (state: Iterable<LogEntry>): string[] => [...state].map(({ eventId }) => eventId).sort();

test("the state before an event is what all events before it set, the last of each", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), fc.array(fc.nat(40)), (steps, questions) => {
      const log = logOf(steps, true);
      const before = steps.map((_, index) => {
        const state = new Map<string, LogEntry>();
        for (const entry of log.entries.slice(0, index)) {
          const slot = slotOf(entry.event);
          if (slot !== undefined) state.set(slot, entry);
        }
        return textOf(state.values());
      });
      // In any order: what was worked out last is remembered.
      for (const question of questions) {
        const entry = log.entries[question % Math.max(1, steps.length)];
        if (entry) expect(textOf(log.stateBefore(entry).values())).toEqual(before[entry.index]);
      }
    }),
  );
});

test("where branches are joined, each slot has an event that one of them set, and the latest of these", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 1, maxLength: 40 }), (steps) => {
      const log = logOf(steps);
      const ends = log.latest;
      const of = ends.map((end) => new Map(log.stateAfter([end])));
      const joined = log.stateAfter(ends);
      const slots = new Set(of.flatMap((state) => [...state.keys()]));
      expect(new Set(joined.keys())).toEqual(slots);
      for (const [slot, entry] of joined) {
        const places = of.flatMap((state) => state.get(slot)?.index ?? []);
        expect(entry.index).toBe(Math.max(...places));
      }
    }),
  );
});

test("going back meets each ancestor once, and none before what follows it", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 1, maxLength: 40 }), (steps) => {
      const log = logOf(steps);
      const met = [...log.back(log.latest)];
      const ancestors = new Set<LogEntry>(log.latest);
      for (const entry of ancestors) for (const each of entry.prev) ancestors.add(each);
      expect(new Set(met)).toEqual(ancestors);
      expect(met).toHaveLength(ancestors.size);
      for (const entry of met) {
        for (const each of entry.prev) expect(met.indexOf(each)).toBeGreaterThan(met.indexOf(entry));
      }
    }),
  );
});

test("no two pairs of a type and a state key set the same", () => {
  fc.assert(
    fc.property(fc.tuple(fc.string(), fc.string()), fc.tuple(fc.string(), fc.string()), (one, other) => {
      const isSame = one[0] === other[0] && one[1] === other[1];
      expect(stateSlot(...one) === stateSlot(...other)).toBe(isSame);
    }),
  );
  expect(stateSlot("a\0b", "c")).not.toBe(stateSlot("a", "b\0c"));
});
