import { describe, expect, test } from "vitest";

import { createMemoryStore } from "../../src/index.js";
import { storeConformance } from "../../src/testing.js";

describe("the store in memory", () => {
  for (const { name, run } of storeConformance(() => createMemoryStore())) test.concurrent(name, run);

  test("forgets what was least recently used when it is full", async () => {
    const store = createMemoryStore(2);
    await store.set("a", "1", 60_000);
    await store.set("b", "2", 60_000);
    await store.get("a");
    await store.set("c", "3", 60_000);
    expect([await store.get("a"), await store.get("b"), await store.get("c")]).toEqual(["1", undefined, "3"]);
  });

  test("shares nothing with another one", async () => {
    const [one, other] = [createMemoryStore(), createMemoryStore()];
    await one.set("a", "1", 60_000);
    expect(await other.get("a")).toBeUndefined();
  });

  test("keeps nothing for no time, and does not keep it for ever", async () => {
    const store = createMemoryStore();
    for (const ttlMs of [0, -1]) await store.set(`${ttlMs}`, "x", ttlMs);
    await expect.poll(async () => [await store.get("0"), await store.get("-1")]).toEqual([undefined, undefined]);
  });
});
