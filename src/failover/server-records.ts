import { LRUCache } from "lru-cache";
import type { JsonObject } from "../endpoint.js";
import { publish } from "../observe.js";
import type { Saved } from "./saved.js";

const HOUR_MS = 3_600_000;
/** Failures that lie further apart than this are not one outage. */
const OUTAGE_MS = HOUR_MS / 6;
const MAX_PAUSE_MS = HOUR_MS;
const RECORD_TTL_MS = 48 * HOUR_MS;

/** When a server that fails is left alone, and for how long. */
export interface BackoffOptions {
  /** How many failures in a row open the backoff; 3 when absent. One failure may be a restart. */
  readonly threshold?: number;
  /** How long the first backoff lasts, in milliseconds; a minute when absent. Each further one lasts twice as long. */
  readonly baseMs?: number;
  /** How long a backoff lasts at most, in milliseconds; 12 hours when absent. */
  readonly maxMs?: number;
}

/** What is known of a server's reachability. */
export interface BackoffState {
  /** The server. */
  readonly server: string;
  /** How many failures were counted since it last answered. */
  readonly failures: number;
  /** Until when it is not asked: Unix time in milliseconds; absent when it may be asked. */
  readonly retryAt: number | undefined;
  /** Until when it wants to be left alone (`M_LIMIT_EXCEEDED`): Unix time in milliseconds. */
  readonly pausedUntil: number | undefined;
  /** How many answers were no answers: bad bodies, broken obligations. They do not make a server unreachable. */
  readonly misbehaviours: number;
}

/** What is remembered of a server. All numbers, so that a record from a store is easy to check. */
export interface ServerRecord {
  /** Failures counted since it last answered. */
  failures: number;
  /** How often the backoff has opened since it last answered. */
  opens: number;
  /** How long the backoff lasts, in milliseconds. */
  openForMs: number;
  /** When the backoff ends: Unix time in milliseconds. */
  retryAt: number;
  /** How long it asked to be left alone, in milliseconds. */
  pauseMs: number;
  /** When that ends: Unix time in milliseconds. */
  pausedUntil: number;
  /** Answers that were none. */
  misbehaviours: number;
  /** When a failure was last counted: Unix time in milliseconds. */
  failedAt: number;
  /** A running mean of how long answers take, in milliseconds; 0 while none is known. */
  latencyMs: number;
  /** Whether it has ever answered. */
  proven: number;
}

const blank = (): ServerRecord => ({
  failures: 0,
  opens: 0,
  openForMs: 0,
  retryAt: 0,
  pauseMs: 0,
  pausedUntil: 0,
  misbehaviours: 0,
  failedAt: 0,
  latencyMs: 0,
  proven: 0,
});

/** What is known of each server: its backoff, pauses, misbehaviour and speed. Bounded, expiring, saved in the store. */
export class ServerRecords {
  readonly #records = new LRUCache<string, ServerRecord>({ max: 10_000, ttl: RECORD_TTL_MS });
  readonly #saved: Saved;
  readonly #threshold: number;
  readonly #baseMs: number;
  readonly #maxMs: number;

  /** With the options' defaults filled in. */
  constructor(saved: Saved, { threshold = 3, baseMs = 60_000, maxMs = 12 * HOUR_MS }: BackoffOptions = {}) {
    this.#saved = saved;
    this.#threshold = threshold;
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  /** Reads what the store knows of servers that this process has not met; nothing to wait for without a store. */
  load(servers: readonly string[]): Promise<unknown> | undefined {
    if (!this.#saved.isKept) return undefined;
    const unmet = servers.filter((server) => !this.#records.has(server));
    if (unmet.length === 0) return undefined;
    return Promise.all(
      unmet.map(async (server) => {
        const saved = await this.#saved.get(key(server));
        if (!this.#records.has(server)) this.#records.set(server, fromSaved(saved));
      }),
    );
  }

  /** What is known of a server; `undefined` when it is unknown. A clock that was set back does not prolong its waits. */
  get(server: string): Readonly<ServerRecord> | undefined {
    const record = this.#records.get(server);
    if (!record) return undefined;
    const now = Date.now();
    record.retryAt = Math.min(record.retryAt, now + Math.min(record.openForMs, this.#maxMs));
    record.pausedUntil = Math.min(record.pausedUntil, now + Math.min(record.pauseMs, MAX_PAUSE_MS));
    return record;
  }

  /** Counts a success that took `ms` milliseconds. */
  answered(server: string, ms: number): void {
    const record = this.#touch(server);
    record.latencyMs = record.proven ? record.latencyMs * 0.8 + ms * 0.2 : ms;
    record.proven = 1;
    if (record.misbehaviours > 0) {
      record.misbehaviours -= 1;
      this.#save(server, record);
    }
    this.#clear(server, record);
  }

  /**
   * Counts a failure of a request that began at `startedAt` (Unix time in milliseconds). Requests that were under way
   * together count once, and so do all that fail while the backoff is open.
   */
  failed(server: string, startedAt: number): void {
    const record = this.#touch(server);
    const now = Date.now();
    if (record.retryAt > now || (record.failedAt >= startedAt && record.failedAt <= now)) return;
    if (record.opens === 0 && now - record.failedAt > OUTAGE_MS) record.failures = 0;
    record.failures += 1;
    record.failedAt = now;
    if (record.failures >= this.#threshold) {
      const fullMs = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(record.opens, 30));
      record.openForMs = Math.round(fullMs * (0.75 + Math.random() * 0.25));
      record.retryAt = now + record.openForMs;
      record.opens += 1;
      publish("matrix-federation-sdk:backoff:open", () => ({
        server,
        failures: record.failures,
        retryAt: record.retryAt,
      }));
    }
    this.#save(server, record);
  }

  /** Leaves a server alone for `ms` milliseconds (an hour at most), because it asked for that. */
  paused(server: string, ms: number): void {
    const record = this.#touch(server);
    record.pauseMs = Math.min(ms, MAX_PAUSE_MS);
    record.pausedUntil = Date.now() + record.pauseMs;
    this.#save(server, record);
  }

  /** Counts an answer that was none. */
  misbehaved(server: string): void {
    const record = this.#touch(server);
    record.misbehaviours += 1;
    this.#save(server, record);
  }

  /** Notes that a server had not answered after `ms` milliseconds, when a faster one was heard instead. */
  outrun(server: string, ms: number): void {
    const record = this.#touch(server);
    record.latencyMs = Math.max(record.latencyMs, ms);
  }

  /** Closes the backoff of a server that showed a sign of life, or that somebody vouches for. */
  clear(server: string): void {
    const record = this.#records.get(server);
    if (record) this.#clear(server, record);
  }

  /** Forgets everything about a server. */
  forget(server: string): void {
    this.clear(server);
    this.#records.delete(server);
    this.#saved.put(key(server), undefined, 0);
  }

  /** The state of every server that has failed, paused or misbehaved, as far as this process has met it. */
  list(): BackoffState[] {
    return [...this.#records.keys()]
      .map((server) => this.state(server))
      .filter(
        ({ failures, pausedUntil, misbehaviours }) => failures > 0 || pausedUntil !== undefined || misbehaviours > 0,
      );
  }

  /** When one of these servers may be asked again that may not be asked now: Unix time in milliseconds. */
  retryAt(servers: readonly string[]): number | undefined {
    const times = servers
      .map((server) => this.get(server))
      .map((record) => Math.max(record?.retryAt ?? 0, record?.pausedUntil ?? 0))
      .filter((time) => time > Date.now());
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** A server's state. */
  state(server: string): BackoffState {
    const { failures, retryAt, pausedUntil, misbehaviours } = this.get(server) ?? blank();
    const future = (time: number): number | undefined => (time > Date.now() ? time : undefined);
    return { server, failures, retryAt: future(retryAt), pausedUntil: future(pausedUntil), misbehaviours };
  }

  #touch(server: string): ServerRecord {
    const record = this.#records.get(server) ?? blank();
    // Set again, for a record lives as long as it is written to.
    this.#records.set(server, record);
    return record;
  }

  #clear(server: string, record: ServerRecord): void {
    if (record.failures === 0 && record.opens === 0) return;
    const wasOpen = record.opens > 0;
    record.failures = 0;
    record.opens = 0;
    record.retryAt = 0;
    record.openForMs = 0;
    if (wasOpen) publish("matrix-federation-sdk:backoff:close", () => ({ server, failures: 0, retryAt: undefined }));
    this.#save(server, record);
  }

  #save(server: string, record: ServerRecord): void {
    this.#saved.put(key(server), record as unknown as JsonObject, RECORD_TTL_MS);
  }
}

const key = (server: string): string => `server:${server}`;

/** A record as the store gave it back: whatever is not a number there is taken as unknown. */
function fromSaved(saved: unknown): ServerRecord {
  const record = blank();
  if (typeof saved !== "object" || saved === null) return record;
  for (const field of Object.keys(record) as (keyof ServerRecord)[]) {
    const value = (saved as Partial<Record<keyof ServerRecord, unknown>>)[field];
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) record[field] = value;
  }
  return record;
}
