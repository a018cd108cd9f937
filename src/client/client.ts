import type { DiagnoseOptions, Diagnosis } from "../diagnose/report.js";
import type { Endpoint } from "../endpoint.js";
import type { PublishedRoom } from "../endpoints/public-rooms.js";
import type { Pdu } from "../endpoints/room-reads.js";
import type { PartialStateEntry } from "../failover/partial-memory.js";
import type { BackoffState } from "../failover/server-records.js";
import type { Keyring } from "../keyring/keyring.js";
import type { CallOptions, RoomCallOptions, RoomOptions } from "../options.js";
import type { Resolver } from "../resolve/resolver.js";
import type { Answer, SafeAnswer, SafeTwin } from "./calls.js";
import type { EachBackfilledInput, EachInHierarchyInput, EachPublicRoomInput, RoomInHierarchy } from "./iterate.js";
import type { FileCalls } from "./media-calls.js";
import type { DirectRoomCalls, RoomCalls } from "./room-calls.js";
import type { ServerCalls } from "./server-calls.js";

/** The safe twin of {@link Room.request}. */
export interface SafeRoomRequest {
  /** As {@link Room.request}, but errors are returned, not thrown. */
  request<Input extends object, Output>(
    endpoint: Endpoint<Input, Output, "resident">,
    input: Omit<Input, "roomId">,
    options?: RoomCallOptions,
  ): Promise<SafeAnswer<Output>>;
}

/** The safe twin of {@link Client.request}. */
export interface SafeServerRequest {
  /** As {@link Client.request}, but errors are returned, not thrown. */
  request<Input extends object, Output>(
    server: string,
    endpoint: Endpoint<Input, Output>,
    input: Input,
    options?: RoomCallOptions,
  ): Promise<SafeAnswer<Output>>;
}

/** A room whose residents may be asked. */
export interface Room extends RoomCalls {
  /** The room's id. */
  readonly roomId: string;
  /** The same calls, which return errors instead of throwing them. */
  readonly safe: SafeTwin<RoomCalls> & SafeRoomRequest;
  /**
   * Goes back through the room's events, about newest first, along all branches of its history, until the room's beginning,
   * the limit (1,000,000 events when absent), or ten pages in a row that bring nothing new. Each event is told once, by its
   * id. Each page is a call to {@link RoomCalls.backfill}, with its own timeout: a server that makes up events can go on
   * until the limit. Leave the loop to stop.
   *
   * Events that do not hold are left out, and told to {@link EachBackfilledInput.onDropped}; those of which only the
   * redacted form is there are told to {@link EachBackfilledInput.onRedacted}. With `verify: "none"` events have no known
   * ids: each page goes on from the oldest events of the one before, so that another branch may be left out where the
   * history forks just where a page ends; and three pages that bring nothing new end it.
   * @throws {@link OptionError} `ERR_INPUT` when the input is wrong, {@link NameError} `ERR_EVENT_ID`.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can answer. After an abort, the next step throws the
   * signal's reason, though the rest of a page is there.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1backfillroomid
   */
  eachBackfilled(
    input: EachBackfilledInput,
    options?: Omit<RoomCallOptions, "onEvent" | "onProgress">,
  ): AsyncGenerator<Pdu, void, undefined>;
  /**
   * Goes through the rooms in the space, and in the spaces in it, each once, level by level. Each space is a call to
   * {@link RoomCalls.hierarchy}, with its own timeout: for one inside, 30 seconds and one round when you do not say. One
   * inside that nobody tells about is not opened. Once ten times the timeout have been lost on such ones, or 1,000 requests
   * to servers that spaces name, none is any more; one that nobody tells about counts as ten requests, so 100 are the most.
   * @throws {@link FailoverError} `ERR_ALL_FAILED` when no resident can tell about the space itself. After an abort, the
   * next step throws the signal's reason.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1hierarchyroomid
   */
  eachInHierarchy(
    input?: EachInHierarchyInput,
    options?: RoomCallOptions,
  ): AsyncGenerator<RoomInHierarchy, void, undefined>;
  /** Asks the residents for an endpoint of your own. A `roomId` in its path is filled in. */
  request<Input extends object, Output>(
    endpoint: Endpoint<Input, Output, "resident">,
    input: Omit<Input, "roomId">,
    options?: RoomCallOptions,
  ): Promise<Answer<Output>>;
}

/** What is known of servers that fail. */
export interface BackoffControl {
  /** A server's state, also when nothing is held against it. */
  get(server: string): Promise<BackoffState>;
  /** Every server that this process knows to have failed, paused or misbehaved. */
  list(): BackoffState[];
  /** Forgets what is held against a server. */
  reset(server: string): Promise<void>;
}

/** What is known of servers that are still joining rooms. */
export interface PartialStateControl {
  /** The servers that lately said so of a room. */
  list(roomId: string): Promise<PartialStateEntry[]>;
}

/** A client of the federation. */
export interface Client extends ServerCalls, DirectRoomCalls, FileCalls {
  /** Our own server name; `undefined` in unsigned mode. */
  readonly serverName: string | undefined;
  /** The same calls, which return errors instead of throwing them. */
  readonly safe: SafeTwin<ServerCalls> & SafeTwin<DirectRoomCalls> & SafeTwin<FileCalls> & SafeServerRequest;
  /** Servers that fail. */
  readonly backoff: BackoffControl;
  /** Servers that are still joining rooms. */
  readonly partialState: PartialStateControl;
  /** The keys of other servers, with which the events of answers are verified: ask it, look at it, or make it forget. */
  readonly keyring: Omit<Keyring, "close">;
  /** How server names become addresses: look at it, or make it forget. */
  readonly resolver: Resolver;
  /**
   * A handle for the calls about a room. Makes no request.
   * @throws {@link NameError} `ERR_ROOM_ID`, or `ERR_SERVER_NAME` for a wrong name in a list of residents.
   */
  room(roomId: string, options: RoomOptions): Room;
  /**
   * Goes through a server's directory until its end, the limit (1,000,000 rooms when absent), or several pages in a row
   * that bring nothing new. Each page is a call to {@link ServerCalls.publicRooms}, or with a filter to
   * {@link ServerCalls.searchPublicRooms}.
   * @throws {@link AnyFederationError} as these do. After an abort, the next step throws the signal's reason, though the
   * rest of a page is there.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1publicrooms
   */
  eachPublicRoom(
    server: string,
    input?: EachPublicRoomInput,
    options?: CallOptions,
  ): AsyncGenerator<PublishedRoom, void, undefined>;
  /**
   * Asks one server for an endpoint of your own, or for a room's endpoint without failover. Events that were left out of
   * the answer, because they can be none, are told only by its safe twin.
   */
  request<Input extends object, Output>(
    server: string,
    endpoint: Endpoint<Input, Output>,
    input: Input,
    options?: RoomCallOptions,
  ): Promise<Output>;
  /**
   * Examines a server as a federation tester does: each step of the resolution, and at each address on its own TLS,
   * `/version` and the keys; what is wrong, and what to do about it. Everything is asked afresh: nothing that the client
   * remembers is used or changed. Needs no signing key. Whatever the server does is in the report, and no error.
   * @throws {@link NameError} `ERR_SERVER_NAME` when the name does not follow the grammar.
   */
  diagnose(server: string, options?: DiagnoseOptions): Promise<Diagnosis>;
  /** Tells that a server is alive, such as when a signed request of it came in: its backoff closes. */
  markAlive(server: string): Promise<void>;
  /** Ends all connections and waits until what is known has been saved. Requests under way fail. */
  close(): Promise<void>;
  /** As {@link Client.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}
