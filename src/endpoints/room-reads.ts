import { z } from "zod";
import { defineEndpoint, type Endpoint, type FailoverErrcode, type JsonObject, type JsonValue } from "../endpoint.js";
import { elements, guard, oneEvent, strings } from "../validate/schema.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** The codes with which a server says that it has not got what was asked for, while another resident may have it. */
export const notHere: readonly FailoverErrcode[] = [{ errcode: "M_NOT_FOUND" }, { errcode: "M_FORBIDDEN" }];

/** The fields that every event (PDU) has, in every room version. */
export interface PduFields {
  /** What kind of event it is, such as `m.room.message`. */
  type: string;
  /** The user who sent it. */
  sender: string;
  /** What it says; by its type. */
  content: JsonObject;
  /** When its server made it, by its own word: Unix time in milliseconds. */
  origin_server_ts: number;
  /** How far it is from the beginning of the room, by its own word. */
  depth: number;
  /** The events that authorise it: ids; in room versions 1 and 2 pairs of an id and hashes. */
  auth_events: JsonValue[];
  /** The events before it, as in `auth_events`. */
  prev_events: JsonValue[];
  /** The hash of its content, by algorithm. */
  hashes: JsonObject;
  /** Who signed it, by server name and key id: unpadded Base64. */
  signatures: JsonObject;
}

/**
 * An event as it travels between servers (a PDU): the signed object itself, unknown keys kept. That the fields are there is
 * certain of events that were verified; with `verify: "none"` only `type` is.
 */
export type Pdu = JsonObject & PduFields;

/**
 * An event that we send. Any object that is JSON will do, also one of an interface of your own; what is wrong in it is found
 * when the request is made, not by its type.
 */
export interface PduLike {
  /** The event's type, such as `m.room.message`. */
  readonly type?: string;
  /** The room. */
  readonly room_id?: string;
  /** The user who sent it. */
  readonly sender?: string;
  /** What state it sets, of a state event. */
  readonly state_key?: string;
  /** The content, by the event's type. */
  readonly content?: object;
  /** When it was made: Unix time in milliseconds. */
  readonly origin_server_ts?: number;
  /** Any other field. */
  // biome-ignore lint/suspicious/noExplicitAny: an interface has no index signature, and is taken only for one of any
  readonly [field: string]: any;
}

/** The input of {@link stateIds} and {@link state}. */
export interface StateInput {
  /** The room. */
  roomId: string;
  /** The event before which the state is asked for. */
  eventId: string;
}

/** The answer of {@link stateIds}. */
export interface StateIdsResponse {
  /** The ids of the events that make up the state. */
  pdu_ids: string[];
  /** The ids of the events that authorise them. */
  auth_chain_ids: string[];
}

/** `GET /_matrix/federation/v1/state_ids/{roomId}`: the ids of the room's state before an event. */
export const stateIds: Endpoint<StateInput, StateIdsResponse, "resident"> = defineEndpoint({
  name: "state_ids",
  path: "/_matrix/federation/v1/state_ids/{roomId}",
  query: { event_id: "eventId" },
  required: ["eventId"],
  audience: "resident",
  timeoutMs: 60_000,
  maxResponseBytes: 100 * MIB,
  errors: [
    { status: 403, errcode: "M_FORBIDDEN" },
    { status: 404, errcode: "M_NOT_FOUND" },
  ],
  nextResidentOn: notHere,
  response: guard<StateIdsResponse>(z.looseObject({ pdu_ids: strings, auth_chain_ids: strings })),
  spec: `${SPEC}#get_matrixfederationv1state_idsroomid`,
});

/** The answer of {@link state}. */
export interface StateResponse {
  /** The events that make up the state. */
  pdus: Pdu[];
  /** The events that authorise them. */
  auth_chain: Pdu[];
}

/** `GET /_matrix/federation/v1/state/{roomId}`: the room's state before an event. */
export const state: Endpoint<StateInput, StateResponse, "resident"> = defineEndpoint({
  name: "state",
  path: "/_matrix/federation/v1/state/{roomId}",
  query: { event_id: "eventId" },
  required: ["eventId"],
  audience: "resident",
  timeoutMs: 600_000,
  maxResponseBytes: 500 * MIB,
  nextResidentOn: notHere,
  response: guard<StateResponse>(z.looseObject({ pdus: elements, auth_chain: elements })),
  events: ["pdus", "auth_chain"],
  proof: { about: ({ eventId }) => eventId, streamed: true },
  spec: `${SPEC}#get_matrixfederationv1stateroomid`,
});

/** The input of {@link event}. */
export interface EventInput {
  /** The event. */
  eventId: string;
}

/** The answer of {@link event}: a transaction that holds the one event. */
export interface EventResponse {
  /** The server that answered. */
  origin?: string;
  /** When it answered: Unix time in milliseconds. */
  origin_server_ts?: number;
  /** The event, as the only element. */
  pdus: [Pdu];
}

/** `GET /_matrix/federation/v1/event/{eventId}`: one event. */
export const event: Endpoint<EventInput, EventResponse, "resident"> = defineEndpoint({
  name: "event",
  path: "/_matrix/federation/v1/event/{eventId}",
  audience: "resident",
  timeoutMs: 30_000,
  nextResidentOn: notHere,
  response: guard<EventResponse>(z.looseObject({ pdus: oneEvent })),
  events: ["pdus"],
  proof: { about: ({ eventId }) => eventId, only: ({ eventId }) => eventId },
  spec: `${SPEC}#get_matrixfederationv1eventeventid`,
});

/** The input of {@link eventAuth}. */
export interface EventAuthInput {
  /** The room. */
  roomId: string;
  /** The event whose auth chain is asked for. */
  eventId: string;
}

/** The answer of {@link eventAuth}. */
export interface EventAuthResponse {
  /** The events that authorise the event, all the way back. */
  auth_chain: Pdu[];
}

/** `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`: the auth chain of an event. */
export const eventAuth: Endpoint<EventAuthInput, EventAuthResponse, "resident"> = defineEndpoint({
  name: "event_auth",
  path: "/_matrix/federation/v1/event_auth/{roomId}/{eventId}",
  audience: "resident",
  timeoutMs: 60_000,
  maxResponseBytes: 100 * MIB,
  nextResidentOn: notHere,
  partialState: "illegalForEventsItSent",
  response: guard<EventAuthResponse>(z.looseObject({ auth_chain: elements })),
  events: ["auth_chain"],
  proof: {},
  spec: `${SPEC}#get_matrixfederationv1event_authroomideventid`,
});

/** The input of {@link backfill}. */
export interface BackfillInput {
  /** The room. */
  roomId: string;
  /** The events to go back from. */
  from: readonly string[];
  /** The most events to return, those of `from` included. */
  limit: number;
}

/** The answer of {@link backfill}. */
export interface BackfillResponse {
  /** The server that answered. */
  origin?: string;
  /** When it answered: Unix time in milliseconds. */
  origin_server_ts?: number;
  /** The events, newest first. */
  pdus: Pdu[];
}

/** `GET /_matrix/federation/v1/backfill/{roomId}`: events before given ones. */
export const backfill: Endpoint<BackfillInput, BackfillResponse, "resident"> = defineEndpoint({
  name: "backfill",
  path: "/_matrix/federation/v1/backfill/{roomId}",
  query: { v: "from", limit: "limit" },
  required: ["from", "limit"],
  forms: { from: "texts" },
  audience: "resident",
  timeoutMs: 60_000,
  maxResponseBytes: 100 * MIB,
  nextResidentOn: notHere,
  partialStateDisguise: "approximateMembership",
  response: guard<BackfillResponse>(z.looseObject({ pdus: elements })),
  events: ["pdus"],
  proof: { about: ({ from: [first] }) => first },
  spec: `${SPEC}#get_matrixfederationv1backfillroomid`,
});

/** The input of {@link getMissingEvents}. */
export interface MissingEventsInput {
  /** The room. */
  roomId: string;
  /** The newest events that we have. */
  earliestEvents: readonly string[];
  /** The events whose ancestors we lack. */
  latestEvents: readonly string[];
  /** The most events to return; 10 when absent. */
  limit?: number | undefined;
  /** The lowest depth of interest; 0 when absent. */
  minDepth?: number | undefined;
}

/** The answer of {@link getMissingEvents}. */
export interface MissingEventsResponse {
  /** The missing events. */
  events: Pdu[];
}

/** `POST /_matrix/federation/v1/get_missing_events/{roomId}`: the events between two sets of events. */
export const getMissingEvents: Endpoint<MissingEventsInput, MissingEventsResponse, "resident"> = defineEndpoint({
  name: "get_missing_events",
  method: "POST",
  path: "/_matrix/federation/v1/get_missing_events/{roomId}",
  body: ({ earliestEvents, latestEvents, limit, minDepth }) => ({
    earliest_events: [...earliestEvents],
    latest_events: [...latestEvents],
    ...(limit !== undefined && { limit }),
    ...(minDepth !== undefined && { min_depth: minDepth }),
  }),
  required: ["earliestEvents", "latestEvents"],
  forms: { earliestEvents: "texts", latestEvents: "texts" },
  audience: "resident",
  repeatable: "anyServer",
  timeoutMs: 60_000,
  maxResponseBytes: 100 * MIB,
  nextResidentOn: notHere,
  partialState: "illegalForEventsItSent",
  partialStateDisguise: "approximateMembership",
  response: guard<MissingEventsResponse>(z.looseObject({ events: elements })),
  events: ["events"],
  proof: { about: ({ latestEvents: [first] }) => first },
  spec: `${SPEC}#post_matrixfederationv1get_missing_eventsroomid`,
});
