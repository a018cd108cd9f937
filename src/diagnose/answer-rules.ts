import { type AddressEvidence, atEachAddress, placeOf, type Rule } from "./evidence.js";
import type { AnswerFindingCode, KeyReport } from "./report.js";

const SLOW_MS = 3_000;
const HOUR_MS = 3_600_000;
const MAX_SKEW_MS = 300_000;

const FORWARD = "forward everything under /_matrix/ to the homeserver's federation port, with the path unchanged";

const documentOf = ({ keys }: AddressEvidence): KeyReport | undefined => keys?.document;
const idsOf = ({ keys }: KeyReport): string => keys.map(({ keyId }) => keyId).join(", ") || "none";
const date = (ms: number): string => (Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString().slice(0, 16) : String(ms));

/** What can be found in the answers of a server. */
export const answerRules: Readonly<Record<AnswerFindingCode, Rule>> = {
  notHomeserver: atEachAddress("error", ({ version }) =>
    version?.problem === "notMatrix"
      ? {
          message: `What answers there is no homeserver: ${version.reason}.`,
          advice: `Let the reverse proxy ${FORWARD}; or delegate to where the homeserver is.`,
        }
      : undefined,
  ),
  versionFailed: atEachAddress("error", ({ version, keys }) => {
    if (version?.problem === undefined || version.problem === "notMatrix") return undefined;
    // A homeserver that refuses to say what it runs may still federate; one that is down may have its keys in a cache.
    const isAlive = version.problem === "error" && (version.status ?? 500) < 500 && keys && !keys.problem;
    return {
      severity: isAlive ? "warning" : "error",
      message: `/_matrix/federation/v1/version is not answered: ${version.reason}.`,
      advice: `See whether the homeserver runs and what its log says; a reverse proxy in front of it has to ${FORWARD}.`,
    };
  }),
  versionSlow: atEachAddress("warning", ({ version }) =>
    version && version.problem === undefined && version.ms >= SLOW_MS
      ? {
          message: `/_matrix/federation/v1/version took ${(version.ms / 1000).toFixed(1)} seconds.`,
          advice: "See whether the homeserver is overloaded, or the way to it slow: others give up after some seconds.",
        }
      : undefined,
  ),
  keysNotFetched: atEachAddress("error", ({ keys, version }) =>
    // Where nobody is at home, one finding says so.
    keys?.problem !== undefined && keys.problem !== "invalid" && version?.problem !== "notMatrix"
      ? {
          message: `The server's keys cannot be fetched from /_matrix/key/v2/server: ${keys.reason}.`,
          advice: `Without keys nobody believes the server. Let the reverse proxy ${FORWARD}, /_matrix/key/ included.`,
        }
      : undefined,
  ),
  keysInvalid: atEachAddress("error", ({ keys }) =>
    keys?.problem === "invalid"
      ? {
          message: `/_matrix/key/v2/server answers with something that is no key document: ${keys.reason}.`,
          advice: "See what answers there: it has to be the homeserver itself, and nothing may change its answer.",
        }
      : undefined,
  ),
  keysWrongServer: atEachAddress("error", (address, { server }) => {
    const document = documentOf(address);
    return document && document.serverName !== server
      ? {
          message: `The homeserver there says that it is ${document.serverName}, not ${server}.`,
          advice:
            "Either the delegation leads to a wrong server, or server_name in the homeserver's configuration is wrong.",
        }
      : undefined;
  }),
  keysUnsigned: atEachAddress("error", (address) => {
    const document = documentOf(address);
    return document && !document.keys.some(({ signed }) => signed)
      ? {
          message: `The key document has no valid signature by a key of its own (keys: ${idsOf(document)}).`,
          advice:
            "See that no proxy changes the answer, and that the homeserver's signing key is the one it publishes.",
        }
      : undefined;
  }),
  keysExpired: atEachAddress("error", (address, { checkedAt }) => {
    const validUntil = documentOf(address)?.validUntil;
    return validUntil !== undefined && validUntil <= checkedAt
      ? {
          message: `The keys were valid until ${date(validUntil)} UTC only.`,
          advice:
            "Check the clocks of the server and of this machine, and that no cache in between serves an old document.",
        }
      : undefined;
  }),
  keysExpiring: atEachAddress("warning", (address, { checkedAt }) => {
    const leftMs = (documentOf(address)?.validUntil ?? Number.POSITIVE_INFINITY) - checkedAt;
    return leftMs > 0 && leftMs < HOUR_MS
      ? {
          message: `The keys are valid for ${Math.ceil(leftMs / 60_000)} minutes only.`,
          advice: "Let the homeserver publish its keys for a day or so, lest others fetch them again and again.",
        }
      : undefined;
  }),
  keysDiffer: atEachAddress("error", (address, { keys: reference, addresses, server }) => {
    const document = documentOf(address);
    // A document of another server is told of as such.
    if (!document || !reference || address.keys?.same !== false || document.serverName !== server) return undefined;
    const first = addresses.find((each) => documentOf(each) === reference);
    return {
      message: `The keys here (${idsOf(document)}) are not those at ${first ? placeOf(first) : "another address"} (${idsOf(reference)}).`,
      advice:
        "All addresses have to lead to one homeserver: remove those that lead elsewhere, or give all one signing key.",
    };
  }),
  clockSkew: atEachAddress("warning", ({ clockSkewMs }) =>
    clockSkewMs !== undefined && Math.abs(clockSkewMs) > MAX_SKEW_MS
      ? {
          message: `The server's clock is ${Math.round(Math.abs(clockSkewMs) / 60_000)} minutes ${clockSkewMs > 0 ? "ahead of" : "behind"} the one here.`,
          advice: "Let both machines set their clocks by NTP: certificates, keys and events all depend on them.",
        }
      : undefined,
  ),
};
