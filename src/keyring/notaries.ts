import { setImmediate as nextTurn } from "node:timers/promises";
import { Cancellation } from "../cancellation.js";
import { type FetchOptions, REST_MS, wordFor } from "./direct-keys.js";
import { type KeyDocument, memberOf, type Notary, readKeyDocument } from "./key-document.js";
import { Patience } from "./patience.js";
import { type Leaving, SharedTask, withinTime } from "./shared-task.js";
import type { Share } from "./turns.js";

// A notary asks the servers in question first.
const TIMEOUT_MS = 20_000;
const MAX_SERVERS_A_BATCH = 100;
const MAX_BATCHES_UNDER_WAY = 4;
/** Synapse answers with a document for each key. */
const MAX_DOCUMENTS_A_SERVER = 16;
const MAX_KEYS_A_SERVER = 32;
/** How many questions about one server may be in vain in a row. */
const VAIN_QUESTIONS = 5;

/** What a notary is asked: by server name, then by key id, until when the key shall be valid. */
export type NotaryQuestion = Record<string, Record<string, { minimumValidUntilTs: number }>>;

/** Asks a notary for the key documents of other servers. */
export type QueryNotary = (
  notary: string,
  serverKeys: NotaryQuestion,
  options: FetchOptions,
) => Promise<readonly unknown[]>;

/** The keys of a server that are wanted: by key id, until when it shall be valid (Unix time in milliseconds). */
export type WantedKeys = ReadonlyMap<string, number>;

/** What {@link Notaries} needs. */
export interface NotaryParts {
  /** Makes the request. */
  readonly queryNotary: QueryNotary;
  /** The public keys of a notary: pinned, or from the notary itself; asked for anew when the known ones are of no use. */
  readonly notaryKeys: (
    name: string,
    leaving: Cancellation,
    isRefused?: boolean,
  ) => Promise<ReadonlyMap<string, string>>;
  /** Is given each document that is believed. */
  readonly learn: (document: KeyDocument) => void;
  /** Whether a key is known now and good until then. */
  readonly isKnown: (server: string, keyId: string, until: number) => boolean;
}

interface Question {
  readonly server: string;
  readonly wanted: WantedKeys;
  /** Of the searches that wait for it. */
  readonly shares: Set<Share>;
  readonly task: SharedTask;
  readonly settle: () => void;
}

interface Line {
  readonly questions: Set<Question>;
  batches: number;
}

/** Asks notaries, for many servers in one request: what is wanted while others are being asked goes together. */
export class Notaries {
  /** Which notaries are not asked for a while. */
  readonly patience: Patience = new Patience({ baseMs: REST_MS });
  // By notary and server, and by notary, server and key id: what a notary has not got it will not have at once.
  readonly #vain = new Patience({ baseMs: REST_MS, maxMs: REST_MS, threshold: VAIN_QUESTIONS });
  readonly #vainKeys = new Patience({ baseMs: REST_MS });
  readonly #lines = new Map<string, Line>();
  readonly #asked = new Map<string, Set<Question>>();
  readonly #parts: NotaryParts;

  /** With what it needs. */
  constructor(parts: NotaryParts) {
    this.#parts = parts;
  }

  /** Asks a notary for keys of a server. Settles when there is an answer, or none. */
  ask(notary: string, server: string, wanted: WantedKeys, leaving: Cancellation, share: Share): Promise<void> {
    const about = `${notary} ${server}`;
    if (!this.patience.isOver(notary) || !this.#vain.isOver(about)) return Promise.resolve();
    const rest = [...wanted].filter(([keyId]) => this.#vainKeys.isOver(`${about} ${keyId}`));
    if (rest.length === 0) return Promise.resolve();
    const left: WantedKeys = new Map(rest.slice(0, MAX_KEYS_A_SERVER));
    const asked = this.#asked.get(about) ?? new Set<Question>();
    const same = [...asked].find((one) => !one.task.isCancelled && covers(one.wanted, left));
    if (same) {
      same.shares.add(share);
      return same.task.join(leaving);
    }
    let settle = (): void => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const task = new SharedTask(() => settled);
    const question: Question = { server, wanted: left, shares: new Set([share]), task, settle };
    this.#asked.set(about, asked.add(question));
    this.#line(notary).questions.add(question);
    task.cancellation.onAbort(settle);
    void task.done.then(() => {
      asked.delete(question);
      this.#line(notary).questions.delete(question);
      if (asked.size === 0 && this.#asked.get(about) === asked) this.#asked.delete(about);
    });
    // Later, so that everything that is asked now goes together.
    queueMicrotask(() => this.#pump(notary));
    return task.join(leaving);
  }

  /** The pairs of notary and server that are being asked about. */
  inFlight(): string[] {
    return [...this.#asked.keys()];
  }

  /** Forgets who and what was asked in vain. */
  forget(): void {
    this.patience.forget();
    this.#vain.forget();
    this.#vainKeys.forget();
  }

  /** Ends all requests. */
  close(): void {
    for (const asked of this.#asked.values()) for (const { task } of asked) task.cancel();
  }

  #line(notary: string): Line {
    const line = this.#lines.get(notary) ?? { questions: new Set(), batches: 0 };
    this.#lines.set(notary, line);
    return line;
  }

  #pump(notary: string): void {
    const line = this.#line(notary);
    while (line.questions.size > 0 && line.batches < MAX_BATCHES_UNDER_WAY) {
      const batch = nextBatch(line.questions);
      for (const question of batch) line.questions.delete(question);
      line.batches += 1;
      void this.#ask(notary, batch).finally(() => {
        for (const { settle } of batch) settle();
        line.batches -= 1;
        this.#pump(notary);
      });
    }
  }

  /** One request, for a batch of questions. */
  async #ask(notary: string, batch: readonly Question[]): Promise<void> {
    const cancellation = new Cancellation();
    let waiting = batch.length;
    for (const { task } of batch) {
      task.hasBegun = true;
      task.cancellation.onAbort(() => {
        waiting -= 1;
        if (waiting === 0) cancellation.abort("unwanted" satisfies Leaving);
      });
    }
    try {
      const keys = await this.#parts.notaryKeys(notary, cancellation);
      if (cancellation.aborted) return;
      if (keys.size === 0) return this.patience.failed(notary, "noKeysOfTheNotary");
      const documents = await withinTime(TIMEOUT_MS, cancellation, (signal) =>
        this.#parts.queryNotary(notary, questionOf(batch), { signal, timeoutMs: TIMEOUT_MS }),
      );
      if (!Array.isArray(documents)) return this.patience.failed(notary, "notADocument");
      if (await this.#read(documents, batch, { name: notary, keys }, cancellation)) {
        const newKeys = await this.#parts.notaryKeys(notary, cancellation, true);
        if ([...newKeys.keys()].some((keyId) => !keys.has(keyId))) {
          await this.#read(documents, batch, { name: notary, keys: newKeys }, cancellation);
        }
      }
      if (cancellation.aborted) return;
      this.patience.answered(notary, 0);
      this.#judge(notary, batch);
    } catch (error) {
      if (!cancellation.aborted) this.patience.failed(notary, wordFor(error));
    }
  }

  /** Takes what can be believed. Returns whether a document was not signed with a known key of the notary. */
  async #read(
    documents: readonly unknown[],
    batch: readonly Question[],
    notary: Notary,
    cancellation: Cancellation,
  ): Promise<boolean> {
    const left = new Map<unknown, number>(batch.map(({ server }) => [server, MAX_DOCUMENTS_A_SERVER]));
    const origin = { servers: left, source: `notary:${notary.name}`, fetchedAt: Date.now(), notary } as const;
    let isRefused = false;
    for (const value of documents) {
      const server = memberOf(value, "server_name");
      const more = left.get(server) ?? 0;
      if (more === 0) continue;
      left.set(server, more - 1);
      // Each costs some verifications. Whatever else the program does has its turn between them.
      await nextTurn();
      if (cancellation.aborted) return false;
      const document = readKeyDocument(value, origin);
      if (typeof document !== "string") this.#parts.learn(document);
      isRefused ||= document === "notSignedByNotary";
    }
    return isRefused;
  }

  #judge(notary: string, batch: readonly Question[]): void {
    for (const { server, wanted } of batch) {
      const about = `${notary} ${server}`;
      for (const [keyId, until] of wanted) {
        if (this.#parts.isKnown(server, keyId, until)) {
          this.#vain.forget(about);
          this.#vainKeys.forget(`${about} ${keyId}`);
        } else {
          this.#vain.failed(about, "noSuchKey");
          this.#vainKeys.failed(`${about} ${keyId}`, "noSuchKey");
        }
      }
    }
  }
}

/** Whether one question's answer is the other's too. */
function covers(asked: WantedKeys, wanted: WantedKeys): boolean {
  return [...wanted].every(([keyId, until]) => (asked.get(keyId) ?? -1) >= until);
}

/** The questions of the next batch: of each search one after the other, so that a small one need not wait for a large one. */
function nextBatch(questions: ReadonlySet<Question>): Question[] {
  const lines = new Map<Share, Question[]>();
  for (const question of questions) {
    for (const share of question.shares) {
      const line = lines.get(share) ?? [];
      line.push(question);
      lines.set(share, line);
    }
  }
  const batch = new Set<Question>();
  for (let at = 0; at < questions.size && batch.size < MAX_SERVERS_A_BATCH; at++) {
    for (const line of lines.values()) for (const question of line.slice(at, at + 1)) batch.add(question);
  }
  return [...batch].slice(0, MAX_SERVERS_A_BATCH);
}

function questionOf(batch: readonly Question[]): NotaryQuestion {
  const question = new Map<string, Map<string, number>>();
  for (const { server, wanted } of batch) {
    const keys = question.get(server) ?? new Map<string, number>();
    for (const [keyId, until] of wanted) keys.set(keyId, Math.max(until, keys.get(keyId) ?? 0));
    question.set(server, keys);
  }
  return Object.fromEntries(
    [...question].map(([server, keys]) => [
      server,
      Object.fromEntries([...keys].map(([keyId, until]) => [keyId, { minimumValidUntilTs: until }])),
    ]),
  );
}
