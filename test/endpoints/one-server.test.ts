import { describe, expect, test } from "vitest";

import {
  claimManyUserKeys,
  eventRelationships,
  extremities,
  isServerKeys,
  openIdUserinfo,
  policyCheck,
  policySignUnstable,
  roomComplexity,
  serverKeys,
  wellKnownServer,
} from "../../src/endpoints.js";
import type { Client, Endpoint, JsonObject, JsonValue } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, ourName, rejection, roomId } from "../client/world.js";

const a = "a.example";
const world = createWorld(a, "b.example");

const alice = "@alice/é%:a.example";
const inPath = "%40alice%2F%C3%A9%25%3Aa.example";
const key = { key: "VGhpcyBzaG91bGQgYmUgYSByZWFsIGVkMjU1MTkgcGF5bG9hZA" };
const document = {
  server_name: a,
  verify_keys: { "ed25519:abc123": key },
  old_verify_keys: { "ed25519:old": { ...key, expired_ts: 1532645052628 } },
  signatures: { [a]: { "ed25519:abc123": "c2ln" } },
  valid_until_ts: 1652262000000,
};
const pdu = { type: "m.room.message", room_id: roomId, content: {} };
const room = { room_id: roomId, num_joined_members: 37, guest_can_join: false, world_readable: true };
const claimed = { one_time_keys: { [alice]: { DEV: { "signed_curve25519:AAAAHg": { key: "zKb", signatures: {} } } } } };
const v1 = "/_matrix/federation/v1";
const unstable = "/_matrix/federation/unstable";

interface Wire {
  readonly call: (client: Client) => Promise<unknown>;
  readonly line: string;
  readonly body?: JsonValue;
  readonly answer: JsonValue;
  readonly unsigned?: boolean;
}

const asked = <Input extends object>(endpoint: Endpoint<Input, unknown>, input: Input): Wire["call"] => {
  return (client) => client.request(a, endpoint, input);
};

const wires: Record<string, Wire> = {
  server_keys: {
    call: asked(serverKeys, {}),
    line: "GET /_matrix/key/v2/server",
    answer: document,
    unsigned: true,
  },
  query_server_keys: {
    call: (client) => client.queryServerKeys(a, { serverName: "b.example:8448", minimumValidUntilTs: 1234567890 }),
    line: "GET /_matrix/key/v2/query/b.example%3A8448?minimum_valid_until_ts=1234567890",
    answer: { server_keys: [document] },
    unsigned: true,
  },
  query_keys: {
    call: (client) =>
      client.queryKeys(a, {
        serverKeys: { "b.example": { "ed25519:abc123": { minimumValidUntilTs: 5 }, "ed25519:1": {} }, "c.example": {} },
      }),
    line: "POST /_matrix/key/v2/query",
    body: {
      server_keys: {
        // Absent means now, which Synapse wants to be told (bug: it refused a key without it).
        "b.example": {
          "ed25519:abc123": { minimum_valid_until_ts: 5 },
          "ed25519:1": { minimum_valid_until_ts: expect.any(Number) },
        },
        "c.example": {},
      },
    },
    answer: { server_keys: [] },
    unsigned: true,
  },
  query: {
    call: (client) => client.query(a, { queryType: "x/y" }),
    line: `GET ${v1}/query/x%2Fy`,
    answer: { anything: [1] },
  },
  openid_userinfo: {
    call: asked(openIdUserinfo, { accessToken: "a+b c/=" }),
    line: `GET ${v1}/openid/userinfo?access_token=a%2Bb%20c%2F%3D`,
    answer: { sub: "@alice:a.example" },
    unsigned: true,
  },
  public_rooms: {
    call: (client) =>
      client.publicRooms(a, { limit: 10, since: "a&b", includeAllNetworks: false, thirdPartyInstanceId: "irc" }),
    line: `GET ${v1}/publicRooms?limit=10&since=a%26b&include_all_networks=false&third_party_instance_id=irc`,
    answer: { chunk: [room], next_batch: "p190q", total_room_count_estimate: 115 },
  },
  search_public_rooms: {
    call: (client) =>
      client.searchPublicRooms(a, {
        limit: 10,
        since: "t",
        includeAllNetworks: false,
        thirdPartyInstanceId: "irc",
        filter: { genericSearchTerm: "foo", roomTypes: [null, "m.space"] },
      }),
    line: `POST ${v1}/publicRooms`,
    body: {
      limit: 10,
      since: "t",
      include_all_networks: false,
      third_party_instance_id: "irc",
      filter: { generic_search_term: "foo", room_types: [null, "m.space"] },
    },
    answer: { chunk: [] },
  },
  user_devices: {
    call: (client) => client.userDevices(a, { userId: alice }),
    line: `GET ${v1}/user/devices/${inPath}`,
    answer: { user_id: alice, stream_id: 5, devices: [] },
  },
  claim_user_keys: {
    call: (client) => client.claimUserKeys(a, { oneTimeKeys: { [alice]: { DEV: "signed_curve25519" } } }),
    line: `POST ${v1}/user/keys/claim`,
    body: { one_time_keys: { [alice]: { DEV: "signed_curve25519" } } },
    answer: claimed,
  },
  query_user_keys: {
    call: (client) => client.queryUserKeys(a, { deviceKeys: { [alice]: [], "@bob:a.example": ["DEV"] } }),
    line: `POST ${v1}/user/keys/query`,
    body: { device_keys: { [alice]: [], "@bob:a.example": ["DEV"] } },
    answer: { device_keys: {} },
  },
  policy_sign: {
    call: (client) => client.policySign(a, { event: pdu }),
    line: "POST /_matrix/policy/v1/sign",
    body: pdu,
    answer: { [a]: { "ed25519:policy_server": "zLFxllD0pbBuBpfHh8NuHNaICpReF" } },
  },
  policy_sign_unstable: {
    call: asked(policySignUnstable, { event: pdu }),
    line: "POST /_matrix/policy/unstable/org.matrix.msc4284/sign",
    body: pdu,
    answer: {},
  },
  policy_check: {
    call: asked(policyCheck, { eventId, event: pdu }),
    line: `POST /_matrix/policy/unstable/org.matrix.msc4284/event/%24${eventId.slice(1)}/check`,
    body: pdu,
    answer: { recommendation: "spam" },
  },
  extremities: {
    call: asked(extremities, { roomId }),
    line: `GET ${unstable}/org.matrix.msc4370/extremities/!room%3Aa.example`,
    answer: { prev_events: [eventId] },
  },
  room_complexity: {
    call: asked(roomComplexity, { roomId }),
    line: `GET ${unstable}/rooms/!room%3Aa.example/complexity`,
    answer: { v1: 9.5 },
  },
  event_relationships: {
    call: asked(eventRelationships, { roomId, eventId, maxDepth: 3, limit: 100, recentFirst: true, direction: "down" }),
    line: `POST ${unstable}/event_relationships`,
    body: { room_id: roomId, event_id: eventId, max_depth: 3, limit: 100, recent_first: true, direction: "down" },
    answer: { events: [pdu], auth_chain: [], limited: false, next_batch: "" },
  },
  claim_many_user_keys: {
    call: asked(claimManyUserKeys, { oneTimeKeys: { [alice]: { DEV: ["signed_curve25519", "signed_curve25519"] } } }),
    line: `POST ${unstable}/user/keys/claim`,
    body: { one_time_keys: { [alice]: { DEV: ["signed_curve25519", "signed_curve25519"] } } },
    answer: claimed,
  },
};

describe.each(Object.entries(wires))("%s", (name, { call, line, body, answer, unsigned }) => {
  test("goes over the wire as the specification says, and returns the answer with fields that nobody knows", async () => {
    const unknown = { "org.example.unknown": { deep: [null] } };
    // In signatures alone every name means something.
    const whole = name.startsWith("policy_sign") ? answer : { ...(answer as JsonObject), ...unknown };
    world.on(a, reply.json(whole), name);
    expect(await call(world.client())).toEqual(whole);
    const [request, ...others] = world.requests(a);
    expect(others).toEqual([]);
    expect(`${request?.method} ${request?.uri}`).toBe(line);
    expect(request?.json).toEqual(body);
    expect(request?.signedBy).toBe(unsigned ? undefined : ourName);
    expect(request?.authorization.length).toBe(unsigned ? 0 : 1);
  });

  test("says of an answer that is no object what is wrong with it", async () => {
    for (const wrong of [[], null, "x", [answer]]) {
      world.on(a, reply.json(wrong), name);
      const error = await rejection<Error & { code: string }>(call(world.client()));
      // Keys that were claimed are gone, whatever the answer looked like.
      const invalid = name.startsWith("claim") ? (error.cause as typeof error) : error;
      expect(invalid).toMatchObject({ code: "ERR_RESPONSE_INVALID", status: 200 });
    }
  });

  test("takes a partial-state error as what it is: a broken obligation where nothing is about a room", async () => {
    world.on(a, reply.partialState(), name);
    const client = world.client();
    expect(await rejection(call(client))).toMatchObject({ code: "ERR_PARTIAL_STATE" });
    const isPossible = ["extremities", "room_complexity", "event_relationships"].includes(name);
    expect(world.requests(a).length).toBe(isPossible ? 2 : 1);
    expect((await client.backoff.get(a)).failures).toBe(0);
  });
});

test("what needs no signature is asked in unsigned mode, the rest is refused before any request", async () => {
  const client = world.client({ serverName: undefined, signingKey: undefined });
  for (const [name, { call, answer, unsigned }] of Object.entries(wires)) {
    world.on(a, reply.json(answer), name);
    if (unsigned) expect(await call(client), name).toEqual(answer);
    else expect(await rejection(call(client)), name).toMatchObject({ code: "ERR_NO_SIGNING_KEY" });
  }
  expect(world.requestCount()).toBe(Object.values(wires).filter(({ unsigned }) => unsigned).length);
});

test("a query takes any parameters by their names on the wire", async () => {
  world.on(a, reply.json({}), "query");
  const parameters = { user_id: "@a&b:c", "org.example x": "1/é", n: 5, yes: true, many: ["1", "2"] };
  await world.client().query(a, { queryType: "org.example.q", parameters });
  expect(world.requests(a)[0]).toMatchObject({
    uri: `${v1}/query/org.example.q?user_id=%40a%26b%3Ac&org.example%20x=1%2F%C3%A9&n=5&yes=true&many=1&many=2`,
    signedBy: ourName,
  });
});

test("a policy server's refusal is an answer: nothing is asked again", async () => {
  for (const [status, errcode] of [
    [400, "M_FORBIDDEN"],
    [403, "M_FORBIDDEN"],
    [404, "M_NOT_FOUND"],
  ] as const) {
    world.server(a).reset();
    world.on(a, reply.matrixError(status, errcode), "policy_sign");
    expect(await rejection(world.client().policySign(a, { event: pdu }))).toMatchObject({ errcode, status });
    expect(world.requests(a).length).toBe(1);
  }
});

test("a policy server that knows only the unstable endpoint is asked that, but not after a refusal", async () => {
  const signature = { [a]: { "ed25519:policy_server": "zLFx" } };
  world.on(a, reply.json(signature), "policy_sign_unstable");
  const client = world.client();
  expect(await client.policySign(a, { event: pdu })).toEqual(signature);
  expect(world.requests(a).map(({ endpoint, json, signedBy }) => ({ endpoint, json, signedBy }))).toEqual([
    { endpoint: "policy_sign", json: pdu, signedBy: ourName },
    { endpoint: "policy_sign_unstable", json: pdu, signedBy: ourName },
  ]);
  world.on(a, reply.matrixError(404, "M_NOT_FOUND"), "policy_sign");
  expect(await rejection(client.policySign(a, { event: pdu }))).toMatchObject({ errcode: "M_NOT_FOUND" });
  expect(world.requests(a).length).toBe(3);
});

test("one-time keys that may have been taken are an unknown outcome, and a read that got no answer is none", async () => {
  world.on(a, reply.reset({ when: "midBody" }), "claim_user_keys");
  world.on(a, reply.reset({ when: "midBody" }), "query_user_keys");
  const client = world.client();
  const once = { rounds: 1 };
  expect(await rejection(client.claimUserKeys(a, { oneTimeKeys: {} }, once))).toMatchObject({
    code: "ERR_OUTCOME_UNKNOWN",
  });
  expect(await rejection(client.queryUserKeys(a, { deviceKeys: {} }, once))).toMatchObject({
    code: "ERR_CONNECTION_LOST",
  });
});

test("one bad document of a notary costs no other", async () => {
  const bad = [{}, { ...document, verify_keys: { "ed25519:1": {} } }, { ...document, valid_until_ts: "soon" }];
  world.on(a, reply.json({ server_keys: [...bad, document] }), "query_keys");
  const { server_keys } = await world.client().queryKeys(a, { serverKeys: {} });
  expect(server_keys.length).toBe(4);
  const names: string[] = server_keys.filter(isServerKeys).map(({ server_name }) => server_name);
  expect(names).toEqual([a]);
});

test("the .well-known operation is no endpoint: the client refuses to ask it", async () => {
  expect(wellKnownServer).toMatchObject({ method: "GET", path: "/.well-known/matrix/server", authentication: "none" });
  const asEndpoint = wellKnownServer as unknown as typeof serverKeys;
  expect(await rejection(world.client().request(a, asEndpoint, {}))).toMatchObject({ code: "ERR_OPTION" });
});
