import { setImmediate as nextTurn } from "node:timers/promises";

/** How long the main thread works before it looks after the rest of the process, in milliseconds. */
const TURN_MS = 4;

/** Long work on the main thread, cut into turns: between them the rest of the process has its own. */
export class Turns {
  #began = performance.now();
  #next: Promise<void> | undefined;

  /** To be called between two things that take little time each; a promise to wait for when the turn is over. */
  breathe(): Promise<void> | undefined {
    if (performance.now() - this.#began < TURN_MS) return undefined;
    this.#next ??= nextTurn().then(() => {
      this.#began = performance.now();
      this.#next = undefined;
    });
    return this.#next;
  }
}
