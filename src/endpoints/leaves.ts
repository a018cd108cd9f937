import { defineEndpoint, type Endpoint, type EndpointDefinition } from "../endpoint.js";
import { guard } from "../validate/schema.js";
import {
  type EmptyResponse,
  empty,
  type MakeMembershipResponse,
  notInRoomOrVersionUnknown,
  pairWith,
  SEND_TIMEOUT_MS,
  sendingEvent,
  template,
} from "./membership.js";
import { notHere, type PduLike } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";

/** The input of {@link makeLeave}. */
export interface MakeLeaveInput {
  /** The room. */
  roomId: string;
  /** The user who wants to leave, or to reject an invite; of our own server. */
  userId: string;
}

/** `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`: a template of the leave event. */
export const makeLeave: Endpoint<MakeLeaveInput, MakeMembershipResponse, "resident"> = defineEndpoint({
  name: "make_leave",
  path: "/_matrix/federation/v1/make_leave/{roomId}/{userId}",
  audience: "resident",
  errors: [{ status: 403, errcode: "M_FORBIDDEN" }],
  // No disguise: of the membership requests, this is the only one that Synapse does not turn away in partial state. But it
  // does not know all members then, and says of those that it does not know what it says of others: M_FORBIDDEN.
  nextResidentOn: notHere,
  response: guard<MakeMembershipResponse>(template),
  spec: `${SPEC}#get_matrixfederationv1make_leaveroomiduserid`,
});

/** The input of {@link sendLeave} and {@link sendLeaveV1}. */
export interface SendLeaveInput {
  /** The room. */
  roomId: string;
  /** The id of the leave event. */
  eventId: string;
  /** The signed leave event. */
  event: PduLike;
}

/** What both versions of send_leave have in common. */
const leaving = {
  ...sendingEvent,
  timeoutMs: SEND_TIMEOUT_MS,
  errors: [{ status: 400, errcode: "M_INVALID_PARAM" }],
  nextResidentOn: notInRoomOrVersionUnknown,
} as const satisfies Partial<EndpointDefinition<SendLeaveInput, unknown, "resident">>;

/**
 * `PUT /_matrix/federation/v1/send_leave/{roomId}/{eventId}`: {@link sendLeave} for servers that know only the first
 * version, which {@link sendLeave} asks by itself. The answer is a pair; the specification has it no more.
 */
export const sendLeaveV1: Endpoint<SendLeaveInput, readonly [status: number, answer: EmptyResponse], "resident"> =
  defineEndpoint({
    ...leaving,
    name: "send_leave_v1",
    path: "/_matrix/federation/v1/send_leave/{roomId}/{eventId}",
    response: guard<readonly [status: number, answer: EmptyResponse]>(pairWith(empty)),
    spec: "https://matrix.org/docs/spec/server_server/r0.1.4#put-matrix-federation-v1-send-leave-roomid-eventid",
  });

/** `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`: leaves the room, or rejects an invite, with a signed event. */
export const sendLeave: Endpoint<SendLeaveInput, EmptyResponse, "resident"> = defineEndpoint({
  ...leaving,
  name: "send_leave",
  path: "/_matrix/federation/v2/send_leave/{roomId}/{eventId}",
  olderVersion: { endpoint: sendLeaveV1 },
  response: guard<EmptyResponse>(empty),
  spec: `${SPEC}#put_matrixfederationv2send_leaveroomideventid`,
});
