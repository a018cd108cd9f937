import { Cancellation, MAX_TIMER_MS, onSignalAbort } from "../cancellation.js";

/** Why somebody stops waiting: for lack of time, or because nobody wants the result any more. */
export type Leaving = "outOfTime" | "unwanted";

/**
 * A task that several callers wait for. It goes on when they run out of time, since its result is remembered, and is
 * cancelled when the last of them wants it no more. One that has not begun is cancelled in both cases.
 */
export class SharedTask {
  /** Whether it has begun: before, it costs nothing to drop it. */
  hasBegun = false;
  /** Called off when nobody wants the result any more. */
  readonly cancellation: Cancellation = new Cancellation();
  /** Settles when it is over. */
  readonly done: Promise<void>;
  #waiting = 0;

  /** Starts it, a moment later. `run` never rejects. */
  constructor(run: (task: SharedTask) => Promise<void>) {
    this.done = Promise.resolve().then(() => run(this));
  }

  /** Whether nobody can join any more. */
  get isCancelled(): boolean {
    return this.cancellation.aborted;
  }

  /** Ends it for everybody. */
  cancel(): void {
    this.cancellation.abort(new DOMException("Nobody waits for these keys.", "AbortError"));
  }

  /** Waits for the end of the task, or for the cancellation whose reason is a {@link Leaving}. */
  join(leaving: Cancellation): Promise<void> {
    this.#waiting += 1;
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#waiting -= 1;
        if (this.#waiting === 0 && (leaving.reason === "unwanted" || !this.hasBegun)) this.cancel();
        resolve();
      };
      const stopListening = leaving.onAbort(leave);
      if (leaving.aborted) {
        stopListening();
        leave();
      }
      void this.done.then(() => {
        stopListening();
        resolve();
      });
    });
  }
}

/** Calls `listener` after a time; returns the function that calls that off. */
export function afterTime(ms: number, listener: () => void): () => void {
  return onSignalAbort(AbortSignal.timeout(Math.ceil(Math.min(Math.max(ms || 1, 1), MAX_TIMER_MS))), listener);
}

/**
 * Runs what may hang, and heed no signal: after `ms` milliseconds, or when it is cancelled, it is given up.
 *
 * @throws what `start` throws, or the reason why it was given up.
 */
export async function withinTime<T>(
  ms: number,
  cancellation: Cancellation,
  start: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new Cancellation();
  const stopTimer = afterTime(ms, () => end.abort(new DOMException(`No answer within ${ms} ms.`, "TimeoutError")));
  const stopListening = cancellation.onAbort(() => end.abort(cancellation.reason));
  if (cancellation.aborted) end.abort(cancellation.reason);
  try {
    return await new Promise<T>((resolve, reject) => {
      end.onAbort(() => reject(end.reason));
      if (end.aborted) reject(end.reason);
      else start(end.signal).then(resolve, reject);
    });
  } finally {
    stopTimer();
    stopListening();
  }
}
