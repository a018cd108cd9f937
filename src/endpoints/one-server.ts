import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject } from "../endpoint.js";
import { anyObject, guard, isObject, strings } from "../validate/schema.js";
import { isUserOf } from "../validate/user.js";
import { isMapOf } from "./keys.js";
import type { PduLike } from "./room-reads.js";

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
  errors: [{ status: 404, errcode: "M_NOT_FOUND" }],
  response: guard<QueryDirectoryResponse>(z.looseObject({ room_id: z.string(), servers: strings })),
  spec: `${SPEC}#get_matrixfederationv1querydirectory`,
});

/** The input of {@link queryProfile}. */
export interface QueryProfileInput {
  /** The user; of the server that is asked. */
  userId: string;
  /** The one field to return, such as `displayname`; all of them when absent. */
  field?: string | undefined;
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
  errors: [
    { status: 403, errcode: "M_FORBIDDEN" },
    { status: 404, errcode: "M_NOT_FOUND" },
  ],
  // Synapse sends null for a field that was removed.
  response: guard<QueryProfileResponse>(
    z.looseObject({ avatar_url: z.string().nullish(), displayname: z.string().nullish() }),
  ),
  spec: `${SPEC}#get_matrixfederationv1queryprofile`,
});

/** The input of {@link query}. */
export interface QueryInput {
  /** The type of the query, such as `profile`. */
  queryType: string;
  /** The query's parameters, by their names on the wire; an array repeats its parameter. */
  parameters?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> | undefined;
}

/**
 * `GET /_matrix/federation/v1/query/{queryType}`: a query of any type, with any parameters. What comes back depends on
 * the type; it has only been checked that it is an object.
 */
export const query: Endpoint<QueryInput, JsonObject, "server"> = defineEndpoint({
  name: "query",
  path: "/_matrix/federation/v1/query/{queryType}",
  query: { "*": "parameters" },
  audience: "server",
  timeoutMs: 10_000,
  response: guard<JsonObject>(anyObject),
  spec: `${SPEC}#get_matrixfederationv1queryquerytype`,
});

/** The input of {@link openIdUserinfo}. */
export interface OpenIdUserinfoInput {
  /** The OpenID token that the user gave out. A secret: whoever has it can find out who the user is. */
  accessToken: string;
}

/** The answer of {@link openIdUserinfo}. */
export interface OpenIdUserinfoResponse {
  /** The user who gave out the token; of the server that was asked. */
  sub: string;
}

/**
 * `GET /_matrix/federation/v1/openid/userinfo`: who gave out an OpenID token. Unsigned.
 *
 * An answer whose `sub` is no user of the server that was asked is invalid. Which server to ask must be known by other
 * means: any server may vouch for its own users.
 */
export const openIdUserinfo: Endpoint<OpenIdUserinfoInput, OpenIdUserinfoResponse, "server"> = defineEndpoint({
  name: "openid_userinfo",
  path: "/_matrix/federation/v1/openid/userinfo",
  query: { access_token: "accessToken" },
  required: ["accessToken"],
  authentication: "none",
  audience: "server",
  timeoutMs: 10_000,
  maxResponseBytes: 64 * 1024,
  errors: [{ status: 401, errcode: "M_UNKNOWN_TOKEN" }],
  secrets: ["accessToken"],
  fault: ({ sub }: OpenIdUserinfoResponse, server) =>
    isSubjectOf(sub, server) ? undefined : { message: "expected a user of this server", path: ["sub"] },
  response: guard<OpenIdUserinfoResponse>(z.looseObject({ sub: z.string() })),
  spec: `${SPEC}#get_matrixfederationv1openiduserinfo`,
});

/**
 * Whether the `sub` of an {@link openIdUserinfo} answer is a user of the server that was asked; otherwise the answer is
 * worth nothing. Specification: Server-Server API, "OpenID".
 *
 * @param sub - The `sub` of the answer.
 * @param server - The server name that was asked, letter for letter.
 */
export function isSubjectOf(sub: string, server: string): boolean {
  return isUserOf(sub, server);
}

/** The input of {@link send}. */
export interface SendInput {
  /** The transaction's id. The same id and the same content may be sent again: the server takes it once. */
  txnId: string;
  /** When the transaction was made: Unix time in milliseconds. The same on every retry. */
  originServerTs: number;
  /** The events; at most 50. */
  pdus: readonly PduLike[];
  /** The ephemeral events; at most 100. */
  edus?: readonly object[] | undefined;
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

const isPduResult = (value: unknown): boolean =>
  isObject(value) && (value.error === undefined || typeof value.error === "string");

/** `PUT /_matrix/federation/v1/send/{txnId}`: events and ephemeral events for a server. */
export const send: Endpoint<SendInput, SendResponse, "server"> = defineEndpoint({
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
  forms: { pdus: "objects", edus: "objects" },
  audience: "server",
  timeoutMs: 60_000,
  universal: true,
  response: guard<SendResponse>(
    z.looseObject({ pdus: z.custom(isMapOf(isPduResult), "expected an object of results, by event id") }),
  ),
  spec: `${SPEC}#put_matrixfederationv1sendtxnid`,
});
