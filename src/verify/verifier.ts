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

/** What was found out of some events of a batch. */
export interface CheckedPart {
  /** The events. */
  readonly batch: PlacedBatch;
  /** What is true of each; undefined where that is told later. */
  readonly checked: readonly (CheckedEvent | undefined)[];
  /** How many bytes of the batch are told of later. */
  readonly bytesLeft: number;
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
    await this.#keysFor(checked, rules, cancellation);
    const again = await checkHere(keyless.map((at) => events[at] as JsonObject));
    return checked.map((each, at) => again[keyless.indexOf(at)] ?? each);
  }

  /** A session of its own for the batches of one answer. */
  openSession(): number {
    lastSession += 1;
    return lastSession;
  }

  /**
   * What is true of each event of a batch: first of those whose keys are at hand, then of the others. The batches of one
   * session share the keys.
   *
   * @throws what the cancellation was given.
   */
  async *checkBatch(
    batch: PlacedBatch,
    rules: EventRules,
    session: number,
    cancellation: Cancellation,
  ): AsyncGenerator<CheckedPart, void, undefined> {
    const checked = await this.#checkTexts(batch, rules, session, [], cancellation);
    const keyless = keylessOf(checked);
    if (keyless.length === 0) {
      yield { batch, checked, bytesLeft: 0 };
      return;
    }
    const rest = onlyThose(batch, keyless);
    yield { batch, checked: checked.map(unlessKeyless), bytesLeft: rest.bytes.length };
    const keys = await this.#keysFor(checked, rules, cancellation);
    yield { batch: rest, checked: await this.#checkTexts(rest, rules, session, keys, cancellation), bytesLeft: 0 };
  }

  async #checkTexts(
    { bytes, ends }: Batch,
    rules: EventRules,
    session: number,
    keys: readonly KnownKey[],
    cancellation: Cancellation,
  ): Promise<readonly CheckedEvent[]> {
    if (!this.#pool.isBroken) {
      try {
        return await this.#pool.check({ bytes, ends, ...rules, session, keys });
      } catch {
        // What cannot be done on a thread can be done here.
      }
    }
    const texts = ends.map((_, at) => textAt({ bytes, ends }, at));
    return inSlices(texts, (text) => checkText(text, rules, this.#keyOf), cancellation);
  }

  async #keysFor(
    checked: readonly CheckedEvent[],
    { version }: EventRules,
    cancellation: Cancellation,
  ): Promise<readonly KnownKey[]> {
    const { keyValidity: enforceValidity } = rulesOf(version);
    const requests = checked.flatMap(({ needed = [], at = 0 }) =>
      needed.map(({ server, keyId }): KeyRequest => ({ server, keyId, at, use: "event", enforceValidity })),
    );
    const keys = await this.#keyring.keys(requests, { signal: cancellation.signal, timeout: KEYS_TIMEOUT_MS });
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
    const check = async (batch: PlacedBatch): Promise<void> => {
      for await (const { batch: part, checked } of this.checkBatch(batch, rules, session, cancellation)) {
        for (const [at, each] of checked.entries()) if (each) all[part.places[at]?.index ?? 0] = each;
      }
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
