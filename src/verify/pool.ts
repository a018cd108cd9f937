import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { SignatureBatch } from "./signature-batch.js";

/** A thread costs some 10 MB: none outlives its work for long. */
const IDLE_MS = 10_000;
/** One that is worked on and one that waits, so that no thread does. */
const BATCHES_PER_THREAD = 2;

/** What a batch leaves behind is nearly all garbage, of which a thread would keep three times as much by default. */
const resourceLimits = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 64 };

const CLOSED = "The client was closed.";

/** What the main thread asks another one. */
export interface PoolRequest extends SignatureBatch {
  /** Tells the answers apart. */
  readonly id: number;
}

/** What a thread answers. */
export interface PoolAnswer {
  /** The request's. */
  readonly id: number;
  /** Which signatures are wrong: seldom any, and to say of each that it is right would take longer. */
  readonly wrong: readonly number[];
}

interface Job {
  readonly request: PoolRequest;
  readonly resolve: (wrong: readonly number[]) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Job>;
  /** Whether it runs its file by now. */
  hasStarted: boolean;
  /** Whether it has ever done anything. */
  hasWorked: boolean;
}

/** Threads that verify signatures, as many as there are cores. They start when there is work, and end without it. */
export class VerifyPool {
  readonly #size: number;
  readonly #file: URL | undefined;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Job[] = [];
  #lastId = 0;
  #endIdle: NodeJS.Timeout | undefined;
  #failed = false;
  #isClosed = false;

  /** With what the threads run; the built `worker.js` beside this file when absent. */
  constructor(file: URL | undefined = besideThisFile(), size: number = availableParallelism()) {
    this.#file = file;
    this.#size = size;
  }

  /** Whether threads cannot be started here, as in a bundle that has no file of theirs. */
  get isBroken(): boolean {
    return this.#failed;
  }

  /** How many threads there are now. */
  get threads(): number {
    return this.#threads.size;
  }

  /** How many threads there are at most. */
  get size(): number {
    return this.#size;
  }

  /** Whether a thread has something to do. */
  get isWorking(): boolean {
    return [...this.#threads].some(({ jobs }) => jobs.size > 0);
  }

  /**
   * Verifies signatures on one of the threads.
   *
   * @returns which of them are wrong.
   * @throws an error when the thread cannot be started, or ends, or the pool was closed.
   */
  verify({ bytes, ends }: SignatureBatch): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new Error(CLOSED);
      this.#lastId += 1;
      this.#waiting.push({ request: { bytes, ends, id: this.#lastId }, resolve, reject });
      this.#assign();
    });
  }

  /** Ends the threads; what they were working on fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#endIdle);
    const ending = [...this.#threads].map(({ worker }) => worker.terminate());
    for (const thread of this.#threads) this.#lose(thread, new Error(CLOSED));
    await Promise.all(ending);
  }

  #assign(): void {
    clearTimeout(this.#endIdle);
    while (this.#waiting.length > 0) {
      const thread = this.#freeThread();
      if (!thread) return;
      const job = this.#waiting.shift() as Job;
      thread.jobs.set(job.request.id, job);
      thread.worker.ref();
      thread.worker.postMessage(job.request);
    }
  }

  /** The thread with the least to do; a new one rather than one that has something to do. */
  #freeThread(): Thread | undefined {
    let free: Thread | undefined;
    for (const thread of this.#threads) if (!free || thread.jobs.size < free.jobs.size) free = thread;
    if (free?.jobs.size === 0) return free;
    if (this.#threads.size < this.#size && this.#mayStart) return this.#start();
    return free && free.jobs.size < BATCHES_PER_THREAD ? free : undefined;
  }

  /** A thread that starts has not lowered its priority yet: all of them at once would keep the main thread off the cores. */
  get #mayStart(): boolean {
    const started = [...this.#threads].filter(({ hasStarted }) => hasStarted).length;
    return this.#threads.size - started < Math.max(1, started);
  }

  #start(): Thread | undefined {
    let worker: Worker;
    try {
      worker = new Worker(this.#file as URL, { resourceLimits });
    } catch (error) {
      this.#failed = true;
      for (const job of this.#waiting.splice(0)) job.reject(error as Error);
      return undefined;
    }
    const thread: Thread = { worker, jobs: new Map(), hasStarted: false, hasWorked: false };
    this.#threads.add(thread);
    thread.worker.on("online", () => {
      thread.hasStarted = true;
      this.#assign();
    });
    thread.worker.on("message", (answer: PoolAnswer) => this.#take(thread, answer));
    thread.worker.on("error", (error) => {
      // One that worked has died of what it was given; others may go on.
      if (!thread.hasWorked) this.#failed = true;
      this.#lose(thread, error instanceof Error ? error : new Error(String(error)));
    });
    thread.worker.on("exit", () => this.#lose(thread, new Error("The thread ended.")));
    return thread;
  }

  #take(thread: Thread, { id, wrong }: PoolAnswer): void {
    const job = thread.jobs.get(id);
    thread.jobs.delete(id);
    thread.hasWorked = true;
    if (thread.jobs.size === 0) thread.worker.unref();
    job?.resolve(wrong);
    this.#assign();
    this.#armIdle();
  }

  #armIdle(): void {
    clearTimeout(this.#endIdle);
    if (this.#isClosed || this.#waiting.length > 0 || this.isWorking) return;
    this.#endIdle = setTimeout(() => {
      for (const thread of this.#threads) {
        this.#threads.delete(thread);
        void thread.worker.terminate();
      }
    }, IDLE_MS);
    this.#endIdle.unref();
  }

  #lose(thread: Thread, error: Error): void {
    this.#threads.delete(thread);
    for (const job of thread.jobs.values()) job.reject(error);
    thread.jobs.clear();
    this.#armIdle();
    if (this.#threads.size > 0 && !this.#failed) return;
    for (const job of this.#waiting.splice(0)) job.reject(error);
  }
}

/** Undefined where modules have no place of their own, as in some bundles. */
function besideThisFile(): URL | undefined {
  try {
    return new URL("./worker.js", import.meta.url);
  } catch {
    return undefined;
  }
}
