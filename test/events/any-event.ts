import fc from "fast-check";
import type { JsonObject, JsonValue } from "../../src/endpoint.js";

const key = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.nat(20).map(String),
  fc.constantFrom("__proto__", "constructor", "\uff61", "😀", "\ue000", "signed", "a b", '"', "\n"),
);

/** What JSON.parse could have made, own `__proto__` keys included. */
export const anyJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false, -0),
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme", maxLength: 8 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries) as JsonObject),
  ),
})).value;

const contentKeys = [
  "membership",
  "join_authorised_via_users_server",
  "third_party_invite",
  "creator",
  "join_rule",
  "allow",
  "users",
  "invite",
  "ban",
  "notifications",
  "aliases",
  "history_visibility",
  "redacts",
  "body",
  "__proto__",
];
const topKeys = [
  "event_id",
  "room_id",
  "sender",
  "state_key",
  "hashes",
  "signatures",
  "depth",
  "prev_events",
  "prev_state",
  "auth_events",
  "origin",
  "origin_server_ts",
  "membership",
  "redacts",
  "unsigned",
  "age_ts",
  "outlier",
  "destinations",
  "__proto__",
  "constructor",
  "10",
  "9",
  "😀",
  "\uff61",
];
const types = [
  "m.room.member",
  "m.room.create",
  "m.room.join_rules",
  "m.room.power_levels",
  "m.room.aliases",
  "m.room.history_visibility",
  "m.room.redaction",
  "m.room.message",
  "__proto__",
  "constructor",
  "toString",
];

const objectOf = (keys: readonly string[]): fc.Arbitrary<JsonObject> =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...keys), anyJson), { selector: ([name]) => name })
    .map((entries) => Object.fromEntries(entries) as JsonObject);

/** Any object with the type and the content of an event; its other fields may be anything. */
export const anyEvent: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.constantFrom(...types),
    fc.oneof({ weight: 5, arbitrary: objectOf(contentKeys) }, anyJson),
    objectOf(topKeys),
  )
  .map(([type, content, rest]) => ({ ...rest, type, content }));
