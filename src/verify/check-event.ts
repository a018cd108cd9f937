import type { JsonObject } from "../endpoint.js";
import { roomVersions } from "../events/room-versions.js";
import { type InvalidEvent, type KeyOf, verifyEvent } from "../events/verify-event.js";
import type { BatchRequest, CheckedEvent, EventRules } from "./batch.js";
import { textAt } from "./batch-builder.js";

/** What is true of one event, by the keys that are at hand. Never throws, whatever the event is. */
export function checkEvent(event: unknown, rules: EventRules, keyOf: KeyOf): CheckedEvent {
  const verification = verifyEvent(event, rules.version, keyOf);
  const { kind, eventId } = verification;
  if (eventId !== undefined && rules.roomId !== undefined) {
    const roomId = roomOf(event as JsonObject, eventId, rules);
    if (roomId !== rules.roomId) return { kind: "invalid", eventId: undefined, reason: "it is of another room" };
  }
  switch (kind) {
    case "valid":
      return { kind, eventId };
    case "redacted":
      return { kind, eventId, isRedactedCopy: verification.wasRedacted };
    case "invalid":
      return verification.missingKeys.length > 0
        ? keyless(verification)
        : { kind, eventId, reason: verification.reason };
  }
}

/** As {@link checkEvent}, of an event's JSON text. */
export function checkText(text: string, rules: EventRules, keyOf: KeyOf): CheckedEvent {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    return { kind: "notJson", eventId: undefined };
  }
  return checkEvent(event, rules, keyOf);
}

/** As {@link checkEvent}, of all events of a batch: a valid one is its id. */
export function checkTexts(batch: BatchRequest, keyOf: KeyOf): (string | CheckedEvent)[] {
  return batch.ends.map((_, at) => {
    const checked = checkText(textAt(batch, at), batch, keyOf);
    return checked.kind === "valid" && checked.eventId !== undefined ? checked.eventId : checked;
  });
}

function keyless({ eventId, event, reason, missingKeys }: InvalidEvent): CheckedEvent {
  const { origin_server_ts: at } = event as JsonObject;
  const names = missingKeys.map(({ server, keyId }) => `${keyId} of ${server}`).join(", ");
  return { kind: "keyless", eventId, reason: `${reason}: ${names}`, needed: missingKeys, at: at as number };
}

/** The room that an event is in: what makes a room of version 12 is not in it by its own word, but names it. */
function roomOf({ type, room_id: roomId }: JsonObject, eventId: string, { version }: EventRules): unknown {
  return roomVersions[version].roomIdIsCreateEventId && type === "m.room.create" ? `!${eventId.slice(1)}` : roomId;
}
