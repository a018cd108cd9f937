import type { MakeJoinInput, SendJoinInput, SendJoinResponse } from "../endpoints/joins.js";
import { makeJoin, sendJoin } from "../endpoints/joins.js";
import type { MakeKnockInput, MakeKnockResponse, SendKnockInput, SendKnockResponse } from "../endpoints/knocks.js";
import { makeKnock, sendKnock } from "../endpoints/knocks.js";
import type { MakeLeaveInput, SendLeaveInput } from "../endpoints/leaves.js";
import { makeLeave, sendLeave } from "../endpoints/leaves.js";
import type { EmptyResponse, MakeMembershipResponse } from "../endpoints/membership.js";
import type {
  HierarchyInput,
  HierarchyResponse,
  TimestampToEventInput,
  TimestampToEventResponse,
} from "../endpoints/room-lookups.js";
import { hierarchy, timestampToEvent } from "../endpoints/room-lookups.js";
import type {
  BackfillInput,
  BackfillResponse,
  EventAuthInput,
  EventAuthResponse,
  EventInput,
  EventResponse,
  MissingEventsInput,
  MissingEventsResponse,
  StateIdsResponse,
  StateInput,
  StateResponse,
} from "../endpoints/room-reads.js";
import { backfill, event, eventAuth, getMissingEvents, state, stateIds } from "../endpoints/room-reads.js";
import type { ExchangeThirdPartyInviteInput } from "../endpoints/third-party-invites.js";
import { exchangeThirdPartyInvite } from "../endpoints/third-party-invites.js";
import type { RoomCallOptions } from "../options.js";
import type { AnyEndpoint, RoomCall } from "./calls.js";

/** The calls about a room: any resident may answer, and the library finds one that can. */
export interface RoomCalls {
  /**
   * `GET /_matrix/federation/v1/state_ids/{roomId}`: the ids of the room's state before an event. 60 seconds for
   * each resident, up to 100 MiB.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1state_idsroomid
   */
  stateIds: RoomCall<StateInput, StateIdsResponse>;
  /**
   * `GET /_matrix/federation/v1/state/{roomId}`: the room's state before an event, events and all. 10 minutes for
   * each resident, up to 500 MiB.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1stateroomid
   */
  state: RoomCall<StateInput, StateResponse>;
  /**
   * `GET /_matrix/federation/v1/event/{eventId}`: one event. 30 seconds for each resident.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1eventeventid
   */
  event: RoomCall<EventInput, EventResponse>;
  /**
   * `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`: the auth chain of an event. Pass `sentBy` with the
   * server that sent you the event: it is obliged to answer (MSC3895), so it is asked first. 60 seconds for each
   * resident, up to 100 MiB.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1event_authroomideventid
   */
  eventAuth: RoomCall<EventAuthInput, EventAuthResponse>;
  /**
   * `GET /_matrix/federation/v1/backfill/{roomId}`: events before given ones. 60 seconds for each resident, up
   * to 100 MiB.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1backfillroomid
   */
  backfill: RoomCall<BackfillInput, BackfillResponse>;
  /**
   * `POST /_matrix/federation/v1/get_missing_events/{roomId}`: the events between two sets of events. Pass `sentBy`
   * with the server that sent you the latest events: it is obliged to answer (MSC3895), so it is asked first. 60 seconds
   * for each resident, up to 100 MiB.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#post_matrixfederationv1get_missing_eventsroomid
   */
  getMissingEvents: RoomCall<MissingEventsInput, MissingEventsResponse>;
  /**
   * `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`: the event closest to a time. 20 seconds for each
   * resident.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
   */
  timestampToEvent: RoomCall<TimestampToEventInput, TimestampToEventResponse>;
  /**
   * `GET /_matrix/federation/v1/hierarchy/{roomId}`: a space and the rooms in it. 30 seconds for each resident, up
   * to 10 MiB.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1hierarchyroomid
   */
  hierarchy: RoomCall<HierarchyInput, HierarchyResponse>;
  /**
   * `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`: a template of a join event. 20 seconds for each resident.
   * For `ver`, `Object.keys(roomVersions)` are all versions whose events can be signed here. The room's version is
   * `room_version ?? "1"` of the answer; `isRoomVersion` narrows it. Check that the template is of the room, of the user and
   * of a join, before you sign it.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the user may not join, `M_INCOMPATIBLE_ROOM_VERSION` for a room of a
   * version that is not in `ver`.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer: none is in the room and has all of its
   * state, or none can let the user into the restricted room.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1make_joinroomiduserid
   */
  makeJoin: RoomCall<MakeJoinInput, MakeMembershipResponse>;
  /**
   * `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`: joins with a signed event. It goes to another resident
   * only where the first one certainly did not take it; a restricted join goes only to the server that authorised it.
   * 10 minutes for each resident, up to 500 MiB. A server that knows only version 1 is asked that.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the user may not join, `M_INVALID_PARAM` for a wrong event.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the join took effect,
   * `ERR_ALL_FAILED` when no resident took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2send_joinroomideventid
   */
  sendJoin: RoomCall<SendJoinInput, SendJoinResponse>;
  /**
   * `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`: a template of a knock event. 20 seconds for each resident.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the user may not knock, `M_INCOMPATIBLE_ROOM_VERSION` for a room of a
   * version that is not in `ver`.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1make_knockroomiduserid
   */
  makeKnock: RoomCall<MakeKnockInput, MakeKnockResponse>;
  /**
   * `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`: knocks with a signed event. It goes to another resident
   * only where the first one certainly did not take it. 60 seconds for each resident.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the user may not knock, `M_INVALID_PARAM` for a wrong event.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the knock took effect,
   * `ERR_ALL_FAILED` when no resident took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1send_knockroomideventid
   */
  sendKnock: RoomCall<SendKnockInput, SendKnockResponse>;
  /**
   * `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`: a template of a leave event, also to reject an invite.
   * 20 seconds for each resident. With `ignoreBackoff`, servers that failed lately are asked too: nobody tells the room
   * of a leave that is given up.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer, or all say that the user is not in the room:
   * its `cause` is then `M_FORBIDDEN`.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1make_leaveroomiduserid
   */
  makeLeave: RoomCall<MakeLeaveInput, MakeMembershipResponse>;
  /**
   * `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`: leaves, or rejects an invite, with a signed event. It goes
   * to another resident only where the first one certainly did not take it. 60 seconds for each resident. A server that
   * knows only version 1 is asked that. `ignoreBackoff` as in `makeLeave`.
   * @throws {@link MatrixError} `M_INVALID_PARAM` for a wrong event.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the leave took effect,
   * `ERR_ALL_FAILED` when no resident took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2send_leaveroomideventid
   */
  sendLeave: RoomCall<SendLeaveInput, EmptyResponse>;
  /**
   * `PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}`: lets a resident turn a third-party invite of one of
   * our users into an invite, which comes in as a request to our own server before this call is answered. Put the server
   * of `sender` into `prefer`: it is in the room. 60 seconds for each resident.
   * @throws {@link MatrixError} such as `M_FORBIDDEN` when the room does not have that third-party invite.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the invite was made,
   * `ERR_ALL_FAILED` when no resident made it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid
   */
  exchangeThirdPartyInvite: RoomCall<ExchangeThirdPartyInviteInput, EmptyResponse>;
}

/** The room that a call is about. */
export interface InRoom {
  /** The room's id. */
  roomId: string;
}

/**
 * The calls about a room, put to one named server: nobody else is asked. The room goes into the input. They answer as the
 * room's own calls do.
 */
export type DirectRoomCalls = {
  readonly [Name in keyof RoomCalls]: RoomCalls[Name] extends (
    input: infer Input,
    options?: never,
  ) => Promise<infer Result>
    ? (
        server: string,
        input: Input & (Name extends "event" ? Partial<InRoom> : InRoom),
        options?: Omit<RoomCallOptions, "prefer">,
      ) => Promise<Result>
    : never;
};

/** The endpoint behind each call about a room. */
export const roomEndpoints: Readonly<Record<keyof RoomCalls, AnyEndpoint<"resident">>> = {
  stateIds,
  state,
  event,
  eventAuth,
  backfill,
  getMissingEvents,
  timestampToEvent,
  hierarchy,
  makeJoin,
  sendJoin,
  makeKnock,
  sendKnock,
  makeLeave,
  sendLeave,
  exchangeThirdPartyInvite,
};
