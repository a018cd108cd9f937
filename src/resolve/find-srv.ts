import { LRUCache } from "lru-cache";
import type { Dns } from "./dns.js";
import type { ResolveStep } from "./resolved-server.js";
import { lookupSrv, type SrvAnswer, type SrvRecord } from "./srv.js";

/** What the SRV records of a host name come to. */
export interface FoundSrv {
  /** The hosts that offer the server; empty where there is no record, and so the host itself does at the default port. */
  readonly records: readonly SrvRecord[];
  /** Whether the domain says that it offers no server at all. */
  readonly isRefused: boolean;
  /** Whether DNS did not say, so that the answer should not be used for long. */
  readonly isUncertain: boolean;
  /** What was asked. */
  readonly steps: readonly ResolveStep[];
}

/** Finds the SRV records of host names. */
export interface SrvFinder {
  /**
   * Asks for `_matrix-fed._tcp`, and for the deprecated `_matrix._tcp` only where there is no record of the first: an
   * error is no absence. Where DNS fails, the records that it last gave are used.
   */
  find(hostname: string, signal: AbortSignal): Promise<FoundSrv>;
  /** Forgets the records of one host name, or all. */
  clear(hostname?: string): void;
}

const MAX_HOSTS = 10_000;
/** As long as a failing `.well-known` would be excused twelve times over: DNS outages are longer than those of hosts. */
const REMEMBERED_MS = 86_400_000;

function resultOf(answer: SrvAnswer): string {
  if (answer.kind !== "found") return answer.reason;
  const texts = answer.records.map(
    ({ hostname, port, priority, weight }) => `${hostname} port ${port} (priority ${priority}, weight ${weight})`,
  );
  return texts.length > 4 ? `${texts.slice(0, 4).join(", ")} and ${texts.length - 4} more` : texts.join(", ");
}

/** A finder that remembers the last records of at most 10 000 host names for a day, for when DNS fails. */
export function createSrvFinder(dns: Dns): SrvFinder {
  const last = new LRUCache<string, readonly SrvRecord[]>({
    max: MAX_HOSTS,
    ttl: REMEMBERED_MS,
    perf: performance,
    ttlResolution: 0,
  });
  return {
    async find(hostname, signal) {
      const key = hostname.toLowerCase();
      const steps: ResolveStep[] = [];
      const found = (records: readonly SrvRecord[], isUncertain = false): FoundSrv => {
        return { records, isRefused: false, isUncertain, steps };
      };
      for (const service of ["_matrix-fed", "_matrix"] as const) {
        const startedAt = performance.now();
        const answer = await lookupSrv(dns, service, hostname, signal);
        const remembered = answer.kind === "failed" ? last.get(key) : undefined;
        const query = `${service}._tcp.${hostname}`;
        const result = `${resultOf(answer)}${remembered ? "; still using the records of before" : ""}`;
        steps.push({ step: "srv", query, result, ms: Math.round(performance.now() - startedAt) });
        if (answer.kind === "absent") continue;
        if (answer.kind === "refused") return { records: [], isRefused: true, isUncertain: false, steps };
        if (answer.kind === "failed") return found(remembered ?? [], true);
        last.set(key, answer.records);
        return found(answer.records);
      }
      last.delete(key);
      return found([]);
    },
    clear(hostname) {
      if (hostname === undefined) last.clear();
      else last.delete(hostname.toLowerCase());
    },
  };
}
