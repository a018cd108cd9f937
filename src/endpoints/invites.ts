import { z } from "zod";
import { defineEndpoint, type Endpoint, type EndpointDefinition } from "../endpoint.js";
import { anyObject, guard } from "../validate/schema.js";
import { pairWith, SEND_TIMEOUT_MS } from "./membership.js";
import type { Pdu, PduLike } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** An event of room version 1 or 2: its id is a field of it. */
export interface PduWithId extends PduLike {
  /** The event's id. */
  readonly event_id: string;
}

/** What all forms of {@link InviteInput} have in common. */
export interface AnyInviteInput {
  /** The room. */
  roomId: string;
  /** The id of the invite event. */
  eventId: string;
}

/** The input of {@link invite} for a room of version 1 or 2, and that of {@link inviteV1}. */
export interface InviteInputV1 extends AnyInviteInput {
  /** The room's version. */
  roomVersion: "1" | "2";
  /** The invite event, signed by our server. */
  event: PduWithId;
  /** State events by which the invited user can recognise the room. */
  inviteRoomState?: readonly PduLike[] | undefined;
}

/** The input of {@link invite} for a room of a version from 3 to 11. */
export interface InviteInputV3 extends AnyInviteInput {
  /** The room's version. */
  roomVersion: "3" | "4" | "5" | "6" | "7" | "8" | "9" | "10" | "11";
  /** The invite event, signed by our server. */
  event: PduLike;
  /** State events by which the invited user can recognise the room; with `m.room.create`, since 1.16. */
  inviteRoomState?: readonly PduLike[] | undefined;
}

/** The input of {@link invite} for a room of version 12, or of a version that is not in the specification. */
export interface InviteInputV12 extends AnyInviteInput {
  /** The room's version; those that are not in the specification have a dot in their name. */
  roomVersion: "12" | `${string}.${string}`;
  /** The invite event, signed by our server. */
  event: PduLike;
  /**
   * State events by which the invited user can recognise the room: whole events (PDUs), `m.room.create` among them.
   * In these rooms the invited server should refuse the invite otherwise, with `M_INVALID_PARAM`.
   */
  inviteRoomState: readonly PduLike[];
}

/**
 * The input of {@link invite} for a room of a version that is known at run time only: what any version needs. Of an
 * answer of `makeJoin` it is `room_version ?? "1"`, narrowed by `isRoomVersion`. An event of version 1 or 2 has its id in it.
 */
export interface InviteInputOfAnyVersion extends AnyInviteInput {
  /** The room's version. One that the invited server does not know it refuses: `M_INCOMPATIBLE_ROOM_VERSION`. */
  roomVersion: (InviteInputV1 | InviteInputV3 | InviteInputV12)["roomVersion"];
  /** The invite event, signed by our server. */
  event: PduLike;
  /** State events by which the invited user can recognise the room: whole events, `m.room.create` among them. */
  inviteRoomState: readonly PduLike[];
}

/** The input of {@link invite}: what has to be in it depends on the room's version. */
export type InviteInput = InviteInputV1 | InviteInputV3 | InviteInputV12 | InviteInputOfAnyVersion;

/** The answer of {@link invite}. */
export interface InviteResponse {
  /** The invite event with the signature of the invited server added. The signature is not checked here. */
  event: Pdu;
}

const signedInvite = z.looseObject({ event: anyObject });

/** What both versions of invite have in common. */
const inviting = {
  method: "PUT",
  required: ["roomVersion", "event"],
  forms: { event: "object", inviteRoomState: "objects" },
  audience: "server",
  timeoutMs: SEND_TIMEOUT_MS,
  // The event may come back with all of the state in its `unsigned`: always with version 1 of the endpoint.
  maxResponseBytes: 10 * MIB,
  // It is about a room, and the invited server may be joining that room already.
  partialState: "possible",
} as const satisfies Partial<EndpointDefinition<InviteInput, unknown, "server">>;

const notAllowed = [
  { status: 403, errcode: "M_FORBIDDEN" },
  { status: 403, errcode: "M_INVITE_BLOCKED" },
] as const;

/**
 * `PUT /_matrix/federation/v1/invite/{roomId}/{eventId}`: {@link invite} for servers that know only the first version,
 * which {@link invite} asks by itself. For rooms of version 1 and 2 only; the answer is a pair.
 */
export const inviteV1: Endpoint<InviteInputV1, readonly [status: number, answer: InviteResponse], "server"> =
  defineEndpoint({
    ...inviting,
    name: "invite_v1",
    path: "/_matrix/federation/v1/invite/{roomId}/{eventId}",
    body: ({ event, inviteRoomState }: InviteInputV1) => {
      const { unsigned = {} } = event;
      const isObject = typeof unsigned === "object" && unsigned !== null && !Array.isArray(unsigned);
      return inviteRoomState === undefined
        ? event
        : { ...event, unsigned: { ...(isObject && unsigned), invite_room_state: [...inviteRoomState] } };
    },
    errors: [{ status: 400, errcode: "M_INVALID_PARAM" }, ...notAllowed],
    response: guard<readonly [status: number, answer: InviteResponse]>(pairWith(signedInvite)),
    spec: `${SPEC}#put_matrixfederationv1inviteroomideventid`,
  });

/** `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`: invites a user of the server that is asked. */
export const invite: Endpoint<InviteInput, InviteResponse, "server"> = defineEndpoint({
  ...inviting,
  name: "invite",
  path: "/_matrix/federation/v2/invite/{roomId}/{eventId}",
  body: ({ roomVersion, event, inviteRoomState }: InviteInput) => ({
    room_version: roomVersion,
    event,
    // Servers that are built on ruma (Conduit and its family) refuse an invite without it.
    invite_room_state: [...(inviteRoomState ?? [])],
  }),
  errors: [
    { status: 400, errcode: "M_MISSING_PARAM" },
    { status: 400, errcode: "M_INVALID_PARAM" },
    { status: 400, errcode: "M_INCOMPATIBLE_ROOM_VERSION" },
    ...notAllowed,
  ],
  // A server that is asked in the old way takes the room for one of these versions.
  olderVersion: { endpoint: inviteV1, suits: ({ roomVersion }: InviteInput) => /^[12]$/.test(roomVersion) },
  response: guard<InviteResponse>(signedInvite),
  spec: `${SPEC}#put_matrixfederationv2inviteroomideventid`,
});
