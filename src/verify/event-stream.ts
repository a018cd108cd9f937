import type { Cancellation } from "../cancellation.js";
import type { JsonObject, JsonValue } from "../endpoint.js";
import { InvalidJson } from "../validate/parse-json.js";
import { JsonSplitter } from "../validate/split-json.js";
import type { EventRules } from "./batch.js";
import { BatchBuilder, type Place, type PlacedBatch, textAt } from "./batch-builder.js";
import { VerifiedEvents } from "./verified-events.js";
import type { CheckedPart, Verifier } from "./verifier.js";

/** What may be under way, in bytes: being verified, or waiting for keys. Meanwhile nothing more is read. */
const MAX_UNDER_WAY = 24 * 1024 * 1024;
/** Besides the events an answer may name all servers of the room. */
const MAX_SKELETON_BYTES = 16 * 1024 * 1024;

/** How far the reading of an answer has come. */
export interface StreamProgress {
  /** How many bytes have been read, after decompression. */
  readonly bytes: number;
  /** How many events have been read. */
  readonly events: number;
  /** Of how many is known whether they hold. */
  readonly verified: number;
}

/** An answer's events that are being read. */
export interface EventStream {
  /** The bytes of the answer, decompressed. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** The answer's fields that are arrays of events. */
  readonly fields: readonly string[];
  /** What the events are held against. */
  readonly rules: EventRules;
  /** The most bytes of the answer. */
  readonly maxBytes: number;
  /** Takes each event that holds; it is waited for. The order is not that of the answer. */
  readonly take: (event: JsonObject, place: Place, eventId: string) => void | Promise<void>;
  /** Is told from time to time how far it is. */
  readonly progress: (progress: StreamProgress) => void;
}

/** What is known once a stream has been read. */
export interface ReadStream {
  /** The answer without its events: the arrays of events are empty. */
  readonly skeleton: JsonValue;
  /** What became of the events. */
  readonly events: VerifiedEvents;
}

/**
 * Reads an answer of many events as it comes, and verifies them meanwhile on all cores.
 *
 * @returns what was read; or why the answer is no good, so that nothing of it counts.
 * @throws what the cancellation was given, or what the chunks or `take` threw.
 */
export async function readEventStream(
  stream: EventStream,
  verifier: Verifier,
  cancellation: Cancellation,
): Promise<ReadStream | InvalidJson | "tooLarge"> {
  const { chunks, fields, rules, maxBytes, take, progress } = stream;
  const splitter = new JsonSplitter(fields, { maxSkeletonBytes: MAX_SKELETON_BYTES });
  const builder = new BatchBuilder();
  const events = new VerifiedEvents(rules.version);
  const session = verifier.openSession();
  const underWay = new Set<Promise<void>>();
  let bytes = 0;
  let count = 0;
  let bytesUnderWay = 0;
  let roomMade = (): void => {};
  let fault: InvalidJson | undefined;
  let failure: { readonly error: unknown } | undefined;

  const verify = async (batch: PlacedBatch): Promise<void> => {
    let bytesHere = batch.bytes.length;
    bytesUnderWay += bytesHere;
    try {
      for await (const part of verifier.checkBatch(batch, rules, session, cancellation)) {
        await takePart(part);
        bytesUnderWay -= bytesHere - part.bytesLeft;
        bytesHere = part.bytesLeft;
        roomMade();
        progress({ bytes, events: count, verified: events.seen });
      }
    } catch (error) {
      failure ??= { error };
    }
    bytesUnderWay -= bytesHere;
    roomMade();
  };
  const takePart = async ({ batch, checked }: CheckedPart): Promise<void> => {
    for (const [at, each] of checked.entries()) {
      if (isOver()) return;
      if (!each) continue;
      if (each.kind === "notJson") {
        fault = new InvalidJson("not JSON");
        return;
      }
      const place = batch.places[at] as Place;
      const event = events.take(JSON.parse(textAt(batch, at)), each, place);
      const taken = event && take(event, place, each.eventId ?? "");
      if (taken) await taken;
    }
  };
  const send = (batch: PlacedBatch | undefined): void => {
    if (!batch) return;
    const verifying = verify(batch).finally(() => underWay.delete(verifying));
    underWay.add(verifying);
  };
  const isOver = (): boolean => fault !== undefined || failure !== undefined || cancellation.aborted;

  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) return "tooLarge";
    const elements = splitter.push(chunk);
    if (elements instanceof InvalidJson) return elements;
    for (const { field, index, bytes: text } of elements) {
      count += 1;
      send(builder.add(text, { field, index }));
    }
    while (bytesUnderWay > MAX_UNDER_WAY && !isOver()) {
      await new Promise<void>((resolve) => {
        roomMade = resolve;
      });
    }
    if (isOver()) break;
  }
  send(builder.flush());
  await Promise.all(underWay);
  if (failure) throw failure.error;
  if (cancellation.aborted) throw cancellation.reason;
  if (fault) return fault;
  const skeleton = splitter.end();
  return skeleton instanceof InvalidJson ? skeleton : { skeleton, events };
}
