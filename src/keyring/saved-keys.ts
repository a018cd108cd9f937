import { LRUCache } from "lru-cache";
import { decodeBase64, encodeBase64 } from "../sign/base64.js";
import type { Store } from "../store/store.js";
import { isKeyId, isObject } from "./key-document.js";
import { type KeySource, type KnownKey, MAX_VALIDITY_MS } from "./known-key.js";
import type { KnownKeys } from "./known-keys.js";
import { afterTime } from "./shared-task.js";

const PATIENCE_MS = 1000;
const MAX_READS = 50;
/** How long all reads for one question may take: what a slow store has left by then is asked for. */
const MAX_LOAD_MS = 5000;
/** Keys out of use are still needed for old events, also when their server is long gone. */
const TTL_MS = 180 * 24 * 3_600_000;

/** The known keys in the {@link Store}: what is read there and written there. A store that fails is a cache miss. */
export class SavedKeys {
  readonly #store: Store | undefined;
  readonly #known: KnownKeys;
  readonly #read = new LRUCache<string, true>({ max: 10_000 });
  readonly #unwritten = new Set<string>();
  readonly #forgotten = new Set<string>();
  readonly #writers = new Map<string, Promise<void>>();

  /** Between the store and what is known. */
  constructor(store: Store | undefined, known: KnownKeys) {
    this.#store = store;
    this.#known = known;
  }

  /** Reads what the store has of servers that were not read before. */
  async load(servers: readonly string[]): Promise<void> {
    if (!this.#store) return;
    const unread = servers.filter((server) => !this.#read.has(server));
    const until = performance.now() + MAX_LOAD_MS;
    const left = new Set(unread).values();
    const readSome = async (): Promise<void> => {
      for (const server of left) {
        if (performance.now() > until) return;
        await this.#load(server);
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_READS, unread.length) }, readSome));
  }

  /** Writes what is known of a server, soon. */
  save(server: string): void {
    if (!this.#store) return;
    this.#unwritten.add(server);
    if (!this.#writers.has(server)) this.#writers.set(server, this.#write(this.#store, server));
  }

  /** Reads a server's keys again when they are needed again. */
  unload(server: string): void {
    this.#read.delete(server);
  }

  /** Forgets a server's keys in the store as well, or what was read of all servers. */
  forget(server?: string): void {
    if (server === undefined) {
      this.#read.clear();
    } else {
      this.#forgotten.add(server);
      this.save(server);
    }
  }

  /** Waits for what is being written, for a while. */
  async flush(): Promise<void> {
    await patiently(() => Promise.all(this.#writers.values()));
  }

  /** Returns whether the store answered. */
  async #load(server: string): Promise<boolean> {
    const answer = await patiently(async () => ({ text: await this.#store?.get(storeKey(server)) }));
    this.#known.add(server, readSaved(server, answer?.text));
    this.#read.set(server, true);
    return answer !== undefined;
  }

  /** One write of a server's keys at a time, each with the latest of what is known. */
  async #write(store: Store, server: string): Promise<void> {
    await undefined;
    while (this.#unwritten.delete(server)) {
      if (this.#forgotten.delete(server)) await patiently(() => store.delete(storeKey(server)));
      // Others may have written better keys than ours meanwhile. What cannot be read now may be better, too.
      else if (!(await this.#load(server))) continue;
      const keys = this.#known.of(server);
      if (keys.length === 0) continue;
      const text = JSON.stringify(keys.map((key) => ({ ...key, publicKey: encodeBase64(key.publicKey) })));
      await patiently(() => store.set(storeKey(server), text, TTL_MS));
    }
    this.#writers.delete(server);
  }
}

const storeKey = (server: string): string => `keys:${server}`;

/** The keys in a saved text. The times are checked again: whoever writes to the store may have another clock. */
function readSaved(server: string, text: unknown): KnownKey[] {
  try {
    const entries: unknown = JSON.parse(String(text));
    return Array.isArray(entries) ? entries.flatMap((entry) => savedKey(server, entry) ?? []) : [];
  } catch {
    return [];
  }
}

function savedKey(server: string, entry: unknown): KnownKey | undefined {
  if (!isObject(entry) || entry.server !== server) return undefined;
  const { keyId, validUntilTs, expiredTs, source, fetchedAt } = entry;
  const publicKey = decodeBase64(entry.publicKey);
  if (!isKeyId(keyId) || publicKey?.length !== 32 || !isTime(validUntilTs) || !isTime(fetchedAt)) return undefined;
  if (!isForeignSource(source) || (expiredTs !== undefined && !isTime(expiredTs))) return undefined;
  const key = { server, keyId, publicKey, validUntilTs: Math.min(validUntilTs, fetchedAt + MAX_VALIDITY_MS) };
  return { ...key, ...(expiredTs === undefined ? {} : { expiredTs }), source, fetchedAt };
}

const isTime = (value: unknown): value is number => Number.isSafeInteger(value);
const isForeignSource = (value: unknown): value is KeySource =>
  value === "direct" || (typeof value === "string" && value.startsWith("notary:"));

/** What a store answers, or `undefined` when it fails or takes too long. */
async function patiently<T>(ask: () => Promise<T> | undefined): Promise<T | undefined> {
  let stop = (): void => {};
  const patience = new Promise<undefined>((resolve) => {
    stop = afterTime(PATIENCE_MS, () => resolve(undefined));
  });
  try {
    return await Promise.race([ask(), patience]);
  } catch {
    return undefined;
  } finally {
    stop();
  }
}
