import { Cancellation } from "../cancellation.js";
import type { Ask, Judgement } from "./attempt.js";
import type { Trail } from "./trail.js";

/** What is asked of whom in one round, and how. */
export interface Round<Output> {
  /** The number of the round; the first is 1. */
  readonly number: number;
  /** Whom to ask, in order; at least one. */
  readonly order: readonly string[];
  /** Asks one of them. */
  readonly ask: Ask<Output>;
  /** How long an attempt may take, in milliseconds. */
  readonly attemptTimeoutMs: number;
  /** After how many milliseconds without an answer the next one is asked too; `undefined`: not before it failed. */
  readonly hedgeAfterMs: (server: string) => number | undefined;
  /** Whether one more server may be asked while another has not answered yet. */
  readonly mayHedge: () => boolean;
  /** Takes note of a judgement; says whether the round is over. */
  readonly judged: (server: string, judgement: Judgement<Output>, ms: number, startedAt: number) => boolean;
  /** Takes note of a server that was still silent when the round was over. */
  readonly outrun: (server: string, ms: number) => void;
  /** Whether another server may be asked now (a budget may have run out). */
  readonly mayAsk: () => boolean;
}

interface Running {
  readonly attempt: Cancellation;
  readonly begun: number;
  /** How long the server took, in milliseconds, once its answer is there. */
  answeredMs?: number;
}

const MAX_PARALLEL = 3;

/**
 * Asks one server after the other, the next one too where the last is slow, until a judgement ends the round or nobody
 * is left. Servers that have not answered by then are aborted.
 */
export function runRound<Output>(round: Round<Output>, trail: Trail, call: Cancellation): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const running = new Map<string, Running>();
    let next = 0;
    let over = false;
    let hedgeTimer: NodeJS.Timeout | undefined;

    const end = (settle: () => void): void => {
      if (over) return;
      over = true;
      clearTimeout(hedgeTimer);
      stopListening();
      for (const [server, { attempt, begun, answeredMs }] of running) {
        if (answeredMs === undefined) round.outrun(server, performance.now() - begun);
        attempt.abort(call.aborted ? call.reason : new DOMException("Another answer came first", "AbortError"));
      }
      settle();
    };
    const stopListening = call.onAbort(() => end(() => reject(call.reason)));

    const askNext = (hedge: boolean): void => {
      clearTimeout(hedgeTimer);
      const server = round.order[next];
      if (server === undefined || !round.mayAsk()) {
        if (running.size === 0) end(resolve);
        return;
      }
      next += 1;
      const attempt = new Cancellation();
      const timeout = setTimeout(
        () => attempt.abort(new DOMException(`No answer within ${round.attemptTimeoutMs} ms`, "TimeoutError")),
        round.attemptTimeoutMs,
      );
      // A handler that never comes to an end keeps the attempt, but not the process.
      attempt.onAbort(() => clearTimeout(timeout));
      const place = trail.begin(server, round.number, hedge);
      const startedAt = Date.now();
      const entry: Running = { attempt, begun: performance.now() };
      running.set(server, entry);
      armHedge(server);
      const arrived = (): void => {
        clearTimeout(timeout);
        clearTimeout(hedgeTimer);
        entry.answeredMs ??= performance.now() - entry.begun;
      };
      round.ask(server, attempt, arrived).then(
        (judgement) => {
          clearTimeout(timeout);
          if (over) return;
          running.delete(server);
          const ms = trail.end(place, judgement);
          if (round.judged(server, judgement, entry.answeredMs ?? ms, startedAt)) end(resolve);
          else askNext(false);
        },
        (bug: unknown) => {
          clearTimeout(timeout);
          running.delete(server);
          end(() => reject(bug));
        },
      );
    };

    const armHedge = (server: string): void => {
      const afterMs = next < round.order.length && running.size < MAX_PARALLEL ? round.hedgeAfterMs(server) : undefined;
      if (afterMs === undefined) return;
      hedgeTimer = setTimeout(() => {
        if (!over && round.mayHedge()) askNext(true);
      }, afterMs);
    };

    if (call.aborted) end(() => reject(call.reason));
    else askNext(false);
  });
}
