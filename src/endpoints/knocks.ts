import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject } from "../endpoint.js";
import { anyObject, elements, guard } from "../validate/schema.js";
import { notInRoom, SEND_TIMEOUT_MS, sendingEvent, versionFault } from "./membership.js";
import type { PduLike } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** The input of {@link makeKnock}. */
export interface MakeKnockInput {
  /** The room. */
  roomId: string;
  /** The user who wants to knock; of our own server. */
  userId: string;
  /** The room versions that we can handle. */
  ver: readonly string[];
}

/** The answer of {@link makeKnock}. */
export interface MakeKnockResponse {
  /**
   * An unsigned template of the knock event. Before it is signed, check that `room_id`, `sender`, `state_key`, `type` and
   * the `membership` in its `content` are the ones that were asked for.
   */
  event: JsonObject;
  /** The room's version: 7 or later. */
  room_version: string;
}

/** `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`: a template of the knock event. */
export const makeKnock: Endpoint<MakeKnockInput, MakeKnockResponse, "resident"> = defineEndpoint({
  name: "make_knock",
  path: "/_matrix/federation/v1/make_knock/{roomId}/{userId}",
  query: { ver: "ver" },
  required: ["ver"],
  forms: { ver: "texts" },
  audience: "resident",
  errors: [
    { status: 400, errcode: "M_INCOMPATIBLE_ROOM_VERSION" },
    { status: 403, errcode: "M_FORBIDDEN" },
    { status: 404, errcode: "M_NOT_FOUND" },
  ],
  nextResidentOn: notInRoom,
  partialStateDisguise: "notFullyJoined",
  fault: (answer: MakeKnockResponse, _server, input) => versionFault(answer, input),
  response: guard<MakeKnockResponse>(z.looseObject({ event: anyObject, room_version: z.string() })),
  spec: `${SPEC}#get_matrixfederationv1make_knockroomiduserid`,
});

/** The input of {@link sendKnock}. */
export interface SendKnockInput {
  /** The room. */
  roomId: string;
  /** The id of the knock event. */
  eventId: string;
  /** The signed knock event. */
  event: PduLike;
}

/** The answer of {@link sendKnock}. */
export interface SendKnockResponse {
  /**
   * State events by which the room can be recognised, for clients. Since version 1.16 of the specification they are whole
   * events (PDUs), `m.room.create` among them; Synapse still sends them stripped to `type`, `state_key`, `sender` and
   * `content`. Their signatures are not checked here.
   */
  knock_room_state: JsonObject[];
}

/** `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`: knocks on the room's door with a signed event. */
export const sendKnock: Endpoint<SendKnockInput, SendKnockResponse, "resident"> = defineEndpoint({
  ...sendingEvent,
  name: "send_knock",
  path: "/_matrix/federation/v1/send_knock/{roomId}/{eventId}",
  timeoutMs: SEND_TIMEOUT_MS,
  maxResponseBytes: 10 * MIB,
  errors: [
    { status: 400, errcode: "M_INVALID_PARAM" },
    { status: 403, errcode: "M_FORBIDDEN" },
    { status: 404, errcode: "M_NOT_FOUND" },
  ],
  nextResidentOn: notInRoom,
  response: guard<SendKnockResponse>(z.looseObject({ knock_room_state: elements })),
  events: ["knock_room_state"],
  spec: `${SPEC}#put_matrixfederationv1send_knockroomideventid`,
});
