import { type AnyFederationError, ResponseError, TransportError } from "../errors.js";
import type { Attempt } from "../failover/attempt.js";
import { failureKinds, type Outcome } from "../validate/outcome.js";
import { type JudgedEndpoint, judge } from "../verdict/judge.js";

/** A request for a file to the host that a server redirected to. */
export interface RedirectedRequest {
  /** The host, with its port where the URL has one. */
  readonly host: string;
  /** When it was asked, in milliseconds since the call began. */
  readonly startMs: number;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** What a URL anywhere is judged by: a 404 there says nothing about what a homeserver knows. */
const anywhere: JudgedEndpoint = {
  audience: "server",
  authentication: "none",
  partialState: "illegal",
  universal: true,
};

/**
 * The attempts of a call that failed where the server had redirected to. The host that failed gets an attempt of its own;
 * where none was asked, the server's answer is what is wrong.
 */
export function withRedirectFailure(
  attempts: readonly Attempt[],
  request: RedirectedRequest | undefined,
  error: AnyFederationError,
): readonly Attempt[] {
  const last = attempts.at(-1);
  if (!last) return attempts;
  const outcome = outcomeOf(error);
  const verdict = outcome && judge(outcome, anywhere, { server: request?.host ?? last.server });
  const failed = {
    verdict: verdict?.name ?? "aborted",
    rule: verdict?.rule ?? "the call was over before the file began",
    status: outcome && "status" in outcome ? outcome.status : undefined,
    mayHaveTakenEffect: verdict?.mayHaveTakenEffect ?? true,
    error: verdict && error,
  } satisfies Partial<Attempt>;
  if (!request) return [...attempts.slice(0, -1), { ...last, ...failed }];
  const { host, startMs, ms } = request;
  return [...attempts, { server: host, round: last.round, hedge: false, errcode: undefined, startMs, ms, ...failed }];
}

function outcomeOf(error: AnyFederationError): Outcome | undefined {
  if (error instanceof TransportError) {
    return { kind: "failure", failure: failureKinds[error.code], requestSent: error.requestSent };
  }
  if (!(error instanceof ResponseError)) return undefined;
  const { code, status, issues } = error;
  return code === "ERR_NOT_MATRIX" ? { kind: "error", status, text: "" } : { kind: "malformed", status, issues };
}
