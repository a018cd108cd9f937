import { LRUCache } from "lru-cache";
import type { ServerName } from "../name/server-name.js";
import type { WellKnownAnswer } from "./well-known-fetch.js";

/** What is known of a host's `.well-known`. */
export interface WellKnown {
  /** The server that the host delegates to; undefined where it delegates to none. */
  readonly server: ServerName | undefined;
  /** How this is known, for people to read. */
  readonly result: string;
  /** How long this holds, in milliseconds. */
  readonly lifetimeMs: number;
}

/** Remembers what hosts answered to `.well-known` requests. */
export interface WellKnownCache {
  /** What is known of a host. It is fetched where nothing fresh is remembered. */
  get(hostname: string, fetch: () => Promise<WellKnownAnswer>): Promise<WellKnown>;
  /** Forgets one host, or all of them. */
  clear(hostname?: string): void;
}

/** Times in milliseconds, on a clock that only goes forward. */
interface Remembered {
  readonly answer: WellKnownAnswer;
  readonly freshUntil: number;
  /** The last valid answer, and until when it was fresh. */
  readonly valid: { readonly server: ServerName; readonly until: number } | undefined;
  /** How many times in a row there was no valid answer. */
  readonly failures: number;
}

const MAX_HOSTS = 10_000;
/** The first wait is as long as the shortest life of a valid answer: a broken host is not asked more than a good one. */
const FIRST_WAIT_MS = 300_000;
/** The specification recommends to remember errors for up to an hour. */
const MAX_WAIT_MS = 3_600_000;
/** Synapse's times: a host whose delegation worked a moment ago is asked again soon, for a wrong fallback hurts. */
const SOON_MS = 120_000;
const RECENTLY_MS = 7_200_000;

/** Ten percent more or less, so that answers that were fetched together do not all run out together. */
const jittered = (ms: number): number => ms * (0.9 + Math.random() * 0.2);

const wasValidRecently = (valid: Remembered["valid"], now: number): valid is NonNullable<Remembered["valid"]> =>
  valid !== undefined && now < valid.until + RECENTLY_MS;

function remember(answer: WellKnownAnswer, before: Remembered | undefined, now: number): Remembered {
  if (answer.kind === "valid") {
    const freshUntil = now + jittered(answer.lifetimeMs);
    return { answer, freshUntil, valid: { server: answer.server, until: freshUntil }, failures: 0 };
  }
  const failures = before?.failures ?? 0;
  const waitMs = wasValidRecently(before?.valid, now) ? SOON_MS : Math.min(FIRST_WAIT_MS * 2 ** failures, MAX_WAIT_MS);
  return { answer, freshUntil: now + jittered(waitMs), valid: before?.valid, failures: failures + 1 };
}

function told({ answer, freshUntil, valid }: Remembered, now: number, how: string): WellKnown {
  const lifetimeMs = freshUntil - now;
  if (answer.kind === "valid") return { server: answer.server, result: `${answer.server.name}${how}`, lifetimeMs };
  // A host that says that it has no such file has decided to; only one that says nothing sensible is excused.
  const stale = answer.kind === "failed" && wasValidRecently(valid, now) ? valid.server : undefined;
  const result = `${answer.reason}${how}${stale ? `; still using ${stale.name}` : ""}`;
  return { server: stale, result, lifetimeMs };
}

/** An empty memory for at most 10 000 hosts. */
export function createWellKnownCache(): WellKnownCache {
  const hosts = new LRUCache<string, Remembered>({ max: MAX_HOSTS, perf: performance, ttlResolution: 0 });
  return {
    async get(hostname, fetch) {
      const key = hostname.toLowerCase();
      const before = hosts.get(key);
      const startedAt = performance.now();
      if (before && startedAt < before.freshUntil) return told(before, startedAt, " (remembered)");
      const answer = await fetch();
      const now = performance.now();
      const after = remember(answer, before, now);
      // Kept for longer than it is fresh: the last valid answer and the count of failures serve a while longer.
      hosts.set(key, after, { ttl: after.freshUntil - now + RECENTLY_MS });
      return told(after, now, "");
    },
    clear(hostname) {
      if (hostname === undefined) hosts.clear();
      else hosts.delete(hostname.toLowerCase());
    },
  };
}
