import { NameError, quoted } from "../errors.js";
import { isServerName } from "./server-name.js";
import { isWellFormed } from "./well-formed.js";

/** What sets one kind of identifier apart from another. */
interface IdentifierKind {
  readonly code: NameError["code"];
  readonly label: string;
  readonly example: string;
  /** Whether the text behind the sigil has the right form; `colon` is where its first colon is, or -1. */
  readonly accepts: (rest: string, colon: number) => boolean;
}

/** The longest identifier, in bytes of UTF-8, with its sigil and its domain. */
const MAX_BYTES = 255;
/** A SHA-256 hash in URL-safe unpadded Base64: the room ids of room version 12 and later (MSC4291). */
const HASH = /^[\w-]{43}$/;

const endsInServer = (rest: string, colon: number): boolean => colon >= 0 && isServerName(rest.slice(colon + 1));

const roomId: IdentifierKind = {
  code: "ERR_ROOM_ID",
  label: "room id",
  example: "!abc:example.org",
  accepts: (rest, colon) => (colon > 0 && endsInServer(rest, colon)) || HASH.test(rest),
};
const eventId: IdentifierKind = {
  code: "ERR_EVENT_ID",
  label: "event id",
  example: "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg",
  // What follows the sigil depends on the room version, which is not known here, and is opaque in all of them.
  accepts: (rest) => rest.length > 0,
};
const userId: IdentifierKind = {
  code: "ERR_USER_ID",
  label: "user id",
  example: "@alice:example.org",
  // "Historical User IDs": servers must accept any localpart, even an empty one.
  accepts: endsInServer,
};
const roomAlias: IdentifierKind = {
  code: "ERR_ROOM_ALIAS",
  label: "room alias",
  example: "#room:example.org",
  accepts: (rest, colon) => colon > 0 && endsInServer(rest, colon),
};

function check(text: unknown, kind: IdentifierKind): string {
  const fail = (what: string): never => {
    const subject = typeof text === "string" ? `The ${kind.label} ${quoted(text)}` : `The ${kind.label}`;
    throw new NameError(kind.code, `${subject} ${what}; a right one looks like "${kind.example}".`);
  };
  if (typeof text !== "string") return fail("is not a string");
  const sigil = kind.example.charAt(0);
  if (text.charAt(0) !== sigil) return fail(`does not start with "${sigil}"`);
  // A UTF-16 unit takes one byte at least: a huge text is refused before it is measured.
  if (text.length > MAX_BYTES || Buffer.byteLength(text) > MAX_BYTES) return fail(`is longer than ${MAX_BYTES} bytes`);
  // Control characters other than NUL are legal, and identifiers with them exist.
  if (text.includes("\0") || !isWellFormed(text)) return fail("has a NUL or an unpaired surrogate in it");
  const rest = text.slice(1);
  return kind.accepts(rest, rest.indexOf(":")) ? text : fail("does not follow the grammar");
}

/**
 * Checks a room id, `!opaque:domain` or, from room version 12, `!` and 43 characters of Base64, and returns it.
 * Specification: Appendices, "Room IDs".
 *
 * @throws {@link NameError} `ERR_ROOM_ID`.
 */
export function checkRoomId(text: unknown): string {
  return check(text, roomId);
}

/** Whether a value is a room id, as {@link checkRoomId} checks it. */
export function isRoomId(value: unknown): value is string {
  try {
    return checkRoomId(value) === value;
  } catch {
    return false;
  }
}

/**
 * Checks an event id of any room version and returns it. What follows the `$` is opaque.
 * Specification: Appendices, "Event IDs".
 *
 * @throws {@link NameError} `ERR_EVENT_ID`.
 */
export function checkEventId(text: unknown): string {
  return check(text, eventId);
}

/**
 * Checks a user id, `@localpart:domain`, and returns it. Historical localparts are allowed.
 * Specification: Appendices, "User Identifiers".
 *
 * @throws {@link NameError} `ERR_USER_ID`.
 */
export function checkUserId(text: unknown): string {
  return check(text, userId);
}

/**
 * Checks a room alias, `#alias:domain`, and returns it. Specification: Appendices, "Room Aliases".
 *
 * @throws {@link NameError} `ERR_ROOM_ALIAS`.
 */
export function checkRoomAlias(text: unknown): string {
  return check(text, roomAlias);
}

/**
 * The server name in a user id: the server that the user is on.
 *
 * @throws {@link NameError} `ERR_USER_ID`.
 */
export function serverOfUser(userIdText: string): string {
  const text = checkUserId(userIdText);
  return text.slice(text.indexOf(":") + 1);
}
