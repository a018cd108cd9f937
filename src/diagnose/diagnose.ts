import { setMaxListeners } from "node:events";
import { MAX_TIMER_MS, onSignalAbort } from "../cancellation.js";
import { BudgetSpent, withinBudget } from "../connect/budget.js";
import { createConnector } from "../connect/connector.js";
import { MAX_ADDRESSES } from "../connect/target.js";
import { parseServerName } from "../name/server-name.js";
import type { ClientOptions } from "../options.js";
import { createSystemDns } from "../resolve/dns.js";
import type { ResolvedServer } from "../resolve/resolved-server.js";
import { Pools } from "../send/pools.js";
import { type Evidence, MAX_STEP_MS, placeOf, works } from "./evidence.js";
import { type AddressNotes, type ExaminationTools, examineAddress } from "./examine-address.js";
import { hasSameKeys } from "./key-document.js";
import type { DiagnoseOptions, Diagnosis, KeyReport } from "./report.js";
import { type ResolutionNotes, resolveInSteps } from "./resolve-in-steps.js";
import { findingsOf } from "./rules.js";

const TIMEOUT_MS = 30_000;
/** The share of the time that an address may take to connect, and as much for each of its two answers. */
const STEP_SHARE = 1 / 3;
const MAX_AT_ONCE = 4;

/** A server at one of its addresses. */
interface Place {
  readonly target: ResolvedServer;
  readonly notes: AddressNotes;
}

/** Each address of a server as a server of its own. */
function placesOf(server: ResolvedServer): Place[] {
  const { serverName, host, tlsName, steps, expiresAt } = server;
  return server.targets
    .flatMap((target) => target.addresses.map((address) => ({ ...target, addresses: [address] })))
    .map((target, at) => ({
      // A priority of its own keeps the connections of two hosts apart that have one address.
      target: { serverName, host, tlsName, steps, expiresAt, targets: [{ ...target, priority: at }] },
      notes: {
        hostname: target.hostname,
        address: target.addresses[0]?.address ?? "",
        family: target.addresses[0]?.family ?? 4,
        port: target.port,
        finished: false,
        connectMs: undefined,
        failure: undefined,
        tls: undefined,
        version: undefined,
        keys: undefined,
        clockSkewMs: undefined,
      },
    }));
}

/** The document to compare the others with: one that is the server's own, wherever there is one. */
function referenceKeys(server: string, places: readonly Place[]): KeyReport | undefined {
  const documents = places.flatMap(({ notes }) => notes.keys?.document ?? []);
  const own = documents.find(({ serverName, keys }) => serverName === server && keys.some(({ signed }) => signed));
  return own ?? documents[0];
}

async function examineAll(places: readonly Place[], tools: ExaminationTools, signal: AbortSignal): Promise<void> {
  const waiting = [...places];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      await examineAddress(next.target, tools, next.notes, signal);
    }
  };
  await Promise.all(Array.from({ length: MAX_AT_ONCE }, work));
}

/** One examination under way: what was seen so far. */
class Examination {
  readonly #checkedAt: number = Date.now();
  readonly #startedAt: number = performance.now();
  readonly #server: string;
  readonly #timeoutMs: number;
  readonly #stepMs: number;
  readonly #resolution: ResolutionNotes = {
    steps: [],
    failedQueries: [],
    addressCounts: new Map(),
    isResolved: false,
    resolved: undefined,
  };
  #places: readonly Place[] = [];
  #moreAddresses = 0;

  constructor(server: string, timeoutMs: number) {
    this.#server = server;
    this.#timeoutMs = timeoutMs;
    this.#stepMs = Math.max(1, Math.round(Math.min(timeoutMs * STEP_SHARE, MAX_STEP_MS)));
  }

  async run(options: ClientOptions, signal: AbortSignal): Promise<void> {
    const { dns = createSystemDns(), userAgent = "matrix-federation-sdk" } = options;
    const connector = createConnector(options);
    // Both requests to an address over one connection.
    const pools = new Pools({ ...options, maxConnectionsPerServer: 1 });
    try {
      await withinBudget(this.#timeoutMs, signal, async (inner) => {
        setMaxListeners(0, inner);
        const name = parseServerName(this.#server);
        await resolveInSteps(name, { dns, connector, userAgent }, this.#resolution, inner);
        const { resolved } = this.#resolution;
        const places = resolved ? placesOf(resolved) : [];
        this.#places = places.slice(0, MAX_ADDRESSES);
        this.#moreAddresses = places.length - this.#places.length + this.#unusedAddresses;
        await examineAll(this.#places, { connector, pools, userAgent, stepMs: this.#stepMs }, inner);
      });
    } catch (error) {
      if (signal.aborted || !(error instanceof BudgetSpent)) throw error;
    } finally {
      await pools.close();
    }
  }

  /** How many addresses DNS gave that no client uses, because they are too many for one name. */
  get #unusedAddresses(): number {
    const { resolved, addressCounts } = this.#resolution;
    return (resolved?.targets ?? []).reduce(
      (total, { hostname, addresses }) => total + (addressCounts.get(hostname) ?? addresses.length) - addresses.length,
      0,
    );
  }

  /** What was seen means this. */
  get diagnosis(): Diagnosis {
    const { resolved, steps, failedQueries, isResolved } = this.#resolution;
    const keys = referenceKeys(this.#server, this.#places);
    const addresses = this.#places.map(({ notes }) => {
      const { keys: own } = notes;
      if (!own?.document || !keys) return { ...notes };
      return { ...notes, keys: { ...own, same: hasSameKeys(own.document, keys) } };
    });
    const { host, tlsName, targets = [] } = resolved ?? {};
    const evidence: Evidence = {
      server: this.#server,
      checkedAt: this.#checkedAt,
      timeoutMs: Math.round(this.#timeoutMs),
      stepMs: this.#stepMs,
      resolution: { host, tlsName, steps: [...steps], targets },
      isResolved,
      failedQueries,
      addresses,
      moreAddresses: this.#moreAddresses,
      keys,
    };
    const findings = findingsOf(evidence);
    const errors = findings.filter(({ severity }) => severity === "error");
    const addressReports = addresses.map((address) => {
      const { hostname, address: ip, family, port, ...rest } = address;
      const ok = works(address) && !errors.some(({ about }) => about === placeOf(address));
      return { hostname, address: ip, family, port, ok, ...rest };
    });
    return {
      server: this.#server,
      ok: errors.length === 0 && addressReports.some(({ ok }) => ok),
      checkedAt: this.#checkedAt,
      ms: Math.round(performance.now() - this.#startedAt),
      resolution: evidence.resolution,
      addresses: addressReports,
      keys,
      findings,
    };
  }
}

/**
 * Examines a server as a stranger would who knows nothing of it: how its name resolves, and each of its addresses on
 * its own. Nothing that a client remembers is asked or changed.
 *
 * @param options - Those of the client.
 * @param closing - Ends it too; it then rejects with that signal's reason.
 * @throws {@link NameError} `ERR_SERVER_NAME` when the name does not follow the grammar. Whatever the server does is
 * part of the report.
 */
export async function diagnose(
  server: string,
  { signal, timeout = TIMEOUT_MS }: DiagnoseOptions,
  options: ClientOptions,
  closing: AbortSignal,
): Promise<Diagnosis> {
  const { name } = parseServerName(server);
  signal?.throwIfAborted();
  closing.throwIfAborted();
  const stop = new AbortController();
  const stopListening = [signal, closing].map((each) => each && onSignalAbort(each, () => stop.abort(each.reason)));
  const examination = new Examination(name, Math.min(timeout, MAX_TIMER_MS));
  try {
    await examination.run(options, stop.signal);
    return examination.diagnosis;
  } finally {
    for (const stopOne of stopListening) stopOne?.();
  }
}
