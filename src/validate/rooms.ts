import { isObject } from "./schema.js";

/** What the fields of a room in a space are, where they are there. Client-Server API, "RoomSummary". */
const kinds = {
  string: ["name", "topic", "canonical_alias", "avatar_url", "join_rule", "room_type", "room_version", "encryption"],
  number: ["num_joined_members"],
  boolean: ["world_readable", "guest_can_join"],
} as const;

/** Why a value cannot be handled as a room in a space; undefined where it can. */
export function roomFault(value: unknown): string | undefined {
  if (!isObject(value)) return "expected an object";
  if (typeof value.room_id !== "string") return "expected a string in room_id";
  for (const [kind, names] of Object.entries(kinds)) {
    const wrong = names.find((name) => !isAbsent(value[name]) && typeof value[name] !== kind);
    if (wrong) return `expected a ${kind} in ${wrong}`;
  }
  const { allowed_room_ids: allowed, children_state: states } = value;
  if (!isAbsent(allowed) && !(Array.isArray(allowed) && allowed.every((id) => typeof id === "string")))
    return "expected an array of strings in allowed_room_ids";
  return isAbsent(states) || Array.isArray(states) ? undefined : "expected an array in children_state";
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
