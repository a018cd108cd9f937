import { isIP } from "node:net";
import { type IpAddress, MAX_ADDRESSES, type Target } from "../connect/target.js";
import { quoted, ResolveError } from "../errors.js";
import type { ServerName } from "../name/server-name.js";
import type { AddressAnswer } from "./addresses.js";
import type { FoundSrv } from "./find-srv.js";
import type { ResolvedServer, ResolveStep } from "./resolved-server.js";
import type { WellKnown } from "./well-known.js";

/** What the steps ask. */
export interface StepSources {
  /** What is known of a host's `.well-known`. */
  readonly wellKnown: (hostname: string) => Promise<WellKnown>;
  /** The SRV records of a host name. */
  readonly srv: (hostname: string) => Promise<FoundSrv>;
  /** The addresses of a DNS name. `isNamed`: it stands in a server name or a delegation, not in a record or redirect. */
  readonly lookup: (hostname: string, isNamed: boolean) => Promise<AddressAnswer>;
}

/** The port of a server whose name says none, and that no record gives one. */
const DEFAULT_PORT = 8448;
/** No answer is used for longer than this, SRV records included, whose TTL Node does not tell. In milliseconds. */
const MAX_LIFETIME_MS = 3_600_000;
/** How long an answer is used in which DNS failed, in milliseconds: what it did not say may be decisive. */
const UNCERTAIN_LIFETIME_MS = 30_000;

/** A host before its addresses are known. */
type Host = Omit<Target, "addresses">;

async function timed<T>(task: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startedAt = performance.now();
  const value = await task();
  return { value, ms: Math.round(performance.now() - startedAt) };
}

// Field by field: of a spread object V8 makes a shape of its own for each, which is more than the object itself.
function target({ hostname, port, priority, weight }: Host, addresses: readonly IpAddress[]): Target {
  return { hostname, port, priority, weight, addresses };
}

function literal(host: Host): Target {
  const family = isIP(host.hostname) === 6 ? 6 : 4;
  return target(host, [{ address: host.hostname, family }]);
}

function addressText(addresses: readonly IpAddress[]): string {
  const texts = addresses.slice(0, 4).map(({ address }) => address);
  const others = addresses.length - texts.length;
  return texts.join(", ") + (others > 0 ? ` and ${others} more` : "");
}

const remembered = ({ isRemembered }: WellKnown): { isRemembered?: true } => (isRemembered ? { isRemembered } : {});

/** One resolution under way: what was asked so far, and how long the answer may be used. */
class Walk {
  readonly steps: ResolveStep[] = [];
  lifetimeMs = MAX_LIFETIME_MS;
  readonly #name: ServerName;
  readonly #sources: StepSources;

  constructor(name: ServerName, sources: StepSources) {
    this.#name = name;
    this.#sources = sources;
  }

  /** Step 3: the server that the host delegates to. */
  async delegated(hostname: string): Promise<ServerName | undefined> {
    const { value, ms } = await timed(() => this.#sources.wellKnown(hostname));
    const query = `https://${hostname}/.well-known/matrix/server`;
    // Asked for again before it runs out, so that it is fetched anew ahead of that.
    const lifetimeMs = Math.max(value.lifetimeMs * 0.8, UNCERTAIN_LIFETIME_MS);
    this.#took({ step: "wellKnown", query, result: value.result, ms, ...remembered(value) }, lifetimeMs);
    return value.server;
  }

  /** Steps 1 and 2, or 3.1 to 3.5, or 4 to 6: the hosts and ports of a name that is not asked for `.well-known`. */
  async hosts({ kind, name, hostname, port }: ServerName): Promise<Host[]> {
    const itself = { hostname, port: port ?? DEFAULT_PORT, priority: 0, weight: 0 };
    if (kind !== "dns") this.#took({ step: "literal", query: name, result: `${hostname} port ${itself.port}`, ms: 0 });
    else if (port !== undefined) this.#took({ step: "explicitPort", query: name, result: `port ${port}`, ms: 0 });
    else {
      const { records, isRefused, isUncertain, steps } = await this.#sources.srv(hostname);
      this.steps.push(...steps);
      if (isUncertain) this.lifetimeMs = Math.min(this.lifetimeMs, UNCERTAIN_LIFETIME_MS);
      if (isRefused) {
        const why = `the SRV record of ${quoted(hostname)} says that no server is offered there`;
        throw this.#error("srv", why, 'Check the record: its target is ".".', true);
      }
      if (records.length > 0) return [...records];
    }
    return [itself];
  }

  /** The addresses of the hosts. One host that has some is enough. */
  async targets(hosts: readonly Host[], isNamed: boolean): Promise<Target[]> {
    const answers = await Promise.all(
      hosts.map(async ({ hostname }) => timed(() => this.#sources.lookup(hostname, isNamed))),
    );
    // Of many hosts a few addresses each: more than 32 are never tried for a connection.
    const most = Math.max(2, Math.ceil(MAX_ADDRESSES / hosts.length));
    const seen = new Set<string>();
    const targets = answers.flatMap(({ value, ms }, at) => {
      const host = hosts[at] as (typeof hosts)[number];
      const result = value.kind === "found" ? addressText(value.addresses) : value.reason;
      const lifetimeMs = value.kind === "found" ? value.lifetimeMs : UNCERTAIN_LIFETIME_MS;
      if (!seen.has(host.hostname)) this.#took({ step: "address", query: host.hostname, result, ms }, lifetimeMs);
      seen.add(host.hostname);
      return value.kind === "found" ? [target(host, value.addresses.slice(0, most))] : [];
    });
    if (targets.length > 0) return targets;
    const failed = answers.flatMap(({ value }) => (value.kind === "found" ? [] : [value]));
    const isAbsent = failed.every(({ kind }) => kind === "absent");
    const check = isAbsent
      ? "Check the spelling, and that the name has an A or AAAA record."
      : "Check that the DNS server can be reached and answers for this name.";
    const names = [...seen].map((name) => quoted(name)).join(", ");
    const causes = failed.map(({ cause }) => cause);
    const cause = causes.length === 1 ? causes[0] : new AggregateError(causes);
    throw this.#error("address", `no address for ${names} (${failed[0]?.reason})`, check, isAbsent, cause);
  }

  #took(step: ResolveStep, lifetimeMs = MAX_LIFETIME_MS): void {
    this.steps.push(step);
    this.lifetimeMs = Math.min(this.lifetimeMs, lifetimeMs);
  }

  #error(step: ResolveStep["step"], found: string, advice: string, isCertain: boolean, cause?: unknown): ResolveError {
    const { name } = this.#name;
    return new ResolveError("ERR_RESOLVE", `Cannot resolve ${quoted(name)}: step ${step} found ${found}. ${advice}`, {
      server: name,
      cause,
      steps: this.steps,
      isCertain,
    });
  }
}

/**
 * Goes through the specification's steps in order.
 * Specification: Server-Server API, "Resolving server names".
 *
 * @throws {@link ResolveError} `ERR_RESOLVE` when there is no address; the error has every step.
 */
export async function walkSteps(name: ServerName, sources: StepSources): Promise<ResolvedServer> {
  const walk = new Walk(name, sources);
  // A delegated name is not asked for its own .well-known, so delegation cannot go in circles.
  const mayDelegate = name.kind === "dns" && name.port === undefined;
  const server = (mayDelegate && (await walk.delegated(name.hostname))) || name;
  const hosts = await walk.hosts(server);
  const targets =
    server.kind === "dns" ? await walk.targets(hosts, hosts[0]?.hostname === server.hostname) : hosts.map(literal);
  return {
    serverName: name.name,
    // In every row of the specification this is the last name that was said, with its port if it has one. It is never
    // the target of an SRV record: whoever owns the name, and not its DNS, says which certificates are right.
    host: server.name,
    // Certificates and SNI know no final dot (RFC 6066 section 3).
    tlsName: server.hostname.replace(/\.$/, ""),
    // A slice has no room to grow; this is kept for thousands of servers.
    targets: targets.slice(),
    steps: walk.steps.slice(),
    expiresAt: Date.now() + Math.round(walk.lifetimeMs),
  };
}
