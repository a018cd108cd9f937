import type { Cancellation } from "../cancellation.js";
import type { AnyFederationError } from "../errors.js";
import type { Outcome } from "../validate/outcome.js";
import type { Verdict, VerdictName } from "../verdict/judge.js";

/** One request to one server, and what came of it. */
export interface Attempt {
  /** The server that was asked; for a file, it may be the host that the server redirected to. */
  readonly server: string;
  /** The round of the call in which it was asked; the first is 1. */
  readonly round: number;
  /** Whether it was asked because another server was slow. */
  readonly hedge: boolean;
  /** What the outcome means; `aborted` when the call ended before the server answered. */
  readonly verdict: VerdictName | "aborted";
  /** Why: the rule of the verdict table that matched. */
  readonly rule: string;
  /** The HTTP status, where there was a response. */
  readonly status: number | undefined;
  /** The Matrix error code, where there was one. */
  readonly errcode: string | undefined;
  /** Whether the request may have taken effect at the server although there is no valid answer. */
  readonly mayHaveTakenEffect: boolean;
  /** When it began, in milliseconds since the call began. */
  readonly startMs: number;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** The error that it would have been on its own; absent for an answer, and where it was `aborted`. */
  readonly error: AnyFederationError | undefined;
}

/** What one attempt came to. */
export interface Judgement<Output> {
  /** What came of it. */
  readonly outcome: Outcome<Output>;
  /** What that means. */
  readonly verdict: Verdict;
  /** The error that it would be on its own; absent for an answer. */
  readonly error: AnyFederationError | undefined;
}

/**
 * Asks one server once. It rejects only when it is cancelled or the library has a bug. `arrived` is called when the answer
 * is there and only we still work on it: from then on no time counts against the server, and no other is asked meanwhile.
 */
export type Ask<Output> = (
  server: string,
  cancellation: Cancellation,
  arrived: () => void,
) => Promise<Judgement<Output>>;
