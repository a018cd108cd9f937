/** Where the endpoint table differs from the specification's OpenAPI description on purpose, and why. */

/** Operations whose description names a way to authenticate that servers do not have. */
export const misprinted: Readonly<Record<string, string>> = {
  "GET /_matrix/federation/v1/timestamp_to_event/{roomId}": "accessToken",
};

/** Query parameters that are optional by the specification and required here. */
export const stricter: Readonly<Record<string, string>> = {
  "make_join ver": "left out, it means version 1, which nobody means today",
};

/** Endpoints of which a field is needed that is optional by the specification. */
export const needed: Readonly<Record<string, string>> = {
  make_join: "without an event, there is nothing to sign",
  make_leave: "without an event, there is nothing to sign",
  query_server_keys: "without server_keys, it is no answer",
  query_keys: "without server_keys, it is no answer",
  well_known: "without m.server, nothing is delegated",
};

/** Required fields that may be missing. */
export interface Tolerated {
  readonly why: string;
  readonly fields: readonly string[];
}

const below = (place: string, ...fields: readonly string[]): string[] => fields.map((field) => `${place}.${field}`);

/** An event as the requests about memberships have it. */
const membershipEvent = (place: string): string[] =>
  below(place, "content", "content.membership", "origin", "origin_server_ts", "sender", "state_key", "type");

const template: Tolerated = {
  why: "Who signs a template compares each field with what was asked for; what is missing there is wrong too.",
  fields: membershipEvent("event"),
};

const invited = (place: string): Tolerated => ({
  why: "The caller sent the event and checks the signature over it. Events have no `origin` any more.",
  fields: membershipEvent(place),
});

const transaction: Tolerated = {
  why: "They say who sent a transaction and when; nothing depends on it.",
  fields: ["origin", "origin_server_ts"],
};

const keyDocuments: Tolerated = {
  why: "The notary's documents are of many servers: one bad document must not cost the others.",
  fields: [
    ...below("server_keys[]", "server_name", "signatures", "valid_until_ts", "verify_keys", "verify_keys.*.key"),
    ...below("server_keys[].old_verify_keys.*", "expired_ts", "key"),
  ],
};

const uploaded = "Clients upload it, and servers pass it on: one user's nonsense must not cost the rest.";
const deviceKeys = ["algorithms", "device_id", "keys", "signatures", "user_id"];
const crossSigningKey = ["keys", "usage", "user_id"];

/** Required fields that may be missing from an answer, by endpoint. All others must not. */
export const tolerated: Readonly<Record<string, Tolerated>> = {
  backfill: transaction,
  event: transaction,
  invite: invited("event"),
  invite_v1: invited("[].event"),
  make_join: template,
  make_knock: template,
  make_leave: template,
  query_server_keys: keyDocuments,
  query_keys: keyDocuments,
  hierarchy: {
    why: "What a room is like is for display: one odd room must not cost the others. Who joins finds out by itself.",
    fields: [
      "inaccessible_children",
      ...below("children[]", "guest_can_join", "num_joined_members", "room_id", "world_readable"),
      ...below("room", "children_state", "guest_can_join", "num_joined_members", "world_readable"),
      ...below("room.children_state[]", "content", "origin_server_ts", "sender", "state_key", "type"),
    ],
  },
  user_devices: {
    why: `${uploaded} Synapse leaves \`keys\` out of devices that have none.`,
    fields: [
      "devices[].keys",
      ...below("devices[].keys", ...deviceKeys),
      ...below("master_key", ...crossSigningKey),
      ...below("self_signing_key", ...crossSigningKey),
    ],
  },
  claim_user_keys: { why: uploaded, fields: below("one_time_keys.*.*.*", "key", "signatures") },
  query_user_keys: { why: uploaded, fields: below("device_keys.*.*", ...deviceKeys) },
};
