import type { JsonValue } from "../endpoint.js";
import type { Store } from "../store/store.js";

const PATIENCE_MS = 1000;

/** JSON values in a {@link Store}, read and written so that a store which fails or hangs is only a cache miss. */
export class Saved {
  readonly #store: Store | undefined;
  readonly #writes = new Set<Promise<void>>();

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
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS, undefined);
    });
    try {
      const text = await Promise.race([this.#store?.get(key), patience]);
      return text === undefined ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Keeps a value for `ttlMs` milliseconds, or forgets it when it is `undefined`. Does not wait. */
  put(key: string, value: JsonValue | undefined, ttlMs: number): void {
    const store = this.#store;
    if (!store) return;
    const write = (async () =>
      value === undefined ? store.delete(key) : store.set(key, JSON.stringify(value), ttlMs))()
      .catch(() => undefined)
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  /** Waits for the writes under way, for a second at most. */
  async flush(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([Promise.all(this.#writes), patience]);
    clearTimeout(timer);
  }
}
