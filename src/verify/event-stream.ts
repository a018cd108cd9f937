import type { Readable } from "node:stream";
import { Cancellation } from "../cancellation.js";
import type { JsonObject, JsonValue } from "../endpoint.js";
import { TransportError } from "../errors.js";
import { textOf } from "../sign/utf8.js";
import { InvalidJson } from "../validate/parse-json.js";
import { JsonSplitter, type SplitElement } from "../validate/split-json.js";
import type { CheckedEvent, EventRules } from "./checked-event.js";
import type { EventBatch } from "./event-batch.js";
import { type Place, VerifiedEvents } from "./verified-events.js";
import type { Verifier } from "./verifier.js";

/** What may be verified at a time, for each batch that the threads may have: a little more than its events. */
const BYTES_PER_BATCH = 100 * 1024;
/** What may wait for keys besides, in bytes. */
const MAX_WAITING = 16 * 1024 * 1024;
/** What a batch that waits takes beside its events. */
const WAITING_BYTES = 16 * 1024;
/** What a batch has at most, in bytes of its events. */
const MAX_BATCH_BYTES = 256 * 1024;
/** Besides the events an answer may name all servers of the room. */
const MAX_SKELETON_BYTES = 16 * 1024 * 1024;

/** What is split at once, in bytes. */
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
  /** Takes each event that holds, one after the other; it is waited for. The order is not that of the answer. */
  readonly take: (event: JsonObject, place: Place, eventId: string) => void | Promise<void>;
  /** Is told from time to time how far it is, and at the end; it is waited for. */
  readonly progress: (progress: StreamProgress) => void | Promise<void>;
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

/** An event of the answer, parsed, and where it was. */
interface ReadEvent extends Place {
  readonly event: JsonObject;
  /** A copy of its text, where keys of it are missing. */
  readonly text?: Uint8Array | undefined;
}

/** Events that are verified together. */
interface Batch {
  readonly checks: EventBatch;
  readonly events: ReadEvent[];
  /** How many bytes their texts have. */
  bytes: number;
}

/** Events that wait for keys. They are held as texts, for as objects they could take ten times the memory. */
interface Keyless {
  readonly events: readonly (Place & { readonly text: Uint8Array })[];
  readonly checked: readonly CheckedEvent[];
  readonly bytes: number;
}

/**
 * Reads an answer of many events as it comes, and verifies them meanwhile on all cores. Once it has settled, `take` and
 * `progress` are called no more, and what they were called for is over.
 *
 * @returns what was read; or why the answer is no good, so that nothing of it counts.
 * @throws what the cancellation was given, what `take` or `progress` threw, or a {@link TransportError}.
 */
export async function readEventStream(
  stream: EventStream,
  verifier: Verifier,
  cancellation: Cancellation,
): Promise<ReadStream | InvalidJson | "tooLarge"> {
  const { chunks, fields, rules, maxBytes, totalBytes, take, progress, arrived } = stream;
  const splitter = new JsonSplitter(fields, { maxSkeletonBytes: MAX_SKELETON_BYTES });
  const events = new VerifiedEvents(rules.version);
  const session = verifier.openSession(rules);
  const maxBeingVerified = BYTES_PER_BATCH * session.maxBatches;
  const underWay = new Set<Promise<void>>();
  /** Called off with the call, and when nothing more of the answer is wanted. */
  const reading = new Cancellation();
  const { turns } = session;
  let bytes = 0;
  let count = 0;
  let bytesBeingVerified = 0;
  let bytesWaiting = 0;
  let roomMade = (): void => {};
  let turn = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;
  let skeleton: JsonValue = null;
  let batch: Batch | undefined;

  const fail = (error: unknown): void => {
    failure ??= { error };
    reading.abort(error);
  };
  const tell = (): void | Promise<void> => progress({ bytes, totalBytes, events: count, verified: events.seen });
  /** Threads finish as they like, but whoever takes events gets one at a time. */
  const inTurn = async (some: readonly ReadEvent[], checked: readonly CheckedEvent[]): Promise<void> => {
    const taken = turn.then(() => takePart(some, checked));
    turn = taken.catch(() => {});
    await taken;
  };
  const takePart = async (some: readonly ReadEvent[], checked: readonly CheckedEvent[]): Promise<void> => {
    for (const [at, { event, field, index }] of some.entries()) {
      if (reading.aborted) return;
      const each = checked[at] as CheckedEvent;
      const place = { field, index };
      const left = events.take(event, each, place);
      const taken = left && take(left, place, each.eventId ?? "");
      if (taken) await taken;
      const pause = turns.breathe();
      if (pause) await pause;
    }
    if (!reading.aborted) await tell();
  };
  /** Hands on what needs a key first, and lets go of the rest. */
  const verify = async ({ checks, events: some, bytes: size }: Batch): Promise<Keyless | undefined> => {
    bytesBeingVerified += size;
    try {
      const checked = await session.check(checks, reading);
      const isKeyless = (_: unknown, at: number): boolean => checked[at]?.kind === "keyless";
      const isChecked = (_: unknown, at: number): boolean => checked[at]?.kind !== "keyless";
      await inTurn(some.filter(isChecked), checked.filter(isChecked));
      return keylessOf(some.filter(isKeyless), checked.filter(isKeyless));
    } finally {
      bytesBeingVerified -= size;
      roomMade();
    }
  };
  const verifyKeyless = async ({ events: texts, checked, bytes: size }: Keyless): Promise<void> => {
    bytesWaiting += size;
    try {
      await session.askForKeys(checked, reading);
      const checks = session.newBatch(texts.length);
      const some: ReadEvent[] = [];
      for (const { text, ...place } of texts) {
        await turns.breathe();
        const event = JSON.parse(textOf(text)) as JsonObject;
        checks.add(event);
        some.push({ event, ...place });
      }
      await inTurn(some, await session.check(checks, reading));
    } finally {
      bytesWaiting -= size;
      roomMade();
    }
  };
  const send = (): void => {
    if (!batch) return;
    const verifying = verify(batch)
      .then((keyless) => keyless && verifyKeyless(keyless))
      .catch((error: unknown) => {
        if (!reading.aborted) fail(error);
      })
      .finally(() => underWay.delete(verifying));
    underWay.add(verifying);
    batch = undefined;
  };
  const add = ({ field, index, bytes: text }: SplitElement, event: JsonValue | undefined): void => {
    count += 1;
    if (!text) {
      events.leaveOut({ field, index }, "it is too large");
      return;
    }
    batch ??= { checks: session.newBatch(), events: [], bytes: 0 };
    const mayBeKeyless = batch.checks.add(event);
    batch.events.push({ event: event as JsonObject, field, index, text: mayBeKeyless ? text.slice() : undefined });
    batch.bytes += text.length;
    if (batch.checks.isFull || batch.bytes >= MAX_BATCH_BYTES) send();
  };
  /** Waits until half of it is done: to wake up for each batch would cost more than it is worth. */
  const enoughRoom = async (): Promise<void> => {
    while ((bytesBeingVerified > maxBeingVerified / 2 || bytesWaiting > MAX_WAITING) && !reading.aborted) {
      await new Promise<void>((resolve) => {
        roomMade = resolve;
      });
    }
  };
  const read = async (): Promise<InvalidJson | "tooLarge" | undefined> => {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) return "tooLarge";
      for (const piece of piecesOf(chunk)) {
        const elements = splitter.push(piece);
        if (elements instanceof InvalidJson) return elements;
        const values = parseAll(elements);
        if (values instanceof InvalidJson) return values;
        for (const [at, element] of elements.entries()) {
          add(element, values[at]);
          const pause = turns.breathe();
          if (pause) await pause;
        }
        await turns.breathe();
      }
      if (bytesBeingVerified > maxBeingVerified || bytesWaiting > MAX_WAITING) await enoughRoom();
      if (reading.aborted) return undefined;
    }
    arrived();
    // Of what is no answer nothing need be verified.
    const end = splitter.end();
    if (end instanceof InvalidJson) return end;
    skeleton = end;
    send();
    await Promise.all(underWay);
    return undefined;
  };

  reading.onAbort(() => {
    chunks.destroy();
    roomMade();
  });
  const stopListening = cancellation.onAbort(() => reading.abort(cancellation.reason));
  if (cancellation.aborted) reading.abort(cancellation.reason);
  let refused: InvalidJson | "tooLarge" | undefined;
  try {
    refused = await read();
  } catch (error) {
    // What else breaks a stream is the decompression.
    const isCoded = error === chunks.errored && !(error instanceof TransportError);
    if (isCoded) refused = new InvalidJson("not in the encoding that it is said to be in");
    else if (!reading.aborted) fail(error);
  }
  stopListening();
  if (refused) reading.abort(OVER);
  await Promise.all(underWay);
  if (failure) throw failure.error;
  if (cancellation.aborted) throw cancellation.reason;
  if (refused) return refused;
  await tell();
  return { skeleton, events };
}

/** The value of each element; undefined where there is no text of it. */
function parseAll(elements: readonly SplitElement[]): (JsonValue | undefined)[] | InvalidJson {
  const values: (JsonValue | undefined)[] = [];
  try {
    for (let at = 0; at < elements.length; ) {
      const from = at;
      const first = elements[at++]?.bytes;
      // Those that lie side by side are parsed at once: only a comma and white space are between them.
      while (first && elements[at]?.bytes?.buffer === first.buffer && elements[at]?.field === elements[from]?.field)
        at++;
      const last = elements[at - 1]?.bytes;
      if (!first || !last) values.push(undefined);
      else {
        const length = last.byteOffset + last.length - first.byteOffset;
        const parsed = JSON.parse(`[${textOf(new Uint8Array(first.buffer, first.byteOffset, length))}]`) as JsonValue[];
        if (parsed.length !== at - from) return new InvalidJson("not JSON");
        values.push(...parsed);
      }
    }
  } catch {
    return new InvalidJson("not JSON");
  }
  return values;
}

/** What is left of events that wait for keys. */
function keylessOf(events: readonly ReadEvent[], checked: readonly CheckedEvent[]): Keyless | undefined {
  if (events.length === 0) return undefined;
  const texts = events.map(({ field, index, text }) => ({ field, index, text: text as Uint8Array }));
  return { events: texts, checked, bytes: texts.reduce((sum, { text }) => sum + text.length, WAITING_BYTES) };
}

function* piecesOf(chunk: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield chunk.subarray(at, at + PIECE_BYTES);
}
