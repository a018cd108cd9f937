/**
 * Events and signatures of Matrix, without any network: room versions, hashes, redaction, event ids, signing and
 * verifying. It runs where there is no Node, too: in browsers, workers and other runtimes with standard JavaScript.
 *
 * @packageDocumentation
 */
export type { JsonObject, JsonValue } from "./endpoint.js";
export {
  FederationError,
  type FederationErrorCode,
  type FederationErrorDetails,
  NameError,
  OptionError,
  SignError,
} from "./errors.js";
export { eventFault } from "./events/event-fault.js";
export { contentHash, eventIdOf, referenceHash, roomIdOf } from "./events/hash-event.js";
export { type EventSignature, type FaultyEvent, type ReadEvent, readEvent } from "./events/read-event.js";
export { redactEvent } from "./events/redact-event.js";
export { type RequiredSigner, requiredSigners } from "./events/required-signers.js";
export {
  isRoomVersion,
  type RedactionRules,
  type RoomVersion,
  type RoomVersionRules,
  roomVersions,
} from "./events/room-versions.js";
export { addHashes, countersignEvent, type Hashed, signEvent } from "./events/sign-event.js";
export {
  type EventKey,
  type EventVerification,
  type InvalidEvent,
  type KeyName,
  type KeyOf,
  type RedactedEvent,
  type ValidEvent,
  verifyEvent,
  verifyReadEvent,
  verifyReadEventAsync,
} from "./events/verify-event.js";
export { canonicalJson } from "./sign/canonical-json.js";
export { type Signed, signJson, verifySignedJson } from "./sign/signed-json.js";
export { SigningKey } from "./sign/signing-key.js";
