import { isAbortSignal } from "../connect/budget.js";
import { OptionError, quoted, SignError } from "../errors.js";
import { isRoomVersion } from "../events/room-versions.js";
import type { BackoffOptions } from "../failover/server-records.js";
import { isKeyId, isObject } from "../keyring/key-document.js";
import { parseServerName } from "../name/server-name.js";
import type { ClientOptions, RoomCallOptions } from "../options.js";
import { decodeBase64 } from "../sign/base64.js";
import { SigningKey } from "../sign/signing-key.js";

const wrong = (option: string, value: unknown, right: string): OptionError =>
  new OptionError("ERR_OPTION", `The option \`${option}\` is ${quoted(value)}; it must be ${right}.`);

const isPositive = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value > 0;

/** An `AbortSignal` that can be listened to, and left alone again. */
const isSignal = (value: unknown): boolean =>
  isAbortSignal(value) && typeof (value as AbortSignal).removeEventListener === "function";

/** The keys of a client, checked. */
export function checkedKeys({ serverName, signingKey }: ClientOptions): readonly SigningKey[] {
  if (serverName !== undefined) parseServerName(serverName);
  const keys: readonly unknown[] =
    signingKey === undefined ? [] : Array.isArray(signingKey) ? signingKey : [signingKey];
  // The value is not shown: it may be the secret itself.
  if (!keys.every((key) => key instanceof SigningKey)) {
    throw new OptionError(
      "ERR_OPTION",
      "The option `signingKey` must be a SigningKey; make it with SigningKey.parse(text).",
    );
  }
  if (keys.length > 0 && serverName === undefined) {
    throw new SignError("ERR_SIGNING_KEY", "A signing key needs the `serverName` that it signs for.");
  }
  return keys;
}

/** Checks the options of a client that no room checks for itself. */
export function checkClientOptions(options: ClientOptions): void {
  if (typeof options !== "object" || options === null) throw wrong("options", options, "an object");
  const { store, userAgent, maxConnectionsPerServer, backoff } = options;
  if (
    store !== undefined &&
    !(["get", "set", "delete"] as const).every((name) => typeof store?.[name] === "function")
  ) {
    throw wrong("store", store, "an object with the methods get, set and delete");
  }
  if (userAgent !== undefined && !(typeof userAgent === "string" && /^[\x20-\x7e]{1,256}$/.test(userAgent))) {
    throw wrong("userAgent", userAgent, "printable ASCII text");
  }
  if (
    maxConnectionsPerServer !== undefined &&
    !(Number.isSafeInteger(maxConnectionsPerServer) && maxConnectionsPerServer > 0)
  ) {
    throw wrong("maxConnectionsPerServer", maxConnectionsPerServer, "a positive integer");
  }
  if (backoff !== undefined) checkBackoff(backoff);
  checkVerify(options.verify);
  checkKeyOptions(options);
}

function checkVerify(verify: unknown): void {
  if (verify !== undefined && verify !== "full" && verify !== "none") throw wrong("verify", verify, '"full" or "none"');
}

/**
 * Checks the version that a caller gives of a room.
 *
 * @throws {@link OptionError} `ERR_OPTION` when it is none that this library knows.
 */
export function checkRoomVersion(version: unknown): void {
  if (isRoomVersion(version)) return;
  throw wrong(
    "roomVersion",
    version,
    'one of "1" to "12"; of other rooms, events can only be read with verify: "none"',
  );
}

/** Checks what a client is told of keys. */
function checkKeyOptions({ notaries, trustedNotaryKeys, oldSigningKeys }: ClientOptions): void {
  if (notaries !== undefined) {
    if (!Array.isArray(notaries)) throw wrong("notaries", notaries, 'a list such as ["matrix.org"]');
    for (const notary of notaries) parseServerName(notary);
  }
  for (const [option, value] of Object.entries({ trustedNotaryKeys, oldSigningKeys })) {
    const isMap = isObject(value) && Object.values(value).every(isObject);
    if (value !== undefined && !isMap) throw wrong(option, value, "an object of objects");
  }
  for (const [notary, keys] of Object.entries(trustedNotaryKeys ?? {})) {
    parseServerName(notary);
    for (const [keyId, key] of Object.entries(keys)) checkPublicKey("trustedNotaryKeys", keyId, key);
  }
  for (const [keyId, entry] of Object.entries(oldSigningKeys ?? {})) {
    checkPublicKey("oldSigningKeys", keyId, entry.key);
    if (Number.isSafeInteger(entry.expired_ts)) continue;
    throw wrong("oldSigningKeys", entry.expired_ts, "with an `expired_ts` that is Unix time in milliseconds");
  }
}

function checkPublicKey(option: string, keyId: string, key: unknown): void {
  if (!isKeyId(keyId)) {
    throw new OptionError(
      "ERR_OPTION",
      `The option \`${option}\` has the key id ${quoted(keyId)}; it must be as in "ed25519:a_1".`,
    );
  }
  if (decodeBase64(key)?.length === 32) return;
  // The value is not shown: it may be a secret by mistake.
  const right = "it must be 32 bytes in Base64";
  throw new OptionError(
    "ERR_OPTION",
    `The option \`${option}\` has a wrong public key for ${quoted(keyId)}; ${right}.`,
  );
}

function checkBackoff(backoff: BackoffOptions): void {
  if (typeof backoff !== "object" || backoff === null) throw wrong("backoff", backoff, "an object");
  for (const option of ["threshold", "baseMs", "maxMs"] as const) {
    const value = backoff[option];
    if (value !== undefined && !isPositive(value)) throw wrong(`backoff.${option}`, value, "a positive number");
  }
}

/**
 * What a call was given, checked. It is a copy: each option is read once.
 *
 * @throws {@link OptionError} `ERR_OPTION`, {@link NameError} `ERR_SERVER_NAME`.
 */
export function checkCallOptions(given: RoomCallOptions): RoomCallOptions {
  if (typeof given !== "object" || given === null) throw wrong("options", given, "an object");
  const { signal, timeout, rounds, joinedVia, ignoreBackoff, prefer, sentBy } = given;
  const { verify, roomVersion, onEvent, onProgress } = given;
  const options: { -readonly [Name in keyof RoomCallOptions]: RoomCallOptions[Name] } = {
    signal,
    timeout,
    rounds,
    joinedVia,
    ignoreBackoff,
    prefer,
    sentBy,
    verify,
    roomVersion,
    onEvent,
    onProgress,
  };
  if (signal !== undefined && !isSignal(signal)) throw wrong("signal", signal, "an AbortSignal");
  if (ignoreBackoff !== undefined && typeof ignoreBackoff !== "boolean") {
    throw wrong("ignoreBackoff", ignoreBackoff, "true or false");
  }
  if (timeout !== undefined && !isPositive(timeout)) throw wrong("timeout", timeout, "milliseconds, such as 20_000");
  if (rounds !== undefined && !(Number.isSafeInteger(rounds) && rounds >= 1 && rounds <= 100)) {
    throw wrong("rounds", rounds, "a whole number from 1 to 100");
  }
  for (const option of ["prefer", "sentBy"] as const) {
    const servers = options[option];
    if (servers === undefined) continue;
    if (!Array.isArray(servers)) throw wrong(option, servers, 'a list such as ["a.example"]');
    options[option] = Array.from(servers, (server: unknown) => parseServerName(server).name);
  }
  if (joinedVia !== undefined) parseServerName(joinedVia);
  checkVerify(verify);
  if (roomVersion !== undefined) checkRoomVersion(roomVersion);
  for (const [option, value] of Object.entries({ onEvent, onProgress })) {
    if (value !== undefined && typeof value !== "function") throw wrong(option, value, "a function");
  }
  if (verify === "none" && onEvent) throw wrong("onEvent", onEvent, 'absent where `verify` is "none"');
  return options;
}
