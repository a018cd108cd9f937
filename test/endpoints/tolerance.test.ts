import { describe, expect, test } from "vitest";

import {
  allEndpoints,
  type DeviceKeys,
  isCrossSigningKey,
  isDeviceKeys,
  isServerKeys,
  wellKnownServer,
} from "../../src/endpoints.js";
import type { JsonValue } from "../../src/index.js";

const schemas = new Map([...allEndpoints, wellKnownServer].map(({ name, response }) => [name, response["~standard"]]));

/** Where an answer is wrong; nothing when it is right. */
async function wrongAt(endpoint: string, answer: JsonValue): Promise<string[]> {
  const judged = await schemas.get(endpoint)?.validate(answer);
  if (!judged) throw new Error(`There is no endpoint ${endpoint}`);
  return (judged.issues ?? []).map(({ path = [] }) => path.map(String).join("."));
}

const alice = "@alice:a.example";
const deviceKeys: DeviceKeys = {
  user_id: alice,
  device_id: "DEV",
  algorithms: ["m.olm.v1.curve25519-aes-sha2"],
  keys: { "ed25519:DEV": "lEuiRJBit0IG6nUf5pUzWTUEsRVVe" },
  signatures: { [alice]: { "ed25519:DEV": "dSO80A01XiigH3uBiDVx" } },
  unsigned: { device_display_name: "Alice's phone" },
};
const crossSigningKey = { user_id: alice, usage: ["master"], keys: { "ed25519:x": "x" } };
const document = {
  server_name: "a.example",
  verify_keys: { "ed25519:1": { key: "a2V5" } },
  signatures: { "a.example": { "ed25519:1": "c2ln" } },
  valid_until_ts: 1_652_262_000_000,
};
const room = { room_id: "!a:a.example", num_joined_members: 1, guest_can_join: false, world_readable: false };
const devices = { user_id: alice, stream_id: 5, devices: [] };

describe("what real servers send though the specification does not say so is taken:", () => {
  const deviations: readonly (readonly [who: string, endpoint: string, answer: JsonValue])[] = [
    ["Synapse and others before MSC1930: no old_verify_keys", "server_keys", document],
    ["Dendrite, of a virtual host: old_verify_keys null", "server_keys", { ...document, old_verify_keys: null }],
    ["Conduit: stream_id 0", "user_devices", { ...devices, stream_id: 0 }],
    [
      "Synapse and Dendrite: null for cross-signing keys",
      "user_devices",
      { ...devices, master_key: null, self_signing_key: null },
    ],
    ["Synapse: a device without keys", "user_devices", { ...devices, devices: [{ device_id: "DEV" }] }],
    [
      "Dendrite: an empty display name",
      "user_devices",
      { ...devices, devices: [{ device_id: "D", device_display_name: "" }] },
    ],
    [
      "Synapse: nonsense that a user uploaded",
      "user_devices",
      { ...devices, devices: [{ device_id: "D", keys: ["x"] }], master_key: 5 },
    ],
    [
      "Synapse: nonsense that a user uploaded",
      "query_user_keys",
      { device_keys: { [alice]: { D: 5 } }, master_keys: { [alice]: [] } },
    ],
    ["Synapse before 1.4: no cross-signing keys", "query_user_keys", { device_keys: {} }],
    [
      "old clients: unsigned one-time keys",
      "claim_user_keys",
      { one_time_keys: { [alice]: { D: { "curve25519:1": "key" } } } },
    ],
    ["everybody: no key left", "claim_user_keys", { one_time_keys: {} }],
    ["Dendrite: rooms without an id at the end of a page", "public_rooms", { chunk: [room, { ...room, room_id: "" }] }],
    [
      "Dendrite before 0.13.7: inaccessible_children null (bug: no such server could tell about a space)",
      "hierarchy",
      { room: { ...room, children_state: [], room_type: "m.space" }, children: [], inaccessible_children: null },
    ],
    [
      "null for what a room has not got",
      "public_rooms",
      { chunk: [{ ...room, name: null, topic: null, room_type: null }], next_batch: null },
    ],
    ["Synapse of old: aliases in the room", "search_public_rooms", { chunk: [{ ...room, aliases: ["#a:a.example"] }] }],
    ["policyserv, when it fails: no signature", "policy_sign", {}],
    ["Synapse: null in a profile", "query_profile", { displayname: null, avatar_url: null }],
    ["servers that say nothing of themselves", "version", {}],
  ];
  test.each(deviations)("%s (%s)", async (_who, endpoint, answer) => {
    expect(await wrongAt(endpoint, answer)).toEqual([]);
  });
});

describe("what nobody can use is refused, and where it is wrong is said:", () => {
  const wrong: readonly (readonly [path: string, endpoint: string, answer: JsonValue])[] = [
    ["server_name", "server_keys", { ...document, server_name: null }],
    ["verify_keys", "server_keys", { ...document, verify_keys: { "ed25519:1": { key: 5 } } }],
    ["verify_keys", "server_keys", { ...document, verify_keys: [] }],
    ["old_verify_keys", "server_keys", { ...document, old_verify_keys: { "ed25519:1": { key: "a" } } }],
    ["signatures", "server_keys", { ...document, signatures: { "a.example": "c2ln" } }],
    ["valid_until_ts", "server_keys", { ...document, valid_until_ts: 1.5 }],
    ["server_keys", "query_keys", { server_keys: [null] }],
    ["server_keys", "query_server_keys", { server_keys: document }],
    ["user_id", "user_devices", { ...devices, user_id: 5 }],
    ["stream_id", "user_devices", { ...devices, stream_id: "5" }],
    ["devices", "user_devices", { ...devices, devices: [{ device_id: 5 }] }],
    ["devices", "user_devices", { ...devices, devices: [null] }],
    ["one_time_keys", "claim_user_keys", { one_time_keys: { [alice]: { D: { k: 5 } } } }],
    ["one_time_keys", "claim_user_keys", { one_time_keys: [] }],
    ["device_keys", "query_user_keys", { device_keys: { [alice]: [] } }],
    ["master_keys", "query_user_keys", { device_keys: {}, master_keys: [] }],
    ["chunk", "public_rooms", { chunk: [{ ...room, num_joined_members: "1" }] }],
    ["chunk", "public_rooms", { chunk: [{ ...room, name: 5 }] }],
    ["chunk", "search_public_rooms", { chunk: null }],
    ["next_batch", "public_rooms", { chunk: [], next_batch: 5 }],
    ["sub", "openid_userinfo", { sub: null }],
    ["", "policy_sign", { "a.example": { "ed25519:policy_server": null } }],
    ["prev_events", "extremities", { prev_events: [5] }],
    ["v1", "room_complexity", { v1: "9" }],
    ["recommendation", "policy_check", {}],
    ["m.server", "well_known", { "m.server": 5 }],
  ];
  test.each(wrong)("%s (%s)", async (path, endpoint, answer) => {
    expect(await wrongAt(endpoint, answer)).toEqual([path]);
  });
});

test("a million wrong elements make one issue", async () => {
  const chunk = Array.from({ length: 1_000_000 }, () => 5);
  expect(await wrongAt("public_rooms", { chunk })).toEqual(["chunk"]);
  expect(await wrongAt("query_keys", { server_keys: chunk })).toEqual(["server_keys"]);
});

describe("what clients and other servers wrote is told apart one by one:", () => {
  test("device keys", () => {
    expect(isDeviceKeys(deviceKeys)).toBe(true);
    // Dendrite, of a device that nobody signed.
    expect(isDeviceKeys({ ...deviceKeys, signatures: null, unsigned: undefined })).toBe(true);
    for (const wrong of [null, 5, [], { ...deviceKeys, algorithms: "x" }, { ...deviceKeys, keys: { a: 5 } }]) {
      expect(isDeviceKeys(wrong)).toBe(false);
    }
  });

  test("cross-signing keys", () => {
    expect(isCrossSigningKey({ ...crossSigningKey, signatures: deviceKeys.signatures })).toBe(true);
    expect(isCrossSigningKey(crossSigningKey)).toBe(true);
    expect(isCrossSigningKey({ ...crossSigningKey, usage: "master" })).toBe(false);
  });

  test("key documents", () => {
    expect(isServerKeys(document)).toBe(true);
    expect(isServerKeys({ ...document, valid_until_ts: undefined })).toBe(false);
    expect(isServerKeys(JSON.parse('{"__proto__":{"server_name":"x"}}'))).toBe(false);
  });
});

describe("an endpoint", () => {
  test("has a name of its own, and so have method and path", () => {
    const names = allEndpoints.map(({ name }) => name);
    const lines = allEndpoints.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(lines).size).toBe(lines.length);
  });

  test("whose documented error has a code has it in a form that a server can send", () => {
    for (const { name, errors = [] } of allEndpoints) {
      for (const { status, errcode } of errors) {
        expect(status, name).toBeGreaterThanOrEqual(400);
        if (errcode !== undefined) expect(errcode, name).toMatch(/^M_[A-Z_]+$/);
      }
    }
  });
});
