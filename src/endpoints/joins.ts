import { z } from "zod";
import { defineEndpoint, type Endpoint, type FailoverErrcode, type JsonObject } from "../endpoint.js";
import { anyObject, events, guard, strings } from "../validate/schema.js";
import type { Pdu } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** With these codes a resident says that it cannot let us in, while another may (restricted rooms: only with a 400). */
const anotherMayAdmit: readonly FailoverErrcode[] = [
  { errcode: "M_NOT_FOUND" },
  { errcode: "M_UNABLE_TO_AUTHORISE_JOIN", status: 400 },
  { errcode: "M_UNABLE_TO_GRANT_JOIN", status: 400 },
];

/** The input of {@link makeJoin}. */
export interface MakeJoinInput {
  /** The room. */
  roomId: string;
  /** The user who wants to join; of our own server. */
  userId: string;
  /** The room versions that we can handle. */
  ver: readonly string[];
}

/** The answer of {@link makeJoin} and {@link makeLeave}. */
export interface MakeMembershipResponse {
  /** An unsigned template of the membership event. */
  event: JsonObject;
  /** The room's version; version 1 when absent. */
  room_version?: string;
}

/** `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`: a template of the join event. */
export const makeJoin: Endpoint<MakeJoinInput, MakeMembershipResponse, "resident"> = defineEndpoint({
  name: "make_join",
  path: "/_matrix/federation/v1/make_join/{roomId}/{userId}",
  query: { ver: "ver" },
  required: ["ver"],
  audience: "resident",
  nextResidentOn: anotherMayAdmit,
  partialStateDisguise: "notFullyJoined",
  response: guard<MakeMembershipResponse>(z.looseObject({ event: anyObject, room_version: z.string().optional() })),
  spec: `${SPEC}#get_matrixfederationv1make_joinroomiduserid`,
});

/** The input of {@link sendJoin}. */
export interface SendJoinInput {
  /** The room. */
  roomId: string;
  /** The id of the join event. */
  eventId: string;
  /** The signed join event. */
  event: Pdu;
  /** Whether the answer may leave out member events (a partial-state join, MSC3706); no when absent. */
  omitMembers?: boolean;
}

/** The answer of {@link sendJoin}. */
export interface SendJoinResponse {
  /** The server that answered. */
  origin?: string;
  /** The room's state before the join; without most member events when `members_omitted`. */
  state: Pdu[];
  /** The events that authorise the state. */
  auth_chain: Pdu[];
  /** The join event with the signature of the authorising server, in a restricted join. */
  event?: Pdu;
  /** Whether member events were left out. */
  members_omitted?: boolean;
  /** The servers in the room; present when `members_omitted`. */
  servers_in_room?: string[];
}

/** `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`: joins the room with a signed event. */
export const sendJoin: Endpoint<SendJoinInput, SendJoinResponse, "resident"> = defineEndpoint({
  name: "send_join",
  method: "PUT",
  path: "/_matrix/federation/v2/send_join/{roomId}/{eventId}",
  query: { omit_members: "omitMembers" },
  body: ({ event }) => event,
  required: ["event"],
  audience: "resident",
  timeoutMs: 600_000,
  maxResponseBytes: 500 * MIB,
  nextResidentOn: anotherMayAdmit,
  partialStateDisguise: "notFullyJoined",
  pinnedTo: ({ event }) => {
    const content = event.content;
    const authoriser =
      typeof content === "object" &&
      content !== null &&
      !Array.isArray(content) &&
      content.join_authorised_via_users_server;
    return typeof authoriser === "string" ? authoriser.slice(authoriser.indexOf(":") + 1) : undefined;
  },
  response: guard<SendJoinResponse>(
    z
      .looseObject({
        state: events,
        auth_chain: events,
        event: anyObject.optional(),
        members_omitted: z.boolean().optional(),
        servers_in_room: strings.optional(),
      })
      .refine((answer) => !answer.members_omitted || answer.servers_in_room !== undefined, {
        path: ["servers_in_room"],
        message: "required when members_omitted",
      }),
  ),
  events: ["state", "auth_chain"],
  spec: `${SPEC}#put_matrixfederationv2send_joinroomideventid`,
});

/** The input of {@link makeLeave}. */
export interface MakeLeaveInput {
  /** The room. */
  roomId: string;
  /** The user who wants to leave; of our own server. */
  userId: string;
}

/** `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`: a template of the leave event. */
export const makeLeave: Endpoint<MakeLeaveInput, MakeMembershipResponse, "resident"> = defineEndpoint({
  name: "make_leave",
  path: "/_matrix/federation/v1/make_leave/{roomId}/{userId}",
  audience: "resident",
  nextResidentOn: [{ errcode: "M_NOT_FOUND" }],
  response: guard<MakeMembershipResponse>(z.looseObject({ event: anyObject, room_version: z.string().optional() })),
  spec: `${SPEC}#get_matrixfederationv1make_leaveroomiduserid`,
});
