import type { JsonObject } from "../endpoint.js";
import { quoted } from "../errors.js";
import { engine } from "../sign/ed25519.js";
import { type EventSignature, type FaultyEvent, type ReadEvent, readEvent } from "./read-event.js";
import { type RoomVersion, roomVersions } from "./room-versions.js";

/** A server's public key, as far as an event's signature is concerned. */
export interface EventKey {
  /** The public key: 32 bytes. */
  readonly publicKey: Uint8Array;
  /**
   * Until when the key is known to be valid, as Unix time in milliseconds; for ever when it is absent. It matters from
   * room version 5 on.
   */
  readonly validUntilTs?: number | undefined;
  /** When the server stopped using the key, as Unix time in milliseconds; absent for a key that is in use. */
  readonly expiredTs?: number | undefined;
}

/** Finds a server's key among those that are at hand, at once and not as a promise; undefined when it is none of them. */
export type KeyOf = (server: string, keyId: string) => EventKey | undefined;

/** Where keys are at hand. Not a bare function: engines know a method again, of whatever object. */
export interface KeySource {
  /** Finds a key. */
  keyOf(server: string, keyId: string): EventKey | undefined;
}

/** The name of a key. */
export interface KeyName {
  /** The server whose key it is. */
  readonly server: string;
  /** The id of the key, such as `ed25519:a_abcd`. */
  readonly keyId: string;
}

/** What came of verifying an event, as data: no event is an error. */
export type EventVerification = ValidEvent | RedactedEvent | InvalidEvent;

/** An event whose signatures and hash hold. */
export interface ValidEvent {
  /** That it is whole. */
  readonly kind: "valid";
  /** The event id. */
  readonly eventId: string;
  /** The event as it was received. */
  readonly event: JsonObject;
}

/** An event whose signatures hold, and whose content hash does not: only its redacted form is vouched for. */
export interface RedactedEvent {
  /** That only the redacted form is to be used. */
  readonly kind: "redacted";
  /** The event id. */
  readonly eventId: string;
  /** The redacted form of what was received. */
  readonly event: JsonObject;
  /** Whether it was received in redacted form; if not, somebody has changed it. */
  readonly wasRedacted: boolean;
}

/** Something that is no event, or that is not signed as it has to be. It is to be dropped. */
export interface InvalidEvent {
  /** That it is not to be used. */
  readonly kind: "invalid";
  /** The event id; absent when the form is wrong. */
  readonly eventId?: string | undefined;
  /** What was received. */
  readonly event: unknown;
  /** What is wrong. */
  readonly reason: string;
  /**
   * The keys without which it could not be verified: with them it may turn out well. Empty when they would change
   * nothing.
   */
  readonly missingKeys: readonly KeyName[];
  /** Whether it is the keys that are wrong: they had expired when it was made. Who passes it on may not know that. */
  readonly keysExpired?: boolean;
}

/**
 * Verifies the form, the signatures and the hash of an event, with the keys that are at hand.
 * Specification: Server-Server API, "Validating hashes and signatures on received events".
 *
 * @throws {@link OptionError} `ERR_INPUT` when the room version is unknown.
 */
export function verifyEvent(event: unknown, version: RoomVersion, keyOf: KeyOf): EventVerification {
  return verifyReadEvent(readEvent(event, version), keyOf);
}

/** As {@link verifyEvent}, for an event that has been read. */
export function verifyReadEvent(read: ReadEvent | FaultyEvent, keyOf: KeyOf): EventVerification {
  if (read.fault !== undefined) return faulty(read);
  const trials = trialsOf(read, { keyOf });
  for (const trial of trials) {
    const { signature, key } = trial;
    trial.isRight = key !== undefined && engine.verify(key, read.signedBytes, signature.signature);
  }
  return verdictOn(read, trials);
}

/** As {@link verifyReadEvent}, off the main thread where the runtime can. */
export async function verifyReadEventAsync(read: ReadEvent | FaultyEvent, keyOf: KeyOf): Promise<EventVerification> {
  if (read.fault !== undefined) return faulty(read);
  const trials = trialsOf(read, { keyOf });
  await Promise.all(
    trials.map(async (trial) => {
      const { signature, key } = trial;
      trial.isRight = key !== undefined && (await engine.verifyAsync(key, read.signedBytes, signature.signature));
    }),
  );
  return verdictOn(read, trials);
}

function faulty({ event, fault }: FaultyEvent): InvalidEvent {
  return { kind: "invalid", event, reason: fault, missingKeys: [] };
}

/** A signature, with the key to try it with or why there is none. */
export interface Trial {
  /** The signature. */
  readonly signature: EventSignature;
  /** The public key, 32 bytes. */
  readonly key: Uint8Array | undefined;
  /** Why there is no key. */
  readonly without: "missing" | "expired" | "unusable" | undefined;
  /** Whether it has been found to be right with the key. */
  isRight: boolean;
}

/** The signatures of an event, with their keys. */
export function trialsOf(read: ReadEvent, keys: KeySource): Trial[] {
  const trials: Trial[] = [];
  for (const signature of read.signatures) {
    trials.push(trialOf(read, signature, keys.keyOf(signature.server, signature.keyId)));
  }
  return trials;
}

function trialOf({ originServerTs, version }: ReadEvent, signature: EventSignature, key: EventKey | undefined): Trial {
  if (!key) return { signature, key: undefined, without: "missing", isRight: false };
  const { publicKey, validUntilTs = Number.POSITIVE_INFINITY, expiredTs = Number.POSITIVE_INFINITY } = key;
  // "Any keys that are known to have expired prior to the event's origin_server_ts are ignored."
  if (originServerTs > expiredTs) return { signature, key: undefined, without: "expired", isRight: false };
  // That of a key in use may have been prolonged since.
  const isTooOld = roomVersions[version].keyValidity && key.expiredTs === undefined && originServerTs > validUntilTs;
  if (isTooOld) return { signature, key: undefined, without: "missing", isRight: false };
  return isPublicKey(publicKey)
    ? { signature, key: publicKey, without: undefined, isRight: false }
    : { signature, key: undefined, without: "unusable", isRight: false };
}

const isPublicKey = (value: unknown): boolean => ArrayBuffer.isView(value) && value.byteLength === 32;

/**
 * The verdict on an event, by which of its signatures are right.
 * "If all signatures from known unexpired keys from the originating server(s) are found to be valid": at least one of
 * each server that has to sign, and none that is wrong.
 */
export function verdictOn(read: ReadEvent, trials: readonly Trial[]): EventVerification {
  const { event, eventId, requiredSigners } = read;
  const wrong = trials.find(({ signature, key, isRight }) => signature.isRequired && key !== undefined && !isRight);
  if (wrong) {
    const { server, keyId } = wrong.signature;
    return invalid(read, `the signature of ${quoted(server)} with ${quoted(keyId)} is wrong`);
  }
  const badKey = trials.find(({ signature, without }) => signature.isRequired && without === "unusable");
  if (badKey) return unusable(read, badKey);
  const missing: KeyName[] = [];
  for (const { server } of requiredSigners.length > 0 ? requiredSigners : ANY_SERVER) {
    if (isSignedBy(server, trials)) continue;
    const own = trials.filter(({ signature }) => server === undefined || signature.server === server);
    const who = server === undefined ? "any server" : quoted(server);
    if (own.length === 0) return invalid(read, `it has no signature of ${who}`);
    const unknown = own.filter(({ without }) => without === "missing").map(({ signature }) => signature);
    if (unknown.length === 0) {
      const bad = own.find(({ without }) => without === "unusable");
      if (bad) return unusable(read, bad);
      const keysExpired = own.every(({ without }) => without === "expired");
      return keysExpired
        ? { ...invalid(read, `the keys of ${who} had expired`), keysExpired }
        : invalid(read, `no signature of ${who} is right`);
    }
    missing.push(...unknown.map(({ server, keyId }) => ({ server, keyId })));
  }
  if (missing.length > 0) return invalid(read, "keys are missing", missing);
  if (read.isHashRight) return { kind: "valid", eventId, event };
  return { kind: "redacted", eventId, event: read.redacted(), wasRedacted: read.isRedactedCopy };
}

/** Who has to have signed a third-party invite. */
const ANY_SERVER = [{ server: undefined }];

function isSignedBy(server: string | undefined, trials: readonly Trial[]): boolean {
  return trials.some(({ signature, isRight }) => isRight && (server === undefined || signature.server === server));
}

function invalid({ eventId, event }: ReadEvent, reason: string, missingKeys: readonly KeyName[] = []): InvalidEvent {
  return { kind: "invalid", eventId, event, reason, missingKeys };
}

/** Whoever calls has made a mistake with `keyOf`, such as an async one: that says nothing about the event. */
function unusable(read: ReadEvent, { signature: { server, keyId } }: Trial): InvalidEvent {
  return invalid(read, `the key ${quoted(keyId)} of ${quoted(server)} is no \`publicKey\` of 32 bytes`);
}
