import type { JsonObject } from "../endpoint.js";
import type { RoomVersion } from "../events/room-versions.js";

/** Who may join a room. */
export type TestJoinRule = "public" | "invite" | "restricted";

/** What a room is created with. */
export interface FirstEventsOptions {
  /** The room's version. */
  readonly version: RoomVersion;
  /** The user who creates it. */
  readonly creator: string;
  /** Who may join. */
  readonly joinRule: TestJoinRule;
  /** The rooms whose members may join, where the join rule is `restricted`. */
  readonly allow: readonly string[];
  /** The room's alias. */
  readonly alias: string | undefined;
  /** The room's name. */
  readonly name: string | undefined;
}

/** A state event that is to be made. */
export interface FirstEvent {
  /** The event's type. */
  readonly type: string;
  /** The content. */
  readonly content: JsonObject;
  /** The state key; empty when absent. */
  readonly stateKey?: string;
}

/** The content of the `m.room.create` event. Room versions, "Room create events": the creator is its sender since 11. */
export function createContent({ version, creator }: FirstEventsOptions): JsonObject {
  return Number(version) < 11 ? { creator, room_version: version } : { room_version: version };
}

/** The state that a new room gets after its create event, in the order of the Client-Server API's `createRoom`. */
export function firstEvents(options: FirstEventsOptions): FirstEvent[] {
  const { creator, joinRule, allow, alias, name } = options;
  const allowed = allow.map((roomId) => ({ type: "m.room_membership", room_id: roomId }));
  return [
    { type: "m.room.member", stateKey: creator, content: { membership: "join" } },
    { type: "m.room.power_levels", content: powerLevels(options) },
    ...(alias === undefined ? [] : [{ type: "m.room.canonical_alias", content: { alias } }]),
    {
      type: "m.room.join_rules",
      content: { join_rule: joinRule, ...(joinRule === "restricted" && { allow: allowed }) },
    },
    { type: "m.room.history_visibility", content: { history_visibility: "shared" } },
    ...(name === undefined ? [] : [{ type: "m.room.name", content: { name } }]),
  ];
}

function powerLevels({ version, creator }: FirstEventsOptions): JsonObject {
  const hasPowerfulCreator = Number(version) >= 12;
  return {
    // MSC4289: a creator must not be listed.
    users: hasPowerfulCreator ? {} : { [creator]: 100 },
    users_default: 0,
    events: {
      "m.room.name": 50,
      "m.room.power_levels": 100,
      "m.room.history_visibility": 100,
      "m.room.canonical_alias": 50,
      "m.room.avatar": 50,
      "m.room.tombstone": hasPowerfulCreator ? 150 : 100,
      "m.room.server_acl": 100,
      "m.room.encryption": 100,
    },
    events_default: 0,
    state_default: 50,
    ban: 50,
    kick: 50,
    redact: 50,
    invite: 0,
  };
}
