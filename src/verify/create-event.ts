import type { JsonObject, JsonValue } from "../endpoint.js";
import { quoted } from "../errors.js";
import { serverOf } from "../events/hash-event.js";
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

/** What to say of events that no room version can be told by. */
export function versionFault(events: readonly JsonObject[]): string {
  const create = events.find(isCreateEvent);
  const version = create && namedVersion(create);
  return create === undefined || isRoomVersion(version)
    ? "expected an m.room.create event, which tells the room's version"
    : `the room's version ${quoted(version)} is none that could be verified`;
}

function namedVersion({ content }: JsonObject): JsonValue {
  const isContent = typeof content === "object" && content !== null && !Array.isArray(content);
  return isContent ? (content.room_version ?? "1") : "1";
}

/** Whether an event is what makes a room, by its own word. */
const isCreateEvent = ({ type, state_key: key }: JsonObject): boolean => type === "m.room.create" && key === "";
