import { LRUCache } from "lru-cache";

const MAX_ENTRIES = 20_000;
const MAX_WAIT_MS = 3_600_000;

/** When somebody is asked again who gave no answer. */
export interface PatienceOptions {
  /** How many failures in a row there must be before there is a wait; 1 when absent. */
  readonly threshold?: number;
  /** How long the first wait lasts, in milliseconds. Each further one lasts twice as long, up to an hour. */
  readonly baseMs: number;
}

/** Somebody who is not asked for a while. */
export interface Wait {
  /** Who, or what. */
  readonly name: string;
  /** How many failures there were in a row; 0 when there was an answer. */
  readonly failures: number;
  /** Until when there are no more requests: Unix time in milliseconds. */
  readonly until: number;
  /** Why: a word of ours or an error's code, never a text of somebody else. */
  readonly reason: string;
}

interface Entry {
  readonly failures: number;
  /** On the clock of `performance.now()`: nobody sets that one. */
  readonly until: number;
  readonly reason: string;
}

/** Remembers who gave no answer, and for how long not to ask again. Bounded and forgetful. */
export class Patience {
  readonly #entries = new LRUCache<string, Entry>({ max: MAX_ENTRIES, ttl: 2 * MAX_WAIT_MS });
  readonly #threshold: number;
  readonly #baseMs: number;

  /** Nobody is waited for at first. */
  constructor({ threshold = 1, baseMs }: PatienceOptions) {
    this.#threshold = threshold;
    this.#baseMs = baseMs;
  }

  /** Whether to ask now. */
  isOver(name: string): boolean {
    return (this.#entries.get(name)?.until ?? 0) <= performance.now();
  }

  /** What came of the last time; `undefined` when there was none. */
  last(name: string): { readonly failures: number; readonly reason: string } | undefined {
    return this.#entries.get(name);
  }

  /** Counts a failure. */
  failed(name: string, reason: string): void {
    const failures = (this.#entries.get(name)?.failures ?? 0) + 1;
    const waits = failures - this.#threshold;
    const ms = waits < 0 ? 0 : Math.min(MAX_WAIT_MS, this.#baseMs * 2 ** Math.min(waits, 30));
    this.#entries.set(name, { failures, until: performance.now() + ms, reason });
  }

  /** There was an answer: no more requests for `ms` milliseconds, and the failures are forgotten. */
  answered(name: string, ms: number): void {
    this.#entries.set(name, { failures: 0, until: performance.now() + ms, reason: "answered" });
  }

  /** Forgets a name, or all. */
  forget(name?: string): void {
    if (name === undefined) this.#entries.clear();
    else this.#entries.delete(name);
  }

  /** Everybody who is not asked now. */
  list(): Wait[] {
    const [now, unixNow] = [performance.now(), Date.now()];
    return [...this.#entries.entries()]
      .filter(([, { until }]) => until > now)
      .map(([name, { failures, until, reason }]) => ({
        name,
        failures,
        until: Math.round(unixNow + until - now),
        reason,
      }));
  }
}
