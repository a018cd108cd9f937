import type { EventEncoder } from "../events/encode-event.js";
import { hugeFault } from "../events/event-fault.js";
import { rulesOf } from "../events/room-versions.js";
import type { EventKey, KeySource } from "../events/verify-event.js";
import { beginCheck, endCheck } from "./check-event.js";
import type { CheckedEvent, EventRules } from "./checked-event.js";
import { type SignatureBatch, SignatureBatchBuilder } from "./signature-batch.js";

/** Some milliseconds' work for a thread: worth its while, and little to be held meanwhile. */
const MAX_EVENTS = 64;
const MAX_BYTES = 256 * 1024;

/**
 * Events whose signatures are verified together. All else about an event is found out when it is added, and little of it
 * is held: nearly all events hold. A batch is used again: engines take lists of which many were made for long-lived, and
 * then all that they hold is.
 */
export class EventBatch implements KeySource {
  readonly #rules: EventRules;
  readonly #source: KeySource;
  readonly #encoder: EventEncoder;
  readonly #events: unknown[] = [];
  /** The keys that were looked up, in that order: others may be known by the time an event is judged. */
  readonly #keys: (EventKey | undefined)[] = [];
  /** Where the keys of each event end among all. */
  readonly #keyEnds: number[] = [];
  /** What is true of each event if its signatures are right. */
  #expected: CheckedEvent[] = [];
  /** Where the signatures of each event end among all. */
  readonly #ends: number[] = [];
  readonly #signatures: SignatureBatchBuilder;

  /**
   * With what the events are held against, the keys that are at hand, an encoder, which batches may share, and how many
   * events there will be, if that is known.
   */
  constructor(rules: EventRules, source: KeySource, encoder: EventEncoder, count: number = MAX_EVENTS) {
    this.#rules = rules;
    this.#source = source;
    this.#encoder = encoder;
    this.#signatures = new SignatureBatchBuilder(Math.min(count, MAX_EVENTS));
  }

  /** How many events there are. */
  get size(): number {
    return this.#events.length;
  }

  /** Whether it is large enough to be verified. */
  get isFull(): boolean {
    return this.size >= MAX_EVENTS || this.#signatures.length >= MAX_BYTES;
  }

  /** Adds an event that did not come alone, with a limit of its own: of one that is huge it is only noted what is wrong. */
  addOfAnySize(event: unknown): void {
    const reason = hugeFault(event, rulesOf(this.#rules.version));
    if (reason === undefined) this.add(event);
    else this.#note(event, { kind: "invalid", eventId: undefined, reason });
  }

  /** Adds an event, which may be anything; one that is huge is encoded nevertheless. */
  add(event: unknown): void {
    const check = beginCheck(event, this.#rules, this, this.#encoder);
    const { read, trials } = check;
    for (const { key, signature } of trials) {
      if (key && read.fault === undefined) this.#signatures.add(key, signature.signature, read.signedBytes);
    }
    this.#note(event, endCheck(check, this.#rules));
  }

  /** Finds a key among those that are at hand, for an event that is being added. */
  keyOf(server: string, keyId: string): EventKey | undefined {
    const key = this.#source.keyOf(server, keyId);
    this.#keys.push(key);
    return key;
  }

  /** The signatures for which there are keys. */
  signatures(): SignatureBatch {
    return this.#signatures.build();
  }

  /** What is true of each event, when it is known which of the signatures are wrong. The batch is empty then. */
  checked(wrong: readonly number[]): readonly CheckedEvent[] {
    const checked = wrong.length > 0 ? this.#judged(new Set(wrong)) : this.#expected;
    this.#expected = [];
    for (const list of [this.#events, this.#keys, this.#keyEnds, this.#ends]) list.length = 0;
    this.#signatures.clear();
    return checked;
  }

  #note(event: unknown, expected: CheckedEvent): void {
    this.#events.push(event);
    this.#keyEnds.push(this.#keys.length);
    this.#expected.push(expected);
    this.#ends.push(this.#signatures.count);
  }

  #judged(wrong: ReadonlySet<number>): CheckedEvent[] {
    return this.#expected.map((expected, at) => {
      const isRight: boolean[] = [];
      for (let nth = this.#ends[at - 1] ?? 0; nth < (this.#ends[at] as number); nth++) isRight.push(!wrong.has(nth));
      if (!isRight.includes(false)) return expected;
      let next = this.#keyEnds[at - 1] ?? 0;
      const known: KeySource = { keyOf: () => this.#keys[next++] };
      return endCheck(beginCheck(this.#events[at], this.#rules, known, this.#encoder), this.#rules, isRight);
    });
  }
}
