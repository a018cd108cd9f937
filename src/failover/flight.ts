import { Cancellation, MAX_TIMER_MS, onSignalAbort } from "../cancellation.js";
import type { Ending } from "./failover.js";
import { Trail } from "./trail.js";

/** How a call ended for one of those who wait for it. */
export type Landing<Output> = Ending<Output> | { readonly kind: "outOfTime" };

/**
 * A call under way that several callers may wait for, each with a signal and a deadline of its own. It goes on as long
 * as somebody waits; when the last one leaves, it is aborted.
 */
export class Flight<Output> {
  /** The attempts so far. */
  readonly trail: Trail = new Trail();
  readonly #cancellation = new Cancellation();
  readonly #ending: Promise<Ending<Output>>;
  #waiting = 0;
  #deadlineAt = 0;

  /** Starts it. `run` gets the trail to write to, the cancellation to obey, and the deadline of the most patient caller. */
  constructor(
    run: (trail: Trail, cancellation: Cancellation, deadlineAt: () => number) => Promise<Ending<Output>>,
    timeoutMs: number,
  ) {
    this.#deadlineAt = performance.now() + timeoutMs;
    this.#ending = run(this.trail, this.#cancellation, () => this.#deadlineAt);
  }

  /** Calls `listener` when the call has ended, well or badly. */
  onceOver(listener: () => void): void {
    this.#ending.then(listener, listener);
  }

  /** Calls it off for everybody who waits, with the error that they get. */
  cancel(reason: Error): void {
    this.#cancellation.abort(reason);
  }

  /** Whether everybody has left, so that nobody can join any more. */
  get isAborted(): boolean {
    return this.#cancellation.aborted;
  }

  /**
   * Waits for the call to end, at most `timeoutMs` milliseconds.
   *
   * @throws the signal's reason when it aborts.
   */
  join(timeoutMs: number, signal: AbortSignal | undefined): Promise<Landing<Output>> {
    this.#deadlineAt = Math.max(this.#deadlineAt, performance.now() + timeoutMs);
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      let left = false;
      const leave = (abortReason: unknown): void => {
        if (left) return;
        left = true;
        clearTimeout(timer);
        stopListening?.();
        this.#waiting -= 1;
        if (abortReason !== undefined && this.#waiting === 0) this.#cancellation.abort(abortReason);
      };
      const onAbort = (): void => {
        leave(signal?.reason);
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          // Settled first: the abort that follows must not look like the caller's.
          resolve({ kind: "outOfTime" });
          leave(new DOMException(`No answer within ${timeoutMs} ms`, "TimeoutError"));
        },
        Math.min(timeoutMs, MAX_TIMER_MS),
      );
      const stopListening = signal && onSignalAbort(signal, onAbort);
      if (signal?.aborted) onAbort();
      this.#ending.then(
        (ending) => {
          leave(undefined);
          resolve(ending);
        },
        (error: unknown) => {
          leave(undefined);
          reject(error);
        },
      );
    });
  }
}
