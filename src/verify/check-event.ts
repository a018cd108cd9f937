import type { JsonObject } from "../endpoint.js";
import type { EventEncoder } from "../events/encode-event.js";
import { type FaultyEvent, type ReadEvent, readEventWith } from "../events/read-event.js";
import { roomVersions } from "../events/room-versions.js";
import { type InvalidEvent, type KeySource, type Trial, trialsOf, verdictOn } from "../events/verify-event.js";
import type { CheckedEvent, EventRules } from "./checked-event.js";

/** An event about which everything is known but which of its signatures are right. */
export interface BegunCheck {
  /** The event. */
  readonly read: ReadEvent | FaultyEvent;
  /** Its signatures, with the keys that are at hand. */
  readonly trials: readonly Trial[];
}

/** Begins to check an event, with the keys that are at hand; `signedBytes` is lent by the encoder. */
export function beginCheck(
  event: unknown,
  { version }: EventRules,
  keys: KeySource,
  encoder: EventEncoder,
): BegunCheck {
  const read = readEventWith(encoder, event, version);
  return { read, trials: read.fault === undefined ? trialsOf(read, keys) : [] };
}

/** What is true of an event, if of the signatures that have a key these are right; all of them when absent. */
export function endCheck({ read, trials }: BegunCheck, rules: EventRules, isRight?: readonly boolean[]): CheckedEvent {
  if (read.fault !== undefined) return { kind: "invalid", eventId: undefined, reason: read.fault };
  if (rules.roomId !== undefined && roomOf(read, rules) !== rules.roomId) {
    return { kind: "invalid", eventId: undefined, reason: "it is of another room" };
  }
  let at = 0;
  for (const trial of trials) trial.isRight = trial.key !== undefined && (isRight?.[at++] ?? true);
  const verdict = verdictOn(read, trials);
  const { kind, eventId } = verdict;
  switch (kind) {
    case "valid":
      return { kind, eventId };
    case "redacted":
      return { kind, eventId, isRedactedCopy: verdict.wasRedacted };
    case "invalid":
      if (verdict.missingKeys.length > 0) return keyless(verdict);
      return { kind, eventId, reason: verdict.reason, ...(verdict.keysExpired && { keysExpired: true }) };
  }
}

function keyless({ eventId, event, reason, missingKeys }: InvalidEvent): CheckedEvent {
  const { origin_server_ts: at } = event as JsonObject;
  const names = missingKeys.map(({ server, keyId }) => `${keyId} of ${server}`).join(", ");
  return { kind: "keyless", eventId, reason: `${reason}: ${names}`, needed: missingKeys, at: at as number };
}

/** The room that an event is in: what makes a room of version 12 is not in it by its own word, but names it. */
function roomOf({ event: { type, room_id: roomId }, eventId }: ReadEvent, { version }: EventRules): unknown {
  return roomVersions[version].roomIdIsCreateEventId && type === "m.room.create" ? `!${eventId.slice(1)}` : roomId;
}
