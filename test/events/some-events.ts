import type { JsonObject } from "../../src/endpoint.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";

/** An event of the right form, not yet hashed and signed. */
export function aMessage(version: RoomVersion): JsonObject {
  const { eventIds, roomIdIsCreateEventId } = roomVersions[version];
  const isOld = eventIds === "inEvent";
  const link = (name: string): JsonObject[string] => (isOld ? [`$${name}:domain`, { sha256: "AAAA" }] : `$${name}`);
  return {
    ...(isOld && { event_id: "$1:domain" }),
    type: "m.room.message",
    room_id: roomIdIsCreateEventId ? `!${"a".repeat(43)}` : "!room:domain",
    sender: "@user:domain",
    origin_server_ts: 1_700_000_000_000,
    depth: 12,
    prev_events: [link("p")],
    auth_events: [link("x"), link("y")],
    content: { msgtype: "m.text", body: "Hello, wörld" },
    unsigned: { age: 12 },
  };
}

/** A membership event of the right form, not yet hashed and signed. */
export function aMember(version: RoomVersion, content: JsonObject): JsonObject {
  return { ...aMessage(version), type: "m.room.member", state_key: "@user:domain", content };
}
