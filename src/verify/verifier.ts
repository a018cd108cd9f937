import type { Cancellation } from "../cancellation.js";
import { EventEncoder } from "../events/encode-event.js";
import { rulesOf } from "../events/room-versions.js";
import type { EventKey, KeySource } from "../events/verify-event.js";
import type { Keyring } from "../keyring/keyring.js";
import type { KeyRequest } from "../keyring/known-key.js";
import { engine } from "../sign/ed25519.js";
import type { CheckedEvent, EventRules } from "./checked-event.js";
import { EventBatch } from "./event-batch.js";
import type { VerifyPool } from "./pool.js";
import { isRightAt, type SignatureBatch } from "./signature-batch.js";
import { Turns } from "./turns.js";

/** How long the keys of one answer may take: two tries at a server, and a notary. */
const KEYS_TIMEOUT_MS = 40_000;
/** One that a thread works on, one that waits there, and one that is being made. */
const BATCHES_PER_THREAD = 3;
/** So few signatures are verified here sooner than a thread could start: a tenth of a millisecond each. */
const MAX_HERE = 32;

/** Verifies events, a few here and many on all cores, with the keys of the key ring. */
export class Verifier {
  readonly #keyring: Keyring;
  readonly #pool: VerifyPool;

  /** With where the keys are from, and the threads. */
  constructor(keyring: Keyring, pool: VerifyPool) {
    this.#keyring = keyring;
    this.#pool = pool;
  }

  /** A session of its own for the events of one answer. */
  openSession(rules: EventRules): VerifySession {
    return new VerifySession(rules, this.#keyring, this.#pool);
  }

  /**
   * What is true of each of these events; their keys are asked for.
   *
   * @throws what the cancellation was given.
   */
  async check(
    events: readonly unknown[],
    rules: EventRules,
    cancellation: Cancellation,
  ): Promise<readonly CheckedEvent[]> {
    const session = this.openSession(rules);
    const checked = await checkAll(events, session, cancellation);
    const keyless = [...checked.keys()].filter((at) => checked[at]?.kind === "keyless");
    if (keyless.length === 0) return checked;
    await session.askForKeys(checked, cancellation);
    const again = await checkAll(
      keyless.map((at) => events[at]),
      session,
      cancellation,
    );
    for (const [index, at] of keyless.entries()) checked[at] = again[index] as CheckedEvent;
    return checked;
  }
}

async function checkAll(
  events: readonly unknown[],
  session: VerifySession,
  cancellation: Cancellation,
): Promise<CheckedEvent[]> {
  const checking: Promise<readonly CheckedEvent[]>[] = [];
  const underWay = new Set<Promise<readonly CheckedEvent[]>>();
  for (let at = 0; at < events.length; ) {
    const batch = session.newBatch(events.length - at);
    for (; at < events.length && !batch.isFull; at++) {
      const pause = session.turns.breathe();
      if (pause) await pause;
      if (cancellation.aborted) throw cancellation.reason;
      batch.addOfAnySize(events[at]);
    }
    const checked = session.check(batch, cancellation).finally(() => underWay.delete(checked));
    // Nobody waits for it any more when we throw.
    checked.catch(() => {});
    checking.push(checked);
    underWay.add(checked);
    if (underWay.size === session.maxBatches) await Promise.race(underWay);
  }
  return (await Promise.all(checking)).flat();
}

/** The events of one answer: they share the keys, and the searches for keys count as one. */
export class VerifySession implements KeySource {
  /** All that is done for the answer on this thread shares its turns: many short ones at once would be a long one. */
  readonly turns: Turns = new Turns();
  readonly #rules: EventRules;
  readonly #keyring: Keyring;
  readonly #pool: VerifyPool;
  readonly #encoder = new EventEncoder();
  readonly #emptyBatches: EventBatch[] = [];
  /** The keys that were asked for. The key ring may forget some of them before the answer is over. */
  readonly #keys = new Map<string, EventKey>();

  /** With what the events are held against, where the keys are from, and the threads. */
  constructor(rules: EventRules, keyring: Keyring, pool: VerifyPool) {
    this.#rules = rules;
    this.#keyring = keyring;
    this.#pool = pool;
  }

  /** How many batches keep all threads at work; more would only be held. */
  get maxBatches(): number {
    return BATCHES_PER_THREAD * this.#pool.size;
  }

  /** Finds a key among those that are at hand. */
  keyOf(server: string, keyId: string): EventKey | undefined {
    const asked = this.#keys.size > 0 ? this.#keys.get(nameOf(server, keyId)) : undefined;
    return asked ?? this.#keyring.peek(server, keyId);
  }

  /** An empty batch, for about so many events. */
  newBatch(count?: number): EventBatch {
    return this.#emptyBatches.pop() ?? new EventBatch(this.#rules, this, this.#encoder, count);
  }

  /**
   * What is true of each event of a batch, by the keys that were at hand. The batch is not the caller's any more.
   *
   * @throws what the cancellation was given.
   */
  async check(batch: EventBatch, cancellation: Cancellation): Promise<readonly CheckedEvent[]> {
    const checked = batch.checked(await this.#verify(batch.signatures(), cancellation));
    this.#emptyBatches.push(batch);
    return checked;
  }

  /**
   * Asks for the keys that these events need, so that another batch of them has what could be had.
   *
   * @throws what the cancellation was given.
   */
  async askForKeys(checked: readonly CheckedEvent[], { signal }: Cancellation): Promise<void> {
    const { keyValidity: enforceValidity } = rulesOf(this.#rules.version);
    const requests = checked.flatMap(({ needed = [], at = 0 }) =>
      needed.map(({ server, keyId }): KeyRequest => ({ server, keyId, at, use: "event", enforceValidity })),
    );
    const found = await this.#keyring.keys(requests, { signal, timeout: KEYS_TIMEOUT_MS, onBehalfOf: this });
    for (const { server, keyId } of requests) {
      const key = found.get(server, keyId);
      if (key) this.#keys.set(nameOf(server, keyId), key);
    }
  }

  /** Which of the signatures are wrong. */
  async #verify(signatures: SignatureBatch, cancellation: Cancellation): Promise<readonly number[]> {
    const { length } = signatures.ends;
    if (!this.#pool.isBroken && (length > MAX_HERE || this.#pool.isWorking)) {
      try {
        return await this.#pool.verify(signatures);
      } catch {
        // What cannot be done on a thread can be done here.
      }
    }
    const wrong: number[] = [];
    for (let at = 0; at < length; at++) {
      await this.turns.breathe();
      if (cancellation.aborted) throw cancellation.reason;
      if (!isRightAt(signatures, at, engine)) wrong.push(at);
    }
    return wrong;
  }
}

const nameOf = (server: string, keyId: string): string => `${server} ${keyId}`;
