import type { Cancellation } from "../cancellation.js";
import { isFederationError } from "../errors.js";
import { type KeyDocument, readKeyDocument } from "./key-document.js";
import { Patience } from "./patience.js";
import { SharedTask, withinTime } from "./shared-task.js";

/** How long a server that answered is not asked again: an event may name any number of keys that do not exist. */
export const REST_MS = 60_000;
const FIRST_WAIT_MS = 15_000;
const TIMEOUT_MS = 10_000;
const MAX_UNDER_WAY = 50;

/** How a request for keys is made. */
export interface FetchOptions {
  /** Aborted when nobody wants the answer any more, or when it takes too long. */
  readonly signal: AbortSignal;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Gets the key document of a server from the server itself. */
export type FetchKeys = (server: string, options: FetchOptions) => Promise<unknown>;

/** Asks servers for their own keys: each once at a time, some dozens together, and none that gave no answer lately. */
export class DirectKeys {
  /** Who is not asked for a while. */
  readonly patience: Patience = new Patience({ baseMs: FIRST_WAIT_MS });
  readonly #tasks = new Map<string, SharedTask>();
  readonly #fetchKeys: FetchKeys;
  readonly #learn: (document: KeyDocument) => void;
  readonly #queue = new Set<() => void>();
  #underWay = 0;

  /** `learn` is given each document that is believed. */
  constructor(fetchKeys: FetchKeys, learn: (document: KeyDocument) => void) {
    this.#fetchKeys = fetchKeys;
    this.#learn = learn;
  }

  /**
   * Asks a server, unless it was asked lately. Settles when there is an answer, or none.
   *
   * @param isUrgent - Whether there is a sign that it is back: then no wait is longer than a minute.
   */
  fetch(server: string, leaving: Cancellation, isUrgent: boolean): Promise<void> {
    const known = this.#tasks.get(server);
    if (known && !known.isCancelled) return known.join(leaving);
    if (!this.patience.isOver(server, isUrgent ? REST_MS : undefined)) return Promise.resolve();
    const task = new SharedTask((self) => this.#run(server, self));
    this.#tasks.set(server, task);
    void task.done.then(() => {
      if (this.#tasks.get(server) === task) this.#tasks.delete(server);
    });
    return task.join(leaving);
  }

  /** The servers that are being asked, or will be. */
  inFlight(): string[] {
    return [...this.#tasks.keys()];
  }

  /** Ends all requests. */
  close(): void {
    for (const task of this.#tasks.values()) task.cancel();
  }

  async #run(server: string, task: SharedTask): Promise<void> {
    const { cancellation } = task;
    await this.#turn(cancellation);
    try {
      if (cancellation.aborted) return;
      task.hasBegun = true;
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
    } finally {
      this.#underWay -= 1;
      const [next] = this.#queue;
      next?.();
    }
  }

  async #turn(cancellation: Cancellation): Promise<void> {
    if (this.#underWay < MAX_UNDER_WAY || cancellation.aborted) {
      this.#underWay += 1;
      return;
    }
    await new Promise<void>((resolve) => {
      const begin = (): void => {
        this.#underWay += 1;
        stopListening();
        this.#queue.delete(begin);
        resolve();
      };
      const stopListening = cancellation.onAbort(begin);
      this.#queue.add(begin);
    });
  }
}

/** A word for what went wrong. The text of an error may hold anything. */
export function wordFor(error: unknown): string {
  if (isFederationError(error)) return error.code;
  return error instanceof DOMException && error.name === "TimeoutError" ? "ERR_TIMEOUT" : "failed";
}
