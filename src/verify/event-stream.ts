import type { Readable } from "node:stream";
import { Cancellation } from "../cancellation.js";
import type { JsonObject, JsonValue } from "../endpoint.js";
import { TransportError } from "../errors.js";
import { textOf } from "../sign/utf8.js";
import { InvalidJson } from "../validate/parse-json.js";
import { JsonSplitter, type SplitElement } from "../validate/split-json.js";
import type { CheckedEvent, EventRules } from "./checked-event.js";
import type { EventBatch } from "./event-batch.js";
import { isKeyless, type Keyless, keylessOf, type StreamedEvent } from "./keyless-events.js";
import { type Place, VerifiedEvents } from "./verified-events.js";
import type { Verifier, VerifySession } from "./verifier.js";

/** What may be verified at a time, for each batch that the threads may have: a little more than its events. */
const BYTES_PER_BATCH = 100 * 1024;
/** What may wait for keys besides, in bytes. */
const MAX_WAITING = 16 * 1024 * 1024;
/** What a batch has at most, in bytes of its events. */
const MAX_BATCH_BYTES = 256 * 1024;
/** Besides the events an answer may name all servers of the room: here, more than a hundred thousand. It is parsed at once. */
const MAX_SKELETON_BYTES = 4 * 1024 * 1024;

/** What is split at once, in bytes: of tiny elements there are many in it. */
const PIECE_BYTES = 16 * 1024;

const OVER = new Error("Nothing more of the answer is wanted");

/** How far the reading of an answer has come. */
export interface StreamProgress {
  /** How many bytes have been read, after decompression. */
  readonly bytes: number;
  /** How many bytes there are in all, where the server said so and did not compress them; else undefined. */
  readonly totalBytes: number | undefined;
  /** How many events have been read. */
  readonly events: number;
  /** Of how many is known whether they hold. */
  readonly verified: number;
}

/** Takes what comes of an answer while it is read. An object, and not functions: engines know its methods again. */
export interface EventTaker {
  /** Takes each event that holds, one after the other; it is waited for. The order is not that of the answer. */
  take(event: JsonObject, place: Place, eventId: string): void | Promise<void>;
  /** Is told from time to time how far it is, and at the end; it is waited for. */
  progress(progress: StreamProgress): void | Promise<void>;
}

/** An answer's events that are being read. */
export interface EventStream {
  /** The bytes of the answer, decompressed. */
  readonly chunks: Readable;
  /** The answer's fields that are arrays of events. */
  readonly fields: readonly string[];
  /** What the events are held against. */
  readonly rules: EventRules;
  /** The most bytes of the answer. */
  readonly maxBytes: number;
  /** How many bytes there are, where that is known. */
  readonly totalBytes: number | undefined;
  /** Takes the events. */
  readonly taker: EventTaker;
  /** Called when all bytes are there, and only we still work on them. */
  readonly arrived: () => void;
}

/** What is known once a stream has been read. */
export interface ReadStream {
  /** The answer without its events: the arrays of events are empty. */
  readonly skeleton: JsonValue;
  /** What became of the events. */
  readonly events: VerifiedEvents;
}

/** Events that are verified together. */
interface Batch {
  readonly checks: EventBatch;
  readonly events: StreamedEvent[];
  /** How many bytes their texts have. */
  bytes: number;
}

/**
 * Reads an answer of many events as it comes, and verifies them meanwhile on all cores. Once it has settled, nothing
 * is given to the taker any more, and what it was given is over.
 *
 * @returns what was read; or why the answer is no good, so that nothing of it counts.
 * @throws what the cancellation was given, what the taker threw, or a {@link TransportError}.
 */
export function readEventStream(
  stream: EventStream,
  verifier: Verifier,
  cancellation: Cancellation,
): Promise<ReadStream | InvalidJson | "tooLarge"> {
  return new EventStreamReader(stream, verifier.openSession(stream.rules)).readAll(cancellation);
}

/** Reads one answer. Its methods are no closures, which engines would compile anew for each answer. */
class EventStreamReader {
  readonly #stream: EventStream;
  readonly #session: VerifySession;
  readonly #splitter: JsonSplitter;
  readonly #events: VerifiedEvents;
  readonly #underWay = new Set<Promise<void>>();
  /** Called off with the call, and when nothing more of the answer is wanted. */
  readonly #reading = new Cancellation();
  #bytes = 0;
  #count = 0;
  #bytesBeingVerified = 0;
  #bytesWaiting = 0;
  #roomMade = (): void => {};
  #turn = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #skeleton: JsonValue = null;
  #batch: Batch | undefined;

  constructor(stream: EventStream, session: VerifySession) {
    this.#stream = stream;
    this.#session = session;
    this.#splitter = new JsonSplitter(stream.fields, { maxSkeletonBytes: MAX_SKELETON_BYTES });
    this.#events = new VerifiedEvents(stream.rules);
  }

  async readAll(cancellation: Cancellation): Promise<ReadStream | InvalidJson | "tooLarge"> {
    const { chunks } = this.#stream;
    const reading = this.#reading;
    reading.onAbort(() => {
      chunks.destroy();
      this.#roomMade();
    });
    const stopListening = cancellation.onAbort(() => reading.abort(cancellation.reason));
    if (cancellation.aborted) reading.abort(cancellation.reason);
    let refused: InvalidJson | "tooLarge" | undefined;
    try {
      refused = (await this.#read()) ?? (await this.#finish());
    } catch (error) {
      // What else breaks a stream is the decompression.
      const isCoded = error === chunks.errored && !(error instanceof TransportError);
      if (isCoded) refused = new InvalidJson("not in the encoding that it is said to be in");
      else if (!reading.aborted) this.#fail(error);
    }
    stopListening();
    if (refused) reading.abort(OVER);
    await Promise.all(this.#underWay);
    if (this.#failure) throw this.#failure.error;
    if (cancellation.aborted) throw cancellation.reason;
    if (refused) return refused;
    await this.#tell();
    return { skeleton: this.#skeleton, events: this.#events };
  }

  /** Reads all chunks, or up to where nothing more is wanted. */
  async #read(): Promise<InvalidJson | "tooLarge" | undefined> {
    const { turns } = this.#session;
    const { chunks, maxBytes } = this.#stream;
    for await (const chunk of chunks) {
      this.#bytes += chunk.length;
      if (this.#bytes > maxBytes) return "tooLarge";
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const elements = this.#splitter.push(chunk.subarray(at, at + PIECE_BYTES));
        if (elements instanceof InvalidJson) return elements;
        for (let index = 0; index < elements.length; index++) {
          this.#add(elements[index] as SplitElement);
          const pause = turns.breathe();
          if (pause) await pause;
        }
        await turns.breathe();
      }
      await this.#enoughRoom();
      if (this.#reading.aborted) return undefined;
    }
    return undefined;
  }

  // Not a part of reading: engines would throw away what they made of that, each time they come here.
  async #finish(): Promise<InvalidJson | undefined> {
    if (this.#reading.aborted) return undefined;
    this.#stream.arrived();
    // Of what is no answer nothing need be verified.
    const skeleton = this.#splitter.end();
    if (skeleton instanceof InvalidJson) return skeleton;
    this.#skeleton = skeleton;
    this.#send();
    await Promise.all(this.#underWay);
    return undefined;
  }

  #add({ field, index, value, size }: SplitElement): void {
    this.#count += 1;
    if (value === undefined) {
      this.#events.leaveOut({ field, index }, "it is too large");
      return;
    }
    this.#batch ??= { checks: this.#session.newBatch(), events: [], bytes: 0 };
    const batch = this.#batch;
    batch.checks.add(value);
    batch.events.push({ event: value as JsonObject, field, index });
    batch.bytes += size;
    if (batch.checks.isFull || batch.bytes >= MAX_BATCH_BYTES) this.#send();
  }

  #send(): void {
    if (!this.#batch) return;
    const verifying = this.#verify(this.#batch)
      .catch((error: unknown) => {
        if (!this.#reading.aborted) this.#fail(error);
      })
      .finally(() => this.#underWay.delete(verifying));
    this.#underWay.add(verifying);
    this.#batch = undefined;
  }

  /** Waits until half of it is done: to wake up for each batch would cost more than it is worth. */
  async #enoughRoom(): Promise<void> {
    const max = BYTES_PER_BATCH * this.#session.maxBatches;
    if (this.#bytesBeingVerified <= max && this.#bytesWaiting <= MAX_WAITING) return;
    while ((this.#bytesBeingVerified > max / 2 || this.#bytesWaiting > MAX_WAITING) && !this.#reading.aborted) {
      await new Promise<void>((resolve) => {
        this.#roomMade = resolve;
      });
    }
  }

  async #verify(batch: Batch): Promise<void> {
    const keyless = await this.#verifyAtOnce(batch);
    if (keyless) await this.#verifyLater(keyless);
  }

  /** Returns what needs a key first, and lets go of the rest. */
  async #verifyAtOnce({ checks, events, bytes }: Batch): Promise<Keyless | undefined> {
    this.#bytesBeingVerified += bytes;
    try {
      const checked = await this.#session.check(checks, this.#reading);
      if (!checked.some(isKeyless)) {
        await this.#inTurn(events, checked);
        return undefined;
      }
      const isNot = (_: unknown, at: number): boolean => !isKeyless(checked[at]);
      await this.#inTurn(events.filter(isNot), checked.filter(isNot));
      return keylessOf(events, checked);
    } finally {
      // For engines that take them for long-lived, as they may a batch.
      for (const each of events) each.event = undefined;
      this.#bytesBeingVerified -= bytes;
      this.#roomMade();
    }
  }

  async #verifyLater({ events: texts, checked, bytes }: Keyless): Promise<void> {
    const { turns } = this.#session;
    this.#bytesWaiting += bytes;
    try {
      await this.#session.askForKeys(checked, this.#reading);
      const checks = this.#session.newBatch(texts.length);
      const events: StreamedEvent[] = [];
      for (const { text, ...place } of texts) {
        await turns.breathe();
        const event = JSON.parse(textOf(text)) as JsonObject;
        checks.add(event);
        events.push({ event, ...place });
      }
      await this.#inTurn(events, await this.#session.check(checks, this.#reading));
    } finally {
      this.#bytesWaiting -= bytes;
      this.#roomMade();
    }
  }

  /** Threads finish as they like, but whoever takes events gets one at a time. */
  async #inTurn(events: readonly StreamedEvent[], checked: readonly CheckedEvent[]): Promise<void> {
    const taken = this.#turn.then(() => this.#take(events, checked));
    this.#turn = taken.catch(() => {});
    await taken;
  }

  async #take(events: readonly StreamedEvent[], checked: readonly CheckedEvent[]): Promise<void> {
    for (let at = 0; at < events.length; at++) {
      if (this.#reading.aborted) return;
      const { event, field, index } = events[at] as StreamedEvent;
      const each = checked[at] as CheckedEvent;
      const place = { field, index };
      const left = this.#events.take(event as JsonObject, each, place);
      const taken = left && this.#stream.taker.take(left, place, each.eventId ?? "");
      if (taken) await taken;
      const pause = this.#session.turns.breathe();
      if (pause) await pause;
    }
    if (!this.#reading.aborted) await this.#tell();
  }

  #tell(): void | Promise<void> {
    const { totalBytes, taker } = this.#stream;
    return taker.progress({ bytes: this.#bytes, totalBytes, events: this.#count, verified: this.#events.seen });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#reading.abort(error);
  }
}
