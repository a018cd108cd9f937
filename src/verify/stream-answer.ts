import type { Readable } from "node:stream";
import type { Cancellation } from "../cancellation.js";
import type { JsonObject, JsonValue } from "../endpoint.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { Outcome } from "../validate/outcome.js";
import { InvalidJson } from "../validate/parse-json.js";
import { type AnsweredEndpoint, readAnswer } from "../validate/read-outcome.js";
import { versionNamedBy } from "./create-event.js";
import { type EventTaker, readEventStream, type StreamProgress } from "./event-stream.js";
import { handled } from "./handler-error.js";
import type { Place } from "./verified-events.js";
import { createFault, malformed, otherVersion, settle, type Verification, verdict } from "./verify-answer.js";

/** A large answer that has begun to come. */
export interface StreamedAnswer {
  /** The HTTP status: a success. */
  readonly status: number;
  /** The body, decompressed. */
  readonly stream: Readable;
  /** The server that answers. */
  readonly server: string;
  /** What it was asked. */
  readonly input: object;
  /** The most bytes that it may have. */
  readonly maxBytes: number;
  /** How many bytes it has, where that is known. */
  readonly totalBytes: number | undefined;
  /** Called when all bytes are there, and only we still work on them. */
  readonly arrived: () => void;
}

/**
 * Reads an answer of many events while it comes, each verified as it is there, so that neither its bytes nor, where
 * somebody takes the events, these are ever held together. The event that we sent, where it came back, is left to
 * {@link verifyAnswer}.
 *
 * @throws what the cancellation was given, a {@link TransportError} when the connection breaks, or a {@link HandlerError}.
 */
export async function readStreamedAnswer(
  { status, stream, server, input, maxBytes, totalBytes, arrived }: StreamedAnswer,
  endpoint: AnsweredEndpoint<unknown>,
  verification: Verification & { readonly version: RoomVersion },
  cancellation: Cancellation,
): Promise<Outcome> {
  const { version, roomId, fields, verifier } = verification;
  const taker = new AnswerTaker(server, verification);
  try {
    const read = await readEventStream(
      {
        chunks: stream,
        fields,
        rules: { version, roomId },
        maxBytes,
        totalBytes,
        taker,
        arrived,
      },
      verifier,
      cancellation,
    );
    if (read === "tooLarge") return { ...malformed(status, "$", "larger than the endpoint allows"), tooLarge: true };
    if (read instanceof InvalidJson) return malformed(status, "$", read.message);
    const { skeleton, events } = read;
    const { create } = events;
    if (create && !taker.isCreated) {
      const other = await otherVersion(create.event, status, version, verification, cancellation);
      if (other) return other;
    }
    const { settled, isWithheld } = await settle(events, server, verification, version, cancellation);
    for (const { event, eventId, ...place } of settled) {
      if (cancellation.aborted) throw cancellation.reason;
      await taker.take(event, place, eventId);
    }
    if (taker.isCreated) verification.onVersion(version);
    else if (verification.isClaimed) {
      return create
        ? createFault(status, create.checked)
        : malformed(status, "$", `expected the m.room.create event of a room of version ${version}`);
    }
    const holder = holderOf(skeleton);
    // An index of an event that was left out is a hole, which filter passes over.
    for (const [field, all] of taker.kept) if (Array.isArray(holder[field])) holder[field] = all.filter(() => true);
    // Each event has been looked at.
    const { events: _events, ...withoutEvents } = endpoint;
    const outcome = await readAnswer(status, skeleton, withoutEvents, server, input);
    if (outcome.kind !== "answer") return outcome;
    return verdict(outcome, events, verification, version, isWithheld);
  } finally {
    stream.destroy();
  }
}

/** Takes the events of one answer: for the caller, who may take each, or for the answer. */
class AnswerTaker implements EventTaker {
  /** The events by field, each at its index; none where the caller takes each. */
  readonly kept: ReadonlyMap<string, JsonObject[]>;
  /** Whether the event that made the room is among them, and says that it is of the version that it was taken for. */
  isCreated = false;
  readonly #via: string;
  readonly #verification: Verification & { readonly version: RoomVersion };
  readonly #answer: number;

  constructor(via: string, verification: Verification & { readonly version: RoomVersion }) {
    this.kept = new Map(verification.fields.map((field) => [field, []]));
    this.#via = via;
    this.#verification = verification;
    this.#answer = verification.countAnswer();
  }

  take(event: JsonObject, { field, index }: Place, eventId: string): void | Promise<void> {
    const { roomId, version, onEvent } = this.#verification;
    if (roomId !== undefined && versionNamedBy(event, roomId) === version) this.isCreated = true;
    if (onEvent) return handled(onEvent, { event, eventId, field, via: this.#via, answer: this.#answer });
    (this.kept.get(field) as JsonObject[])[index] = event;
  }

  progress(progress: StreamProgress): void | Promise<void> {
    return handled(this.#verification.onProgress, { ...progress, via: this.#via, answer: this.#answer });
  }
}

/** The answer proper: first versions of endpoints answer with a pair of a status and it. */
function holderOf(skeleton: JsonValue): JsonObject {
  const holder = Array.isArray(skeleton) ? skeleton[1] : skeleton;
  return typeof holder === "object" && holder !== null && !Array.isArray(holder) ? holder : {};
}
