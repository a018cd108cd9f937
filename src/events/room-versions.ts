import { OptionError, quoted } from "../errors.js";

/** A stable room version. Specification: Room Versions. */
export type RoomVersion = "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "10" | "11" | "12";

/** What redaction keeps of an event. */
export interface RedactionRules {
  /** The top-level keys that stay; `content` stays too, with the keys of {@link RedactionRules.content}. */
  readonly keys: readonly string[];
  /** By event type: the keys of `content` that stay, or `all` of them. No key of `content` stays for another type. */
  readonly content: Readonly<Record<string, readonly string[] | "all">>;
  /** Whether an `m.room.member` event keeps `signed` in `third_party_invite` (version 11 and later). */
  readonly keepsThirdPartySigned: boolean;
}

/** How a room version forms, hashes, signs and redacts its events. */
export interface RoomVersionRules {
  /**
   * Where the event id comes from: the event names it itself (`inEvent`), or it is the reference hash in standard or
   * in URL-safe unpadded Base64.
   */
  readonly eventIds: "inEvent" | "base64" | "urlSafeBase64";
  /** What redaction keeps. */
  readonly redaction: RedactionRules;
  /** Whether numbers have to be integers in ±(2^53-1); older rooms may hold floats and larger integers. */
  readonly strictNumbers: boolean;
  /** Whether a key has to be valid at the time of the event that it signs. */
  readonly keyValidity: boolean;
  /** Whether users may knock. */
  readonly knocking: boolean;
  /** Whether joins may be restricted, so that the server of the user who authorised one has to sign it. */
  readonly restrictedJoins: boolean;
  /** Whether the join rule `knock_restricted` exists. */
  readonly knockRestricted: boolean;
  /** Whether the room id is the id of the `m.room.create` event, which then has no `room_id` itself (MSC4291). */
  readonly roomIdIsCreateEventId: boolean;
}

const KEYS = [
  "auth_events",
  "content",
  "depth",
  "event_id",
  "hashes",
  "origin_server_ts",
  "prev_events",
  "room_id",
  "sender",
  "signatures",
  "state_key",
  "type",
];
const POWER_LEVELS = ["ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"];

const redaction1: RedactionRules = {
  keys: [...KEYS, "membership", "origin", "prev_state"],
  content: {
    "m.room.aliases": ["aliases"],
    "m.room.create": ["creator"],
    "m.room.history_visibility": ["history_visibility"],
    "m.room.join_rules": ["join_rule"],
    "m.room.member": ["membership"],
    "m.room.power_levels": POWER_LEVELS,
  },
  keepsThirdPartySigned: false,
};
const { "m.room.aliases": _noLongerKept, ...content6 } = redaction1.content;
const redaction6: RedactionRules = { ...redaction1, content: content6 };
const redaction8: RedactionRules = {
  ...redaction6,
  content: { ...content6, "m.room.join_rules": ["join_rule", "allow"] },
};
const redaction9: RedactionRules = {
  ...redaction8,
  content: { ...redaction8.content, "m.room.member": ["membership", "join_authorised_via_users_server"] },
};
const redaction11: RedactionRules = {
  keys: KEYS,
  content: {
    ...redaction9.content,
    "m.room.create": "all",
    "m.room.power_levels": [...POWER_LEVELS, "invite"],
    "m.room.redaction": ["redacts"],
  },
  keepsThirdPartySigned: true,
};

const version1: RoomVersionRules = {
  eventIds: "inEvent",
  redaction: redaction1,
  strictNumbers: false,
  keyValidity: false,
  knocking: false,
  restrictedJoins: false,
  knockRestricted: false,
  roomIdIsCreateEventId: false,
};
const version3: RoomVersionRules = { ...version1, eventIds: "base64" };
const version4: RoomVersionRules = { ...version3, eventIds: "urlSafeBase64" };
const version5: RoomVersionRules = { ...version4, keyValidity: true };
const version6: RoomVersionRules = { ...version5, redaction: redaction6, strictNumbers: true };
const version7: RoomVersionRules = { ...version6, knocking: true };
const version8: RoomVersionRules = { ...version7, redaction: redaction8, restrictedJoins: true };
const version9: RoomVersionRules = { ...version8, redaction: redaction9 };
const version10: RoomVersionRules = { ...version9, knockRestricted: true };
const version11: RoomVersionRules = { ...version10, redaction: redaction11 };
const version12: RoomVersionRules = { ...version11, roomIdIsCreateEventId: true };

/** The rules of every stable room version. Each is the one before it, and what it changes. */
export const roomVersions: Readonly<Record<RoomVersion, RoomVersionRules>> = {
  1: version1,
  2: version1,
  3: version3,
  4: version4,
  5: version5,
  6: version6,
  7: version7,
  8: version8,
  9: version9,
  10: version10,
  11: version11,
  12: version12,
};

/** Whether a value is a room version that this library knows. */
export function isRoomVersion(version: unknown): version is RoomVersion {
  return typeof version === "string" && Object.hasOwn(roomVersions, version);
}

/**
 * The rules of a room version.
 *
 * @throws {@link OptionError} `ERR_INPUT` when it is none that this library knows.
 */
export function rulesOf(version: RoomVersion): RoomVersionRules {
  if (isRoomVersion(version)) return roomVersions[version];
  throw new OptionError("ERR_INPUT", `The room version ${quoted(version)} is none of "1" to "12".`);
}
