import { hostPort } from "../connect/target.js";
import type { AddressReport, Finding, KeyReport, ResolutionReport } from "./report.js";

/** The longest time that a step at an address may take, in milliseconds. */
export const MAX_STEP_MS = 10_000;

/** What is known of an address before anybody has judged it. */
export type AddressEvidence = Omit<AddressReport, "ok">;

/** A DNS query that DNS gave no answer to. */
export interface FailedQuery {
  /** The record's type and the name, such as `AAAA a.example`. */
  readonly query: string;
  /** The code of the error, such as `ESERVFAIL`. */
  readonly code: string;
}

/** Everything that was seen of a server: all that the rules know. */
export interface Evidence {
  /** The server name. */
  readonly server: string;
  /** When the examination began: Unix time in milliseconds. */
  readonly checkedAt: number;
  /** How long it was allowed to take, in milliseconds. */
  readonly timeoutMs: number;
  /** How long each step at an address was allowed to take, in milliseconds. */
  readonly stepMs: number;
  /** How the name became addresses, as far as it did. */
  readonly resolution: ResolutionReport;
  /** Whether the resolution came to an end. */
  readonly isResolved: boolean;
  /** The queries for addresses that DNS gave no answer to. */
  readonly failedQueries: readonly FailedQuery[];
  /** The addresses, in order. */
  readonly addresses: readonly AddressEvidence[];
  /** How many addresses there are beside these, those included that no client uses because they are too many. */
  readonly moreAddresses: number;
  /** The document that the others are compared with. */
  readonly keys: KeyReport | undefined;
}

/** What a rule says. */
export type Told = Pick<Finding, "about" | "message" | "advice"> & {
  /** How grave it is, where it is not always the same. */
  readonly severity?: Finding["severity"];
};

/** One thing to look for. It is pure: the same evidence, the same findings. */
export interface Rule {
  /** How grave it is. */
  readonly severity: Finding["severity"];
  /** Looks for it. */
  readonly find: (evidence: Evidence) => readonly Told[];
}

/** An address and its port, as they stand in a finding. */
export const placeOf = ({ address, port }: Pick<AddressReport, "address" | "port">): string => hostPort(address, port);

/** A rule about each address on its own. */
export function atEachAddress(
  severity: Finding["severity"],
  judge: (address: AddressEvidence, evidence: Evidence) => Omit<Told, "about"> | undefined,
): Rule {
  return {
    severity,
    find: (evidence) =>
      evidence.addresses.flatMap((address) => {
        const told = judge(address, evidence);
        return told ? [{ about: placeOf(address), ...told }] : [];
      }),
  };
}

/** Whether it was a proxy of ours that made the step fail. */
export const isProxys = ({ result, outcome }: ResolutionReport["steps"][number]): boolean =>
  outcome === "failed" && /^(?:\S+:\d+ the proxy |ERR_PROXY_)/.test(result);

/** A rule about the steps of the resolution. */
export function atEachStep(
  severity: Finding["severity"],
  judge: (step: ResolutionReport["steps"][number], evidence: Evidence) => Omit<Told, "about"> | undefined,
): Rule {
  return {
    severity,
    find: (evidence) =>
      evidence.resolution.steps.flatMap((step) => {
        const told = judge(step, evidence);
        return told ? [{ about: step.query, ...told }] : [];
      }),
  };
}

/** Whether an address takes requests and a homeserver answers there. */
export const works = ({ tls, version, keys }: AddressEvidence): boolean =>
  tls?.verified === true && [version, keys].some((answer) => answer !== undefined && answer.problem === undefined);
