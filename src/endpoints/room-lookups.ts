import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject } from "../endpoint.js";
import { guard, integer, objects, strings } from "../validate/schema.js";
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
  suggestedOnly?: boolean;
}

/** The answer of {@link hierarchy}. */
export interface HierarchyResponse {
  /** The space itself. */
  room: JsonObject;
  /** The rooms in it, as far as the answering server knows them. */
  children: JsonObject[];
  /** Rooms in it which the asker may not see. */
  inaccessible_children?: string[];
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
  response: guard<HierarchyResponse>(
    z.looseObject({
      room: z.looseObject({ room_id: z.string() }),
      children: objects,
      inaccessible_children: strings.optional(),
    }),
  ),
  spec: `${SPEC}#get_matrixfederationv1hierarchyroomid`,
});
