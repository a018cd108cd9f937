import { describe, expect, test } from "vitest";

import type { Store } from "../../src/store/store.js";
import { storeConformance } from "../../src/testing.js";

class PlainStore implements Store {
  readonly entries = new Map<string, { value: string; expiresAt: number }>();

  async get(key: string): Promise<string | undefined> {
    const entry = this.entries.get(key);
    return entry && entry.expiresAt > Date.now() ? entry.value : undefined;
  }

  async set(key: string, value: string, ttlMs: number): Promise<void> {
    this.entries.set(key, { value, expiresAt: Date.now() + ttlMs });
  }

  async delete(key: string): Promise<void> {
    this.entries.delete(key);
  }
}

describe("a right store passes", () => {
  for (const { name, run } of storeConformance(() => new PlainStore())) test.concurrent(name, run);
  const shared = new PlainStore();
  for (const { name, run } of storeConformance(async () => shared)) test.concurrent(`shared, ${name}`, run);
});

/** One store for each way to be wrong. */
const wrong: Record<string, new () => Store> = {
  "forgets nothing": class extends PlainStore {
    override set(key: string, value: string): Promise<void> {
      return super.set(key, value, Infinity);
    }
  },
  "keeps the first ttl": class extends PlainStore {
    override async set(key: string, value: string, ttlMs: number): Promise<void> {
      const old = this.entries.get(key);
      await super.set(key, value, ttlMs);
      if (old) this.entries.set(key, { value, expiresAt: old.expiresAt });
    }
  },
  "ignores case": class extends PlainStore {
    override get(key: string): Promise<string | undefined> {
      return super.get(key.toLowerCase());
    }
    override set(key: string, value: string, ttlMs: number): Promise<void> {
      return super.set(key.toLowerCase(), value, ttlMs);
    }
  },
  "cuts values": class extends PlainStore {
    override set(key: string, value: string, ttlMs: number): Promise<void> {
      return super.set(key, value.slice(0, 32_000), ttlMs);
    }
  },
  "cannot delete": class extends PlainStore {
    override async delete(): Promise<void> {}
  },
  "overflows 32 bits": class extends PlainStore {
    override set(key: string, value: string, ttlMs: number): Promise<void> {
      return super.set(key, value, ttlMs | 0);
    }
  },
};

describe("a wrong store fails", () => {
  for (const [what, WrongStore] of Object.entries(wrong)) {
    test.concurrent(what, async () => {
      const results = await Promise.allSettled(storeConformance(() => new WrongStore()).map(({ run }) => run()));
      expect(results.some(({ status }) => status === "rejected")).toBe(true);
    });
  }
});
