import type { Connector } from "../connect/connector.js";
import { ResolveError } from "../errors.js";
import type { ServerName } from "../name/server-name.js";
import { createLookup } from "../resolve/addresses.js";
import { ABSENT_CODES, type Dns } from "../resolve/dns.js";
import { failureText } from "../resolve/failure-text.js";
import { createSrvFinder } from "../resolve/find-srv.js";
import type { ResolvedServer, ResolveStep } from "../resolve/resolved-server.js";
import { walkSteps } from "../resolve/steps.js";
import { createWellKnownCache } from "../resolve/well-known.js";
import { fetchWellKnown, WELL_KNOWN_TIMEOUT_MS } from "../resolve/well-known-fetch.js";
import type { FailedQuery } from "./evidence.js";
import type { DiagnosedStep } from "./report.js";

/** What a resolution needs. */
export interface ResolutionTools {
  /** Where records come from. */
  readonly dns: Dns;
  /** Makes the connections for `.well-known`. */
  readonly connector: Connector;
  /** The `User-Agent` header. */
  readonly userAgent: string;
}

/** A resolution as far as it came: it is written to while it goes on. */
export interface ResolutionNotes {
  /** What was asked so far. */
  steps: DiagnosedStep[];
  /** The queries for addresses that DNS gave no answer to. */
  readonly failedQueries: FailedQuery[];
  /** How many addresses DNS gave for each host name. */
  readonly addressCounts: Map<string, number>;
  /** Whether it came to an end. */
  isResolved: boolean;
  /** What it came to; undefined where there is no address. */
  resolved: ResolvedServer | undefined;
}

/** The same DNS, with notes of how many addresses it gave, and of the queries for some that it did not answer. */
function noting(dns: Dns, failed: Map<string, string>, counts: Map<string, number>): Dns {
  const counted = <T>(hostname: string, answer: T[]): T[] => {
    counts.set(hostname, (counts.get(hostname) ?? 0) + answer.length);
    return answer;
  };
  async function noted<T>(type: string, hostname: string, ask: () => Promise<T[]>): Promise<T[]> {
    const query = `${type} ${hostname}`;
    // Until there is an answer: it may never come.
    failed.set(query, "ETIMEOUT");
    try {
      const answer = await ask();
      failed.delete(query);
      return counted(hostname, answer);
    } catch (error) {
      const code = failureText(error);
      if (ABSENT_CODES.has(code)) failed.delete(query);
      else failed.set(query, code);
      throw error;
    }
  }
  const { lookup } = dns;
  return {
    resolve4: (hostname, options) => noted("A", hostname, () => dns.resolve4(hostname, options)),
    resolve6: (hostname, options) => noted("AAAA", hostname, () => dns.resolve6(hostname, options)),
    resolveSrv: (hostname) => dns.resolveSrv(hostname),
    ...(lookup && { lookup: async (hostname: string) => counted(hostname, await lookup.call(dns, hostname)) }),
  };
}

/**
 * Resolves a server name by the same steps as every request, with nothing remembered from before, and notes what each
 * step came to: a resolver tells of its steps in words alone, and of nothing where it is ended early.
 *
 * @param notes - Where everything is written down.
 * @param signal - Ends it; it then rejects with the signal's reason.
 */
export async function resolveInSteps(
  name: ServerName,
  { dns, connector, userAgent }: ResolutionTools,
  notes: ResolutionNotes,
  signal: AbortSignal,
): Promise<void> {
  const failed = new Map<string, string>();
  const notingDns = noting(dns, failed, notes.addressCounts);
  const outcomes = new Map<string, DiagnosedStep["outcome"]>();
  const srv = createSrvFinder(notingDns);
  const cache = createWellKnownCache();

  const told = (step: ResolveStep): DiagnosedStep => ({
    ...step,
    // Only what needs no question has no answer.
    outcome: outcomes.get(`${step.step} ${step.query}`) ?? "found",
  });
  /** For a resolution that is ended early; the walk itself tells better. */
  const note = (step: ResolveStep, outcome: DiagnosedStep["outcome"]): void => {
    outcomes.set(`${step.step} ${step.query}`, outcome);
    notes.steps.push({ ...step, outcome });
  };
  const since = (startedAt: number): number => Math.round(performance.now() - startedAt);
  const lookup = createLookup(notingDns, signal);

  try {
    const resolved = await walkSteps(name, {
      lookup: async (hostname, isNamed) => {
        const startedAt = performance.now();
        const answer = await lookup(hostname, isNamed);
        const result =
          answer.kind === "found" ? answer.addresses.map(({ address }) => address).join(", ") : answer.reason;
        note({ step: "address", query: hostname, result, ms: since(startedAt) }, answer.kind);
        return answer;
      },
      srv: async (hostname) => {
        const answer = await srv.find(hostname, signal);
        const found = answer.records.length > 0 ? "found" : "absent";
        const last = answer.isRefused ? "refused" : answer.isUncertain ? "failed" : found;
        for (const step of answer.steps) note(step, step === answer.steps.at(-1) ? last : "absent");
        return answer;
      },
      wellKnown: (hostname) =>
        cache.get(hostname, async () => {
          const startedAt = performance.now();
          const options = { lookup, connector, timeoutMs: WELL_KNOWN_TIMEOUT_MS, userAgent };
          const answer = await fetchWellKnown(hostname, options, signal);
          const query = `https://${hostname}/.well-known/matrix/server`;
          const result = answer.kind === "valid" ? answer.server.name : answer.reason;
          const step = { step: "wellKnown", query, result, ms: since(startedAt) } as const;
          note(step, answer.kind === "valid" ? "found" : answer.kind);
          return answer;
        }),
    });
    notes.resolved = resolved;
    notes.steps = resolved.steps.map(told);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ResolveError)) throw error;
    notes.steps = error.steps.map(told);
  }
  notes.isResolved = true;
  for (const [query, code] of failed) notes.failedQueries.push({ query, code });
}
