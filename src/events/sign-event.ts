import type { JsonObject } from "../endpoint.js";
import { addSignature, type Signed } from "../sign/signed-json.js";
import type { SigningKey } from "../sign/signing-key.js";
import { withEncodedEvent } from "./encode-event.js";
import { contentHash } from "./hash-event.js";
import { checkObject, isObject } from "./redact-event.js";
import { type RoomVersion, rulesOf } from "./room-versions.js";

/** What hashing adds to an event. A type, for with an interface JSON would be none to TypeScript. */
export type Hashed = {
  /** By algorithm: the content hash in unpadded Base64. */
  hashes: JsonObject & {
    /** The SHA-256 hash. */
    sha256: string;
  };
};

/**
 * Adds the content hash to an event: a copy of it with `hashes.sha256`.
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the event has no canonical JSON.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function addHashes<T extends object>(event: T, version: RoomVersion): T & Hashed {
  const { hashes } = checkObject(event);
  return { ...event, hashes: { ...(isObject(hashes) ? hashes : {}), sha256: contentHash(event, version) } };
}

/**
 * Signs an event of our own: a copy of it with the content hash and our signature over its redacted form. Whether others would
 * take it for an event is not looked at: {@link eventFault} tells.
 * Specification: Server-Server API, "Adding hashes and signatures to outgoing events".
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the event has no canonical JSON, or `signatures` that are none.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function signEvent<T extends object>(
  event: T,
  version: RoomVersion,
  serverName: string,
  key: SigningKey,
): T & Hashed & Signed {
  return countersignEvent(addHashes(event, version), version, serverName, key);
}

/**
 * Signs an event of another server, such as an invite of one of our users: a copy of it with one more signature. Its
 * hash stays what it is, for the others' signatures cover it.
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the event has no canonical JSON, or `signatures` that are none.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function countersignEvent<T extends object>(
  event: T,
  version: RoomVersion,
  serverName: string,
  key: SigningKey,
): T & Signed {
  return withEncodedEvent(checkObject(event), rulesOf(version), ({ signed }) =>
    addSignature(event, serverName, key, signed),
  );
}
