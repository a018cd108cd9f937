import type { Cancellation } from "../cancellation.js";
import { isFederationError } from "../errors.js";
import { type KeyDocument, readKeyDocument } from "./key-document.js";
import { Patience } from "./patience.js";
import { afterTime, SharedTask, withinTime } from "./shared-task.js";
import { type Share, Turn, Turns } from "./turns.js";

/** How long a server that answered is not asked again: an event may name any number of keys that do not exist. */
export const REST_MS = 60_000;
const FIRST_WAIT_MS = 15_000;
const TIMEOUT_MS = 10_000;
/** After so long without an answer the next server is asked beside: hundreds that hang must not take the time of others. */
const SLOW_MS = 2000;

/** How a request for keys is made. */
export interface FetchOptions {
  /** Aborted when nobody wants the answer any more, or when it takes too long. */
  readonly signal: AbortSignal;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Gets the key document of a server from the server itself. */
export type FetchKeys = (server: string, options: FetchOptions) => Promise<unknown>;

interface Lookup {
  readonly task: SharedTask;
  readonly turn: Turn;
}

/** Asks servers for their own keys: each once at a time, some dozens together, and none that gave no answer lately. */
export class DirectKeys {
  /** Who is not asked for a while. */
  readonly patience: Patience = new Patience({ baseMs: FIRST_WAIT_MS });
  readonly #lookups = new Map<string, Lookup>();
  readonly #fetchKeys: FetchKeys;
  readonly #learn: (document: KeyDocument) => void;
  readonly #turns = new Turns();

  /** `learn` is given each document that is believed. */
  constructor(fetchKeys: FetchKeys, learn: (document: KeyDocument) => void) {
    this.#fetchKeys = fetchKeys;
    this.#learn = learn;
  }

  /**
   * Asks a server, unless it was asked lately. Settles when there is an answer, or none.
   *
   * @param isUrgent - Whether there is a sign that it is back: then no wait is longer than a minute.
   * @param share - Of whose requests it is one.
   * @returns `tooMany` when it is not asked because the search asked so many others.
   */
  async fetch(server: string, leaving: Cancellation, isUrgent: boolean, share: Share): Promise<"tooMany" | undefined> {
    if (leaving.aborted) return undefined;
    const known = this.#lookups.get(server);
    const isKnown = known && !known.task.isCancelled;
    if (!isKnown && !this.patience.isOver(server, isUrgent ? REST_MS : undefined)) return undefined;
    const lookup = isKnown ? known : this.#lookup(server);
    if (!this.#turns.wait(lookup.turn, share)) return "tooMany";
    this.#lookups.set(server, lookup);
    await lookup.task.join(leaving);
    return undefined;
  }

  /** The servers that are being asked, or will be. */
  inFlight(): string[] {
    return [...this.#lookups.keys()];
  }

  /** Ends all requests. */
  close(): void {
    for (const { task } of this.#lookups.values()) task.cancel();
  }

  #lookup(server: string): Lookup {
    let settle = (): void => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const turn = new Turn(() => {
      task.hasBegun = true;
      settle();
    });
    const task = new SharedTask(async ({ cancellation }) => {
      await settled;
      const stopTimer = afterTime(SLOW_MS, () => this.#turns.end(turn));
      if (!cancellation.aborted) await this.#ask(server, cancellation);
      stopTimer();
      this.#turns.end(turn);
      if (this.#lookups.get(server)?.task === task) this.#lookups.delete(server);
    });
    // One that waits leaves the lines at once, so that nobody's place goes to what is called off.
    task.cancellation.onAbort(() => {
      if (task.hasBegun) return;
      this.#turns.end(turn);
      settle();
    });
    return { task, turn };
  }

  async #ask(server: string, cancellation: Cancellation): Promise<void> {
    try {
      const value = await withinTime(TIMEOUT_MS, cancellation, (signal) =>
        this.#fetchKeys(server, { signal, timeoutMs: TIMEOUT_MS }),
      );
      const origin = { servers: new Set([server]), source: "direct", fetchedAt: Date.now() } as const;
      const document = readKeyDocument(value, origin);
      if (typeof document === "string") return this.patience.failed(server, document);
      this.#learn(document);
      this.patience.answered(server, REST_MS);
    } catch (error) {
      // That nobody waited for the answer says nothing about the server.
      if (!cancellation.aborted) this.patience.failed(server, wordFor(error));
    }
  }
}

/** A word for what went wrong. The text of an error may hold anything. */
export function wordFor(error: unknown): string {
  if (isFederationError(error)) return error.code;
  return error instanceof DOMException && error.name === "TimeoutError" ? "ERR_TIMEOUT" : "failed";
}
