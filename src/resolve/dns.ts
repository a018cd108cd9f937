import { promises as dns } from "node:dns";

/** An address record. */
export interface DnsAddress {
  /** The IP address. */
  readonly address: string;
  /** How long the record may be kept, in seconds. */
  readonly ttl: number;
}

/** An SRV record: where a service of a domain is. */
export interface DnsSrvRecord {
  /** The host that offers the service. */
  readonly name: string;
  /** The port on that host. */
  readonly port: number;
  /** The hosts with the lowest priority are asked first. */
  readonly priority: number;
  /** How large a share of the requests the host wants, among those of one priority. */
  readonly weight: number;
}

/** An address as the operating system's lookup has it: without a TTL. */
export interface DnsLookupAddress {
  /** The IP address. */
  readonly address: string;
  /** Its IP version: 4 or 6. */
  readonly family: number;
}

/** The part of Node's `dns.promises.Resolver` that is used; an instance of it fits. */
export interface Dns {
  /**
   * A records.
   *
   * @returns Addresses with their TTL in seconds.
   * @throws An error with a `code` such as `ENOTFOUND`.
   */
  resolve4(hostname: string, options: { ttl: true }): Promise<DnsAddress[]>;
  /**
   * AAAA records.
   *
   * @returns Addresses with their TTL in seconds.
   * @throws An error with a `code` such as `ENODATA`.
   */
  resolve6(hostname: string, options: { ttl: true }): Promise<DnsAddress[]>;
  /**
   * SRV records.
   *
   * @throws An error with a `code` such as `ENOTFOUND`.
   */
  resolveSrv(hostname: string): Promise<DnsSrvRecord[]>;
  /**
   * The operating system's own lookup, asked only of names that stand in a server name or a delegation, where DNS knows
   * none. Absent: nothing else is asked.
   */
  lookup?(hostname: string): Promise<DnsLookupAddress[]>;
}

/** How long a lookup may take, in milliseconds: Node's defaults add up to half a minute. */
export const LOOKUP_BUDGET_MS = 5_000;
/** What DNS says when it is sure that there is nothing; every other code means that it does not know. */
export const ABSENT_CODES: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

/** One wait for one query, in milliseconds; the second try waits twice as long, and both fit into a lookup's budget. */
const QUERY_TIMEOUT_MS = 1500;
const QUERY_TRIES = 2;

/**
 * The DNS of this machine. Records come from its DNS servers, because only they say how long an answer holds. The
 * system's lookup is the fallback, so that names that only the hosts file knows (`localhost`) work as well.
 */
export function createSystemDns(): Dns {
  const resolver = new dns.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  let last: Promise<unknown> = Promise.resolve();
  // Such a lookup holds one of the process's few threads until it ends, and cannot be called off: one at a time.
  const inTurn = (hostname: string): Promise<DnsLookupAddress[]> => {
    const askedAt = performance.now();
    const turn = last.then(() => {
      // By now nobody waits for it any more.
      if (performance.now() - askedAt > LOOKUP_BUDGET_MS)
        throw Object.assign(new Error("no turn came"), { code: "ETIMEOUT" });
      return dns.lookup(hostname, { all: true });
    });
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    resolve4: (hostname, options) => resolver.resolve4(hostname, options),
    resolve6: (hostname, options) => resolver.resolve6(hostname, options),
    resolveSrv: (hostname) => resolver.resolveSrv(hostname),
    lookup: inTurn,
  };
}
