import { describe, expect, test } from "vitest";

import type { InviteInput } from "../../src/endpoints.js";
import type { Answer, Client, FailoverError, Room } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, ourName, rejection, roomId } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const rounds = 1;

const event = { type: "m.room.member", content: { membership: "x" }, unsigned: { age: 1 } };
const eventWithId = { ...event, event_id: eventId };
const pdu = { type: "m.room.create", state_key: "", content: {} };
const path = `!room%3Aa.example/%24${eventId.slice(1)}`;
const inRoom1: InviteInput = { roomId, eventId, roomVersion: "1", event: eventWithId, inviteRoomState: [pdu] };

interface Pair {
  /** The call, with its result in the form of a room's call. */
  readonly call: (room: Room, client: Client) => Promise<Partial<Answer<unknown>>>;
  readonly body: object;
  readonly value: object;
}

const pairs: Record<string, Pair> = {
  send_join: {
    call: (room) => room.sendJoin({ eventId, event, omitMembers: true }, { rounds }),
    body: event,
    value: { state: [pdu], auth_chain: [pdu], event, members_omitted: false },
  },
  send_leave: { call: (room) => room.sendLeave({ eventId, event }, { rounds }), body: event, value: {} },
  invite: {
    call: async (_, client) => ({ value: await client.invite(a, inRoom1, { rounds }) }),
    body: { ...eventWithId, unsigned: { age: 1, invite_room_state: [pdu] } },
    value: { event: eventWithId },
  },
};

const callOn = (name: string): Promise<Partial<Answer<unknown>>> => {
  const client = world.client();
  return (pairs[name] as Pair).call(world.room([a, b], client), client);
};
const lines = (server: string): string[] => world.requests(server).map(({ method, uri }) => `${method} ${uri}`);

describe.each(Object.entries(pairs))("%s", (name, { body, value }) => {
  const query = name === "send_join" ? "?omit_members=true" : "";
  const newer = `PUT /_matrix/federation/v2/${name}/${path}${query}`;
  const older = `PUT /_matrix/federation/v1/${name}/${path}`;
  const asText = (status: number, text: string): Behaviour =>
    reply.raw({ status, headers: { "content-type": "text/plain" }, body: text });

  test.each([
    ["404 M_UNRECOGNIZED", reply.matrixError(404, "M_UNRECOGNIZED")],
    ["405 M_UNRECOGNIZED", reply.matrixError(405, "M_UNRECOGNIZED")],
    ["405 without a body", asText(405, "")],
    ["404 without a body, as old Conduits", asText(404, "")],
    ["404 “404 page not found”, as old Dendrites", asText(404, "404 page not found\n")],
    ["400 M_UNRECOGNIZED, as old Synapses", reply.matrixError(400, "M_UNRECOGNIZED", "Unrecognized request")],
  ])("is asked in its first version after %s, and the pair is unwrapped", async (_, behaviour) => {
    world.on(a, behaviour, name);
    world.on(a, reply.json([200, value] as never), `${name}_v1`);
    expect(await callOn(name)).toMatchObject({ value });
    expect(lines(a)).toEqual([newer, older]);
    const [, second] = world.requests(a);
    expect(second?.json).toEqual(body);
    expect(second?.signedBy).toBe(ourName);
    expect(lines(b)).toEqual([]);
  });

  test.each([
    ["404 M_NOT_FOUND", reply.matrixError(404, "M_NOT_FOUND", "Room not found")],
    ["403 M_FORBIDDEN", reply.matrixError(403, "M_FORBIDDEN")],
    ["400 M_INCOMPATIBLE_ROOM_VERSION", reply.matrixError(400, "M_INCOMPATIBLE_ROOM_VERSION")],
    ["400 M_UNRECOGNIZED of something else", reply.matrixError(400, "M_UNRECOGNIZED", "Unknown join rule")],
    ["404 M_NOT_FOUND “not fully joined”", reply.notFullyJoined(name)],
    ["500", reply.matrixError(500, "M_UNKNOWN")],
    ["502 of a proxy", reply.htmlError(502)],
    ["404 of a proxy", reply.htmlError(404)],
    ["200 that is no answer", reply.garbage()],
  ])("is not asked in its first version after %s", async (_, behaviour) => {
    for (const server of [a, b]) {
      world.on(server, behaviour, name);
      world.on(server, reply.json([200, value] as never), `${name}_v1`);
    }
    await rejection(callOn(name));
    expect([...lines(a), ...lines(b)].filter((line) => line !== newer)).toEqual([]);
  });

  test("that does not exist in the first version either is unsupported: nothing happened", async () => {
    for (const server of [a, b]) world.on(server, reply.matrixError(404, "M_UNRECOGNIZED"), "*");
    const error = await rejection<FailoverError>(callOn(name));
    expect(lines(a)).toEqual([newer, older]);
    if (name === "invite") expect(error).toMatchObject({ name: "MatrixError", errcode: "M_UNRECOGNIZED" });
    else {
      expect(error).toMatchObject({ code: "ERR_ALL_FAILED", summary: "allRefused" });
      expect(error.attempts.map(({ verdict }) => verdict)).toEqual(["unsupported", "unsupported"]);
    }
  });

  test("that breaks off in its first version has an unknown outcome", async () => {
    world.on(a, reply.matrixError(404, "M_UNRECOGNIZED"), name);
    world.on(a, reply.reset(), `${name}_v1`);
    expect(await rejection(callOn(name))).toMatchObject({ code: "ERR_OUTCOME_UNKNOWN", outcome: "unknown" });
    expect(lines(b)).toEqual([]);
  });
});

test.each(["send_join", "send_leave"])("the refusals of %s v1 are judged as those of v2", async (name) => {
  world.on(a, reply.matrixError(404, "M_UNRECOGNIZED"), name);
  world.on(a, reply.notFullyJoined(name), `${name}_v1`);
  world.on(b, reply.json((pairs[name] as Pair).value as never), name);
  expect(await callOn(name)).toMatchObject({
    via: b,
    attempts: [{ verdict: "partialState" }, { verdict: "answered" }],
  });
});

test("a restricted join is asked in the first version of the server that authorised it, and of no other", async () => {
  world.on(b, reply.json([200, { state: [], auth_chain: [] }]), "send_join_v1");
  const content = { membership: "join", join_authorised_via_users_server: `@alice:${b}` };
  const { via } = await world.room([a]).sendJoin({ eventId, event: { ...event, content } });
  expect([via, lines(a)]).toEqual([b, []]);
});

test.each([
  ["v2", "send_join", (answer: object) => answer],
  ["v1, in the pair", "send_join_v1", (answer: object) => [200, answer, "more"]],
])("one bad event costs no join: it is left out and reported (%s)", async (_, name, form) => {
  const answer = { state: [pdu, null, { ...pdu, content: 5 }], auth_chain: [pdu, "x"] };
  world.on(a, reply.json(form(answer) as never), name);
  const { value, dropped } = await world.room([a]).sendJoin({ eventId, event });
  expect(value).toEqual({ state: [pdu], auth_chain: [pdu] });
  expect(dropped).toEqual([
    { path: "$.state[1]", reason: "expected an object" },
    { path: "$.state[2]", reason: "expected an object in content" },
    { path: "$.auth_chain[1]", reason: "expected an object" },
  ]);
});

describe("an invite in its first version", () => {
  const unknown = reply.matrixError(404, "M_UNRECOGNIZED", "Unrecognized request");

  test("is for rooms of version 2, too", async () => {
    world.on(a, unknown, "invite");
    world.on(a, reply.json([200, { event: eventWithId }]), "invite_v1");
    const input: InviteInput = { roomId, eventId, roomVersion: "2", event: eventWithId };
    expect(await world.client().invite(a, input)).toEqual({ event: eventWithId });
    expect(world.requests(a)[1]?.json).toEqual(eventWithId);
  });

  test.each(["3", "10", "11", "12", "org.example.1"] as const)(
    "is not for rooms of version %s",
    async (roomVersion) => {
      world.on(a, unknown, "invite");
      world.on(a, reply.json([200, { event }]), "invite_v1");
      const input = { roomId, eventId, roomVersion, event, inviteRoomState: [pdu] } as InviteInput;
      const error = await rejection(world.client().invite(a, input, { rounds }));
      expect(error).toMatchObject({ name: "MatrixError", errcode: "M_UNRECOGNIZED", server: a });
      expect(lines(a).length).toBe(1);
    },
  );

  test("takes an event whose `unsigned` is no object", async () => {
    world.on(a, unknown, "invite");
    world.on(a, reply.json([200, { event: eventWithId }]), "invite_v1");
    await world.client().invite(a, { ...inRoom1, event: { ...eventWithId, unsigned: null } } as InviteInput);
    expect(world.requests(a)[1]?.json).toMatchObject({ unsigned: { invite_room_state: [pdu] } });
  });
});

test("a server that knows 3pid/onbind only as a POST, as Synapse and Dendrite do, is asked that", async () => {
  world.on(a, reply.matrixError(405, "M_UNRECOGNIZED"), "3pid_onbind");
  world.on(a, reply.json({}), "3pid_onbind_by_post");
  const binding = { medium: "email", address: "a@b.example", mxid: "@u:a.example", invites: [] };
  expect(await world.client().onBindThirdPartyIdentifier(a, binding)).toEqual({});
  expect(world.requests(a).map(({ method, json }) => [method, json])).toEqual([
    ["PUT", binding],
    ["POST", binding],
  ]);
});

test("the older version says what was said at first, whatever became of the input meanwhile (bug: it was read again)", async () => {
  const changing = { ...event, content: { membership: "join" } };
  world.on(
    a,
    async (exchange) => {
      changing.content.membership = "ban";
      await reply.matrixError(404, "M_UNRECOGNIZED")(exchange);
    },
    "send_join",
  );
  world.on(a, reply.json([200, { state: [], auth_chain: [] }]), "send_join_v1");
  await world.room([a]).sendJoin({ eventId, event: changing });
  expect(world.requests(a).map(({ json }) => json)).toEqual(
    Array(2).fill({ ...event, content: { membership: "join" } }),
  );
});
