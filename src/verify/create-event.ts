import type { JsonObject } from "../endpoint.js";
import { serverOf } from "../events/hash-event.js";
import { isRoomVersion, type RoomVersion, roomVersions } from "../events/room-versions.js";

/**
 * The room version that an `m.room.create` event names, if it may speak for the room: it counts once its signature holds.
 * Before version 12 it has to be of the server that the room id names; from then on the room id is its hash.
 */
export function versionNamedBy(event: JsonObject, roomId: string): RoomVersion | undefined {
  if (event.type !== "m.room.create" || event.state_key !== "") return undefined;
  const { content, sender } = event;
  const named = typeof content === "object" && content !== null && !Array.isArray(content) ? content.room_version : "";
  const version = named ?? "1";
  if (!isRoomVersion(version) || typeof sender !== "string") return undefined;
  if (roomVersions[version].roomIdIsCreateEventId) return version;
  const creator = serverOf(sender);
  return event.room_id === roomId && creator !== undefined && creator === serverOf(roomId) ? version : undefined;
}

/** Whether a value is an `m.room.create` event, by its own word. */
export const isCreateEvent = (event: JsonObject): boolean => event.type === "m.room.create" && event.state_key === "";
