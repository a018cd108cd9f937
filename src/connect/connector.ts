import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { buildConnector } from "undici";
import { OptionError, quoted } from "../errors.js";
import { type AllowAddress, createAddressPolicy } from "./address-policy.js";
import { BudgetSpent, withinBudget } from "./budget.js";
import { ConnectFailure, codeOf, type FailedTry } from "./connect-failure.js";
import { createProxyChoice, openTunnel, ProxyError, type ProxyOption } from "./proxy.js";
import { race, type Try } from "./race.js";
import { secured } from "./secured.js";
import { inSrvOrder } from "./srv-order.js";
import { type ConnectAddress, type ConnectTarget, type ConnectTo, type Destination, MAX_ADDRESSES } from "./target.js";
import { inspectTls, type TlsReport } from "./tls-inspection.js";
import { contextFor, createTrust, type TlsException, type Trust } from "./trust.js";

/** How connections are made: for every request alike, those for `.well-known` and their redirects included. */
export interface ConnectOptions {
  /** Certificates of CAs to trust instead of the usual ones, in PEM: for closed federations and tests. */
  readonly ca?: string | readonly string[] | undefined;
  /**
   * Certificates to accept although the usual check refuses them, by the host name that the certificate should be for:
   * the server name without its port or, where it delegates, the delegated host.
   */
  readonly tlsExceptions?: Readonly<Record<string, TlsException>> | undefined;
  /** Which addresses may be connected to beside public ones; none when absent. */
  readonly allowAddress?: AllowAddress | undefined;
  /** The proxy to connect through: what the environment variables `HTTPS_PROXY` and `NO_PROXY` say when absent. */
  readonly proxy?: ProxyOption | undefined;
  /** Where TCP connections really go, as curl's `--connect-to`: for closed federations and tests. */
  readonly connectTo?: ConnectTo | undefined;
}

/** One address to try, after `connectTo` and the address policy have had their say. */
interface Candidate {
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
  readonly proxy: URL | undefined;
}

/** What is found at an address. */
export interface Inspection {
  /** How long the TCP connection took, that through a proxy included, in milliseconds. */
  readonly connectMs: number;
  /** What the handshake showed. */
  readonly tls: TlsReport;
}

/** Makes TLS connections to destinations. */
export interface Connector {
  /**
   * Connects to the first address that takes the connection and shows a right certificate.
   *
   * @param signal - Ends it; the promise then rejects with the signal's reason.
   * @param timeoutMs - How long all addresses may take together, in milliseconds; 10,000 when absent.
   * @throws {@link ConnectFailure} when no address does in that time.
   */
  connect(destination: Destination, signal: AbortSignal, timeoutMs?: number): Promise<TLSSocket>;
  /**
   * Connects to the first address alone and tells what it shows, however wrong that is. Nothing is sent over the
   * connection, which is closed at once. Address policy, `connectTo` and the proxy hold as for {@link Connector.connect}.
   *
   * @param signal - Ends it; the promise then rejects with the signal's reason.
   * @param timeoutMs - How long it may take, in milliseconds.
   * @throws {@link ConnectFailure} when no TLS connection comes about in that time.
   */
  inspect(destination: Destination, signal: AbortSignal, timeoutMs: number): Promise<Inspection>;
  /** The same as `connect` in undici's form. A connection that is still being made when the signal is aborted is given up. */
  forUndici(destination: Destination, signal: AbortSignal, timeoutMs?: number): buildConnector.connector;
}

const CONNECT_TIMEOUT_MS = 10_000;

const timedOut = ({ address, port }: Candidate, isReached: boolean, { budgetMs }: BudgetSpent): FailedTry => {
  const message = `no answer${isReached ? " in the TLS handshake" : ""} within ${Math.round(budgetMs)} ms`;
  const error = Object.assign(new Error(message), { code: "ETIMEDOUT" });
  return { address, port, stage: isReached ? "tls" : "reach", error };
};

const wrongConnectTo = (what: string): OptionError =>
  new OptionError("ERR_OPTION", `The function given as the option \`connectTo\` must return ${what}.`);

/** What `connectTo` makes of an address. */
function redirected(from: ConnectTarget, connectTo: ConnectTo | undefined): ConnectTarget {
  // A copy: what a function changes in its argument is no answer.
  const to: unknown = connectTo?.({ ...from });
  if (to === undefined) return from;
  const { address, port } = (to ?? {}) as Readonly<Record<keyof ConnectAddress, unknown>>;
  if (typeof address !== "string" || isIP(address) === 0) {
    throw wrongConnectTo(`undefined or an object with an IP address, and not with the address ${quoted(address)}`);
  }
  if (!(typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw wrongConnectTo(`a port from 1 to 65535 beside the address, and not ${quoted(port)}`);
  }
  return { hostname: from.hostname, address, port };
}

/**
 * Creates a connector.
 *
 * @throws {@link OptionError} `ERR_OPTION` for a wrong option.
 */
export function createConnector(options: ConnectOptions = {}): Connector {
  const { connectTo } = options;
  if (connectTo !== undefined && typeof connectTo !== "function") {
    throw new OptionError("ERR_OPTION", `The option \`connectTo\` is ${quoted(connectTo)}; it must be a function.`);
  }
  const refusal = createAddressPolicy(options.allowAddress);
  const proxyFor = createProxyChoice(options.proxy);
  const usual = contextFor("ca", options.ca);
  const trust = createTrust(usual, options.tlsExceptions);

  /** Where the addresses really lead. Those that may not be connected to go to `failed`. */
  function candidatesOf({ targets }: Destination, failed: FailedTry[]): Candidate[] {
    const all = inSrvOrder(targets).flatMap(({ hostname, port, addresses }) =>
      addresses.map(({ address }) => ({ hostname, address, port })),
    );
    return all.slice(0, MAX_ADDRESSES).flatMap((from) => {
      const to = redirected(from, connectTo);
      // Checked here and nowhere else, on the very address that is dialled: DNS has no chance to change its mind.
      const reason = to.address === from.address ? refusal(to) : undefined;
      if (reason === undefined) return [{ ...to, proxy: proxyFor(from) }];
      failed.push({ address: to.address, port: to.port, stage: "policy", error: new Error(reason) });
      return [];
    });
  }

  /** What a function among the options throws is a mistake in the options, and says nothing about the server. */
  function checkedCandidates(destination: Destination, failed: FailedTry[]): Candidate[] {
    try {
      return candidatesOf(destination, failed);
    } catch (cause) {
      if (cause instanceof OptionError || cause instanceof ProxyError) throw cause;
      const options = "`connectTo`, `allowAddress` or `proxy`";
      throw new OptionError("ERR_OPTION", `The function given as the option ${options} threw.`, { cause });
    }
  }

  async function tryOne(
    tlsName: string,
    trusted: Trust,
    failed: FailedTry[],
    { address, port, proxy }: Candidate,
    signal: AbortSignal,
    reached: () => void,
  ): Promise<TLSSocket> {
    let isReached = false;
    const onReached = (): void => {
      isReached = true;
      reached();
    };
    try {
      const tunnel = proxy && (await openTunnel(proxy, { address, port }, signal, usual));
      if (tunnel) onReached();
      return await secured({ address, port, tunnel, tlsName, trust: trusted }, signal, onReached);
    } catch (error) {
      signal.throwIfAborted();
      // Who breaks off in the handshake has not said what is wrong: it may be no TLS server, or be going down.
      const isTls = isReached && !["ECONNRESET", "EPIPE"].includes(codeOf(error) ?? "");
      const isOurProxy = error instanceof ProxyError && error.code !== "ERR_PROXY_NOT_CONNECTED";
      const stage = isOurProxy ? "proxy" : isTls ? "tls" : "reach";
      failed.push({ address, port, stage, error: error as Error });
      throw error;
    }
  }

  async function connect(
    destination: Destination,
    signal: AbortSignal,
    timeoutMs = CONNECT_TIMEOUT_MS,
  ): Promise<TLSSocket> {
    const failed: FailedTry[] = [];
    const { tlsName } = destination;
    const candidates = checkedCandidates(destination, failed);
    if (candidates.length === 0) throw new ConnectFailure(failed);
    const reached = new Set<Candidate>();
    let made: TLSSocket | undefined;
    try {
      return await withinBudget(timeoutMs, signal, async (inner) => {
        const attempt: Try<Candidate, TLSSocket> = (candidate, ofRace, onReached) =>
          tryOne(tlsName, trust(tlsName), failed, candidate, ofRace, () => {
            reached.add(candidate);
            onReached();
          });
        made = await race(candidates, attempt, inner, (late) => late.destroy());
        // Too late: nobody takes it any more.
        if (inner.aborted) made.destroy();
        return made;
      });
    } catch (error) {
      made?.destroy();
      signal.throwIfAborted();
      if (error instanceof BudgetSpent) {
        const told = new Set(failed.map(({ address, port }) => `${address} ${port}`));
        const silent = candidates.filter(({ address, port }) => !told.has(`${address} ${port}`));
        failed.push(...silent.map((each) => timedOut(each, reached.has(each), error)));
      }
      if (failed.length === 0) throw error;
      throw new ConnectFailure(failed);
    }
  }

  async function inspect(destination: Destination, signal: AbortSignal, timeoutMs: number): Promise<Inspection> {
    const failed: FailedTry[] = [];
    const { tlsName } = destination;
    const [candidate] = checkedCandidates(destination, failed);
    if (!candidate) throw new ConnectFailure(failed);
    const trusted = trust(tlsName);
    const anything: Trust = { ...trusted, verifies: false, fingerprint: undefined };
    const startedAt = performance.now();
    let connectMs: number | undefined;
    const reached = (): void => {
      connectMs ??= Math.round(performance.now() - startedAt);
    };
    try {
      return await withinBudget(timeoutMs, signal, async (inner) => {
        const socket = await tryOne(tlsName, anything, failed, candidate, inner, reached);
        try {
          return { connectMs: connectMs ?? 0, tls: inspectTls(socket, tlsName, trusted) };
        } finally {
          socket.destroy();
        }
      });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BudgetSpent) failed.push(timedOut(candidate, connectMs !== undefined, error));
      // Nobody's network: a bug, or a function of the caller's.
      else if (failed.length === 0) throw error;
      throw new ConnectFailure(failed);
    }
  }

  return {
    connect,
    inspect,
    forUndici: (destination, signal, timeoutMs) => (_options, callback) => {
      connect(destination, signal, timeoutMs).then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      );
    },
  };
}
