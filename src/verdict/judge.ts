import type { Endpoint } from "../endpoint.js";
import type { Outcome } from "../validate/outcome.js";
import { isPartialStateErrcode } from "./errcodes.js";

/** What an outcome means. */
export type VerdictName =
  | "answered"
  | "partialState"
  | "notResident"
  | "notYetPropagated"
  | "unableHere"
  | "unsupported"
  | "rateLimited"
  | "unavailable"
  | "notAllowed"
  | "invalid"
  | "obligationBroken"
  | "refused";

/** What a verdict does to what we know of the server, and what is asked next. */
export interface Consequence {
  /**
   * What happens to the server's backoff: a success clears it; a failure is counted; a pause keeps off the server for
   * a time without counting; misbehaviour is counted apart from reachability.
   */
  readonly backoff: "clear" | "none" | "count" | "pause" | "misbehaviour";
  /** Whether the answer is returned, another resident is asked, or the call ends with the error. */
  readonly next: "return" | "nextResident" | "stop";
  /** Whether the same server may be asked again in a later round of the same call. */
  readonly laterRound: boolean;
}

/** What follows from each verdict. */
export const consequences: Readonly<Record<VerdictName, Consequence>> = {
  answered: { backoff: "clear", next: "return", laterRound: false },
  partialState: { backoff: "none", next: "nextResident", laterRound: true },
  notResident: { backoff: "none", next: "nextResident", laterRound: false },
  notYetPropagated: { backoff: "none", next: "nextResident", laterRound: true },
  unableHere: { backoff: "none", next: "nextResident", laterRound: false },
  unsupported: { backoff: "none", next: "nextResident", laterRound: false },
  rateLimited: { backoff: "pause", next: "nextResident", laterRound: true },
  unavailable: { backoff: "count", next: "nextResident", laterRound: true },
  notAllowed: { backoff: "none", next: "nextResident", laterRound: false },
  invalid: { backoff: "misbehaviour", next: "nextResident", laterRound: false },
  obligationBroken: { backoff: "misbehaviour", next: "nextResident", laterRound: false },
  refused: { backoff: "none", next: "stop", laterRound: false },
};

/** What a verdict depends on, beside the outcome and the endpoint. */
export interface JudgeContext {
  /** The server that was asked. */
  readonly server: string;
  /** The servers that sent us the event which the request is about: they are obliged to answer (MSC3895). */
  readonly sentBy?: readonly string[] | undefined;
  /** The server through which we joined the room a moment ago: the others may not have heard of it. */
  readonly joinedVia?: string | undefined;
}

/** The fields of an endpoint that its verdicts depend on. */
export type JudgedEndpoint = Pick<
  // biome-ignore lint/suspicious/noExplicitAny: an endpoint of any input will do
  Endpoint<any, unknown>,
  "audience" | "authentication" | "errors" | "nextResidentOn" | "partialState" | "partialStateDisguise" | "universal"
>;

/** A verdict with the rule that led to it. */
export interface Verdict extends Consequence {
  /** What the outcome means. */
  readonly name: VerdictName;
  /** The rule of the verdict table that matched, as a sentence. */
  readonly rule: string;
  /** Whether the request may have taken effect at the server although there is no valid answer. */
  readonly mayHaveTakenEffect: boolean;
}

type ErrorOutcome = Extract<Outcome, { kind: "error" }>;

/** One row of the verdict table. */
export interface VerdictRule {
  /** What the outcome means when the rule matches. */
  readonly verdict: VerdictName;
  /** The rule as a sentence. */
  readonly rule: string;
  /** Whether the rule matches. */
  readonly when: (outcome: Outcome, endpoint: JudgedEndpoint, context: JudgeContext) => boolean;
}

const onError =
  (when: (error: ErrorOutcome, endpoint: JudgedEndpoint, context: JudgeContext) => boolean): VerdictRule["when"] =>
  (outcome, endpoint, context) =>
    outcome.kind === "error" && outcome.status >= 300 && when(outcome, endpoint, context);

const saysPartialState = (error: ErrorOutcome): boolean => error.status >= 400 && isPartialStateErrcode(error.errcode);

const letsOthersTry = (error: ErrorOutcome, endpoint: JudgedEndpoint): boolean =>
  endpoint.nextResidentOn?.some(
    ({ errcode, status }) => errcode === error.errcode && (status === undefined || status === error.status),
  ) ?? false;

/** Whether an error is an answer though its status says that the server is not well: the endpoint documents its code. */
const isDocumented = ({ errcode, status }: ErrorOutcome, { errors }: JudgedEndpoint): boolean =>
  errcode !== undefined && (errors?.some((each) => each.errcode === errcode && each.status === status) ?? false);

/** The verdict table: the first rule that matches decides. Error codes come before texts, and the status comes last. */
export const verdictRules: readonly VerdictRule[] = [
  {
    verdict: "answered",
    rule: "a success whose body is valid",
    when: (outcome) => outcome.kind === "answer",
  },
  {
    verdict: "unableHere",
    rule: "a success whose events cannot be verified here: keys cannot be had or had expired, or the room is of another version than was said, or of an unknown one",
    when: (outcome) => outcome.kind === "malformed" && outcome.unproved !== undefined,
  },
  {
    verdict: "invalid",
    rule: "a success whose body is not what the endpoint promises",
    when: (outcome) => outcome.kind === "malformed",
  },
  {
    verdict: "obligationBroken",
    rule: "a partial-state error on an endpoint that is about no room",
    when: onError((error, endpoint) => saysPartialState(error) && endpoint.partialState === "illegal"),
  },
  {
    verdict: "obligationBroken",
    rule: "a partial-state error about an event that this very server sent us (MSC3895)",
    when: onError(
      (error, endpoint, { server, sentBy }) =>
        saysPartialState(error) &&
        endpoint.partialState === "illegalForEventsItSent" &&
        (sentBy?.includes(server) ?? false),
    ),
  },
  {
    verdict: "partialState",
    rule: "M_UNABLE_DUE_TO_PARTIAL_STATE or its unstable name, at any 4xx or 5xx status",
    when: onError(saysPartialState),
  },
  {
    verdict: "partialState",
    rule: "M_NOT_FOUND “… not fully joined” where servers in partial state say so",
    when: onError(
      ({ errcode, text }, endpoint) =>
        endpoint.partialStateDisguise === "notFullyJoined" &&
        errcode === "M_NOT_FOUND" &&
        /\bnot fully joined\b/i.test(text),
    ),
  },
  {
    verdict: "partialState",
    rule: "M_FORBIDDEN “… (partial-state approx)” where servers in partial state say so",
    when: onError(
      ({ errcode, text }, endpoint) =>
        endpoint.partialStateDisguise === "approximateMembership" &&
        errcode === "M_FORBIDDEN" &&
        /\bpartial-state approx/i.test(text),
    ),
  },
  {
    verdict: "rateLimited",
    rule: "M_LIMIT_EXCEEDED, or status 429",
    when: onError(({ errcode, status }) => errcode === "M_LIMIT_EXCEEDED" || status === 429),
  },
  {
    verdict: "unsupported",
    rule: "M_UNRECOGNIZED at status 404 or 405, or 400 in its old spelling",
    when: onError(
      ({ errcode, status, text }) =>
        errcode === "M_UNRECOGNIZED" &&
        (status === 404 || status === 405 || (status === 400 && /unrecognized request/i.test(text))),
    ),
  },
  {
    verdict: "notYetPropagated",
    rule: "M_FORBIDDEN on a room read or make_leave soon after our join, from another server than the one we joined through",
    when: onError(
      (error, endpoint, { server, joinedVia }) =>
        error.errcode === "M_FORBIDDEN" &&
        letsOthersTry(error, endpoint) &&
        joinedVia !== undefined &&
        joinedVia !== server,
    ),
  },
  {
    verdict: "notResident",
    rule: "M_NOT_FOUND, or M_FORBIDDEN on a room read or make_leave, of a server that another resident may stand in for",
    when: onError(
      (error, endpoint) =>
        (error.errcode === "M_NOT_FOUND" || error.errcode === "M_FORBIDDEN") && letsOthersTry(error, endpoint),
    ),
  },
  {
    verdict: "unableHere",
    rule: "another error code on which, by the endpoint, another resident may do better",
    when: onError(letsOthersTry),
  },
  {
    verdict: "notResident",
    rule: 'status 404 with the JSON body "", as Synapse says of an event that it has not got',
    when: onError(
      ({ errcode, status, text }, endpoint) =>
        errcode === undefined && status === 404 && text === '""' && endpoint.audience === "resident",
    ),
  },
  {
    verdict: "unsupported",
    rule: "status 404 or 405 with an empty body (Conduit) or “404 page not found” (Dendrite), where not every server has the endpoint",
    when: onError(
      ({ errcode, status, text }, endpoint) =>
        errcode === undefined &&
        (status === 404 || status === 405) &&
        !endpoint.universal &&
        /^(404 page not found)?\s*$/.test(text),
    ),
  },
  {
    verdict: "unavailable",
    rule: "status 5xx, or 401 to a signed request, unless the endpoint documents the error code with that status",
    when: onError(
      (error, endpoint) =>
        (error.status >= 500 || (error.status === 401 && endpoint.authentication === "signature")) &&
        !isDocumented(error, endpoint),
    ),
  },
  {
    verdict: "refused",
    rule: "any other Matrix error: an answer",
    when: onError(({ errcode, status }) => errcode !== undefined && status >= 400),
  },
  {
    verdict: "unableHere",
    rule: "status 413, 414 or 431 without an error code: our request is too large for what stands before the server",
    when: onError(({ status }) => status === 413 || status === 414 || status === 431),
  },
  {
    verdict: "notAllowed",
    rule: "no response, because our own address policy or proxy did not let the request out",
    when: (outcome) => outcome.kind === "failure" && outcome.failure === "notAllowed",
  },
  {
    verdict: "unavailable",
    rule: "a response that no homeserver wrote, or no response",
    when: () => true,
  },
];

/** Only a clear "no" proves that nothing happened; silence, a gateway's error or a garbled success does not. */
function mayHaveTakenEffect(verdict: VerdictName, outcome: Outcome): boolean {
  if (outcome.kind === "failure") return outcome.requestSent;
  if (outcome.kind === "malformed") return true;
  return verdict === "unavailable" && (outcome.status >= 500 || outcome.status === 408 || outcome.status === 499);
}

/**
 * Says what an outcome means. A pure function: it looks at nothing but its arguments and changes nothing, so it can
 * be used with any HTTP client.
 *
 * @param outcome - What came of the attempt; `readOutcome` makes it from a response.
 * @param endpoint - The endpoint that was asked.
 * @param context - Which server was asked, and what is known of it.
 */
export function judge(outcome: Outcome, endpoint: JudgedEndpoint, context: JudgeContext): Verdict {
  const row = verdictRules.find(({ when }) => when(outcome, endpoint, context)) as VerdictRule;
  const name = row.verdict;
  return { name, rule: row.rule, mayHaveTakenEffect: mayHaveTakenEffect(name, outcome), ...consequences[name] };
}
