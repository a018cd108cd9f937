import { type AddressEvidence, atEachAddress, type Evidence, isProxys, placeOf, type Rule, works } from "./evidence.js";
import type { ConnectionFindingCode } from "./report.js";

const REFUSED = "ECONNREFUSED";
const TIMEOUT = "ETIMEDOUT";
/** This machine has no network of that kind itself. */
const NO_NETWORK: ReadonlySet<string> = new Set(["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETDOWN"]);
/** A router on the way knows no way to there. */
const NO_HOST = "EHOSTUNREACH";

const failedToConnect = ({ failure }: AddressEvidence): string | undefined =>
  failure?.stage === "connect" ? (failure.code ?? "") : undefined;

/** Where else the server might have been looked for; what most people forget. */
function portAdvice(port: number): string {
  return port === 8448 ? " If the server listens on another port, say so with .well-known or an SRV record." : "";
}

const another = (evidence: Evidence, { address }: AddressEvidence): boolean =>
  evidence.addresses.some((each) => each.address !== address && works(each));

/** What can be found while an address is connected to. */
export const connectionRules: Readonly<Record<ConnectionFindingCode, Rule>> = {
  addressRefused: atEachAddress("error", (address, evidence) =>
    address.failure?.stage === "policy"
      ? {
          severity: another(evidence, address) ? "warning" : "error",
          message: `The address of ${address.hostname} may not be connected to: ${address.failure.message}.`,
          advice: "Publish public addresses only; in a closed federation, open them here with the option allowAddress.",
        }
      : undefined,
  ),
  proxyFailed: {
    severity: "error",
    find: (evidence) => {
      const failed = evidence.addresses.flatMap((address) =>
        address.failure?.stage === "proxy" ? [{ about: placeOf(address), reason: address.failure.message }] : [],
      );
      const steps = evidence.resolution.steps
        .filter(isProxys)
        .map((step) => ({ about: step.query, reason: step.result }));
      // Where it makes no connection to the server either, that is told once for each address.
      return (failed.length > 0 ? failed : steps).map(({ about, reason }) => ({
        // It may be that nothing is delegated.
        severity: failed.length > 0 ? "error" : "warning",
        about,
        message: `The proxy of this machine made no connection: ${reason}.`,
        advice: "Check the option proxy or HTTPS_PROXY, and that the proxy allows CONNECT to this address and port.",
      }));
    },
  },
  connectionRefused: atEachAddress("error", (address) =>
    failedToConnect(address) === REFUSED
      ? {
          message: `Nothing accepts connections on port ${address.port} (${REFUSED}).`,
          advice: `Start the homeserver or its reverse proxy on port ${address.port} of this address.${portAdvice(address.port)}`,
        }
      : undefined,
  ),
  connectionTimeout: atEachAddress("error", (address) =>
    failedToConnect(address) === TIMEOUT
      ? {
          message: `No answer to connections to port ${address.port} (${TIMEOUT}).`,
          advice: `Open TCP port ${address.port} in every firewall and router on the way.${portAdvice(address.port)}`,
        }
      : undefined,
  ),
  noRoute: atEachAddress("error", (address, evidence) => {
    const code = failedToConnect(address);
    if (code === undefined || !(code === NO_HOST || NO_NETWORK.has(code))) return undefined;
    // Many machines have no IPv6: where IPv4 works, that says nothing about the server.
    const reached = new Set(evidence.addresses.filter(works).map(({ family }) => family));
    const isOurs = address.family === 6 && NO_NETWORK.has(code) && reached.has(4) && !reached.has(6);
    return {
      severity: isOurs ? "note" : "error",
      message: `There is no way from here to this address (${code}).`,
      advice: isOurs
        ? "Check this address from a machine that has IPv6; this one seems to have none."
        : "Check that the address is the server's and that it is up, and that this machine has a network of that kind.",
    };
  }),
  connectionFailed: atEachAddress("error", (address) => {
    const code = failedToConnect(address);
    if (code === undefined || [REFUSED, TIMEOUT, NO_HOST].includes(code) || NO_NETWORK.has(code)) return undefined;
    return {
      message: `The connection broke before TLS was agreed on: ${address.failure?.message}.`,
      advice: `Check that port ${address.port} speaks TLS for this server name, and that no firewall breaks connections off.`,
    };
  }),
};
