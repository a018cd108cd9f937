import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject, type JsonValue } from "../endpoint.js";
import { guard, integer, isObject, objects } from "../validate/schema.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

const isString = (value: unknown): boolean => typeof value === "string";

/** The check for an object whose every value passes a check. */
export const isMapOf =
  (isRight: (value: unknown) => boolean): ((value: unknown) => boolean) =>
  (value) =>
    isObject(value) && Object.values(value).every(isRight);

/** Signatures: by the name of who signed, then by key id. */
export const signatures: z.ZodType = z.custom(isMapOf(isMapOf(isString)), "expected signatures by name and key id");

/** A key that a server signs with. */
export interface VerifyKey {
  /** The public key: unpadded Base64. */
  key: string;
}

/** A key that a server used to sign with. */
export interface OldVerifyKey extends VerifyKey {
  /** When the server stopped using it: Unix time in milliseconds. */
  expired_ts: number;
}

/**
 * The signing keys that a server publishes. What is checked of it is its form: its signatures, its name and how long it
 * is valid are for the caller to check before a key is trusted.
 */
export interface ServerKeys {
  /** The server whose keys they are, as the document says itself. */
  server_name: string;
  /** The keys that it signs with, by key id, such as `ed25519:abc123`. */
  verify_keys: Record<string, VerifyKey>;
  /** The keys that it used to sign with, by key id. */
  old_verify_keys?: Record<string, OldVerifyKey> | null;
  /** Who signed the document, by server name and key id: unpadded Base64. */
  signatures: Record<string, Record<string, string>>;
  /** Until when the keys may be used: Unix time in milliseconds; at most 7 days from now, whatever it says. */
  valid_until_ts: number;
}

const isVerifyKey = (value: unknown): boolean => isObject(value) && isString(value.key);
const isOldVerifyKey = (value: unknown): boolean =>
  isVerifyKey(value) && Number.isSafeInteger((value as JsonObject).expired_ts);

const serverKeysSchema = z.looseObject({
  server_name: z.string(),
  verify_keys: z.custom(isMapOf(isVerifyKey), "expected an object of keys"),
  // Dendrite says null of a virtual host, which has no old keys (localKeys in federationapi/routing/keys.go).
  old_verify_keys: z.custom(isMapOf(isOldVerifyKey), "expected an object of old keys").nullish(),
  signatures,
  valid_until_ts: integer,
});

/** Whether a value has the form of a {@link ServerKeys} document. Its signatures are not looked at. */
export function isServerKeys(value: unknown): value is ServerKeys {
  return serverKeysSchema.safeParse(value).success;
}

/**
 * `GET /_matrix/key/v2/server`: the keys that a server signs with, signed with them. Unsigned.
 *
 * The signatures are not checked here.
 */
export const serverKeys: Endpoint<object, ServerKeys, "server"> = defineEndpoint({
  name: "server_keys",
  path: "/_matrix/key/v2/server",
  authentication: "none",
  audience: "server",
  timeoutMs: 10_000,
  // Some hundred old keys; a document that is larger wants to keep us busy.
  maxResponseBytes: 64 * 1024,
  universal: true,
  fault: ({ server_name }: ServerKeys, server) =>
    server_name === server ? undefined : { message: "expected the name of this server", path: ["server_name"] },
  response: guard<ServerKeys>(serverKeysSchema),
  spec: `${SPEC}#get_matrixkeyv2server`,
});

/** The input of {@link queryServerKeys}. */
export interface QueryServerKeysInput {
  /** The server whose keys are asked for; it need not be reachable. */
  serverName: string;
  /**
   * Until when the keys should be valid at least: Unix time in milliseconds; now when absent. Synapse pays no heed to it: it
   * tells only what it has already, which may be nothing. With {@link queryKeys} and the ids of keys, it fetches them.
   */
  minimumValidUntilTs?: number | undefined;
}

/** The answer of {@link queryServerKeys} and {@link queryKeys}. */
export interface QueryKeysResponse {
  /**
   * The documents that the notary has, each signed by the notary too; none for a server that it could not reach. Others
   * wrote them: {@link isServerKeys} tells those that have the right form, so that one bad document costs no other.
   */
  server_keys: object[];
}

// A notary asks the server in question first and may wait as long for it as we do for keys.
const NOTARY_TIMEOUT_MS = 20_000;

const notaryAnswer = guard<QueryKeysResponse>(z.looseObject({ server_keys: objects }));

/**
 * `GET /_matrix/key/v2/query/{serverName}`: another server's keys, from a notary. Unsigned.
 *
 * Dendrite and the servers of the Conduit family do not serve it; Dendrite serves {@link queryKeys}. No signature is
 * checked here.
 */
export const queryServerKeys: Endpoint<QueryServerKeysInput, QueryKeysResponse, "server"> = defineEndpoint({
  name: "query_server_keys",
  path: "/_matrix/key/v2/query/{serverName}",
  query: { minimum_valid_until_ts: "minimumValidUntilTs" },
  authentication: "none",
  audience: "server",
  timeoutMs: NOTARY_TIMEOUT_MS,
  response: notaryAnswer,
  spec: `${SPEC}#get_matrixkeyv2queryservername`,
});

/** What is asked of one key in {@link QueryKeysInput}. */
export interface KeyCriteria {
  /** Until when the key should be valid at least: Unix time in milliseconds; now when absent. */
  minimumValidUntilTs?: number | undefined;
}

/** The input of {@link queryKeys}. */
export interface QueryKeysInput {
  /**
   * The keys that are asked for: by server name, then by key id. All keys of a server with no key id; but of those Synapse
   * tells only what it has already, while it fetches keys that are named.
   */
  serverKeys: Readonly<Record<string, Readonly<Record<string, KeyCriteria>>>>;
}

/**
 * `POST /_matrix/key/v2/query`: the keys of several servers, from a notary. Unsigned.
 *
 * The servers of the Conduit family do not serve it. No signature is checked here.
 */
export const queryKeys: Endpoint<QueryKeysInput, QueryKeysResponse, "server"> = defineEndpoint({
  name: "query_keys",
  method: "POST",
  path: "/_matrix/key/v2/query",
  body: ({ serverKeys }) => ({
    server_keys: mapValues(serverKeys, (keys) =>
      mapValues(keys, ({ minimumValidUntilTs }) => ({
        // Optional by the specification, where it means now; but Synapse 1.163 refuses a key without it.
        minimum_valid_until_ts: minimumValidUntilTs ?? Date.now(),
      })),
    ),
  }),
  required: ["serverKeys"],
  forms: { serverKeys: "object" },
  authentication: "none",
  audience: "server",
  // It only reads.
  repeatable: "anyServer",
  timeoutMs: NOTARY_TIMEOUT_MS,
  maxResponseBytes: 10 * MIB,
  response: notaryAnswer,
  spec: `${SPEC}#post_matrixkeyv2query`,
});

/** An object with the same names, of which each value is made anew. */
export function mapValues<From>(from: Readonly<Record<string, From>>, to: (value: From) => JsonValue): JsonObject {
  return Object.fromEntries(Object.entries<From>(from).map(([name, value]) => [name, to(value)]));
}
