import { LRUCache } from "lru-cache";
import type { Store } from "./store.js";

/**
 * A store in memory, bounded: when it is full, what was least recently used is forgotten.
 *
 * @param maxEntries - How many entries it holds; 10,000 when absent.
 */
export function createMemoryStore(maxEntries = 10_000): Store {
  const entries = new LRUCache<string, string>({ max: maxEntries, ttlResolution: 0 });
  return {
    get: async (key) => entries.get(key),
    set: async (key, value, ttlMs) => {
      entries.set(key, value, { ttl: Math.max(1, ttlMs) });
    },
    delete: async (key) => {
      entries.delete(key);
    },
  };
}
