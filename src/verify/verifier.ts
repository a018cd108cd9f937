import { setImmediate as nextTurn } from "node:timers/promises";
import type { Cancellation } from "../cancellation.js";
import type { JsonObject } from "../endpoint.js";
import { rulesOf } from "../events/room-versions.js";
import type { KeyOf } from "../events/verify-event.js";
import type { Keyring } from "../keyring/keyring.js";
import type { KeyRequest, KnownKey } from "../keyring/known-key.js";
import type { Batch, CheckedEvent, EventRules } from "./batch.js";
import { BatchBuilder, onlyThose, type PlacedBatch, textAt } from "./batch-builder.js";
import { checkEvent, checkText } from "./check-event.js";
import type { VerifyPool } from "./pool.js";

/** How long the keys of one answer may take: two tries at a server, and a notary. */
const KEYS_TIMEOUT_MS = 40_000;
/** So few events are verified here sooner than a thread could start: an eighth of a millisecond each. */
const MAX_HERE = 64;
/** After so many the rest of the program has its turn. */
const SLICE = 8;

let lastSession = 0;

/** The batches of one answer: they share the keys, and the searches for keys count as one. */
export interface Session {
  /** Tells the threads which batches belong together. */
  readonly id: number;
}

/** What was found out of the events of a batch. */
export interface CheckedBatch {
  /** What is true of each; undefined where a key is needed first. */
  readonly checked: readonly (CheckedEvent | undefined)[];
  /** Those whose keys are not at hand. Nothing else of the batch is held with them. */
  readonly keyless: KeylessBatch | undefined;
}

/** Events whose keys are not at hand. */
export interface KeylessBatch {
  /** The events. */
  readonly batch: PlacedBatch;
  /** The keys. */
  readonly requests: readonly KeyRequest[];
}

/** Verifies events, a few here and many on all cores, with the keys of the key ring. */
export class Verifier {
  readonly #keyring: Keyring;
  readonly #pool: VerifyPool;
  readonly #keyOf: KeyOf = (server, keyId) => this.#keyring.peek(server, keyId);

  /** With where the keys are from, and the threads. */
  constructor(keyring: Keyring, pool: VerifyPool) {
    this.#keyring = keyring;
    this.#pool = pool;
  }

  /**
   * What is true of each of these events; their keys are asked for.
   *
   * @throws what the cancellation was given.
   */
  async check(
    events: readonly JsonObject[],
    rules: EventRules,
    cancellation: Cancellation,
  ): Promise<readonly CheckedEvent[]> {
    if (events.length > MAX_HERE && !this.#pool.isBroken) return this.#checkMany(events, rules, cancellation);
    const checkHere = (some: readonly JsonObject[]): Promise<CheckedEvent[]> =>
      inSlices(some, (event) => checkEvent(event, rules, this.#keyOf), cancellation);
    const checked = await checkHere(events);
    const keyless = keylessOf(checked);
    if (keyless.length === 0) return checked;
    await this.#ask(keyRequests(checked, rules), cancellation);
    const again = await checkHere(keyless.map((at) => events[at] as JsonObject));
    return checked.map((each, at) => again[keyless.indexOf(at)] ?? each);
  }

  /** A session of its own for the batches of one answer. */
  openSession(): Session {
    lastSession += 1;
    return { id: lastSession };
  }

  /**
   * What is true of each event of a batch, by the keys that are at hand. The batches of one session share the keys.
   *
   * @throws what the cancellation was given.
   */
  async checkBatch(
    batch: PlacedBatch,
    rules: EventRules,
    session: Session,
    cancellation: Cancellation,
  ): Promise<CheckedBatch> {
    const checked = await this.#checkTexts(batch, rules, session, [], cancellation);
    const keyless = keylessOf(checked);
    if (keyless.length === 0) return { checked, keyless: undefined };
    const requests = keyRequests(checked, rules);
    return { checked: checked.map(unlessKeyless), keyless: { batch: onlyThose(batch, keyless), requests } };
  }

  /**
   * What is true of the events whose keys were not at hand, once they have been asked for.
   *
   * @throws what the cancellation was given.
   */
  async checkKeyless(
    { batch, requests }: KeylessBatch,
    rules: EventRules,
    session: Session,
    cancellation: Cancellation,
  ): Promise<readonly CheckedEvent[]> {
    const keys = await this.#ask(requests, cancellation, session);
    return this.#checkTexts(batch, rules, session, keys, cancellation);
  }

  async #checkTexts(
    { bytes, ends }: Batch,
    rules: EventRules,
    session: Session,
    keys: readonly KnownKey[],
    cancellation: Cancellation,
  ): Promise<readonly CheckedEvent[]> {
    if (!this.#pool.isBroken) {
      try {
        return await this.#pool.check({ bytes, ends, ...rules, session: session.id, keys });
      } catch {
        // What cannot be done on a thread can be done here.
      }
    }
    const texts = ends.map((_, at) => textAt({ bytes, ends }, at));
    return inSlices(texts, (text) => checkText(text, rules, this.#keyOf), cancellation);
  }

  async #ask(
    requests: readonly KeyRequest[],
    { signal }: Cancellation,
    onBehalfOf?: Session,
  ): Promise<readonly KnownKey[]> {
    const keys = await this.#keyring.keys(requests, { signal, timeout: KEYS_TIMEOUT_MS, onBehalfOf });
    return [...new Set(requests.flatMap(({ server, keyId }) => keys.get(server, keyId) ?? []))];
  }

  async #checkMany(
    events: readonly JsonObject[],
    rules: EventRules,
    cancellation: Cancellation,
  ): Promise<readonly CheckedEvent[]> {
    const session = this.openSession();
    const builder = new BatchBuilder();
    const all: CheckedEvent[] = [];
    const checking: Promise<void>[] = [];
    const take = ({ places }: PlacedBatch, checked: readonly (CheckedEvent | undefined)[]): void => {
      for (const [at, each] of checked.entries()) if (each) all[places[at]?.index ?? 0] = each;
    };
    const check = async (batch: PlacedBatch): Promise<void> => {
      const { checked, keyless } = await this.checkBatch(batch, rules, session, cancellation);
      take(batch, checked);
      if (keyless) take(keyless.batch, await this.checkKeyless(keyless, rules, session, cancellation));
    };
    for (const [index, event] of events.entries()) {
      const text = JSON.stringify(event);
      if (isTrue(text, event)) {
        const full = builder.add(Buffer.from(text), { field: "", index });
        if (full) checking.push(check(full));
      } else all[index] = { kind: "invalid", eventId: undefined, reason: "it has a number that is too large" };
    }
    const last = builder.flush();
    if (last) checking.push(check(last));
    await Promise.all(checking);
    return all;
  }
}

/** Whether a text says what the event does: `1e400`, which is read as Infinity, is written as null, and hashed otherwise. */
function isTrue(text: string, event: JsonObject): boolean {
  if (!text.includes("null")) return true;
  let isTold = true;
  JSON.stringify(event, (_key, value: unknown) => {
    isTold &&= typeof value !== "number" || Number.isFinite(value);
    return value;
  });
  return isTold;
}

/** Where the events are that no key is at hand for. */
const keylessOf = (checked: readonly CheckedEvent[]): number[] =>
  checked.flatMap(({ kind }, at) => (kind === "keyless" ? [at] : []));

const keyRequests = (checked: readonly CheckedEvent[], { version }: EventRules): KeyRequest[] => {
  const { keyValidity: enforceValidity } = rulesOf(version);
  return checked.flatMap(({ needed = [], at = 0 }) =>
    needed.map(({ server, keyId }): KeyRequest => ({ server, keyId, at, use: "event", enforceValidity })),
  );
};

const unlessKeyless = (checked: CheckedEvent): CheckedEvent | undefined =>
  checked.kind === "keyless" ? undefined : checked;

async function inSlices<Item>(
  items: readonly Item[],
  check: (item: Item) => CheckedEvent,
  cancellation: Cancellation,
): Promise<CheckedEvent[]> {
  const checked: CheckedEvent[] = [];
  for (const item of items) {
    if (checked.length > 0 && checked.length % SLICE === 0) await nextTurn();
    if (cancellation.aborted) throw cancellation.reason;
    checked.push(check(item));
  }
  return checked;
}
