import { setMaxListeners } from "node:events";
import { MAX_TIMER_MS } from "../cancellation.js";

/** The reason a task was aborted because its time ran out. */
export class BudgetSpent extends Error {
  /** How long the task had, in milliseconds. */
  readonly budgetMs: number;

  /** Says how long the task had. */
  constructor(budgetMs: number) {
    super(`no answer within ${Math.round(budgetMs)} ms`);
    this.name = "BudgetSpent";
    this.budgetMs = budgetMs;
  }
}

/** Whether a value is an `AbortSignal`, of whatever library. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  const { addEventListener, aborted } = (value ?? {}) as { addEventListener?: unknown; aborted?: unknown };
  return typeof addEventListener === "function" && typeof aborted === "boolean";
}

/**
 * Waits for a promise, but no longer than the signal allows. The promise itself goes on: others may wait for it too.
 *
 * @throws The signal's reason once it is aborted.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    // Listeners are taken off again, because a caller's signal may outlive thousands of calls.
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * Runs a task that must end within a time. It ends even if the task ignores its signal.
 *
 * @param budgetMs - The time in milliseconds.
 * @param parent - Ends the task early.
 * @param task - Gets a signal that is aborted when the time is over or the parent is.
 * @throws {@link BudgetSpent} when the time is over, the parent's reason when the parent is aborted.
 */
export async function withinBudget<T>(
  budgetMs: number,
  parent: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent.throwIfAborted();
  // Not AbortSignal.any(): it keeps every composed signal alive for as long as the parent lives on some Node versions.
  const controller = new AbortController();
  // A chain of redirects listens more than ten times; all of it ends with the task, so no warning of a leak is due.
  setMaxListeners(0, controller.signal);
  const abort = (): void => controller.abort(parent.reason);
  const timer = setTimeout(() => controller.abort(new BudgetSpent(budgetMs)), Math.min(budgetMs, MAX_TIMER_MS));
  parent.addEventListener("abort", abort, { once: true });
  try {
    return await untilAborted(task(controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
    parent.removeEventListener("abort", abort);
  }
}
