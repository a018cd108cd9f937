import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject, type JsonValue } from "../endpoint.js";
import { roomFault } from "../validate/rooms.js";
import { elements, guard, integer, strings } from "../validate/schema.js";
import { notHere } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** The input of {@link timestampToEvent}. */
export interface TimestampToEventInput {
  /** The room. */
  roomId: string;
  /** The time to look around: Unix time in milliseconds. */
  ts: number;
  /** Whether to look for the closest event before (`b`) or after (`f`) the time. */
  dir: "b" | "f";
}

/** The answer of {@link timestampToEvent}. */
export interface TimestampToEventResponse {
  /** The closest event. */
  event_id: string;
  /** Its time: Unix time in milliseconds. */
  origin_server_ts: number;
}

/** `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`: the event closest to a time. */
export const timestampToEvent: Endpoint<TimestampToEventInput, TimestampToEventResponse, "resident"> = defineEndpoint({
  name: "timestamp_to_event",
  path: "/_matrix/federation/v1/timestamp_to_event/{roomId}",
  query: { ts: "ts", dir: "dir" },
  required: ["ts", "dir"],
  audience: "resident",
  errors: [{ status: 404, errcode: "M_NOT_FOUND" }],
  nextResidentOn: notHere,
  response: guard<TimestampToEventResponse>(z.looseObject({ event_id: z.string(), origin_server_ts: integer })),
  spec: `${SPEC}#get_matrixfederationv1timestamp_to_eventroomid`,
});

/** The input of {@link hierarchy}. */
export interface HierarchyInput {
  /** The space. */
  roomId: string;
  /** Whether to return only the rooms that the space suggests. */
  suggestedOnly?: boolean | undefined;
}

/** What a server says of a room in a space. */
export interface SpaceRoom {
  /** The room. */
  room_id: string;
  /** How many users are joined to it. */
  num_joined_members?: number | null;
  /** Whether it can be read without joining. */
  world_readable?: boolean | null;
  /** Whether guests may join. */
  guest_can_join?: boolean | null;
  /** The room's name. */
  name?: string | null;
  /** The room's topic, as plain text. */
  topic?: string | null;
  /** The room's main alias. */
  canonical_alias?: string | null;
  /** The room's avatar: an `mxc:` URI. */
  avatar_url?: string | null;
  /** Who may join; `public` when absent. */
  join_rule?: string | null;
  /** The room's type, such as `m.space`. */
  room_type?: string | null;
  /** The room's version. */
  room_version?: string | null;
  /** The algorithm with which messages in it are encrypted. */
  encryption?: string | null;
  /** The rooms whose members may join, where the join rule restricts it to such. */
  allowed_room_ids?: string[] | null;
  /**
   * Of the space itself: its `m.space.child` events, stripped to `type`, `state_key`, `sender`, `content` and
   * `origin_server_ts`. Not looked into.
   */
  children_state?: JsonValue[] | null;
}

/** The answer of {@link hierarchy}. */
export interface HierarchyResponse {
  /** The space itself: always the one that was asked for. */
  room: SpaceRoom & JsonObject;
  /** The rooms in it, as far as the answering server knows them. */
  children: (SpaceRoom & JsonObject)[];
  /** Rooms in it which the asker may not see. Dendrite before 0.13.7 says null. */
  inaccessible_children?: string[] | null;
}

/** `GET /_matrix/federation/v1/hierarchy/{roomId}`: a space and the rooms in it. */
export const hierarchy: Endpoint<HierarchyInput, HierarchyResponse, "resident"> = defineEndpoint({
  name: "hierarchy",
  path: "/_matrix/federation/v1/hierarchy/{roomId}",
  query: { suggested_only: "suggestedOnly" },
  audience: "resident",
  timeoutMs: 30_000,
  maxResponseBytes: 10 * MIB,
  errors: [{ status: 404, errcode: "M_NOT_FOUND" }],
  // Synapse in partial state says 404 M_UNKNOWN "Unknown room", also to a server that is in the room.
  nextResidentOn: [...notHere, { errcode: "M_UNKNOWN", status: 404 }],
  fault: ({ room }: HierarchyResponse, _server, input) =>
    input === undefined || room.room_id === input.roomId
      ? undefined
      : { message: "expected the room that was asked for", path: ["room", "room_id"] },
  response: guard<HierarchyResponse>(
    z.looseObject({
      room: z.custom((value) => roomFault(value) === undefined, "expected a room with room_id"),
      children: elements,
      // Dendrite before 0.13.7 says null (a nil slice of Go in RoomHierarchyResponse).
      inaccessible_children: strings.nullish(),
    }),
  ),
  rooms: ["children"],
  spec: `${SPEC}#get_matrixfederationv1hierarchyroomid`,
});
