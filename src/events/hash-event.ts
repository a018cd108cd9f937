import { NameError } from "../errors.js";
import { sha256 } from "../sign/sha256.js";
import { withEncodedEvent } from "./encode-event.js";
import { checkObject } from "./redact-event.js";
import { type RoomVersion, type RoomVersionRules, rulesOf } from "./room-versions.js";

/**
 * The content hash of an event, in unpadded Base64: what `hashes.sha256` has to be.
 * Specification: Server-Server API, "Calculating the content hash for an event".
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the event has no canonical JSON.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function contentHash(event: object, version: RoomVersion): string {
  return withEncodedEvent(checkObject(event), rulesOf(version), ({ hashed }) => sha256(hashed));
}

/**
 * The reference hash of an event, in unpadded Base64. It is the same for the event and for its redacted copy.
 * Specification: Server-Server API, "Calculating the reference hash for an event".
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the event has no canonical JSON.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function referenceHash(event: object, version: RoomVersion): string {
  return withEncodedEvent(checkObject(event), rulesOf(version), ({ signed }) => sha256(signed));
}

/**
 * The id of an event: `event_id` in room versions 1 and 2, later `$` and the reference hash.
 *
 * @throws {@link NameError} `ERR_EVENT_ID` when an event of room version 1 or 2 has no `event_id` of the right form.
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the event has no canonical JSON.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function eventIdOf(event: object, version: RoomVersion): string {
  const rules = rulesOf(version);
  const fields = checkObject(event);
  if (rules.eventIds !== "inEvent") {
    return withEncodedEvent(fields, rules, ({ signed }) => hashedEventId(signed, rules));
  }
  if (isEventIdWithServer(fields.event_id)) return fields.event_id;
  throw new NameError("ERR_EVENT_ID", 'The event has no event_id of the form "$opaque:domain".');
}

/** The event id that is made of what the reference hash is of, from room version 3 on. */
export function hashedEventId(signed: Uint8Array, { eventIds }: RoomVersionRules): string {
  return `$${sha256(signed, eventIds === "base64" ? "base64" : "base64url")}`;
}

/** Whether a value is an event id of room versions 1 and 2, which name the server that made the event. */
export function isEventIdWithServer(eventId: unknown): eventId is string {
  return typeof eventId === "string" && eventId.startsWith("$") && serverOf(eventId) !== undefined;
}

/** What stands for a server name. That it follows the grammar is found out when it is asked for its keys. */
const SERVER = /^(?:\[[\da-fA-F:.]{2,45}\]|[\da-zA-Z.-]{1,249})(?::\d{1,5})?$/;

/** The server name in an identifier with a domain; undefined where it has none. */
export function serverOf(identifier: string): string | undefined {
  const server = domainOf(identifier);
  return server.length < identifier.length - 1 && SERVER.test(server) ? server : undefined;
}

/** What is behind the first colon of an identifier; all of it where there is none. */
export const domainOf = (identifier: string): string => identifier.slice(identifier.indexOf(":") + 1);

/**
 * The id of the room that an event is in: its `room_id` or, for the `m.room.create` event of room version 12, the
 * event's own id with `!` for `$` (MSC4291).
 *
 * @throws {@link NameError} `ERR_ROOM_ID` when the event has no `room_id` that starts with `!`.
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the event has no canonical JSON.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function roomIdOf(event: object, version: RoomVersion): string {
  const { room_id: roomId, type } = checkObject(event);
  if (rulesOf(version).roomIdIsCreateEventId && type === "m.room.create") {
    return `!${eventIdOf(event, version).slice(1)}`;
  }
  if (typeof roomId === "string" && roomId.startsWith("!")) return roomId;
  throw new NameError("ERR_ROOM_ID", "The event has no room_id of the right form.");
}
