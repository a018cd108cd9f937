import { answerRules } from "./answer-rules.js";
import { connectionRules } from "./connection-rules.js";
import { type AddressEvidence, type Evidence, MAX_STEP_MS, placeOf, type Rule } from "./evidence.js";
import type { Finding, FindingCode } from "./report.js";
import { resolutionRules } from "./resolution-rules.js";
import { tlsRules } from "./tls-rules.js";

const MORE_TIME = "Allow more time with the option timeout; if that does not help";

/** What an address did not come to in time. */
function missing({ tls, version }: AddressEvidence): string {
  if (!tls) return "There was no TLS connection";
  return `There was no answer from ${version ? "/_matrix/key/v2/server" : "/_matrix/federation/v1/version"}`;
}

const timeout: Rule = {
  severity: "warning",
  find: ({ server, isResolved, addresses, timeoutMs, stepMs }) => {
    if (!isResolved) {
      const message = `The name was not resolved to the end within the ${timeoutMs} ms that there were.`;
      const advice = `${MORE_TIME}, something on the way does not answer.`;
      return [{ severity: "error", about: server, message, advice }];
    }
    const share = stepMs < MAX_STEP_MS ? "a third of that" : "at most";
    return addresses
      .filter(({ finished }) => !finished)
      .map((address) => ({
        about: placeOf(address),
        message: `${missing(address)} in time: there were ${timeoutMs} ms in all, and ${share}, ${stepMs} ms, for each step.`,
        advice: `${MORE_TIME}, the report says what is wrong. So far this says nothing about the server.`,
      }));
  },
};

/** Everything that is looked for, in the order of the way to a server. */
export const rules: Readonly<Record<FindingCode, Rule>> = {
  timeout,
  ...resolutionRules,
  ...connectionRules,
  ...tlsRules,
  ...answerRules,
};

const SEVERITIES = ["error", "warning", "note"] as const;

/** What the evidence means: errors first, then warnings, then notes. */
export function findingsOf(evidence: Evidence): Finding[] {
  const findings = (Object.keys(rules) as FindingCode[]).flatMap((code) =>
    rules[code].find(evidence).map(
      ({ severity = rules[code].severity, about, message, advice }): Finding => ({
        severity,
        code,
        about,
        message,
        advice,
      }),
    ),
  );
  return SEVERITIES.flatMap((wanted) => findings.filter(({ severity }) => severity === wanted));
}
