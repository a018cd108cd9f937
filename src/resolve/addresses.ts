import { isIP } from "node:net";
import { withinBudget } from "../connect/budget.js";
import type { IpAddress } from "../connect/target.js";
import { ABSENT_CODES, type Dns, LOOKUP_BUDGET_MS } from "./dns.js";
import { failureText } from "./failure-text.js";

/** What the A and AAAA records of a name said. */
export type AddressAnswer =
  | {
      /** There is at least one address. */
      readonly kind: "found";
      /** Families interleaved, IPv6 first. */
      readonly addresses: readonly IpAddress[];
      /** How long the answer may be used, in milliseconds. */
      readonly lifetimeMs: number;
    }
  | {
      /** `absent`: DNS says that there is no address. `failed`: DNS did not say. */
      readonly kind: "absent" | "failed";
      /** What each query came to. */
      readonly reason: string;
      /** The errors. */
      readonly cause: unknown;
    };

/** The longest and shortest time an answer is used, whatever its TTL: moves are noticed, and DNS is not flooded. */
const MAX_LIFETIME_MS = 3_600_000;
const MIN_LIFETIME_MS = 30_000;
/** More addresses than this would only let a hostile name make us knock at a thousand doors. */
const MAX_PER_FAMILY = 8;

/** Nobody listens where the DNS server should be. */
const NO_DNS = "ECONNREFUSED";

/** One address as DNS or the system gave it, with its TTL in seconds. */
interface Found extends IpAddress {
  readonly ttl: number;
}

/** What one query came to: addresses, or a code and perhaps an error that say why there are none. */
interface QueryAnswer {
  readonly found: readonly Found[];
  readonly code: string;
  readonly error?: unknown;
}

async function ask(query: () => Promise<Found[]>, signal: AbortSignal): Promise<QueryAnswer> {
  try {
    const found = usable(await withinBudget(LOOKUP_BUDGET_MS, signal, query));
    return { found, code: found.length > 0 ? "" : "ENODATA" };
  } catch (error) {
    signal.throwIfAborted();
    return { found: [], code: failureText(error), error };
  }
}

/** A `Dns` of the caller's may be JavaScript, and its records are a stranger's: what is no address is none. */
function usable(found: readonly Found[]): Found[] {
  return found
    .slice(0, MAX_PER_FAMILY)
    .filter(({ address, family }) => isIP(address) === family)
    .map(({ address, family, ttl }) => ({ address, family, ttl: Number.isFinite(ttl) ? ttl : 0 }));
}

/** RFC 8305 section 4: one of each family in turn, so that one broken family costs one attempt and not all of them. */
function interleaved(found: readonly Found[]): IpAddress[] {
  const of = (wanted: 4 | 6): IpAddress[] =>
    found.filter(({ family }) => family === wanted).map(({ address, family }) => ({ address, family }));
  const six = of(6);
  const four = of(4);
  return Array.from({ length: MAX_PER_FAMILY }, (_, at) => [six[at], four[at]])
    .flat()
    .filter((one) => one !== undefined);
}

/**
 * The addresses of a DNS name: A and AAAA in parallel, then the system's lookup where DNS knows neither. One family is
 * enough.
 *
 * @param signal - Ends the lookup, which then rejects with the signal's reason; nothing else makes it reject.
 */
export async function lookupAddresses(
  dns: Pick<Dns, "resolve4" | "resolve6" | "lookup">,
  hostname: string,
  signal: AbortSignal,
): Promise<AddressAnswer> {
  const records = [
    async (): Promise<Found[]> =>
      (await dns.resolve4(hostname, { ttl: true })).map(({ address, ttl }) => ({ address, ttl, family: 4 })),
    async (): Promise<Found[]> =>
      (await dns.resolve6(hostname, { ttl: true })).map(({ address, ttl }) => ({ address, ttl, family: 6 })),
  ];
  // The system's lookup tells no TTL, so its answer is used for the shortest time.
  const system = async (): Promise<Found[]> =>
    ((await dns.lookup?.(hostname)) ?? []).map(({ address, family }) => ({
      address,
      ttl: 0,
      family: family === 6 ? 6 : 4,
    }));

  let answers = await Promise.all(records.map((query) => ask(query, signal)));
  const [a, aaaa] = answers.map(({ code }) => code);
  const absent = answers.every(({ code }) => ABSENT_CODES.has(code));
  let reason = `A ${a}, AAAA ${aaaa}`;
  // Where DNS merely does not answer, the system's lookup, which asks the same DNS, would only take long.
  const isForSystem = answers.every(
    ({ found, code }) => found.length === 0 && (ABSENT_CODES.has(code) || code === NO_DNS),
  );
  if (dns.lookup !== undefined && isForSystem) {
    const answer = await ask(system, signal);
    if (answer.code !== "") reason += `, system lookup ${answer.code}`;
    answers = [...answers, answer];
  }

  const found = answers.flatMap((answer) => answer.found);
  if (found.length > 0) {
    // A family that is merely unknown is asked for again soon: the other one may not be reachable from here.
    const unknown = answers.some(({ code }) => code !== "" && !ABSENT_CODES.has(code));
    const ttlMs = unknown ? 0 : Math.min(...found.map(({ ttl }) => ttl)) * 1000;
    const lifetimeMs = Math.min(Math.max(ttlMs, MIN_LIFETIME_MS), MAX_LIFETIME_MS);
    return { kind: "found", addresses: interleaved(found).slice(), lifetimeMs };
  }
  const cause = new AggregateError(
    answers.flatMap(({ error }) => (error === undefined ? [] : [error])),
    reason,
  );
  return { kind: absent ? "absent" : "failed", reason, cause };
}

/**
 * A lookup for one resolution, which asks for each name once, though .well-known and the last step may both need it.
 * `isNamed`: the name stands in a server name or a delegation, so that the system's lookup may know it.
 */
export function createLookup(
  dns: Dns,
  signal: AbortSignal,
): (hostname: string, isNamed: boolean) => Promise<AddressAnswer> {
  const lookups = new Map<string, Promise<AddressAnswer>>();
  const { resolve4, resolve6 } = dns;
  const recordsOnly = { resolve4: resolve4.bind(dns), resolve6: resolve6.bind(dns) };
  return (hostname, isNamed) => {
    const key = `${hostname} ${isNamed}`;
    const known = lookups.get(key) ?? lookupAddresses(isNamed ? dns : recordsOnly, hostname, signal);
    lookups.set(key, known);
    return known;
  };
}
