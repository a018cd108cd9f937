import type { JsonObject, JsonValue } from "../endpoint.js";
import { quoted } from "../errors.js";
import { serverOf } from "../events/hash-event.js";
import { readEvent } from "../events/read-event.js";
import { isObject } from "../events/redact-event.js";
import { isRoomVersion, type RoomVersion, roomVersions } from "../events/room-versions.js";

/**
 * The room version that an `m.room.create` event names, if it may speak for the room: it counts once its signature holds.
 * Before version 12 it has to be of the server that the room id names; from then on the room id is its hash.
 */
export function versionNamedBy(event: JsonObject, roomId: string): RoomVersion | undefined {
  if (!isCreateEvent(event)) return undefined;
  const { sender } = event;
  const version = namedVersion(event);
  if (!isRoomVersion(version) || typeof sender !== "string") return undefined;
  if (roomVersions[version].roomIdIsCreateEventId) return version;
  const creator = serverOf(sender);
  return event.room_id === roomId && creator !== undefined && creator === serverOf(roomId) ? version : undefined;
}

/** More events that say they made the room only want to keep us busy. */
const MAX_CREATE_EVENTS = 8;

/**
 * The room version that an event's id proves, without any key: from version 3 on, the id is the hash of an event that names
 * the id of the `m.room.create` event, or of the room, which is a hash too. So a room can be read whose creator is gone.
 *
 * @param eventId - The id, which is believed.
 * @param event - The event, as somebody told it.
 * @param chain - Its auth chain, as somebody told it.
 */
export function versionProvedBy(
  eventId: string,
  event: JsonObject,
  chain: readonly JsonObject[],
  roomId: string,
): RoomVersion | undefined {
  const creates = [event, ...chain].filter((each) => versionNamedBy(each, roomId)).slice(0, MAX_CREATE_EVENTS);
  for (const create of creates) {
    const version = versionNamedBy(create, roomId) as RoomVersion;
    const { eventIds, roomIdIsCreateEventId } = roomVersions[version];
    if (eventIds === "inEvent") continue;
    const [read, made] = [readEvent(event, version), readEvent(create, version)];
    if (read.fault !== undefined || made.fault !== undefined) continue;
    if (read.eventId !== eventId || !made.isHashRight) continue;
    const { room_id: room, auth_events: authorisers } = read.event;
    const isFirst = made.eventId === eventId;
    // Before version 12 the first event has the room's id in it; from then on it is the room's id.
    const isOfRoom = roomIdIsCreateEventId
      ? roomId === `!${made.eventId.slice(1)}`
      : isFirst || (authorisers as JsonValue[]).includes(made.eventId);
    if (isOfRoom && (isFirst || room === roomId)) return version;
  }
  return undefined;
}

/** What to say of events of which the first that makes a room names a version that is not known here, where one does. */
export function unknownVersionOf(events: readonly JsonObject[]): string | undefined {
  const create = events.find(isCreateEvent);
  const version = create && namedVersion(create);
  return version === undefined || isRoomVersion(version)
    ? undefined
    : `the room's version ${quoted(version)} is none that could be verified`;
}

function namedVersion({ content }: JsonObject): JsonValue {
  const isContent = typeof content === "object" && content !== null && !Array.isArray(content);
  return isContent ? (content.room_version ?? "1") : "1";
}

/** Whether an event is what makes a room, by its own word. */
export function isCreateEvent(event: unknown): event is JsonObject {
  return isObject(event) && event.type === "m.room.create" && event.state_key === "";
}
