import { isIP } from "node:net";

import type { DnsAddress, DnsSrvRecord } from "../resolve/dns.js";
import { plainHost } from "./host-port.js";

/** A name server in the form of `Resolver` of `node:dns/promises`, with the calls that federation needs. */
export interface LoopbackDns {
  /** The IPv4 addresses: 127.0.0.1 for the federation's hosts. Rejects with code `ENOTFOUND` for all others. */
  readonly resolve4: (hostname: string, options?: { readonly ttl: true }) => Promise<DnsAddress[]>;
  /** No IPv6 addresses: rejects with code `ENODATA` for the federation's hosts, `ENOTFOUND` for all others. */
  readonly resolve6: (hostname: string, options?: { readonly ttl: true }) => Promise<DnsAddress[]>;
  /** No SRV records: rejects with code `ENOTFOUND`. */
  readonly resolveSrv: (hostname: string) => Promise<DnsSrvRecord[]>;
}

/** A name server that knows these hosts and nothing else. */
export function createLoopbackDns(hosts: readonly string[]): LoopbackDns {
  const known = new Set(hosts.filter((host) => !isIP(host)));
  // A final dot makes a name absolute and means the same host.
  const knows = (hostname: string): boolean => known.has(plainHost(hostname).replace(/\.$/, ""));
  return {
    resolve4: async (hostname) => {
      if (!knows(hostname)) throw dnsError("queryA", hostname, "ENOTFOUND");
      return [{ address: "127.0.0.1", ttl: 60 }];
    },
    resolve6: async (hostname) => {
      throw dnsError("queryAaaa", hostname, knows(hostname) ? "ENODATA" : "ENOTFOUND");
    },
    resolveSrv: async (hostname) => {
      throw dnsError("querySrv", hostname, "ENOTFOUND");
    },
  };
}

function dnsError(syscall: string, hostname: string, code: string): Error {
  return Object.assign(new Error(`${syscall} ${code} ${hostname}`), { code, syscall, hostname });
}
