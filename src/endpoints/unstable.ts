import { z } from "zod";
import { defineEndpoint, type Endpoint } from "../endpoint.js";
import { elements, guard, strings } from "../validate/schema.js";
import { mapValues } from "./keys.js";
import { notHere, type Pdu, type PduLike } from "./room-reads.js";
import { type ClaimUserKeysResponse, claimedKeys } from "./users.js";

const MSC = "https://github.com/matrix-org/matrix-spec-proposals/pull/";
const MIB = 1024 * 1024;

/** The input of {@link extremities}. */
export interface ExtremitiesInput {
  /** The room. */
  roomId: string;
}

/** The answer of {@link extremities}. */
export interface ExtremitiesResponse {
  /** The room's newest events, as the answering server knows them: the `prev_events` of a next event. */
  prev_events: string[];
}

/**
 * `GET /_matrix/federation/unstable/org.matrix.msc4370/extremities/{roomId}`: the newest events of a room. MSC4370.
 *
 * Synapse serves it where `msc4370_enabled` is set.
 */
export const extremities: Endpoint<ExtremitiesInput, ExtremitiesResponse, "resident"> = defineEndpoint({
  name: "extremities",
  path: "/_matrix/federation/unstable/org.matrix.msc4370/extremities/{roomId}",
  audience: "resident",
  nextResidentOn: notHere,
  response: guard<ExtremitiesResponse>(z.looseObject({ prev_events: strings })),
  spec: `${MSC}4370`,
});

/** The input of {@link roomComplexity}. */
export interface RoomComplexityInput {
  /** The room. */
  roomId: string;
}

/** The answer of {@link roomComplexity}. */
export interface RoomComplexityResponse {
  /** The number of current state events, divided by 500. */
  v1: number;
}

/**
 * `GET /_matrix/federation/unstable/rooms/{roomId}/complexity`: about how much work it is to be in a public room.
 *
 * Synapse serves it for rooms that anyone may join or read.
 */
export const roomComplexity: Endpoint<RoomComplexityInput, RoomComplexityResponse, "resident"> = defineEndpoint({
  name: "room_complexity",
  path: "/_matrix/federation/unstable/rooms/{roomId}/complexity",
  audience: "resident",
  maxResponseBytes: 64 * 1024,
  // Synapse says 404 M_INVALID_PARAM of a room that it is not in, and of one that is not public.
  nextResidentOn: [{ errcode: "M_INVALID_PARAM", status: 404 }],
  response: guard<RoomComplexityResponse>(z.looseObject({ v1: z.number() })),
  spec: "https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html#limit_remote_rooms",
});

/** The input of {@link eventRelationships}. */
export interface EventRelationshipsInput {
  /** The room. */
  roomId: string;
  /** The event whose thread is asked for. */
  eventId: string;
  /** How far to walk from the event; 3 when absent. */
  maxDepth?: number | undefined;
  /** How many relations of each event to follow; 10 when absent. */
  maxBreadth?: number | undefined;
  /** The most events to return; 100 when absent. */
  limit?: number | undefined;
  /** Whether to walk deep before wide; no when absent. */
  depthFirst?: boolean | undefined;
  /** Whether newer relations come first; yes when absent. */
  recentFirst?: boolean | undefined;
  /** Whether to return the event that the event relates to; no when absent. */
  includeParent?: boolean | undefined;
  /** Whether to return the events that relate to the event; no when absent. */
  includeChildren?: boolean | undefined;
  /** Which way to walk; `down` when absent. */
  direction?: "up" | "down" | undefined;
}

/** The answer of {@link eventRelationships}. */
export interface EventRelationshipsResponse {
  /** The events of the thread, with the event itself. */
  events: Pdu[];
  /** The events that authorise them. */
  auth_chain: Pdu[];
  /** Whether there are more events than were returned. */
  limited: boolean;
  /** Where to go on; empty where there is nothing more. */
  next_batch?: string;
}

/**
 * `POST /_matrix/federation/unstable/event_relationships`: the events that relate to an event. MSC2836.
 *
 * Dendrite serves it where `msc2836` is in its list of MSCs.
 */
export const eventRelationships: Endpoint<EventRelationshipsInput, EventRelationshipsResponse, "resident"> =
  defineEndpoint({
    name: "event_relationships",
    method: "POST",
    path: "/_matrix/federation/unstable/event_relationships",
    body: ({ roomId, eventId, ...rest }) => ({
      room_id: roomId,
      event_id: eventId,
      ...(rest.maxDepth !== undefined && { max_depth: rest.maxDepth }),
      ...(rest.maxBreadth !== undefined && { max_breadth: rest.maxBreadth }),
      ...(rest.limit !== undefined && { limit: rest.limit }),
      ...(rest.depthFirst !== undefined && { depth_first: rest.depthFirst }),
      ...(rest.recentFirst !== undefined && { recent_first: rest.recentFirst }),
      ...(rest.includeParent !== undefined && { include_parent: rest.includeParent }),
      ...(rest.includeChildren !== undefined && { include_children: rest.includeChildren }),
      ...(rest.direction !== undefined && { direction: rest.direction }),
    }),
    required: ["roomId", "eventId"],
    audience: "resident",
    // It only reads.
    repeatable: "anyServer",
    maxResponseBytes: 100 * MIB,
    nextResidentOn: notHere,
    response: guard<EventRelationshipsResponse>(
      z.looseObject({
        events: elements,
        auth_chain: elements,
        limited: z.boolean(),
        next_batch: z.string().optional(),
      }),
    ),
    events: ["events", "auth_chain"],
    spec: `${MSC}2836`,
  });

/** The input of {@link claimManyUserKeys}. */
export interface ClaimManyUserKeysInput {
  /** The algorithms of the keys that are wanted of each device, one for each key: by user id, then by device id. */
  oneTimeKeys: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/**
 * `POST /_matrix/federation/unstable/user/keys/claim`: takes several one-time keys of each device, and the fallback key
 * beside them. MSC3983.
 *
 * Synapse serves it where `msc3983_appservice_otk_claims` is set; elsewhere ask `claimUserKeys`. Each repetition takes
 * other keys.
 */
export const claimManyUserKeys: Endpoint<ClaimManyUserKeysInput, ClaimUserKeysResponse, "server"> = defineEndpoint({
  name: "claim_many_user_keys",
  method: "POST",
  path: "/_matrix/federation/unstable/user/keys/claim",
  body: ({ oneTimeKeys }) => ({
    one_time_keys: mapValues(oneTimeKeys, (devices) => mapValues(devices, (algorithms) => [...algorithms])),
  }),
  required: ["oneTimeKeys"],
  forms: { oneTimeKeys: "object" },
  audience: "server",
  repeatable: "sameServer",
  timeoutMs: 10_000,
  maxResponseBytes: 10 * MIB,
  response: guard<ClaimUserKeysResponse>(claimedKeys),
  spec: `${MSC}3983`,
});

/** The input of {@link policyCheck}. */
export interface PolicyCheckInput {
  /** The event's id. */
  eventId: string;
  /** The event itself. */
  event: PduLike;
}

/** The answer of {@link policyCheck}. */
export interface PolicyCheckResponse {
  /** What the policy server recommends: `ok` or `spam`. */
  recommendation: string;
}

/**
 * `POST /_matrix/policy/unstable/org.matrix.msc4284/event/{eventId}/check`: what a policy server thinks of an event; from
 * before it signed events. MSC4284.
 *
 * Policyserv serves it.
 */
export const policyCheck: Endpoint<PolicyCheckInput, PolicyCheckResponse, "server"> = defineEndpoint({
  name: "policy_check",
  method: "POST",
  path: "/_matrix/policy/unstable/org.matrix.msc4284/event/{eventId}/check",
  body: ({ event }) => event,
  required: ["event"],
  forms: { event: "object" },
  audience: "server",
  // Asked again about the same event, it says the same.
  repeatable: "anyServer",
  timeoutMs: 30_000,
  maxResponseBytes: 64 * 1024,
  response: guard<PolicyCheckResponse>(z.looseObject({ recommendation: z.string() })),
  spec: `${MSC}4284`,
});
