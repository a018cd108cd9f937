import { isIP } from "node:net";
import { OptionError, quoted, ResolveError } from "../errors.js";
import type { ServerName } from "../name/server-name.js";
import type { AddressAnswer } from "./addresses.js";
import type { Address, ConnectTo, ResolvedServer, ResolveStep } from "./resolved-server.js";
import type { WellKnown } from "./well-known.js";

/** What the steps ask. */
export interface StepSources {
  /** What is known of a host's `.well-known`. */
  readonly wellKnown: (hostname: string) => Promise<WellKnown>;
  /** The addresses of a DNS name. */
  readonly lookup: (hostname: string) => Promise<AddressAnswer>;
  /** Where connections really go. */
  readonly connectTo: ConnectTo | undefined;
}

/** The port of a server whose name says none, and that no record gives one. */
const DEFAULT_PORT = 8448;
/** No answer is used for longer than this, so that a move is noticed. In milliseconds. */
const MAX_LIFETIME_MS = 3_600_000;

async function timed<T>(task: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startedAt = performance.now();
  const value = await task();
  return { value, ms: Math.round(performance.now() - startedAt) };
}

function placed(connectTo: ConnectTo | undefined, hostname: string, address: string, port: number): Address {
  const to = connectTo?.({ hostname, address, port }) ?? { address, port };
  const family = isIP(to.address);
  if (family !== 4 && family !== 6) {
    throw new OptionError("ERR_OPTION", `connectTo must return an IP address, not ${quoted(to.address)}.`);
  }
  return { address: to.address, family, port: to.port };
}

function noAddress(
  name: ServerName,
  hostname: string,
  answer: Exclude<AddressAnswer, { kind: "found" }>,
  steps: readonly ResolveStep[],
): ResolveError {
  const check =
    answer.kind === "absent"
      ? "Check the spelling, and that the name has an A or AAAA record."
      : "Check that this machine's DNS server can be reached and answers for this name.";
  const found = `no address for ${quoted(hostname)} (${answer.reason})`;
  return new ResolveError("ERR_RESOLVE", `Cannot resolve ${quoted(name.name)}: step address found ${found}. ${check}`, {
    server: name.name,
    cause: answer.cause,
    lines: steps.map(({ step, query, result, ms }) => `Step: ${step} ${query} -> ${result} [${ms} ms]`),
  });
}

/**
 * Goes through the specification's steps in order. SRV records (steps 3.3, 3.4, 4 and 5) are not asked yet.
 * Specification: Server-Server API, "Resolving server names".
 *
 * @throws {@link ResolveError} `ERR_RESOLVE` when there is no address; the message tells every step.
 * @throws {@link OptionError} `ERR_OPTION` when `connectTo` returns something else than an IP address.
 */
export async function walkSteps(name: ServerName, sources: StepSources): Promise<ResolvedServer> {
  const steps: ResolveStep[] = [];
  let target = name;
  let lifetimeMs = MAX_LIFETIME_MS;

  if (name.kind === "dns" && name.port === undefined) {
    const { value, ms } = await timed(() => sources.wellKnown(name.hostname));
    const query = `https://${name.hostname}/.well-known/matrix/server`;
    steps.push({ step: "wellKnown", query, result: value.result, ms });
    // A delegated name is not asked for its own .well-known, so delegation cannot go in circles.
    target = value.server ?? name;
    lifetimeMs = Math.min(lifetimeMs, value.lifetimeMs);
  }

  const port = target.port ?? DEFAULT_PORT;
  let found: readonly string[];
  if (target.kind !== "dns") {
    steps.push({ step: "literal", query: target.name, result: `${target.hostname} port ${port}`, ms: 0 });
    found = [target.hostname];
  } else {
    const { hostname } = target;
    if (target.port !== undefined) {
      steps.push({ step: "explicitPort", query: target.name, result: `port ${port}`, ms: 0 });
    }
    const { value, ms } = await timed(() => sources.lookup(hostname));
    const result = value.kind === "found" ? value.addresses.map(({ address }) => address).join(", ") : value.reason;
    steps.push({ step: "address", query: hostname, result, ms });
    if (value.kind !== "found") throw noAddress(name, hostname, value, steps);
    lifetimeMs = Math.min(lifetimeMs, value.lifetimeMs);
    found = value.addresses.map(({ address }) => address);
  }

  return {
    serverName: name.name,
    // In every row of the specification this is the last name that was said, with its port if it has one.
    host: target.name,
    // Certificates and SNI know no final dot (RFC 6066 section 3).
    tlsName: target.hostname.replace(/\.$/, ""),
    addresses: found.map((address) => placed(sources.connectTo, target.hostname, address, port)),
    steps,
    expiresAt: Date.now() + Math.round(lifetimeMs),
  };
}
