/**
 * Where the library keeps what should outlive a process: backoffs, what is known of partial-state rooms, and the keys of
 * other servers. Every entry expires. A store that fails is a cache miss, not an outage.
 */
export interface Store {
  /** The text under a key; `undefined` when there is none or it has expired. */
  get(key: string): Promise<string | undefined>;
  /** Keeps a text for `ttlMs` milliseconds; replaces what was there, its time included. */
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /** Forgets a key. */
  delete(key: string): Promise<void>;
}
