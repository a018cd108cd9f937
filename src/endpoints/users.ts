import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject, type JsonValue } from "../endpoint.js";
import type { SchemaIssue } from "../validate/response-schema.js";
import { guard, integer, isObject, strings } from "../validate/schema.js";
import { isMapOf, mapValues, signatures } from "./keys.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

const isOptionalString = (value: unknown): boolean =>
  value === undefined || value === null || typeof value === "string";

const texts = z.custom(
  isMapOf((value) => typeof value === "string"),
  "expected an object of strings",
);

/** The identity keys of a device, as the user's client uploaded them. */
export interface DeviceKeys {
  /** The user, as the device says itself. */
  user_id: string;
  /** The device, as it says itself. */
  device_id: string;
  /** The encryption algorithms that the device knows. */
  algorithms: string[];
  /** The public keys, by algorithm and device id, such as `ed25519:JLAFKJWSCS`. */
  keys: Record<string, string>;
  /** Who signed the keys, by user id and key id. */
  signatures?: Record<string, Record<string, string>> | null;
  /** What servers added; not signed. */
  unsigned?: {
    /** The device's display name. */
    device_display_name?: string | null;
  } | null;
}

const deviceKeysSchema = z.looseObject({
  user_id: z.string(),
  device_id: z.string(),
  algorithms: strings,
  keys: texts,
  // Dendrite says null of a device that nobody signed (a nil map of Go in RespUserDeviceKeys).
  signatures: signatures.nullish(),
  unsigned: z.looseObject({ device_display_name: z.string().nullish() }).nullish(),
});

/**
 * Whether a value has the form of {@link DeviceKeys}. Its signatures are not looked at, nor whether it is about the user
 * and the device under whose id it stands.
 */
export function isDeviceKeys(value: unknown): value is DeviceKeys {
  return deviceKeysSchema.safeParse(value).success;
}

/** A cross-signing key, as the user's client uploaded it. */
export interface CrossSigningKey {
  /** The user, as the key says itself. */
  user_id: string;
  /** What the key is for: `master` or `self_signing`. */
  usage: string[];
  /** The public key, as the only value; its name is the algorithm and the key itself. */
  keys: Record<string, string>;
  /** Who signed the key, by user id and key id. Optional for a master key. */
  signatures?: Record<string, Record<string, string>> | null;
}

const crossSigningKeySchema = z.looseObject({
  user_id: z.string(),
  usage: strings,
  keys: texts,
  signatures: signatures.nullish(),
});

/** Whether a value has the form of a {@link CrossSigningKey}. Its signatures are not looked at. */
export function isCrossSigningKey(value: unknown): value is CrossSigningKey {
  return crossSigningKeySchema.safeParse(value).success;
}

/** The input of {@link userDevices}. */
export interface UserDevicesInput {
  /** The user; of the server that is asked. */
  userId: string;
}

/** A device of a user. */
export interface UserDevice {
  /** The device's id. */
  device_id: string;
  /**
   * What the user's client uploaded, which can be anything; {@link isDeviceKeys} tells. Synapse leaves it out of devices
   * that have no keys.
   */
  keys?: JsonValue;
  /** The device's display name; most servers do not tell it. */
  device_display_name?: string | null;
}

/** The answer of {@link userDevices}. */
export interface UserDevicesResponse {
  /** The user: always the one that was asked for. */
  user_id: string;
  /** The version of the device list, to match with `m.device_list_update`. */
  stream_id: number;
  /** The user's devices. */
  devices: UserDevice[];
  /** The user's master key, as uploaded; {@link isCrossSigningKey} tells. Synapse and Dendrite say null for none. */
  master_key?: JsonValue;
  /** The user's self-signing key, as uploaded; {@link isCrossSigningKey} tells. */
  self_signing_key?: JsonValue;
}

const isUserDevice = (value: unknown): boolean =>
  isObject(value) && typeof value.device_id === "string" && isOptionalString(value.device_display_name);

/** `GET /_matrix/federation/v1/user/devices/{userId}`: a user's devices and cross-signing keys. */
export const userDevices: Endpoint<UserDevicesInput, UserDevicesResponse, "server"> = defineEndpoint({
  name: "user_devices",
  path: "/_matrix/federation/v1/user/devices/{userId}",
  audience: "server",
  timeoutMs: 30_000,
  maxResponseBytes: 10 * MIB,
  // Users upload nonsense (gomatrixserverlib#342), and one nonsensical key must not cost the rest: only what the server
  // itself says is checked.
  fault: ({ user_id }: UserDevicesResponse, _server, input) =>
    input === undefined || user_id === input.userId
      ? undefined
      : { message: "expected the user that was asked for", path: ["user_id"] },
  response: guard<UserDevicesResponse>(
    z.looseObject({
      user_id: z.string(),
      stream_id: integer,
      devices: z.custom(
        (value) => Array.isArray(value) && value.every(isUserDevice),
        "expected an array of objects with a device_id",
      ),
    }),
  ),
  spec: `${SPEC}#get_matrixfederationv1userdevicesuserid`,
});

/** The input of {@link claimUserKeys}. */
export interface ClaimUserKeysInput {
  /** The algorithm of the key that is wanted of each device: by user id, then by device id. Users of one server. */
  oneTimeKeys: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A one-time key or fallback key: a string, or an object with `key` and `signatures` for a signed one. */
export type OneTimeKey = string | JsonObject;

/** The answer of {@link claimUserKeys}. */
export interface ClaimUserKeysResponse {
  /**
   * The keys: by user id, then by device id, then by algorithm and key id, such as `signed_curve25519:AAAAHg`. Devices
   * that have no key of the algorithm are not in it. No signature is checked.
   */
  one_time_keys: Record<string, Record<string, Record<string, OneTimeKey>>>;
}

const isOneTimeKey = (value: unknown): boolean => typeof value === "string" || isObject(value);

/** The schema of an answer with claimed keys. */
export const claimedKeys: z.ZodType = z.looseObject({
  one_time_keys: z.custom(isMapOf(isMapOf(isMapOf(isOneTimeKey))), "expected keys by user, device and key id"),
});

/**
 * `POST /_matrix/federation/v1/user/keys/claim`: takes a one-time key of each device; without one left, a fallback key.
 *
 * A key is given out once. When no answer comes, the keys that the server took are lost, and each repetition at the same
 * server takes others: it costs each device a key, and a device whose keys are used up gives its fallback key.
 */
export const claimUserKeys: Endpoint<ClaimUserKeysInput, ClaimUserKeysResponse, "server"> = defineEndpoint({
  name: "claim_user_keys",
  method: "POST",
  path: "/_matrix/federation/v1/user/keys/claim",
  body: ({ oneTimeKeys }) => ({
    one_time_keys: mapValues(oneTimeKeys, (devices) => mapValues(devices, (text) => text)),
  }),
  required: ["oneTimeKeys"],
  forms: { oneTimeKeys: "object" },
  audience: "server",
  repeatable: "sameServer",
  timeoutMs: 10_000,
  maxResponseBytes: 10 * MIB,
  response: guard<ClaimUserKeysResponse>(claimedKeys),
  spec: `${SPEC}#post_matrixfederationv1userkeysclaim`,
});

/** The input of {@link queryUserKeys}. */
export interface QueryUserKeysInput {
  /** The devices whose keys are wanted: device ids by user id, all devices of a user with none. Users of one server. */
  deviceKeys: Readonly<Record<string, readonly string[]>>;
}

/** The answer of {@link queryUserKeys}: about no other users than were asked for. No signature in it is checked. */
export interface QueryUserKeysResponse {
  /** What the users' clients uploaded, by user id, then by device id; {@link isDeviceKeys} tells whether it is keys. */
  device_keys: Record<string, Record<string, JsonValue>>;
  /** The users' master keys, by user id; {@link isCrossSigningKey} tells. */
  master_keys?: Record<string, JsonValue> | null;
  /** The users' self-signing keys, by user id; {@link isCrossSigningKey} tells. */
  self_signing_keys?: Record<string, JsonValue> | null;
}

/** A server has no say in the keys of users that it was not asked for: they are of other servers. */
function unaskedFault(answer: QueryUserKeysResponse, { deviceKeys }: QueryUserKeysInput): SchemaIssue | undefined {
  for (const field of ["device_keys", "master_keys", "self_signing_keys"] as const) {
    const isAsked = (userId: string): boolean => Object.hasOwn(deviceKeys, userId);
    if (!Object.keys(answer[field] ?? {}).every(isAsked)) {
      return { message: "expected only users that were asked for", path: [field] };
    }
  }
  return undefined;
}

const anyMap = z.custom(isObject, "expected an object by user id").nullish();

/** `POST /_matrix/federation/v1/user/keys/query`: the identity keys of users' devices. */
export const queryUserKeys: Endpoint<QueryUserKeysInput, QueryUserKeysResponse, "server"> = defineEndpoint({
  name: "query_user_keys",
  method: "POST",
  path: "/_matrix/federation/v1/user/keys/query",
  body: ({ deviceKeys }) => ({ device_keys: mapValues(deviceKeys, (ids) => [...ids]) }),
  required: ["deviceKeys"],
  forms: { deviceKeys: "object" },
  audience: "server",
  // It only reads.
  repeatable: "anyServer",
  timeoutMs: 10_000,
  maxResponseBytes: 50 * MIB,
  fault: (answer: QueryUserKeysResponse, _server, input) => input && unaskedFault(answer, input),
  // One user's nonsense (gomatrixserverlib#342) must not cost the answer about the others.
  response: guard<QueryUserKeysResponse>(
    z.looseObject({
      device_keys: z.custom(isMapOf(isObject), "expected an object by user id, of objects by device id"),
      master_keys: anyMap,
      self_signing_keys: anyMap,
    }),
  ),
  spec: `${SPEC}#post_matrixfederationv1userkeysquery`,
});
