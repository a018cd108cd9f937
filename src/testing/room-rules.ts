import type { JsonObject, JsonValue } from "../endpoint.js";
import { serverOf } from "../events/hash-event.js";
import { isObject } from "../events/redact-event.js";
import type { RoomVersionRules } from "../events/room-versions.js";
import { type LogEntry, linkedIds, type RoomState, stateSlot } from "./room-log.js";

/** The state that authorises an event: what its `auth_events` have to be. Server-Server API, "Auth events selection". */
export function authSlots(event: JsonObject, rules: RoomVersionRules): string[] {
  const { type, sender, state_key: target } = event;
  if (type === "m.room.create") return [];
  const slots = [stateSlot("m.room.power_levels"), stateSlot("m.room.member", String(sender))];
  // The room's id is the create event's.
  if (!rules.roomIdIsCreateEventId) slots.unshift(stateSlot("m.room.create"));
  if (type !== "m.room.member") return slots;
  const { membership, join_authorised_via_users_server: authoriser } = contentOf(event);
  if (target !== sender) slots.push(stateSlot("m.room.member", String(target)));
  if (membership === "join" || membership === "invite" || membership === "knock") {
    slots.push(stateSlot("m.room.join_rules"));
  }
  const isAuthorised = rules.restrictedJoins && membership === "join" && typeof authoriser === "string";
  if (isAuthorised && authoriser !== sender) slots.push(stateSlot("m.room.member", authoriser));
  return slots;
}

/**
 * Why a room in this state does not let an event in; undefined when it does. Room versions, "Authorization rules", as
 * far as tests need them: not checked are third-party invites, knocks, aliases and what is new in power levels.
 */
export function refusal(event: JsonObject, state: RoomState, rules: RoomVersionRules): string | undefined {
  const { type, sender, state_key: stateKey } = event;
  const create = state.get(stateSlot("m.room.create"));
  if (type === "m.room.create") return create ? "the room has a create event" : undefined;
  if (!create) return "the room has no create event";
  if (contentOf(create.event)["m.federate"] === false && serverOf(String(sender)) !== creatorServer(create)) {
    return "the room is not federated";
  }
  if (type === "m.room.member") return memberRefusal(event, state, rules);
  if (membershipOf(state, sender) !== "join") return `${sender} is not in the room`;
  const needed = neededLevel(event, state);
  if (!(levelOf(state, sender, rules) >= needed)) return `${sender} has not the power level ${needed} for ${type}`;
  if (typeof stateKey === "string" && stateKey.startsWith("@") && stateKey !== sender) {
    return "the state_key is another user";
  }
  return undefined;
}

function memberRefusal(event: JsonObject, state: RoomState, rules: RoomVersionRules): string | undefined {
  const { sender, state_key: target } = event;
  const { membership } = contentOf(event);
  const before = membershipOf(state, target);
  const level = levelOf(state, sender, rules);
  if (typeof target !== "string") return "a member event needs a state_key";
  if (membership === "join") return joinRefusal(event, state, rules);
  if (membership === "leave" && target === sender) {
    return before === "join" || before === "invite" || before === "knock" ? undefined : `${target} is not in the room`;
  }
  if (membershipOf(state, sender) !== "join") return `${sender} is not in the room`;
  if (membership === "invite") {
    if (before === "join" || before === "ban") return `${target} is already in the room or banned`;
    return level >= roomLevel(state, "invite", 0) ? undefined : `${sender} may not invite`;
  }
  const needed = roomLevel(state, membership === "ban" || before === "ban" ? "ban" : "kick", 50);
  if (membership !== "leave" && membership !== "ban")
    return `the membership ${JSON.stringify(membership)} is not known`;
  return level >= needed && level > levelOf(state, target, rules) ? undefined : `${sender} has not the power level`;
}

function joinRefusal(event: JsonObject, state: RoomState, rules: RoomVersionRules): string | undefined {
  const { sender, state_key: target, prev_events: prev } = event;
  if (sender !== target) return "nobody joins for another user";
  const create = state.get(stateSlot("m.room.create"));
  const [previous, ...more] = linkedIds(prev);
  if (create && previous === create.eventId && more.length === 0 && create.event.sender === sender) return undefined;
  const before = membershipOf(state, sender);
  if (before === "ban") return `${sender} is banned`;
  const rule = joinRule(state, rules);
  if (rule === "public" || before === "join" || before === "invite") return undefined;
  if (rule !== "restricted") return `${sender} is not invited`;
  const { join_authorised_via_users_server: authoriser } = contentOf(event);
  return mayAuthorise(state, authoriser, rules) ? undefined : "no user with the power to invite authorised the join";
}

/** The room's join rule; `restricted` for `knock_restricted` too, and `invite` for what the version does not have. */
export function joinRule(state: RoomState, rules: RoomVersionRules): "public" | "restricted" | "invite" {
  const { join_rule: rule } = contentOf(state.get(stateSlot("m.room.join_rules"))?.event);
  if (rule === "public") return "public";
  const isRestricted =
    (rule === "restricted" && rules.restrictedJoins) || (rule === "knock_restricted" && rules.knockRestricted);
  return isRestricted ? "restricted" : "invite";
}

/** Whether a user may authorise others' joins of a restricted room: who is in it and may invite. */
export function mayAuthorise(state: RoomState, user: unknown, rules: RoomVersionRules): boolean {
  return membershipOf(state, user) === "join" && levelOf(state, user, rules) >= roomLevel(state, "invite", 0);
}

/** Whether a redaction takes effect on an event: by whoever may redact, and by the sender's own server. */
export function mayRedact(
  redaction: JsonObject,
  target: JsonObject,
  state: RoomState,
  rules: RoomVersionRules,
): boolean {
  const { sender } = redaction;
  if (levelOf(state, sender, rules) >= roomLevel(state, "redact", 50)) return true;
  return serverOf(String(sender)) === serverOf(String(target.sender));
}

/** A user's membership; undefined for who never was in the room. */
export function membershipOf(state: RoomState, user: unknown): JsonValue | undefined {
  return contentOf(state.get(stateSlot("m.room.member", String(user)))?.event).membership;
}

/** An event's content; empty when it has none. */
export function contentOf(event: JsonObject | undefined): JsonObject {
  return isObject(event?.content) ? event.content : {};
}

function neededLevel({ type, state_key: stateKey }: JsonObject, state: RoomState): number {
  const ofType = own(powerLevels(state)?.events, String(type));
  if (ofType !== undefined) return asLevel(ofType);
  return stateKey === undefined ? roomLevel(state, "events_default", 0) : roomLevel(state, "state_default", 50);
}

function levelOf(state: RoomState, user: unknown, rules: RoomVersionRules): number {
  const create = state.get(stateSlot("m.room.create"))?.event;
  const isCreator = create?.sender === user;
  // MSC4289: nobody's power is over the creators'.
  const { additional_creators: others } = contentOf(create);
  const isAnyCreator = isCreator || (Array.isArray(others) && others.includes(String(user)));
  if (rules.roomIdIsCreateEventId && isAnyCreator) return Number.POSITIVE_INFINITY;
  const levels = powerLevels(state);
  if (!levels) return isCreator ? 100 : 0;
  return asLevel(own(levels.users, String(user)) ?? levels.users_default ?? 0);
}

function roomLevel(state: RoomState, name: string, otherwise: number): number {
  const levels = powerLevels(state);
  // Without power levels, whoever is in the room may set its state.
  if (!levels) return name === "state_default" ? 0 : otherwise;
  return asLevel(levels[name] ?? otherwise);
}

/** A power level; NaN, which is enough for nothing, where it is none. Room versions below 10 have texts too. */
function asLevel(value: JsonValue): number {
  return typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
}

function powerLevels(state: RoomState): JsonObject | undefined {
  const entry = state.get(stateSlot("m.room.power_levels"));
  return entry && contentOf(entry.event);
}

function own(object: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined;
}

const creatorServer = ({ event }: LogEntry): string | undefined => serverOf(String(event.sender));
