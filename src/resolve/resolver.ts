import { setMaxListeners } from "node:events";
import { LRUCache } from "lru-cache";
import { MAX_TIMER_MS } from "../cancellation.js";
import { isAbortSignal, untilAborted } from "../connect/budget.js";
import { type ConnectOptions, createConnector } from "../connect/connector.js";
import { destinationKey } from "../connect/target.js";
import { OptionError, quoted, ResolveError } from "../errors.js";
import { parseServerName, type ServerName } from "../name/server-name.js";
import { createLookup } from "./addresses.js";
import { createSystemDns, type Dns } from "./dns.js";
import { createSrvFinder } from "./find-srv.js";
import type { ResolvedServer } from "./resolved-server.js";
import { walkSteps } from "./steps.js";
import { createWellKnownCache } from "./well-known.js";
import { fetchWellKnown, WELL_KNOWN_TIMEOUT_MS } from "./well-known-fetch.js";

export type { Dns } from "./dns.js";
export type { ResolvedServer, ResolveStep } from "./resolved-server.js";

/** How names are resolved. */
export interface ResolverOptions extends ConnectOptions {
  /** Where DNS records come from: the DNS servers of this machine, with its hosts file as the fallback, when absent. */
  readonly dns?: Dns | undefined;
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
   * @throws {@link OptionError} `ERR_OPTION` when `signal` is none.
   */
  resolve(serverName: string, options?: { signal?: AbortSignal | undefined }): Promise<ResolvedServer>;
  /** What is remembered of a server name, without asking anybody; undefined when nothing is. */
  inspect(serverName: string): ResolvedServer | undefined;
  /** Forgets one server name, its failures and its `.well-known` answer included, or all of them. */
  clear(serverName?: string): void;
}

/** A resolver as its client has it. */
export interface OwnedResolver extends Resolver {
  /**
   * Where a server is by now, asked afresh because nothing answered where it was. Whoever comes with the same answer at
   * the same time shares one resolution, and within a minute a name is not asked afresh again.
   *
   * @param stale - What did not help.
   * @param options - `signal` ends the waiting; the promise then rejects with the signal's reason.
   * @returns undefined where nothing new can be said: it is the same, or DNS fails. Then `stale` is still remembered.
   * @throws {@link ResolveError} `ERR_RESOLVE` when there is certainly no address any more, or the resolver is closed.
   */
  heal(stale: ResolvedServer, options?: { signal?: AbortSignal | undefined }): Promise<ResolvedServer | undefined>;
  /** Ends everything that is going on. Later calls are refused. */
  close(): Promise<void>;
}

const MAX_SERVERS = 10_000;
/** Addresses and steps of all remembered servers together. */
const MAX_PARTS = 80_000;
const MAX_FAILURES = 1_000;
/** Long enough to spare DNS a burst of calls, short enough that a repaired name works at once for a human. */
const FAILURE_LIFETIME_MS = 30_000;
/** A server that is merely down must not make us ask for its name again with every request. */
const HEAL_EVERY_MS = 60_000;

function checkDns(dns: unknown): void {
  const { resolve4, resolve6, resolveSrv, lookup = resolve4 } = (dns ?? {}) as Readonly<Record<keyof Dns, unknown>>;
  if ([resolve4, resolve6, resolveSrv, lookup].every((method) => typeof method === "function")) return;
  const right = "an object with the methods resolve4, resolve6 and resolveSrv, such as Node's dns.promises.Resolver";
  throw new OptionError("ERR_OPTION", `The option \`dns\` is ${quoted(dns)}; it must be ${right}.`);
}

/**
 * Creates a resolver.
 *
 * @throws {@link OptionError} `ERR_OPTION` for a wrong option.
 */
export function createResolver(options: ResolverOptions = {}): OwnedResolver {
  const { dns = createSystemDns(), userAgent = "matrix-federation-sdk" } = options;
  checkDns(dns);
  const { wellKnownTimeoutMs: timeoutMs = WELL_KNOWN_TIMEOUT_MS } = options;
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMER_MS)) {
    throw new OptionError("ERR_OPTION", `wellKnownTimeoutMs must be 1 to ${MAX_TIMER_MS}, not ${quoted(timeoutMs)}.`);
  }
  // Lifetimes are counted on a clock that a change of the wall clock does not move.
  const clock = { perf: performance, ttlResolution: 0 };
  const resolved = new LRUCache<string, ResolvedServer>({
    ...clock,
    max: MAX_SERVERS,
    maxSize: MAX_PARTS,
    // A server of a common size is four parts; a hostile DNS can make it fifty.
    sizeCalculation: ({ steps, targets }) =>
      targets.reduce((sum, { addresses }) => sum + addresses.length, steps.length),
  });
  const failures = new LRUCache<string, Error>({ ...clock, max: MAX_FAILURES, ttl: FAILURE_LIFETIME_MS });
  const healed = new LRUCache<string, true>({ ...clock, max: MAX_SERVERS, ttl: HEAL_EVERY_MS });
  const connector = createConnector(options);
  const srv = createSrvFinder(dns);
  const flights = new Map<string, Promise<ResolvedServer>>();
  const running = new Set<Promise<unknown>>();
  const wellKnown = createWellKnownCache((task) => {
    running.add(task);
    void task.finally(() => running.delete(task));
  });
  const closing = new AbortController();
  // Every resolution that is under way listens, and stops listening when it ends: many at once are no leak.
  setMaxListeners(0, closing.signal);

  function walk(name: ServerName): Promise<ResolvedServer> {
    const lookup = createLookup(dns, closing.signal);
    const fetchOptions = { lookup, connector, timeoutMs, userAgent };
    return walkSteps(name, {
      lookup,
      srv: (hostname) => srv.find(hostname, closing.signal),
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

  async function resolve(serverName: string, signal: AbortSignal | undefined): Promise<ResolvedServer> {
    signal?.throwIfAborted();
    closing.signal.throwIfAborted();
    const known = resolved.get(serverName);
    if (known) return known;
    const failure = failures.get(serverName);
    if (failure) throw failure;
    const flight = flights.get(serverName) ?? fly(parseServerName(serverName));
    return await untilAborted(flight, signal);
  }

  return {
    async resolve(serverName, callOptions = {}) {
      const { signal } = callOptions ?? { signal: null };
      if (signal === undefined || isAbortSignal(signal)) return await resolve(serverName, signal);
      throw new OptionError("ERR_OPTION", `The option \`signal\` is ${quoted(signal)}; it must be an AbortSignal.`);
    },
    async heal(stale, { signal } = {}) {
      const { serverName } = stale;
      const known = resolved.peek(serverName);
      if (known === stale) {
        if (healed.has(serverName)) return undefined;
        healed.set(serverName, true);
        resolved.delete(serverName);
        wellKnown.expire(serverName);
      }
      try {
        const now = await resolve(serverName, signal);
        return leadsElsewhere(now, stale) ? now : undefined;
      } catch (error) {
        if (!(error instanceof ResolveError) || error.isCertain || closing.signal.aborted) throw error;
        // DNS does not say. What is known is worth more than that: the server may come back before DNS does.
        failures.delete(serverName);
        const ttl = FAILURE_LIFETIME_MS;
        if (known === stale && !resolved.has(serverName)) resolved.set(serverName, stale, { ttl });
        return undefined;
      }
    },
    inspect: (serverName) => resolved.peek(serverName),
    clear(serverName) {
      if (serverName === undefined) {
        healed.clear();
        srv.clear();
        resolved.clear();
        failures.clear();
        flights.clear();
        wellKnown.clear();
        return;
      }
      parseServerName(serverName);
      healed.delete(serverName);
      srv.clear(serverName);
      // Where the name delegates, it is the other host that was asked for SRV records.
      const delegated = wellKnown.peek(serverName)?.server?.name;
      if (delegated !== undefined) srv.clear(delegated);
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

/** Whether a connection to the one may succeed where one to the other did not. */
function leadsElsewhere(one: ResolvedServer, other: ResolvedServer): boolean {
  return one.host !== other.host || destinationKey(one) !== destinationKey(other);
}
