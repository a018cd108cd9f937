import { LRUCache } from "lru-cache";
import type { ServerName } from "../name/server-name.js";
import { MAX_LIFETIME_MS, MIN_LIFETIME_MS } from "./cache-lifetime.js";
import type { WellKnownAnswer } from "./well-known-fetch.js";

/** What is known of a host's `.well-known`. */
export interface WellKnown {
  /** The server that the host delegates to; undefined where it delegates to none. */
  readonly server: ServerName | undefined;
  /** How this is known, for people to read. */
  readonly result: string;
  /** Whether the host was not asked now. */
  readonly isRemembered: boolean;
  /** How long this holds, in milliseconds. */
  readonly lifetimeMs: number;
}

/** Remembers what hosts answered to `.well-known` requests. The case of host names does not matter. */
export interface WellKnownCache {
  /**
   * What is known of a host. It is fetched where nothing fresh is remembered, by one fetch for all who ask meanwhile. In
   * the last fifth of its life a valid answer is also fetched anew, in the background.
   *
   * @param fetch - Asks the host.
   * @throws What `fetch` rejects with; nothing is remembered then.
   */
  get(hostname: string, fetch: () => Promise<WellKnownAnswer>): Promise<WellKnown>;
  /** What is remembered of a host, without asking it; undefined when nothing is. */
  peek(hostname: string): WellKnown | undefined;
  /** Makes the next `get` ask the host, as if its answer had just run out: should that fail, it is still used. */
  expire(hostname: string): void;
  /** Forgets one host, or all of them. A fetch under way still answers those who wait for it, and is not remembered. */
  clear(hostname?: string): void;
}

/** Times in milliseconds, on a clock that only goes forward, whatever happens to the wall clock. */
interface Remembered {
  readonly answer: WellKnownAnswer;
  /** Until when the host is not asked. */
  readonly freshUntil: number;
  /** From when on a fresh answer is fetched anew in the background. */
  readonly refreshAt: number;
  /** Where the last valid answer delegated to, unless the host took it back. */
  readonly lastServer: ServerName | undefined;
  /** When the last valid answer ran out or will. */
  readonly validUntil: number;
  /** How many times in a row there was no valid answer, long after the last one. */
  readonly failures: number;
}

const MAX_HOSTS = 10_000;
/** The share of a valid answer's life that is left when it is fetched anew. */
const REFRESH_SHARE = 0.2;
/** The first wait is as long as the shortest life of a valid answer: a broken host is not asked more than a good one. */
const FIRST_WAIT_MS = 300_000;
/** The specification recommends to remember errors for up to an hour. */
const MAX_WAIT_MS = 3_600_000;
/** Synapse's times: a host whose delegation worked a moment ago is asked again soon, for a wrong fallback hurts. */
const SOON_MS = 120_000;
const RECENTLY_MS = 7_200_000;
/** Not longer, with its jitter, than a failure of DNS elsewhere is remembered: nobody must be sent to a port by guess. */
const DNS_FAILURE_MS = 25_000;

/**
 * Ten percent more or less, so that answers that were fetched together do not all run out together. It is drawn from
 * what lies within the bounds: cut to them, half of the longest times would be the same.
 */
function jittered(ms: number, minMs = 0, maxMs = Number.POSITIVE_INFINITY): number {
  const bounded = (value: number): number => Math.min(Math.max(value, minMs), maxMs);
  const from = bounded(ms * 0.9);
  return Math.round(from + Math.random() * (bounded(ms * 1.1) - from));
}

function remember(answer: WellKnownAnswer, before: Remembered | undefined, now: number): Remembered {
  if (answer.kind === "valid") {
    const lifetimeMs = jittered(answer.lifetimeMs, MIN_LIFETIME_MS, MAX_LIFETIME_MS);
    const freshUntil = now + lifetimeMs;
    const refreshAt = freshUntil - lifetimeMs * REFRESH_SHARE;
    return { answer, freshUntil, refreshAt, lastServer: answer.server, validUntil: freshUntil, failures: 0 };
  }
  // A host that says that it has no such file has decided to; only one that says nothing sensible is excused.
  const excused = answer.kind === "failed" ? before : undefined;
  if (excused?.answer.kind === "valid" && now < excused.freshUntil) return excused;

  const validUntil = Math.min(before?.validUntil ?? Number.NEGATIVE_INFINITY, now);
  const isRecent = now < validUntil + RECENTLY_MS;
  const isDnsFailure = answer.isDnsFailure === true;
  const failures = isRecent ? 0 : (before?.failures ?? 0) + (isDnsFailure ? 0 : 1);
  const hostWaitMs = isRecent ? SOON_MS : Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), MAX_WAIT_MS);
  const waitMs = isDnsFailure ? DNS_FAILURE_MS : hostWaitMs;
  const freshUntil = now + jittered(waitMs, 0, MAX_WAIT_MS);
  const refreshAt = Number.POSITIVE_INFINITY;
  return { answer, freshUntil, refreshAt, lastServer: excused?.lastServer, validUntil, failures };
}

function told(
  { answer, freshUntil, lastServer, validUntil }: Remembered,
  now: number,
  isRemembered: boolean,
): WellKnown {
  const lifetimeMs = freshUntil - now;
  const how = isRemembered ? " (remembered)" : "";
  if (answer.kind === "valid") {
    return { server: answer.server, result: `${answer.server.name}${how}`, isRemembered, lifetimeMs };
  }
  const result = `${answer.reason}${how}`;
  const staleMs = validUntil + RECENTLY_MS - now;
  if (lastServer === undefined || staleMs <= 0) return { server: undefined, result, isRemembered, lifetimeMs };
  const excuse = `; still using ${lastServer.name}`;
  return { server: lastServer, result: result + excuse, isRemembered, lifetimeMs: Math.min(lifetimeMs, staleMs) };
}

/**
 * An empty memory for at most 10 000 hosts.
 *
 * @param background - Is told of every fetch that nobody waits for, so that whoever closes can. Its promise never rejects.
 */
export function createWellKnownCache(background: (task: Promise<unknown>) => void = () => {}): WellKnownCache {
  const hosts = new LRUCache<string, Remembered>({ max: MAX_HOSTS, perf: performance, ttlResolution: 0 });
  const flights = new Map<string, Promise<WellKnown>>();

  function keep(key: string, remembered: Remembered, now: number): void {
    // Kept for longer than it is fresh: the last valid answer and the count of failures serve a while longer.
    hosts.set(key, remembered, { ttl: remembered.freshUntil - now + RECENTLY_MS });
  }

  function ask(key: string, fetch: () => Promise<WellKnownAnswer>): Promise<WellKnown> {
    // A flight that clear() cut loose still serves those who wait for it, but has no part in the memory.
    const isCurrent = (): boolean => flights.get(key) === flight;
    const flight: Promise<WellKnown> = Promise.resolve()
      .then(fetch)
      .then((answer) => {
        const now = performance.now();
        const after = remember(answer, isCurrent() ? hosts.peek(key) : undefined, now);
        if (isCurrent()) keep(key, after, now);
        return told(after, now, false);
      })
      .finally(() => {
        if (isCurrent()) flights.delete(key);
      });
    flights.set(key, flight);
    return flight;
  }

  return {
    async get(hostname, fetch) {
      const key = hostname.toLowerCase();
      const now = performance.now();
      const known = hosts.get(key);
      if (!known || now >= known.freshUntil) return await (flights.get(key) ?? ask(key, fetch));
      if (now >= known.refreshAt && !flights.has(key)) {
        // The next try is put off before this one begins: it may fail in any way.
        keep(key, { ...known, refreshAt: now + jittered(SOON_MS) }, now);
        background(ask(key, fetch).catch(() => undefined));
      }
      return told(known, now, true);
    },
    peek(hostname) {
      const known = hosts.peek(hostname.toLowerCase());
      return known && told(known, performance.now(), true);
    },
    expire(hostname) {
      const key = hostname.toLowerCase();
      const now = performance.now();
      const known = hosts.peek(key);
      if (!known || now >= known.freshUntil) return;
      keep(key, { ...known, freshUntil: now, validUntil: Math.min(known.validUntil, now) }, now);
    },
    clear(hostname) {
      const key = hostname?.toLowerCase();
      for (const memory of [hosts, flights]) {
        if (key === undefined) memory.clear();
        else memory.delete(key);
      }
    },
  };
}
