import { z } from "zod";
import { defineEndpoint, type Endpoint, type EndpointDefinition, type FailoverErrcode } from "../endpoint.js";
import { anyObject, elements, guard, strings } from "../validate/schema.js";
import {
  type MakeMembershipResponse,
  notInRoom,
  pairWith,
  sendingEvent,
  template,
  versionFault,
} from "./membership.js";
import type { Pdu, PduLike } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** With these codes a resident says that it cannot let us in, while another may (restricted rooms: only with a 400). */
const anotherMayAdmit: readonly FailoverErrcode[] = [
  ...notInRoom,
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

/** `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`: a template of the join event. */
export const makeJoin: Endpoint<MakeJoinInput, MakeMembershipResponse, "resident"> = defineEndpoint({
  name: "make_join",
  path: "/_matrix/federation/v1/make_join/{roomId}/{userId}",
  query: { ver: "ver" },
  // Optional by the specification, where it means version 1: nobody who leaves it out today means that.
  required: ["ver"],
  forms: { ver: "texts" },
  audience: "resident",
  errors: [
    { status: 400, errcode: "M_INCOMPATIBLE_ROOM_VERSION" },
    { status: 400, errcode: "M_UNABLE_TO_AUTHORISE_JOIN" },
    { status: 400, errcode: "M_UNABLE_TO_GRANT_JOIN" },
    { status: 403, errcode: "M_FORBIDDEN" },
    { status: 404, errcode: "M_NOT_FOUND" },
  ],
  nextResidentOn: anotherMayAdmit,
  partialStateDisguise: "notFullyJoined",
  fault: (answer: MakeMembershipResponse, _server, input) => versionFault(answer, input),
  roomVersionIn: ({ room_version }: MakeMembershipResponse) => room_version ?? "1",
  response: guard<MakeMembershipResponse>(template),
  spec: `${SPEC}#get_matrixfederationv1make_joinroomiduserid`,
});

/** The input of {@link sendJoin} and {@link sendJoinV1}. */
export interface SendJoinInput {
  /** The room. */
  roomId: string;
  /** The id of the join event. */
  eventId: string;
  /** The signed join event. */
  event: PduLike;
  /**
   * Whether the answer may leave out member events (a partial-state join, MSC3706); no when absent. A server that knows
   * only the first version of `send_join` leaves none out: see `members_omitted` of the answer.
   */
  omitMembers?: boolean | undefined;
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

// The specification no longer has `origin`, and servers of the Conduit family never sent it. `members_omitted` is there
// with Synapse and Rocket.Chat always, with Dendrite and the Conduit family only when it is true.
const roomState = z
  .looseObject({
    state: elements,
    auth_chain: elements,
    event: anyObject.optional(),
    members_omitted: z.boolean().optional(),
    servers_in_room: strings.optional(),
  })
  .refine((answer) => !answer.members_omitted || answer.servers_in_room !== undefined, {
    path: ["servers_in_room"],
    message: "required when members_omitted",
  });

/** What both versions of send_join have in common. */
const joining = {
  ...sendingEvent,
  timeoutMs: 600_000,
  maxResponseBytes: 500 * MIB,
  errors: [
    { status: 400, errcode: "M_MISSING_PARAM" },
    { status: 400, errcode: "M_INVALID_PARAM" },
    { status: 400, errcode: "M_UNABLE_TO_AUTHORISE_JOIN" },
    { status: 400, errcode: "M_UNABLE_TO_GRANT_JOIN" },
    { status: 403, errcode: "M_FORBIDDEN" },
  ],
  nextResidentOn: anotherMayAdmit,
  pinnedTo: ({ event }) => {
    const { join_authorised_via_users_server: authoriser } = (event.content ?? {}) as Readonly<Record<string, unknown>>;
    return typeof authoriser === "string" ? authoriser.slice(authoriser.indexOf(":") + 1) : undefined;
  },
  events: ["state", "auth_chain"],
  proof: { sent: { field: "event", eventId: ({ eventId }) => eventId }, streamed: true },
} as const satisfies Partial<EndpointDefinition<SendJoinInput, unknown, "resident">>;

/**
 * `PUT /_matrix/federation/v1/send_join/{roomId}/{eventId}`: {@link sendJoin} for servers that know only the first
 * version, which {@link sendJoin} asks by itself. The answer is a pair; the specification has it no more.
 */
export const sendJoinV1: Endpoint<SendJoinInput, readonly [status: number, answer: SendJoinResponse], "resident"> =
  defineEndpoint({
    ...joining,
    name: "send_join_v1",
    path: "/_matrix/federation/v1/send_join/{roomId}/{eventId}",
    response: guard<readonly [status: number, answer: SendJoinResponse]>(pairWith(roomState)),
    spec: "https://matrix.org/docs/spec/server_server/r0.1.4#put-matrix-federation-v1-send-join-roomid-eventid",
  });

/** `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`: joins the room with a signed event. */
export const sendJoin: Endpoint<SendJoinInput, SendJoinResponse, "resident"> = defineEndpoint({
  ...joining,
  name: "send_join",
  path: "/_matrix/federation/v2/send_join/{roomId}/{eventId}",
  query: { omit_members: "omitMembers" },
  // Also where members may be omitted: to get them all is a slower join, but a join.
  olderVersion: { endpoint: sendJoinV1 },
  response: guard<SendJoinResponse>(roomState),
  spec: `${SPEC}#put_matrixfederationv2send_joinroomideventid`,
});
