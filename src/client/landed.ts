import type { Attempt } from "../failover/attempt.js";
import type { Landing } from "../failover/flight.js";
import type { ServerRecords } from "../failover/server-records.js";
import { type EndedPlan, terminalError } from "../failover/terminal-error.js";
import type { Answer, SafeAnswer } from "./calls.js";

/** What a call returns, from how its flight landed. */
export function landed<Output>(
  plan: EndedPlan,
  landing: Landing<Output>,
  attempts: readonly Attempt[],
  records: ServerRecords,
  timeoutMs: number,
): SafeAnswer<Output> {
  switch (landing.kind) {
    case "answered": {
      const { value, dropped, redacted, roomVersion, via } = landing;
      return { ok: true, value, dropped, redacted, roomVersion, via, attempts };
    }
    case "stopped": {
      // A refusal of the repetition does not say what became of the first request.
      const isUnknown =
        plan.repeatable === "sameServer" && attempts.some(({ mayHaveTakenEffect }) => mayHaveTakenEffect);
      const error = isUnknown ? terminalError(plan, attempts, { retryAt: undefined }) : landing.error;
      return { ok: false, error, attempts };
    }
    case "exhausted":
      return { ok: false, error: terminalError(plan, attempts, landing), attempts };
    case "outOfTime":
      return {
        ok: false,
        error: terminalError(plan, attempts, { retryAt: records.retryAt(plan.candidates), timeoutMs }),
        attempts,
      };
  }
}

/** What a throwing call returns. */
export function unwrapped<Output>(result: SafeAnswer<Output>): Answer<Output> {
  if (!result.ok) throw result.error;
  const { ok: _ok, ...answer } = result;
  return answer;
}
