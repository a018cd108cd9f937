import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject } from "../endpoint.js";
import { anyObject, guard, strings } from "../validate/schema.js";
import type { Pdu } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** The answer of {@link version}. */
export interface VersionResponse {
  /** What the server runs. */
  server?: {
    /** The implementation's name, such as `Synapse`. */
    name?: string;
    /** Its version; every implementation has its own form. */
    version?: string;
  };
}

/** `GET /_matrix/federation/v1/version`: what a server runs. Unsigned. */
export const version: Endpoint<object, VersionResponse, "server"> = defineEndpoint({
  name: "version",
  path: "/_matrix/federation/v1/version",
  authentication: "none",
  audience: "server",
  timeoutMs: 10_000,
  maxResponseBytes: 64 * 1024,
  universal: true,
  response: guard<VersionResponse>(
    z.looseObject({
      server: z.looseObject({ name: z.string().optional(), version: z.string().optional() }).optional(),
    }),
  ),
  spec: `${SPEC}#get_matrixfederationv1version`,
});

/** The input of {@link queryDirectory}. */
export interface QueryDirectoryInput {
  /** The room alias; of the server that is asked. */
  roomAlias: string;
}

/** The answer of {@link queryDirectory}. */
export interface QueryDirectoryResponse {
  /** The room that the alias stands for. */
  room_id: string;
  /** Servers that are likely to be in the room. */
  servers: string[];
}

/** `GET /_matrix/federation/v1/query/directory`: the room behind an alias. */
export const queryDirectory: Endpoint<QueryDirectoryInput, QueryDirectoryResponse, "server"> = defineEndpoint({
  name: "query_directory",
  path: "/_matrix/federation/v1/query/directory",
  query: { room_alias: "roomAlias" },
  required: ["roomAlias"],
  audience: "server",
  timeoutMs: 10_000,
  maxResponseBytes: 10 * MIB,
  response: guard<QueryDirectoryResponse>(z.looseObject({ room_id: z.string(), servers: strings })),
  spec: `${SPEC}#get_matrixfederationv1querydirectory`,
});

/** The input of {@link queryProfile}. */
export interface QueryProfileInput {
  /** The user; of the server that is asked. */
  userId: string;
  /** The one field to return, such as `displayname`; all of them when absent. */
  field?: string;
}

/** The answer of {@link queryProfile}; servers may add fields of their own. */
export interface QueryProfileResponse {
  /** The user's avatar: an `mxc:` URI. */
  avatar_url?: string | null;
  /** The user's display name. */
  displayname?: string | null;
  /** Other profile fields. */
  [field: string]: unknown;
}

/** `GET /_matrix/federation/v1/query/profile`: a user's profile. */
export const queryProfile: Endpoint<QueryProfileInput, QueryProfileResponse, "server"> = defineEndpoint({
  name: "query_profile",
  path: "/_matrix/federation/v1/query/profile",
  query: { user_id: "userId", field: "field" },
  required: ["userId"],
  audience: "server",
  timeoutMs: 10_000,
  // Synapse sends null for a field that was removed.
  response: guard<QueryProfileResponse>(
    z.looseObject({ avatar_url: z.string().nullish(), displayname: z.string().nullish() }),
  ),
  spec: `${SPEC}#get_matrixfederationv1queryprofile`,
});

/** The input of {@link send}. */
export interface SendInput {
  /** The transaction's id. The same id and the same content may be sent again: the server takes it once. */
  txnId: string;
  /** When the transaction was made: Unix time in milliseconds. The same on every retry. */
  originServerTs: number;
  /** The events; at most 50. */
  pdus: readonly Pdu[];
  /** The ephemeral events; at most 100. */
  edus?: readonly JsonObject[];
}

/** What became of one event of a transaction. */
export interface SendPduResult {
  /** Why the event was refused; absent when it was taken. */
  error?: string;
}

/** The answer of {@link send}. */
export interface SendResponse {
  /** What became of each event, by event id. */
  pdus: Record<string, SendPduResult>;
}

/** `PUT /_matrix/federation/v1/send/{txnId}`: events and ephemeral events for a server. */
export const send: Endpoint<SendInput, SendResponse, "server"> = defineEndpoint<SendInput, SendResponse, "server">({
  name: "send",
  method: "PUT",
  path: "/_matrix/federation/v1/send/{txnId}",
  body: ({ originServerTs, pdus, edus }, origin) => ({
    origin,
    origin_server_ts: originServerTs,
    pdus: [...pdus],
    ...(edus !== undefined && { edus: [...edus] }),
  }),
  required: ["originServerTs", "pdus"],
  maxItems: { pdus: 50, edus: 100 },
  audience: "server",
  timeoutMs: 60_000,
  universal: true,
  response: guard<SendResponse>(z.looseObject({ pdus: anyObject })),
  spec: `${SPEC}#put_matrixfederationv1sendtxnid`,
});
