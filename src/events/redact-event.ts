import type { JsonObject, JsonValue } from "../endpoint.js";
import { OptionError, quoted } from "../errors.js";
import { type RoomVersion, type RoomVersionRules, rulesOf } from "./room-versions.js";

/**
 * What is left of an event when it is redacted: a copy, without what the room version does not keep.
 * Specification: the room version's "Redactions".
 *
 * `unsigned` goes too, for no server vouches for it. The values that stay are the event's own, not copies.
 *
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function redactEvent(event: object, version: RoomVersion): JsonObject {
  return redact(checkObject(event), rulesOf(version));
}

/** As {@link redactEvent}, with the rules of the room version. */
export function redact(event: JsonObject, rules: RoomVersionRules): JsonObject {
  const redacted: JsonObject = {};
  for (const key of keptKeys(event.type, rules)) {
    if (!Object.hasOwn(event, key)) continue;
    const value = event[key] as JsonValue;
    redacted[key] = key === "content" ? redactContent(event.type, value, rules) : value;
  }
  return redacted;
}

/** The top-level keys that redaction keeps of an event of this type. */
export function keptKeys(type: unknown, rules: RoomVersionRules): ReadonlySet<string> {
  return rules.roomIdIsCreateEventId && type === "m.room.create" ? keySets(rules).ofCreateEvent : keySets(rules).all;
}

const sets = new WeakMap<RoomVersionRules, { all: ReadonlySet<string>; ofCreateEvent: ReadonlySet<string> }>();

function keySets(rules: RoomVersionRules): { all: ReadonlySet<string>; ofCreateEvent: ReadonlySet<string> } {
  let known = sets.get(rules);
  if (!known) {
    const { keys } = rules.redaction;
    known = { all: new Set(keys), ofCreateEvent: new Set(keys.filter((key) => key !== "room_id")) };
    sets.set(rules, known);
  }
  return known;
}

/** The keys of `content` that redaction keeps for a type: an own entry, for a type may be called `constructor`. */
export function keptContent(type: unknown, { redaction }: RoomVersionRules): readonly string[] | "all" {
  return typeof type === "string" && Object.hasOwn(redaction.content, type) ? (redaction.content[type] ?? []) : [];
}

/** What redaction leaves of an event's `content`. */
export function redactContent(type: unknown, content: JsonValue, rules: RoomVersionRules): JsonObject {
  if (!isObject(content)) return {};
  const kept = keptContent(type, rules);
  // A spread, unlike an assignment, keeps an own `__proto__`.
  if (kept === "all") return { ...content };
  const redacted: JsonObject = {};
  for (const key of kept) {
    if (Object.hasOwn(content, key)) redacted[key] = content[key] as JsonValue;
  }
  const invite = keptInvite(type, content, rules);
  if (invite) redacted.third_party_invite = invite;
  return redacted;
}

/** What redaction leaves of a membership event's `third_party_invite`; undefined when it keeps nothing of it. */
export function keptInvite(
  type: unknown,
  content: JsonObject,
  { redaction }: RoomVersionRules,
): JsonObject | undefined {
  if (!redaction.keepsThirdPartySigned || type !== "m.room.member") return undefined;
  const invite = Object.hasOwn(content, "third_party_invite") ? content.third_party_invite : undefined;
  if (!isObject(invite)) return undefined;
  return Object.hasOwn(invite, "signed") ? { signed: invite.signed as JsonValue } : {};
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The event, when it is an object.
 *
 * @throws {@link OptionError} `ERR_INPUT` when it is none.
 */
export function checkObject(event: unknown): JsonObject {
  if (isObject(event)) return event;
  throw new OptionError("ERR_INPUT", `An event is an object, not ${quoted(event)}.`);
}
