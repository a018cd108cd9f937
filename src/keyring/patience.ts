import { LRUCache } from "lru-cache";

const MAX_ENTRIES = 20_000;
const MAX_WAIT_MS = 3_600_000;

/** When somebody is asked again who gave no answer. */
export interface PatienceOptions {
  /** How many failures in a row there must be before there is a wait; 1 when absent. */
  readonly threshold?: number;
  /** How long the first wait lasts, in milliseconds. Each further one lasts twice as long. */
  readonly baseMs: number;
  /** How long a wait lasts at most, in milliseconds; an hour when absent. */
  readonly maxMs?: number;
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
  /** When the wait began and when it ends, on the clock of `performance.now()`: nobody sets that one. */
  readonly since: number;
  readonly until: number;
  readonly reason: string;
}

/** Remembers who gave no answer, and for how long not to ask again. Bounded and forgetful. */
export class Patience {
  readonly #entries = new LRUCache<string, Entry>({ max: MAX_ENTRIES, ttl: 2 * MAX_WAIT_MS });
  readonly #threshold: number;
  readonly #baseMs: number;
  readonly #maxMs: number;

  /** Nobody is waited for at first. */
  constructor({ threshold = 1, baseMs, maxMs = MAX_WAIT_MS }: PatienceOptions) {
    this.#threshold = threshold;
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  /** Whether to ask now; in urgent cases, when `atMostMs` milliseconds of the wait have passed. */
  isOver(name: string, atMostMs: number = this.#maxMs): boolean {
    const entry = this.#entries.get(name);
    return !entry || Math.min(entry.until, entry.since + atMostMs) <= performance.now();
  }

  /** What came of the last time; `undefined` when there was none. */
  last(name: string): { readonly failures: number; readonly reason: string } | undefined {
    return this.#entries.get(name);
  }

  /** Counts a failure. */
  failed(name: string, reason: string): void {
    const failures = (this.#entries.get(name)?.failures ?? 0) + 1;
    const waits = failures - this.#threshold;
    const ms = waits < 0 ? 0 : Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(waits, 30));
    this.#set(name, { failures, ms, reason });
  }

  /** There was an answer: no more requests for `ms` milliseconds, and the failures are forgotten. */
  answered(name: string, ms: number): void {
    this.#set(name, { failures: 0, ms, reason: "answered" });
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

  #set(name: string, { failures, ms, reason }: { failures: number; ms: number; reason: string }): void {
    const since = performance.now();
    this.#entries.set(name, { failures, since, until: since + ms, reason });
  }
}
