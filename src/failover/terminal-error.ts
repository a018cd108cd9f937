import {
  type AnyFederationError,
  FailoverError,
  type FailoverSummary,
  MatrixError,
  ResolveError,
  ResponseError,
  TransportError,
} from "../errors.js";
import type { VerdictName } from "../verdict/judge.js";
import type { Attempt } from "./attempt.js";
import type { Plan } from "./failover.js";
import { adviceOn, issueText, matrixErrorHead, unprovedOf } from "./outcome-error.js";

const groups: Readonly<Record<VerdictName | "aborted", FailoverSummary>> = {
  answered: "mixed",
  partialState: "allPartial",
  notResident: "allRefused",
  notYetPropagated: "allRefused",
  unableHere: "allRefused",
  unsupported: "allRefused",
  refused: "allRefused",
  rateLimited: "allUnavailable",
  notAllowed: "allUnavailable",
  unavailable: "allUnavailable",
  invalid: "allUnavailable",
  obligationBroken: "allUnavailable",
  aborted: "allUnavailable",
};

const meanings: Readonly<Record<FailoverSummary, string>> = {
  allPartial: "Every server that was asked is still joining the room (partial state); ask again later.",
  allRefused: "Every server that was asked says that it cannot answer this.",
  allUnproved: "No answer could be verified here.",
  allUnavailable: "No server that was asked gave a usable answer.",
  mixed: "No server that was asked could answer, for different reasons.",
  notAsked: "No server was asked.",
};

const AT_THAT_SERVER =
  "put the same to that server alone, with the client's call of that name and `ignoreBackoff: true`; an event or a transaction of the same id counts once, however often it is sent.";

const NEXT_UNSIGNED =
  "Next: nobody takes our signature. Do the others get, at `/_matrix/key/v2/server` of our own server name, the public key of `signingKey` under the same key id?";

const NEXT_PARTIAL = "Next: ask again later; who is in partial state is still joining the room, and will know then.";

const NEXT_UNREACHABLE = "Next: `client.diagnose(server)` says what is wrong with one of them.";

const AGAIN =
  "the same call may be made again; an event or a transaction of the same id (for a transaction, the same `txnId`) counts once, however often it is sent.";

/** The last word of each server. An attempt that was cut off says nothing where the server spoke before. */
function lastWordsOf(attempts: readonly Attempt[]): Attempt[] {
  const lastWords = new Map<string, Attempt>();
  for (const attempt of attempts) {
    const { server, verdict } = attempt;
    if (verdict !== "aborted" || !lastWords.has(server)) lastWords.set(server, attempt);
  }
  return [...lastWords.values()];
}

/** What the last words come to. */
function summarize(lastWords: readonly Attempt[]): FailoverSummary {
  const found = new Set(lastWords.map(({ error, verdict }) => (unprovedOf(error) ? "allUnproved" : groups[verdict])));
  const [only] = found;
  return only === undefined ? "notAsked" : found.size === 1 ? only : "mixed";
}

/** What of a call its error tells. */
export interface EndedPlan extends Pick<Plan<unknown>, "candidates" | "endpoint" | "oneServer" | "repeatable"> {
  /** The section of the specification or the MSC that the endpoint names. */
  readonly spec?: string;
}

/** The error of a call that ended without an answer and without a refusal. */
export function terminalError(
  plan: EndedPlan,
  attempts: readonly Attempt[],
  { retryAt, timeoutMs }: { retryAt: number | undefined; timeoutMs?: number | undefined },
): AnyFederationError {
  const about = { endpoint: plan.endpoint, server: plan.oneServer ? plan.candidates[0] : undefined };
  const last = attempts.at(-1);
  const outcomeUnknown = plan.repeatable === "sameServer" && attempts.some((attempt) => attempt.mayHaveTakenEffect);
  if (plan.oneServer && last && !outcomeUnknown) {
    if (last.error) return last.error;
    return new TransportError("ERR_TIMEOUT", `The server did not answer within ${timeoutMs} ms.`, {
      ...about,
      requestSent: last.mayHaveTakenEffect,
    });
  }
  const lastWords = lastWordsOf(attempts);
  const summary = summarize(lastWords);
  const late =
    timeoutMs !== undefined && last?.verdict === "aborted"
      ? new TransportError("ERR_TIMEOUT", `The server did not answer within the call's ${timeoutMs} ms.`, {
          endpoint: plan.endpoint,
          server: last.server,
          requestSent: last.mayHaveTakenEffect,
        })
      : undefined;
  const cause = last?.error ?? late;
  const next = nextLines(lastWords);
  const told = attemptLines(attempts, retryAt);
  const lines = [...next, ...told];
  const details = { ...about, attempts, summary, retryAt, cause, lines, docsUrl: plan.spec };
  if (outcomeUnknown) {
    const sent =
      last && unprovedOf(last.error)
        ? "The request was sent, and answered, but the answer cannot be verified: it may have taken effect."
        : "The request was sent, and no answer says whether it took effect.";
    const message = plan.oneServer ? sent : `${sent} It was not sent to another server.`;
    next.push(`${next.length > 0 ? "Then" : "Next"}: ${plan.oneServer ? AGAIN : AT_THAT_SERVER}`);
    const { server } = attempts.find(({ mayHaveTakenEffect }) => mayHaveTakenEffect) ?? about;
    return new FailoverError("ERR_OUTCOME_UNKNOWN", message, { ...details, server, lines: [...next, ...told] });
  }
  if (attempts.length === 0 && retryAt !== undefined) {
    const message =
      "Every server is in backoff or asked to be left alone. Wait; for those in backoff `ignoreBackoff` helps too, and `client.diagnose(server)` says what is wrong with one.";
    return new FailoverError("ERR_IN_BACKOFF", message, { ...details, docsUrl: undefined });
  }
  const hurry = timeoutMs === undefined ? "" : ` The call's ${timeoutMs} ms are over.`;
  return new FailoverError("ERR_ALL_FAILED", meanings[summary] + hurry, details);
}

/** What may help, where the servers' last words tell. */
function nextLines(lastWords: readonly Attempt[]): string[] {
  if (lastWords.length > 0 && lastWords.every(({ status }) => status === 401)) return [NEXT_UNSIGNED];
  const unproved = new Set(lastWords.flatMap(({ error }) => unprovedOf(error) ?? []));
  const lines = [...unproved].map((why) => adviceOn[why]);
  const joining = lastWords.filter(({ verdict }) => verdict === "partialState").length;
  // Where all are, that is what the error says.
  if (joining > 0 && joining < lastWords.length) lines.push(NEXT_PARTIAL);
  const isUnreachable = lastWords.some(({ error }) => error instanceof TransportError || error instanceof ResolveError);
  return isUnreachable ? [...lines, NEXT_UNREACHABLE] : lines;
}

function attemptLines(attempts: readonly Attempt[], retryAt: number | undefined): string[] {
  const shown = attempts.slice(-20).map(({ server, verdict, status, errcode, ms, round, error }) => {
    const what = [status, errcode ?? error?.code].filter((part) => part !== undefined).join(" ");
    const why = error && whyOf(error);
    return `  ${server}: ${verdict}${what && ` (${what})`}, round ${round}, ${Math.round(ms)} ms${why ? `: ${why}` : ""}`;
  });
  return [
    ...(shown.length > 0 ? [`Attempts: ${attempts.length}`, ...shown] : []),
    ...(retryAt === undefined ? [] : [`Retry at: ${new Date(retryAt).toISOString()}`]),
  ];
}

/** What an attempt's error says beside its code: of the answer, in the server's own words, or of the connection. */
function whyOf(error: AnyFederationError): string | undefined {
  const [issue] = error instanceof ResponseError ? error.issues : [];
  if (issue) return issueText(issue);
  const [first = "", ...lines] = error.message.split("\n");
  if (error instanceof MatrixError) return first.slice(matrixErrorHead(error).length + 2);
  if (error instanceof ResponseError || error instanceof ResolveError) return first;
  return lines.find((line) => line.startsWith(CAUSE))?.slice(CAUSE.length);
}

const CAUSE = "Cause: ";
