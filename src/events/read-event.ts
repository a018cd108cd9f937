import type { JsonObject } from "../endpoint.js";
import { decodeAnyBase64, encodeBase64 } from "../sign/base64.js";
import { sha256 } from "../sign/sha256.js";
import { type EncodedEvent, type EventEncoder, withEncoder } from "./encode-event.js";
import { faultText, formFault, hashFault, hugeFault, sizeFault } from "./event-fault.js";
import { hashedEventId } from "./hash-event.js";
import { isObject, redact } from "./redact-event.js";
import { type RequiredSigner, signersOf } from "./required-signers.js";
import { type RoomVersion, type RoomVersionRules, roomVersions, rulesOf } from "./room-versions.js";

/** A signature that the verdict on an event depends on. */
export interface EventSignature {
  /** The server that is said to have signed. */
  readonly server: string;
  /** The id of its key, such as `ed25519:a_abcd`. */
  readonly keyId: string;
  /** The signature: 64 bytes, or others, which verify with no key. */
  readonly signature: Uint8Array;
  /** Whether the server has to have signed; otherwise it is one of a third-party invite's, of which one is enough. */
  readonly isRequired: boolean;
}

/** An event of the right form, with all that can be said of it without keys. */
export interface ReadEvent {
  /** That nothing is wrong with its form. */
  readonly fault?: undefined;
  /** The event as it was received. */
  readonly event: JsonObject;
  /** The room version that it was read for. */
  readonly version: RoomVersion;
  /** The event id. */
  readonly eventId: string;
  /** Whether `hashes.sha256` is the content hash. If not, the event is to be taken as its redacted form. */
  readonly isHashRight: boolean;
  /** Whether redaction would take no key away. With a wrong hash, the event was then redacted before we got it. */
  readonly isRedactedCopy: boolean;
  /** What the signatures cover. */
  readonly signedBytes: Uint8Array;
  /** The servers that have to have signed; none of a third-party invite, of which any one signature has to hold. */
  readonly requiredSigners: readonly RequiredSigner[];
  /** The Ed25519 signatures that the verdict depends on; at most sixteen of a server. */
  readonly signatures: readonly EventSignature[];
  /** When the event says that it was made: Unix time in milliseconds. */
  readonly originServerTs: number;
  /** Makes the redacted form. */
  redacted(): JsonObject;
}

/** Something that is no event of the room version. */
export interface FaultyEvent {
  /** What is wrong with it. */
  readonly fault: string;
  /** What it is. */
  readonly event: unknown;
  /** The room version that it was read for. */
  readonly version: RoomVersion;
}

/** More keys than any server signs with: each costs a look for it. */
const MAX_SIGNATURES = 16;

/**
 * Reads an event: checks its form, its sizes and its content hash, and says which signatures have to hold. Each part of
 * the event is encoded once. Nothing in an event makes it throw.
 *
 * @throws {@link OptionError} `ERR_INPUT` when the room version is unknown.
 */
export function readEvent(event: unknown, version: RoomVersion): ReadEvent | FaultyEvent {
  const fault = hugeFault(event, rulesOf(version));
  if (fault !== undefined) return { fault, event, version };
  return withEncoder((encoder) => {
    const read = readEventWith(encoder, event, version);
    return read.fault === undefined ? { ...read, signedBytes: read.signedBytes.slice() } : read;
  });
}

/**
 * As {@link readEvent}, for events that somebody has kept from being huge: one is encoded, however large it is. `signedBytes`
 * is lent: it is good until another event is encoded.
 */
export function readEventWith(encoder: EventEncoder, event: unknown, version: RoomVersion): ReadEvent | FaultyEvent {
  const rules = rulesOf(version);
  const fault = formFault(event, rules);
  if (fault !== undefined) return { fault, event, version };
  try {
    return readEncoded(event as JsonObject, encoder.encode(event as JsonObject, rules), version);
  } catch (error) {
    return { fault: faultText(error), event, version };
  }
}

function readEncoded(fields: JsonObject, encoded: EncodedEvent, version: RoomVersion): ReadEvent | FaultyEvent {
  const rules = roomVersions[version];
  const tooLarge = sizeFault(encoded);
  if (tooLarge !== undefined) return { fault: tooLarge, event: fields, version };
  const { hashed, signed, isRedacted } = encoded;
  const isHashRight = isHash((fields.hashes as JsonObject).sha256, sha256(hashed));
  const noHash = isHashRight ? undefined : hashFault(fields);
  if (noHash !== undefined) return { fault: noHash, event: fields, version };
  const redacted = (): JsonObject => redact(fields, rules);
  // What is not covered by a right hash does not count: else a forged `third_party_invite` would spare the sender's
  // signature, and the redacted form would be an invite that nobody signed.
  const signers = signersOf(isHashRight ? fields : redacted(), rules);
  return {
    event: fields,
    version,
    eventId: eventId(fields, signed, rules),
    isHashRight,
    isRedactedCopy: isRedacted,
    signedBytes: signed,
    requiredSigners: signers,
    signatures: signaturesOf(fields.signatures as JsonObject, signers),
    originServerTs: fields.origin_server_ts as number,
    redacted,
  };
}

function eventId(event: JsonObject, signed: Uint8Array, rules: RoomVersionRules): string {
  return rules.eventIds === "inEvent" ? (event.event_id as string) : hashedEventId(signed, rules);
}

/** "Base64-decoded, and the two are compared": there is padding, and some wrote the URL-safe alphabet. */
function isHash(text: unknown, right: string): boolean {
  if (text === right) return true;
  const bytes = decodeAnyBase64(text);
  return bytes !== undefined && encodeBase64(bytes) === right;
}

function signaturesOf(signatures: JsonObject, signers: readonly RequiredSigner[]): EventSignature[] {
  const [first] = signers;
  if (first && signers.length === 1) return signaturesBy(signatures, first.server, true);
  if (first) return signers.flatMap(({ server }) => signaturesBy(signatures, server, true));
  return Object.keys(signatures)
    .slice(0, MAX_SIGNATURES)
    .flatMap((server) => signaturesBy(signatures, server, false))
    .slice(0, MAX_SIGNATURES);
}

function signaturesBy(signatures: JsonObject, server: string, isRequired: boolean): EventSignature[] {
  // A server may be called `constructor`: what the prototype has is no signature.
  const byKey = Object.hasOwn(signatures, server) ? signatures[server] : undefined;
  if (!isObject(byKey)) return [];
  const found: EventSignature[] = [];
  for (const keyId of Object.keys(byKey)) {
    if (!keyId.startsWith("ed25519:") || found.length === MAX_SIGNATURES) continue;
    found.push({ server, keyId, signature: decodeAnyBase64(byKey[keyId]) ?? new Uint8Array(), isRequired });
  }
  return found;
}
