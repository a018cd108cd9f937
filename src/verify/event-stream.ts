import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Cancellation } from "../cancellation.js";
import type { JsonObject, JsonValue } from "../endpoint.js";
import { TransportError } from "../errors.js";
import { InvalidJson } from "../validate/parse-json.js";
import { JsonSplitter } from "../validate/split-json.js";
import type { EventRules } from "./batch.js";
import { BatchBuilder, type Place, type PlacedBatch, textAt } from "./batch-builder.js";
import { VerifiedEvents } from "./verified-events.js";
import type { CheckedBatch, KeylessBatch, Verifier } from "./verifier.js";

/** What may be on the threads, in bytes: enough for all of them to have work. Beyond it nothing more is read. */
const MAX_ON_THREADS = 4 * 1024 * 1024;
/** What may wait for keys besides, in bytes. */
const MAX_WAITING = 16 * 1024 * 1024;
/** What a batch that waits takes beside its events. */
const WAITING_BYTES = 16 * 1024;
/** Besides the events an answer may name all servers of the room. */
const MAX_SKELETON_BYTES = 16 * 1024 * 1024;

/** How long the main thread works on an answer before it looks after the rest of the process, in milliseconds. */
const TURN_MS = 4;

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
  const builder = new BatchBuilder();
  const events = new VerifiedEvents(rules.version);
  const session = verifier.openSession();
  const underWay = new Set<Promise<void>>();
  /** Called off with the call, and when nothing more of the answer is wanted. */
  const reading = new Cancellation();
  let bytes = 0;
  let count = 0;
  let bytesOnThreads = 0;
  let bytesWaiting = 0;
  let roomMade = (): void => {};
  let turn = Promise.resolve();
  let fault: InvalidJson | undefined;
  let turnBegan = performance.now();
  let breath: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  let skeleton: JsonValue = null;

  const fail = (error: unknown): void => {
    failure ??= { error };
    reading.abort(error);
  };
  /** Called between two things that take little time each. */
  const breathe = (): Promise<void> | undefined => {
    if (performance.now() - turnBegan < TURN_MS) return undefined;
    breath ??= nextTurn().then(() => {
      turnBegan = performance.now();
      breath = undefined;
    });
    return breath;
  };
  const tell = (): void | Promise<void> => progress({ bytes, totalBytes, events: count, verified: events.seen });
  /** Threads finish as they like, but whoever takes events gets one at a time. */
  const inTurn = async (batch: PlacedBatch, checked: CheckedBatch["checked"]): Promise<void> => {
    const taken = turn.then(() => takePart(batch, checked));
    turn = taken.catch(() => {});
    await taken;
  };
  /** Hands on what needs a key first, and lets go of the rest. */
  const verify = async (batch: PlacedBatch): Promise<KeylessBatch | undefined> => {
    const { length } = batch.bytes;
    bytesOnThreads += length;
    try {
      const { checked, keyless } = await verifier.checkBatch(batch, rules, session, reading);
      await inTurn(batch, checked);
      return keyless;
    } finally {
      bytesOnThreads -= length;
      roomMade();
    }
  };
  const verifyKeyless = async (keyless: KeylessBatch): Promise<void> => {
    const size = keyless.batch.bytes.length + WAITING_BYTES;
    bytesWaiting += size;
    try {
      await inTurn(keyless.batch, await verifier.checkKeyless(keyless, rules, session, reading));
    } finally {
      bytesWaiting -= size;
      roomMade();
    }
  };
  const takePart = async (batch: PlacedBatch, checked: CheckedBatch["checked"]): Promise<void> => {
    for (const [at, each] of checked.entries()) {
      if (reading.aborted) return;
      if (!each) continue;
      if (each.kind === "notJson") {
        fault ??= new InvalidJson("not JSON");
        reading.abort(fault);
        return;
      }
      const place = batch.places[at] as Place;
      const event = events.take(JSON.parse(textAt(batch, at)), each, place);
      const taken = event && take(event, place, each.eventId ?? "");
      if (taken) await taken;
      const breathing = breathe();
      if (breathing) await breathing;
    }
    if (!reading.aborted) await tell();
  };
  const send = (batch: PlacedBatch | undefined): void => {
    if (!batch) return;
    const verifying = verify(batch)
      .then((keyless) => keyless && verifyKeyless(keyless))
      .catch((error: unknown) => {
        if (!reading.aborted) fail(error);
      })
      .finally(() => underWay.delete(verifying));
    underWay.add(verifying);
  };
  const read = async (): Promise<InvalidJson | "tooLarge" | undefined> => {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) return "tooLarge";
      for (const piece of piecesOf(chunk)) {
        const elements = splitter.push(piece);
        if (elements instanceof InvalidJson) return elements;
        for (const { field, index, bytes: text } of elements) {
          count += 1;
          if (text) send(builder.add(text, { field, index }));
          else events.leaveOut({ field, index }, "it is too large");
        }
        await breathe();
      }
      while ((bytesOnThreads > MAX_ON_THREADS || bytesWaiting > MAX_WAITING) && !reading.aborted) {
        await new Promise<void>((resolve) => {
          roomMade = resolve;
        });
      }
      if (reading.aborted) return undefined;
    }
    arrived();
    // Of what is no answer nothing need be verified.
    const end = splitter.end();
    if (end instanceof InvalidJson) return end;
    skeleton = end;
    send(builder.flush());
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
  if (refused || fault) return (refused ?? fault) as InvalidJson | "tooLarge";
  await tell();
  return { skeleton, events };
}

function* piecesOf(chunk: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield chunk.subarray(at, at + PIECE_BYTES);
}
