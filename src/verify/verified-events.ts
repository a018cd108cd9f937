import type { JsonObject } from "../endpoint.js";
import { cleanText } from "../errors.js";
import { redactEvent } from "../events/redact-event.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { DroppedEvent } from "../validate/events.js";
import { type CheckedEvent, type EventRules, lacksKeys } from "./checked-event.js";
import { versionNamedBy } from "./create-event.js";

/** More would only let a hostile server fill our memory. */
const MAX_TOLD = 1_000;
const MAX_DOUBTFUL = 200;

/** Where an event was in the answer. */
export interface Place {
  /** The answer's field. */
  readonly field: string;
  /** Its index in that. */
  readonly index: number;
}

/** An event that another server may have in a better state. */
export interface DoubtfulEvent extends Place {
  /** Its id. */
  readonly eventId: string;
  /** What signatures vouch for: the redacted form; absent when nothing holds. */
  readonly redacted?: JsonObject;
  /** Whether it came without what redaction removes. */
  readonly isRedactedCopy: boolean;
  /** Whether all that is wrong is its keys: no other server has better ones. */
  readonly lacksKeys: boolean;
  /** What is wrong with it. */
  readonly reason: string;
}

/** A doubtful event, as it is to be used after all. */
export interface SettledEvent extends Place {
  /** Its id. */
  readonly eventId: string;
  /** The whole event of another server, or the redacted form. */
  readonly event: JsonObject;
}

/** What became of an answer's events. */
export class VerifiedEvents {
  /** What was left out: the first thousand. */
  readonly dropped: DroppedEvent[] = [];
  /** The ids of the events of which only the redacted form is there. */
  readonly redacted: string[] = [];
  /** How many events hold, be it only their redacted form. */
  kept = 0;
  /** How many events there were. */
  seen = 0;
  /** The first event that makes the room by its own word, and whether it holds. */
  create: { readonly event: JsonObject; readonly checked: CheckedEvent } | undefined;
  /** The first event that was left out for another reason than its keys. */
  fault: DroppedEvent | undefined;
  readonly #doubtful: DoubtfulEvent[] = [];
  readonly #version: RoomVersion;
  readonly #roomId: string | undefined;

  /** For a room of this version. */
  constructor({ version, roomId }: EventRules) {
    this.#version = version;
    this.#roomId = roomId;
  }

  /**
   * Takes note of an event; returns what is left of it, if anything: the event itself, or its redacted form. Of a
   * doubtful one nothing is left until {@link VerifiedEvents.settle}.
   */
  take(event: JsonObject, checked: CheckedEvent, place: Place): JsonObject | undefined {
    this.seen += 1;
    const { kind, eventId } = checked;
    if (this.#roomId !== undefined && versionNamedBy(event, this.#roomId)) this.create ??= { event, checked };
    if (kind === "valid") {
      this.kept += 1;
      return event;
    }
    const doubtful: DoubtfulEvent = {
      ...place,
      lacksKeys: lacksKeys(checked),
      eventId: eventId ?? "",
      reason: cleanText(checked.reason ?? "the content's hash is wrong"),
      isRedactedCopy: checked.isRedactedCopy ?? false,
      ...(kind === "redacted" && { redacted: redactEvent(event, this.#version) }),
    };
    const isHopeless = eventId === undefined || doubtful.lacksKeys;
    if (isHopeless || this.#doubtful.length === MAX_DOUBTFUL) return this.#settle(doubtful);
    this.#doubtful.push(doubtful);
    return undefined;
  }

  /** Takes note of an event that nobody looked at. */
  leaveOut(place: Place, reason: string): void {
    this.seen += 1;
    this.#settle({ ...place, eventId: "", lacksKeys: false, isRedactedCopy: false, reason });
  }

  /** The events that another server may have in a better state. */
  get doubtful(): readonly DoubtfulEvent[] {
    return this.#doubtful;
  }

  /** Says of each doubtful event what is to stand in its place, if anything. */
  settle(whole: ReadonlyMap<string, JsonObject>): SettledEvent[] {
    return this.#doubtful.splice(0).flatMap((doubtful) => {
      const { field, index, eventId } = doubtful;
      const better = whole.get(eventId);
      if (better) this.kept += 1;
      const event = better ?? this.#settle(doubtful);
      return event ? [{ field, index, eventId, event }] : [];
    });
  }

  #settle({ field, index, eventId, lacksKeys, reason, redacted }: DoubtfulEvent): JsonObject | undefined {
    if (redacted) {
      this.kept += 1;
      if (this.redacted.length < MAX_TOLD) this.redacted.push(eventId);
      return redacted;
    }
    const dropped: DroppedEvent = {
      path: `$.${field}[${index}]`,
      reason,
      ...(eventId !== "" && { eventId }),
      ...(lacksKeys && { unproved: "keysMissing" }),
    };
    if (this.dropped.length < MAX_TOLD) this.dropped.push(dropped);
    if (!lacksKeys) this.fault ??= dropped;
    return undefined;
  }
}
