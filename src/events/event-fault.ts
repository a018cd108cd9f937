import type { JsonObject, JsonValue } from "../endpoint.js";
import { isAnyBase64 } from "../sign/base64.js";
import { isPlain, MAX_DEPTH } from "../sign/canonical-fault.js";
import { isLongerThan } from "../sign/utf8.js";
import { type EncodedEvent, withEncodedEvent } from "./encode-event.js";
import { isObject } from "./redact-event.js";
import { signerFault } from "./required-signers.js";
import { type RoomVersion, type RoomVersionRules, rulesOf } from "./room-versions.js";

/** The largest event: bytes of canonical JSON. Specification: Client-Server API, "Size limits". */
const MAX_EVENT_BYTES = 65_536;
/** The longest of the fields that are limited, in bytes. */
const MAX_FIELD_BYTES = 255;
const MAX_PREV_EVENTS = 20;
const MAX_AUTH_EVENTS = 10;
/** The room ids of room version 12: a SHA-256 hash in URL-safe Base64. */
const HASH_ROOM_ID = /^![\w-]{43}$/;

/**
 * Why a value is no event of a room version, so that it is to be dropped; undefined when it is one. It looks at the
 * format, the sizes and the numbers, at nothing that needs a hash, a key or another event.
 * Specification: Server-Server API, "Checks performed on receipt of a PDU", 1; the room version's "Event format".
 *
 * @throws {@link OptionError} `ERR_INPUT` when the room version is unknown.
 */
export function eventFault(event: unknown, version: RoomVersion): string | undefined {
  const rules = rulesOf(version);
  const fault = formFault(event, rules);
  if (fault !== undefined) return fault;
  if (isHuge(event)) return TOO_LARGE;
  try {
    return withEncodedEvent(event as JsonObject, rules, sizeFault) ?? hashFault(event as JsonObject);
  } catch (error) {
    return faultText(error);
  }
}

/** What an error of `withEncodedEvent` says in its first line, as a fault. */
export function faultText(error: unknown): string {
  const [line = ""] = error instanceof Error ? error.message.split("\n") : [];
  return line.replace(/^The event has /, "it has ").replace(/\.$/, "");
}

const TOO_LARGE = `it has more than ${MAX_EVENT_BYTES} bytes`;

/** What is wrong with the size of an event. */
export function sizeFault({ size }: EncodedEvent): string | undefined {
  return size > MAX_EVENT_BYTES ? TOO_LARGE : undefined;
}

/**
 * As {@link eventFault} for events that are far too large, and undefined for all others, whatever is wrong with them: to look
 * for that takes a fraction of a microsecond of an ordinary event, while to encode one of many megabytes takes a second.
 */
export function hugeFault(event: unknown, rules: RoomVersionRules): string | undefined {
  return isHuge(event) ? (formFault(event, rules) ?? TOO_LARGE) : undefined;
}

/** Whether an event is too large even with each of its values as short as it can be. */
function isHuge(event: unknown): boolean {
  try {
    return isObject(event) && bytesLeft(event, MAX_EVENT_BYTES, 0) < 0;
  } catch {
    // A getter that throws does so again when it is encoded, which tells where.
    return false;
  }
}

/** How many of so many bytes are left over behind a value, at most. Once none are, nothing more of it is looked at. */
function bytesLeft(value: unknown, bytes: number, depth: number): number {
  if (typeof value === "string") return bytes - value.length;
  // What is nested deeper is no event either.
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return bytes;
  // `unsigned` need not be JSON: what is none is left out of it, or made into something that may be short.
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return bytes;
  let left = bytes;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && left >= 0; index++) left = bytesLeft(value[index], left - 1, depth + 1);
    return left;
  }
  if (depth > 0 && !isPlain(value)) return bytes;
  const keys = Object.keys(value);
  for (let index = 0; index < keys.length && left >= 0; index++) {
    const key = keys[index] as string;
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined || typeof member === "function" || typeof member === "symbol") continue;
    // Quotes and a colon, and a comma or a brace.
    left = bytesLeft(member, left - key.length - 4, depth + 1);
  }
  return left;
}

/** What is wrong with the content hash that an event has: a hash that is right need not be looked at. */
export function hashFault({ hashes }: JsonObject): string | undefined {
  return isAnyBase64((hashes as JsonObject).sha256) ? undefined : "hashes has no sha256 in Base64";
}

/** What is wrong with the form of an event: its fields, one by one. */
export function formFault(event: unknown, rules: RoomVersionRules): string | undefined {
  if (!isObject(event)) return "it is no object";
  return (
    textFault(event, "type", true) ??
    textFault(event, "sender", true) ??
    textFault(event, "state_key", false) ??
    textFault(event, "room_id", false) ??
    eventIdFault(event, rules) ??
    objectFault(event) ??
    signerFault(event, rules) ??
    integerFault(event) ??
    linksFault(event, "prev_events", MAX_PREV_EVENTS, rules) ??
    linksFault(event, "auth_events", MAX_AUTH_EVENTS, rules) ??
    roomFault(event, rules)
  );
}

function textFault(event: JsonObject, name: string, isNeeded: boolean): string | undefined {
  const value = event[name];
  if (value === undefined) return isNeeded ? `${name} is missing` : undefined;
  if (typeof value !== "string") return `${name} is no string`;
  return isLongerThan(value, MAX_FIELD_BYTES) ? `${name} has more than ${MAX_FIELD_BYTES} bytes` : undefined;
}

/** An own `event_id` beside the one that is made of the hash: servers disagree which event that would be. */
function eventIdFault(event: JsonObject, { eventIds }: RoomVersionRules): string | undefined {
  if (eventIds === "inEvent") return textFault(event, "event_id", true);
  return Object.hasOwn(event, "event_id") ? "it has an event_id, which this room version does not have" : undefined;
}

function objectFault({ content, hashes, signatures, unsigned }: JsonObject): string | undefined {
  if (!isObject(content)) return "content is no object";
  if (!isObject(hashes)) return "hashes is no object";
  if (!isObject(signatures)) return "signatures is no object";
  return unsigned === undefined || isObject(unsigned) ? undefined : "unsigned is no object";
}

/** The range of integers is looked at with all other numbers. */
function integerFault({ depth, origin_server_ts: timestamp }: JsonObject): string | undefined {
  if (!Number.isInteger(depth) || (depth as number) < 0) return "depth is no integer from 0 on";
  return Number.isInteger(timestamp) ? undefined : "origin_server_ts is no integer";
}

function linksFault(event: JsonObject, name: string, max: number, rules: RoomVersionRules): string | undefined {
  const links = event[name];
  if (!Array.isArray(links)) return `${name} is no array`;
  if (links.length > max) return `${name} has more than ${max} elements`;
  const isLink = rules.eventIds === "inEvent" ? isPair : isString;
  return links.every(isLink) ? undefined : `${name} has an element that is none`;
}

const isString = (value: JsonValue): boolean => typeof value === "string";

/** An event id and its hashes, as room versions 1 and 2 have it. */
const isPair = (value: JsonValue): boolean =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && isObject(value[1]);

function roomFault(event: JsonObject, { roomIdIsCreateEventId }: RoomVersionRules): string | undefined {
  const { room_id: roomId, type, state_key: stateKey } = event;
  if (!roomIdIsCreateEventId) {
    return typeof roomId === "string" && roomId.startsWith("!") ? undefined : "room_id is no room id";
  }
  if (type === "m.room.create") {
    if (Object.hasOwn(event, "room_id")) return "the create event has a room_id";
    return stateKey === "" ? undefined : "the create event has no empty state_key";
  }
  if (typeof roomId !== "string" || !HASH_ROOM_ID.test(roomId)) return "room_id is no hash of a create event";
  const createEvent = `$${roomId.slice(1)}`;
  // MSC4291: the room id implies it.
  return (event.auth_events as JsonValue[]).includes(createEvent) ? "auth_events has the create event" : undefined;
}
