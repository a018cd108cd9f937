import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import type { Store } from "../store/store.js";

/** One thing that a store has to do. */
export interface StoreCase {
  /** What it is, for the test's title. */
  readonly name: string;
  /** Tries it with a new store. Rejects with an assertion error when the store does something else. */
  readonly run: () => Promise<void>;
}

const hourMs = 60 * 60 * 1000;
const shortMs = 60;
// Longer than a store's clock may be coarse: Redis and others expire to the second at worst.
const expiredAfterMs = 1_300;

/**
 * What every store has to do, as cases for any test framework:
 * `for (const { name, run } of storeConformance(() => new MyStore())) test(name, run);`
 *
 * @param createStore - Makes a store for one case. The cases use keys of their own, so it may be the same store.
 */
export function storeConformance(createStore: () => Store | Promise<Store>): readonly StoreCase[] {
  return cases.map(([name, run]) => ({
    name: `store: ${name}`,
    run: async () => run(await createStore(), `conformance:${crypto.randomUUID()}:`),
  }));
}

type Case = readonly [name: string, run: (store: Store, prefix: string) => Promise<void>];

const cases: readonly Case[] = [
  [
    "a key that was never set is undefined",
    async (store, prefix) => {
      assert.equal(await store.get(`${prefix}missing`), undefined);
    },
  ],
  [
    "what was set is got, and other keys are untouched",
    async (store, prefix) => {
      await store.set(`${prefix}a`, "1", hourMs);
      await store.set(`${prefix}b`, "2", hourMs);
      assert.equal(await store.get(`${prefix}a`), "1");
      assert.equal(await store.get(`${prefix}b`), "2");
      assert.equal(await store.get(prefix), undefined);
    },
  ],
  [
    "a newer value replaces the older one",
    async (store, prefix) => {
      await store.set(`${prefix}a`, "old", hourMs);
      await store.set(`${prefix}a`, "new", hourMs);
      assert.equal(await store.get(`${prefix}a`), "new");
    },
  ],
  [
    "delete removes this key alone, and does not mind a missing one",
    async (store, prefix) => {
      await store.set(`${prefix}a`, "1", hourMs);
      await store.set(`${prefix}b`, "2", hourMs);
      await store.delete(`${prefix}a`);
      await store.delete(`${prefix}a`);
      assert.equal(await store.get(`${prefix}a`), undefined);
      assert.equal(await store.get(`${prefix}b`), "2");
    },
  ],
  [
    "an entry is gone after its ttl",
    async (store, prefix) => {
      await store.set(`${prefix}short`, "1", shortMs);
      await store.set(`${prefix}long`, "2", hourMs);
      await sleep(expiredAfterMs);
      assert.equal(await store.get(`${prefix}short`), undefined);
      assert.equal(await store.get(`${prefix}long`), "2");
    },
  ],
  [
    "a newer set replaces the ttl, to longer and to shorter",
    async (store, prefix) => {
      await store.set(`${prefix}longer`, "1", shortMs);
      await store.set(`${prefix}longer`, "2", hourMs);
      await store.set(`${prefix}shorter`, "1", hourMs);
      await store.set(`${prefix}shorter`, "2", shortMs);
      await sleep(expiredAfterMs);
      assert.equal(await store.get(`${prefix}longer`), "2");
      assert.equal(await store.get(`${prefix}shorter`), undefined);
    },
  ],
  [
    "a ttl of many years is no overflow",
    async (store, prefix) => {
      await store.set(`${prefix}a`, "1", 20 * 365 * 24 * hourMs);
      assert.equal(await store.get(`${prefix}a`), "1");
    },
  ],
  [
    "keys may have any characters, and are told apart by each of them",
    async (store, prefix) => {
      const keys = [
        "a:b",
        "a/b",
        "a\\b",
        "a b",
        "a%2Fb",
        "A:b",
        "é",
        "e\u0301",
        "🐈",
        "*",
        "__proto__",
        "x".repeat(600),
      ];
      await Promise.all(keys.map((key, index) => store.set(prefix + key, `${index}`, hourMs)));
      for (const [index, key] of keys.entries()) assert.equal(await store.get(prefix + key), `${index}`, key);
    },
  ],
  [
    "values may have any characters, no characters, and 64 KiB of them",
    async (store, prefix) => {
      const values = ["", '{"a":"é🐈\\u0000"}', "line\r\nline\tend", " space ", "null", "🐈".repeat(16 * 1024)];
      for (const [index, value] of values.entries()) await store.set(`${prefix}${index}`, value, hourMs);
      for (const [index, value] of values.entries()) assert.equal(await store.get(`${prefix}${index}`), value);
    },
  ],
  [
    "concurrent sets of many keys all arrive, and of one key leave one of the values",
    async (store, prefix) => {
      const numbers = Array.from({ length: 100 }, (_, index) => `${index}`);
      await Promise.all(
        numbers.flatMap((text) => [store.set(prefix + text, text, hourMs), store.set(`${prefix}one`, text, hourMs)]),
      );
      for (const text of numbers) assert.equal(await store.get(prefix + text), text);
      assert.ok(numbers.includes((await store.get(`${prefix}one`)) ?? ""));
    },
  ],
];
