import { answerRules } from "./answer-rules.js";
import { connectionRules } from "./connection-rules.js";
import { type Evidence, placeOf, type Rule } from "./evidence.js";
import type { Finding, FindingCode } from "./report.js";
import { resolutionRules } from "./resolution-rules.js";
import { tlsRules } from "./tls-rules.js";

const timeout: Rule = {
  severity: "error",
  find: ({ server, isResolved, addresses, timeoutMs }) => {
    const unfinished = isResolved ? addresses.filter(({ finished }) => !finished).map(placeOf) : [server];
    const what = isResolved ? "This address was not examined to the end" : "The name was not resolved to the end";
    return unfinished.map((about) => ({
      about,
      message: `${what} within the ${timeoutMs} ms that there were.`,
      advice: "Allow more time with the option timeout; if that does not help, something on the way does not answer.",
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
