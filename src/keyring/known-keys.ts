import { LRUCache } from "lru-cache";
import { type KnownKey, preferredKey } from "./known-key.js";

const MAX_SERVERS = 10_000;
const MAX_KEYS = 100_000;
const MAX_KEYS_PER_SERVER = 128;

/** The keys of other servers that this process knows. Bounded: what was least recently used is forgotten. */
export class KnownKeys {
  readonly #servers: LRUCache<string, ReadonlyMap<string, KnownKey>>;

  /** `onLost` is told of each server whose keys are forgotten for lack of room. */
  constructor(onLost: (server: string) => void = () => {}) {
    this.#servers = new LRUCache({
      max: MAX_SERVERS,
      maxSize: MAX_KEYS,
      sizeCalculation: (keys) => keys.size,
      dispose: (_, server, reason) => {
        if (reason === "evict") onLost(server);
      },
    });
  }

  /** A key, whether or not it is still valid. */
  get(server: string, keyId: string): KnownKey | undefined {
    return this.#servers.get(server)?.get(keyId);
  }

  /** All keys of a server. */
  of(server: string): KnownKey[] {
    return [...(this.#servers.get(server)?.values() ?? [])];
  }

  /** Adds keys of one server, each where it is better than what is known ({@link preferredKey}). */
  add(server: string, offered: readonly KnownKey[]): void {
    const keys = new Map(this.#servers.get(server));
    for (const key of offered) keys.set(key.keyId, preferredKey(keys.get(key.keyId), key));
    if (keys.size === 0) return;
    const kept = [...keys].sort(([, left], [, right]) => byWorth(left, right));
    this.#servers.set(server, new Map(kept.slice(0, MAX_KEYS_PER_SERVER)));
  }

  /** Forgets a server's keys, or all. */
  forget(server?: string): void {
    if (server === undefined) this.#servers.clear();
    else this.#servers.delete(server);
  }

  /** The servers with known keys. */
  servers(): string[] {
    return [...this.#servers.keys()];
  }
}

/** What the server itself told us first, for a notary could tell of any number of keys; then what is valid for longest. */
function byWorth(left: KnownKey, right: KnownKey): number {
  const isDirect = (key: KnownKey): number => (key.source === "direct" ? 1 : 0);
  return isDirect(right) - isDirect(left) || right.validUntilTs - left.validUntilTs;
}
