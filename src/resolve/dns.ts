import { promises as dns } from "node:dns";

/** The part of Node's `dns.promises.Resolver` that is used; an instance of it fits. */
export interface Dns {
  /**
   * A records.
   *
   * @returns Addresses with their TTL in seconds.
   * @throws An error with a `code` such as `ENOTFOUND`.
   */
  resolve4(hostname: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  /**
   * AAAA records.
   *
   * @returns Addresses with their TTL in seconds.
   * @throws An error with a `code` such as `ENODATA`.
   */
  resolve6(hostname: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  /**
   * SRV records.
   *
   * @throws An error with a `code` such as `ENOTFOUND`.
   */
  resolveSrv(hostname: string): Promise<{ name: string; port: number; priority: number; weight: number }[]>;
  /** The operating system's own lookup, asked only where the records gave no address. Absent: nothing else is asked. */
  lookup?(hostname: string): Promise<{ address: string; family: number }[]>;
}

/** One wait for one query, in milliseconds; the second try waits twice as long, and both fit into a lookup's budget. */
const QUERY_TIMEOUT_MS = 1500;
const QUERY_TRIES = 2;

/**
 * The DNS of this machine. Records come from its DNS servers, because only they say how long an answer holds. The
 * system's lookup is the fallback, so that names that only the hosts file knows (`localhost`) work as well.
 */
export function createSystemDns(): Dns {
  const resolver = new dns.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  return {
    resolve4: (hostname, options) => resolver.resolve4(hostname, options),
    resolve6: (hostname, options) => resolver.resolve6(hostname, options),
    resolveSrv: (hostname) => resolver.resolveSrv(hostname),
    lookup: (hostname) => dns.lookup(hostname, { all: true }),
  };
}
