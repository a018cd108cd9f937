import type { JsonValue } from "../endpoint.js";
import type { Store } from "../store/store.js";

const PATIENCE_MS = 1000;

/** JSON values in a {@link Store}, read and written so that a store which fails or hangs is only a cache miss. */
export class Saved {
  readonly #store: Store | undefined;
  /** What each key shall hold, as far as that is not written yet. */
  readonly #unwritten = new Map<string, { readonly text: string | undefined; readonly ttlMs: number }>();
  readonly #writers = new Map<string, Promise<void>>();

  /** Over the store; over none, nothing is kept. */
  constructor(store: Store | undefined) {
    this.#store = store;
  }

  /** Whether there is a store at all. */
  get isKept(): boolean {
    return this.#store !== undefined;
  }

  /** The value under a key; `undefined` when there is none, when it is no JSON, or when the store does not answer. */
  async get(key: string): Promise<unknown> {
    try {
      const text = await patiently(this.#store?.get(key));
      return text === undefined ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** Keeps a value for `ttlMs` milliseconds, or forgets it when it is `undefined`. Does not wait. */
  put(key: string, value: JsonValue | undefined, ttlMs: number): void {
    if (!this.#store) return;
    this.#unwritten.set(key, { text: value === undefined ? undefined : JSON.stringify(value), ttlMs });
    if (!this.#writers.has(key)) this.#writers.set(key, this.#write(this.#store, key));
  }

  /** One write of a key at a time, and then the last value only: in a slow store no old value may come last. */
  async #write(store: Store, key: string): Promise<void> {
    await undefined;
    for (let entry = this.#unwritten.get(key); entry; entry = this.#unwritten.get(key)) {
      this.#unwritten.delete(key);
      try {
        await patiently(entry.text === undefined ? store.delete(key) : store.set(key, entry.text, entry.ttlMs));
      } catch {
        // A store that fails is a cache miss.
      }
    }
    this.#writers.delete(key);
  }

  /** Waits for the writes under way, for a second at most. */
  async flush(): Promise<void> {
    await patiently(Promise.all(this.#writers.values()));
  }
}

/** What a store answers, or `undefined` when it takes too long. */
async function patiently<T>(answer: Promise<T> | undefined): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, undefined);
  });
  try {
    return await Promise.race([answer, patience]);
  } finally {
    clearTimeout(timer);
  }
}
