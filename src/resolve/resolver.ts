import { setMaxListeners } from "node:events";
import { LRUCache } from "lru-cache";
import { OptionError, quoted, ResolveError } from "../errors.js";
import { parseServerName, type ServerName } from "../name/server-name.js";
import { type AddressAnswer, lookupAddresses } from "./addresses.js";
import { untilAborted } from "./budget.js";
import { createSystemDns, type Dns } from "./dns.js";
import type { ConnectTo, ResolvedServer } from "./resolved-server.js";
import { walkSteps } from "./steps.js";
import { createWellKnownCache } from "./well-known.js";
import { fetchWellKnown } from "./well-known-fetch.js";

export type { Dns } from "./dns.js";
export type { Address, ConnectTo, ResolvedServer, ResolveStep } from "./resolved-server.js";

/** How names are resolved. */
export interface ResolverOptions {
  /** Where DNS records come from: the DNS servers of this machine, with its hosts file as the fallback, when absent. */
  readonly dns?: Dns | undefined;
  /** Root certificates (PEM) for `.well-known` requests, instead of Node's own. */
  readonly ca?: string | string[] | undefined;
  /** Where TCP connections really go. */
  readonly connectTo?: ConnectTo | undefined;
  /** How long a `.well-known` request may take, redirects and body included, in milliseconds. 8000 when absent. */
  readonly wellKnownTimeoutMs?: number | undefined;
  /** The `User-Agent` header of `.well-known` requests. `matrix-federation-sdk` when absent. */
  readonly userAgent?: string | undefined;
}

/** Turns server names into addresses, and remembers them. */
export interface Resolver {
  /**
   * Where a server is. Calls for one name at the same time share one resolution, which goes on when a caller aborts:
   * the others still wait for it, and its result is remembered.
   *
   * @param options - `signal` ends the waiting; the promise then rejects with the signal's reason.
   * @throws {@link NameError} `ERR_SERVER_NAME` when the name does not follow the grammar.
   * @throws {@link ResolveError} `ERR_RESOLVE` when no address is found, or the resolver is closed.
   */
  resolve(serverName: string, options?: { signal?: AbortSignal | undefined }): Promise<ResolvedServer>;
  /** What is remembered of a server name, without asking anybody; undefined when nothing is. */
  inspect(serverName: string): ResolvedServer | undefined;
  /** Forgets one server name, its failures and its `.well-known` answer included, or all of them. */
  clear(serverName?: string): void;
  /** Ends everything that is going on. Later calls are refused. */
  close(): Promise<void>;
}

const WELL_KNOWN_TIMEOUT_MS = 8_000;
/** The longest time that Node's timers can wait, in milliseconds. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_SERVERS = 10_000;
const MAX_FAILURES = 1_000;
/** Long enough to spare DNS a burst of calls, short enough that a repaired name works at once for a human. */
const FAILURE_LIFETIME_MS = 30_000;

/**
 * Creates a resolver.
 *
 * @throws {@link OptionError} `ERR_OPTION` when `wellKnownTimeoutMs` is no time.
 */
export function createResolver(options: ResolverOptions = {}): Resolver {
  const { dns = createSystemDns(), ca, connectTo, userAgent = "matrix-federation-sdk" } = options;
  const { wellKnownTimeoutMs: timeoutMs = WELL_KNOWN_TIMEOUT_MS } = options;
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw new OptionError("ERR_OPTION", `wellKnownTimeoutMs must be 1 to ${MAX_TIMEOUT_MS}, not ${quoted(timeoutMs)}.`);
  }
  // Lifetimes are counted on a clock that a change of the wall clock does not move.
  const clock = { perf: performance, ttlResolution: 0 };
  const resolved = new LRUCache<string, ResolvedServer>({ ...clock, max: MAX_SERVERS });
  const failures = new LRUCache<string, Error>({ ...clock, max: MAX_FAILURES, ttl: FAILURE_LIFETIME_MS });
  const wellKnown = createWellKnownCache();
  const flights = new Map<string, Promise<ResolvedServer>>();
  const running = new Set<Promise<unknown>>();
  const closing = new AbortController();
  // Every resolution that is under way listens, and stops listening when it ends: many at once are no leak.
  setMaxListeners(0, closing.signal);

  /** One walk through the steps. Each name is looked up once, though .well-known and the last step may both need it. */
  function walk(name: ServerName): Promise<ResolvedServer> {
    const lookups = new Map<string, Promise<AddressAnswer>>();
    const lookup = (hostname: string): Promise<AddressAnswer> => {
      const known = lookups.get(hostname) ?? lookupAddresses(dns, hostname, closing.signal);
      lookups.set(hostname, known);
      return known;
    };
    const fetchOptions = { lookup, ca, connectTo, timeoutMs, userAgent };
    return walkSteps(name, {
      lookup,
      connectTo,
      wellKnown: (hostname) => wellKnown.get(hostname, () => fetchWellKnown(hostname, fetchOptions, closing.signal)),
    });
  }

  function fly(name: ServerName): Promise<ResolvedServer> {
    // A flight that clear() cut loose still serves those who wait for it, but must not be remembered.
    const isCurrent = (): boolean => flights.get(name.name) === flight;
    const flight: Promise<ResolvedServer> = walk(name)
      .then(
        (server) => {
          const ttl = Math.max(1, server.expiresAt - Date.now());
          if (isCurrent()) resolved.set(name.name, server, { ttl });
          return server;
        },
        (error: unknown) => {
          if (isCurrent() && error instanceof ResolveError && !closing.signal.aborted) failures.set(name.name, error);
          throw error;
        },
      )
      .finally(() => {
        running.delete(flight);
        if (isCurrent()) flights.delete(name.name);
      });
    flights.set(name.name, flight);
    running.add(flight);
    return flight;
  }

  return {
    async resolve(serverName, { signal } = {}) {
      signal?.throwIfAborted();
      closing.signal.throwIfAborted();
      const known = resolved.get(serverName);
      if (known) return known;
      const failure = failures.get(serverName);
      if (failure) throw failure;
      const flight = flights.get(serverName) ?? fly(parseServerName(serverName));
      return await untilAborted(flight, signal);
    },
    inspect: (serverName) => resolved.peek(serverName),
    clear(serverName) {
      if (serverName === undefined) {
        resolved.clear();
        failures.clear();
        flights.clear();
        wellKnown.clear();
        return;
      }
      resolved.delete(serverName);
      failures.delete(serverName);
      flights.delete(serverName);
      // Only a name without a port was ever asked for .well-known, and then it is its own host name.
      wellKnown.clear(serverName);
    },
    async close() {
      closing.abort(new ResolveError("ERR_RESOLVE", "The resolver is closed."));
      await Promise.allSettled(running);
    },
  };
}
