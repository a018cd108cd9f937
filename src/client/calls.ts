import type { Audience, Endpoint } from "../endpoint.js";
import type {
  MakeJoinInput,
  MakeLeaveInput,
  MakeMembershipResponse,
  SendJoinInput,
  SendJoinResponse,
} from "../endpoints/joins.js";
import { makeJoin, makeLeave, sendJoin } from "../endpoints/joins.js";
import type {
  QueryDirectoryInput,
  QueryDirectoryResponse,
  QueryProfileInput,
  QueryProfileResponse,
  SendInput,
  SendResponse,
  VersionResponse,
} from "../endpoints/one-server.js";
import { queryDirectory, queryProfile, send, version } from "../endpoints/one-server.js";
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
import type { AnyFederationError } from "../errors.js";
import type { Attempt } from "../failover/attempt.js";
import type { CallOptions, RoomCallOptions } from "../options.js";
import type { DroppedEvent } from "../validate/events.js";

/** An answer, who gave it, and how it was come by. */
export interface Answer<Output> {
  /** The answer: the parsed JSON itself. Callers that ask for the same thing at the same time share it; do not change it. */
  readonly value: Output;
  /** What was left out of it, because it can be no event: the first thousand. */
  readonly dropped: readonly DroppedEvent[];
  /** The server that gave it. */
  readonly via: string;
  /** Every request that was made, in order, with its verdict. */
  readonly attempts: readonly Attempt[];
}

/** The result of a call that does not throw. */
export type SafeAnswer<Output> =
  | ({
      /** There is an answer. */
      readonly ok: true;
    } & Answer<Output>)
  | {
      /** There is none. */
      readonly ok: false;
      /** What the throwing twin would have thrown. */
      readonly error: AnyFederationError;
      /** Every request that was made, in order, with its verdict. */
      readonly attempts: readonly Attempt[];
    };

/** A call to one server. */
export type ServerCall<Input, Output> = (server: string, input: Input, options?: CallOptions) => Promise<Output>;

/** A call that any server in the room may answer. */
export type RoomCall<Input, Output> = (
  input: Omit<Input, "roomId">,
  options?: RoomCallOptions,
) => Promise<Answer<Output>>;

/** The same calls, which return errors instead of throwing them. An abort by the caller still rejects. */
export type SafeTwin<Calls> = {
  readonly [Name in keyof Calls]: Calls[Name] extends (...args: infer Args) => Promise<infer Result>
    ? (...args: Args) => Promise<SafeAnswer<Result extends Answer<infer Output> ? Output : Result>>
    : never;
};

/** The calls that ask one named server. */
export interface ServerCalls {
  /**
   * `GET /_matrix/federation/v1/version`: what a server runs. Unsigned.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1version
   */
  version(server: string, options?: CallOptions): Promise<VersionResponse>;
  /**
   * `GET /_matrix/federation/v1/query/directory`: the room behind an alias; ask the server in the alias.
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such alias.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1querydirectory
   */
  queryDirectory: ServerCall<QueryDirectoryInput, QueryDirectoryResponse>;
  /**
   * `GET /_matrix/federation/v1/query/profile`: a user's profile; ask the server in the user id.
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such user.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1queryprofile
   */
  queryProfile: ServerCall<QueryProfileInput, QueryProfileResponse>;
  /**
   * `PUT /_matrix/federation/v1/send/{txnId}`: events for a server; at most 50, and 100 ephemeral ones.
   * The same `txnId` with the same content may be sent again.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the server took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1sendtxnid
   */
  sendTransaction: ServerCall<SendInput, SendResponse>;
}

/** The calls about a room: any resident may answer, and the library finds one that can. */
export interface RoomCalls {
  /**
   * `GET /_matrix/federation/v1/state_ids/{roomId}`: the ids of the room's state before an event.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1state_idsroomid
   */
  stateIds: RoomCall<StateInput, StateIdsResponse>;
  /**
   * `GET /_matrix/federation/v1/state/{roomId}`: the room's state before an event, events and all. Up to 500 MiB.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1stateroomid
   */
  state: RoomCall<StateInput, StateResponse>;
  /**
   * `GET /_matrix/federation/v1/event/{eventId}`: one event.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1eventeventid
   */
  event: RoomCall<EventInput, EventResponse>;
  /**
   * `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`: the auth chain of an event. Pass `sentBy` with the
   * server that sent you the event: it is obliged to answer (MSC3895), so it is asked first.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1event_authroomideventid
   */
  eventAuth: RoomCall<EventAuthInput, EventAuthResponse>;
  /**
   * `GET /_matrix/federation/v1/backfill/{roomId}`: events before given ones.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1backfillroomid
   */
  backfill: RoomCall<BackfillInput, BackfillResponse>;
  /**
   * `POST /_matrix/federation/v1/get_missing_events/{roomId}`: the events between two sets of events. Pass `sentBy`
   * with the server that sent you the latest events: it is obliged to answer (MSC3895), so it is asked first.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#post_matrixfederationv1get_missing_eventsroomid
   */
  getMissingEvents: RoomCall<MissingEventsInput, MissingEventsResponse>;
  /**
   * `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`: the event closest to a time.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
   */
  timestampToEvent: RoomCall<TimestampToEventInput, TimestampToEventResponse>;
  /**
   * `GET /_matrix/federation/v1/hierarchy/{roomId}`: a space and the rooms in it.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1hierarchyroomid
   */
  hierarchy: RoomCall<HierarchyInput, HierarchyResponse>;
  /**
   * `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`: a template of a join event.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the user may not join, `M_INCOMPATIBLE_ROOM_VERSION` for a room of a version
   * that is not in `ver`.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1make_joinroomiduserid
   */
  makeJoin: RoomCall<MakeJoinInput, MakeMembershipResponse>;
  /**
   * `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`: joins with a signed event. It goes to another resident
   * only where the first one certainly did not take it; a restricted join goes only to the server that authorised it.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the join took effect.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2send_joinroomideventid
   */
  sendJoin: RoomCall<SendJoinInput, SendJoinResponse>;
  /**
   * `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`: a template of a leave event.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1make_leaveroomiduserid
   */
  makeLeave: RoomCall<MakeLeaveInput, MakeMembershipResponse>;
}

// biome-ignore lint/suspicious/noExplicitAny: each call has the input of its endpoint, as the interfaces above say
type AnyEndpoint<Who extends Audience> = Endpoint<any, unknown, Who>;

/** The endpoint behind each call to one server that takes an input. */
export const serverEndpoints: Readonly<Record<Exclude<keyof ServerCalls, "version">, AnyEndpoint<"server">>> = {
  queryDirectory,
  queryProfile,
  sendTransaction: send,
};

/** The endpoint behind `version`, which takes no input. */
export const versionEndpoint: Endpoint<object, VersionResponse, "server"> = version;

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
  makeLeave,
};
