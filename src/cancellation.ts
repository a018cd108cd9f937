/** The longest time that Node's timers can wait, in milliseconds: they take a longer one for none. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/**
 * A way to call something off, as an `AbortController` is. Requests make several, and nearly none is ever used: this
 * one costs nothing until somebody needs a real signal.
 */
export class Cancellation {
  /** Whether it was called off. */
  aborted = false;
  /** Why: what `abort` was given. */
  reason: unknown;
  readonly #listeners = new Set<() => void>();
  #controller: AbortController | undefined;

  /** Calls it off, once. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.#listeners]) listener();
    this.#listeners.clear();
    this.#controller?.abort(reason);
  }

  /** Calls `listener` when it is called off; returns the function that stops listening. */
  onAbort(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The same as a signal, for those who know only signals. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }
}

const listeners = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly onAbort: () => void }>();

/**
 * Calls `listener` when the signal aborts; returns the function that stops listening. However many listen, the signal
 * has one listener: a signal of the caller's may be shared by hundreds of calls, and Node warns from the eleventh on.
 */
export function onSignalAbort(signal: AbortSignal, listener: () => void): () => void {
  let entry = listeners.get(signal);
  if (!entry) {
    const all = new Set<() => void>();
    entry = { all, onAbort: () => [...all].forEach((one) => void one()) };
    listeners.set(signal, entry);
    signal.addEventListener("abort", entry.onAbort, { once: true });
  }
  const { all, onAbort } = entry;
  all.add(listener);
  return () => {
    all.delete(listener);
    if (all.size > 0) return;
    signal.removeEventListener("abort", onAbort);
    listeners.delete(signal);
  };
}
