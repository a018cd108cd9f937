import { describe, expect, test } from "vitest";

import { onBindThirdPartyIdentifierByPost, sendJoinV1, sendLeaveV1 } from "../../src/endpoints.js";
import type { Client, JsonObject, MatrixError, Room } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, ourName, rejection, roomId } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const rounds = 1;

const user = "@me:me.example";
const userPath = "%40me%3Ame.example";
const roomPath = "!room%3Aa.example";
const event = { type: "m.room.member", room_id: roomId, sender: user, state_key: user, content: { membership: "x" } };
const pdu = { type: "m.room.create", state_key: "", content: {} };
const template = { event, room_version: "7" };
const signed = { mxid: user, token: "t", signatures: { "id.example": { "ed25519:0": "c2ln" } } };
const pending = { medium: "email", address: "me@x", mxid: user, room_id: roomId, sender: "@s:a.example", signed };
const bound = { medium: "email", address: "me@x", mxid: user, invites: [pending] };
const joined = { state: [pdu], auth_chain: [] };

interface Wire {
  readonly call: (room: Room, client: Client) => Promise<unknown>;
  readonly line: string;
  readonly body?: unknown;
  readonly answer: JsonObject;
  readonly unsigned?: boolean;
}

const wires: Record<string, Wire> = {
  make_join: {
    call: (room) => room.makeJoin({ userId: user, ver: ["1", "7"] }),
    line: `GET /_matrix/federation/v1/make_join/${roomPath}/${userPath}?ver=1&ver=7`,
    answer: template,
  },
  send_join: {
    call: (room) => room.sendJoin({ eventId, event, omitMembers: true }),
    line: `PUT /_matrix/federation/v2/send_join/${roomPath}/%24${eventId.slice(1)}?omit_members=true`,
    body: event,
    answer: joined,
  },
  make_knock: {
    call: (room) => room.makeKnock({ userId: user, ver: ["7"] }),
    line: `GET /_matrix/federation/v1/make_knock/${roomPath}/${userPath}?ver=7`,
    answer: template,
  },
  send_knock: {
    call: (room) => room.sendKnock({ eventId, event }),
    line: `PUT /_matrix/federation/v1/send_knock/${roomPath}/%24${eventId.slice(1)}`,
    body: event,
    answer: { knock_room_state: [pdu] },
  },
  make_leave: {
    call: (room) => room.makeLeave({ userId: user }),
    line: `GET /_matrix/federation/v1/make_leave/${roomPath}/${userPath}`,
    answer: template,
  },
  send_leave: {
    call: (room) => room.sendLeave({ eventId, event }),
    line: `PUT /_matrix/federation/v2/send_leave/${roomPath}/%24${eventId.slice(1)}`,
    body: event,
    answer: {},
  },
  exchange_third_party_invite: {
    call: (room) =>
      room.exchangeThirdPartyInvite({ sender: "@s:a.example", userId: user, displayName: "me@…", signed }),
    line: `PUT /_matrix/federation/v1/exchange_third_party_invite/${roomPath}`,
    body: {
      type: "m.room.member",
      room_id: roomId,
      sender: "@s:a.example",
      state_key: user,
      content: { membership: "invite", third_party_invite: { display_name: "me@…", signed } },
    },
    answer: {},
  },
  invite: {
    call: (_, client) =>
      client.invite(a, { roomId, eventId, roomVersion: "12", event, inviteRoomState: [pdu] }, { rounds }),
    line: `PUT /_matrix/federation/v2/invite/${roomPath}/%24${eventId.slice(1)}`,
    body: { room_version: "12", event, invite_room_state: [pdu] },
    answer: { event },
  },
  "3pid_onbind": {
    call: (_, client) => client.onBindThirdPartyIdentifier(a, bound),
    line: "PUT /_matrix/federation/v1/3pid/onbind",
    body: bound,
    answer: {},
    unsigned: true,
  },
  "3pid_onbind_by_post": {
    call: (_, client) => client.request(a, onBindThirdPartyIdentifierByPost, bound),
    line: "POST /_matrix/federation/v1/3pid/onbind",
    body: bound,
    answer: {},
    unsigned: true,
  },
};

describe.each(Object.entries(wires))("%s", (name, { call, line, body, answer, unsigned }) => {
  test("is on the wire as the specification says, and its answer comes back as it is", async () => {
    const extended = { ...answer, "org.example.more": [1, { a: null }] };
    world.on(a, reply.json(extended), name);
    const client = world.client();
    const answered = await call(world.room([a], client), client);
    expect(answered).toEqual(
      unsigned || name === "invite" ? extended : expect.objectContaining({ value: extended, via: a, dropped: [] }),
    );
    const [request, ...others] = world.requests(a);
    expect(`${request?.method} ${request?.uri}`).toBe(line);
    expect([request?.json, others]).toEqual([body, []]);
    expect(request?.signedBy).toBe(unsigned ? undefined : ourName);
    expect(request?.authorization.length).toBe(unsigned ? 0 : 1);
  });
});

describe("another resident is asked", () => {
  const another = async (name: string, behaviour: Behaviour): Promise<unknown> => {
    const wire = wires[name] as Wire;
    world.on(a, behaviour, name);
    world.on(b, reply.json(wire.answer), name);
    const client = world.client();
    const answer = (await wire.call(world.room([a, b], client), client)) as { via: string; attempts: object[] };
    expect(answer).toMatchObject({ via: b });
    return answer.attempts[0];
  };
  const everyOne = ["make_join", "send_join", "make_knock", "send_knock", "make_leave", "send_leave"];
  const sentOrMade = everyOne.filter((name) => name !== "make_leave");

  test.each([...everyOne, "exchange_third_party_invite"])("by %s when the first is not in the room", async (name) => {
    const attempt = await another(name, reply.matrixError(404, "M_NOT_FOUND", "Unknown room"));
    expect(attempt).toMatchObject({ verdict: "notResident" });
  });

  test.each(sentOrMade)("by %s when the first is still joining, in Synapse's words", async (name) => {
    expect(await another(name, reply.notFullyJoined(name))).toMatchObject({ verdict: "partialState" });
  });

  test.each([...everyOne, "exchange_third_party_invite"])("by %s when the first is still joining", async (name) => {
    expect(await another(name, reply.partialState())).toMatchObject({ verdict: "partialState" });
  });

  test("by make_leave when the first does not know all members, as Synapse in partial state (bug: nobody else was asked)", async () => {
    const text = `${user} not in room ${roomId}.`;
    const attempt = await another("make_leave", reply.matrixError(403, "M_FORBIDDEN", text));
    expect(attempt).toMatchObject({ verdict: "notResident" });
  });

  test("and where all residents say that the user is not in the room, the call to leave ends with that", async () => {
    for (const server of [a, b]) world.on(server, reply.matrixError(403, "M_FORBIDDEN"), "make_leave");
    const error = await rejection(world.room([a, b]).makeLeave({ userId: user }));
    const cause = { errcode: "M_FORBIDDEN" };
    expect(error).toMatchObject({ code: "ERR_ALL_FAILED", summary: "allRefused", cause });
  });

  test.each(["send_leave", "exchange_third_party_invite"])(
    "by %s when Dendrite does not know the room",
    async (name) => {
      const text = "QueryRoomVersionForRoom: missing room info for room !room:a.example";
      const attempt = await another(name, reply.matrixError(400, "M_UNSUPPORTED_ROOM_VERSION", text));
      expect(attempt).toMatchObject({ verdict: "unableHere" });
    },
  );

  test.each(["make_knock", "send_knock"])("by %s when the first is a Dendrite, which takes no knocks", async (name) => {
    const behaviour = reply.raw({
      status: 404,
      headers: { "content-type": "text/plain" },
      body: "404 page not found\n",
    });
    expect(await another(name, behaviour)).toMatchObject({ verdict: "unsupported" });
  });

  test.each(["M_UNABLE_TO_AUTHORISE_JOIN", "M_UNABLE_TO_GRANT_JOIN"])("by joins on 400 %s", async (errcode) => {
    for (const name of ["make_join", "send_join"]) {
      expect(await another(name, reply.matrixError(400, errcode))).toMatchObject({ verdict: "unableHere" });
      world.server(a).reset();
    }
  });

  test.each([
    ["make_join", 403, "M_UNABLE_TO_GRANT_JOIN"],
    ["make_knock", 400, "M_UNABLE_TO_GRANT_JOIN"],
    ["send_leave", 400, "M_INVALID_PARAM"],
    ["send_knock", 403, "M_FORBIDDEN"],
    ["make_knock", 400, "M_INCOMPATIBLE_ROOM_VERSION"],
    ["exchange_third_party_invite", 403, "M_FORBIDDEN"],
  ])("but not by %s on %i %s: that is an answer", async (name, status, errcode) => {
    world.on(a, reply.matrixError(status, errcode), name);
    const client = world.client();
    const error = await rejection<MatrixError>((wires[name] as Wire).call(world.room([a, b], client), client));
    expect(error).toMatchObject({ name: "MatrixError", errcode, status, server: a });
    expect(world.requests(b)).toEqual([]);
  });
});

test("an invited server that is joining the room itself is not to blame for saying so", async () => {
  world.on(a, reply.partialState(), "invite");
  const client = world.client();
  const { attempts } = await client.safe.invite(a, { roomId, eventId, roomVersion: "10", event }, { rounds });
  expect(attempts).toMatchObject([{ verdict: "partialState", mayHaveTakenEffect: false }]);
  expect(await client.backoff.get(a)).toMatchObject({ failures: 0 });
});

test("an exchange without a display name leaves it out, as Synapse does", async () => {
  world.on(a, reply.json({}), "exchange_third_party_invite");
  await world.room([a]).exchangeThirdPartyInvite({ sender: "@s:a.example", userId: user, signed });
  expect(world.requests(a)[0]?.json).toMatchObject({ content: { third_party_invite: { signed } } });
  expect(world.requests(a)[0]?.body).not.toContain("display_name");
});

test("an invite without state has an empty list of it: servers built on ruma refuse one that has none", async () => {
  world.on(a, reply.json({ event }), "invite");
  await world.client().invite(a, { roomId, eventId, roomVersion: "6", event });
  expect(world.requests(a)[0]?.json).toEqual({ room_version: "6", event, invite_room_state: [] });
});

describe("an answer is taken", () => {
  test.each([
    ["of Synapse, which always says members_omitted", "send_join", { ...joined, event, members_omitted: false }],
    ["of Dendrite, which says origin and no members_omitted", "send_join", { ...joined, event, origin: a }],
    ["of the Conduit family, which says neither", "send_join", { ...joined, event }],
    ["of Rocket.Chat, which says both", "send_join", { ...joined, event, origin: a, members_omitted: false }],
    ["of a server that does not say the room's version", "make_join", { event }],
    ["of a server that does not say the room's version", "make_leave", { event }],
    ["of Synapse, with stripped state", "send_knock", { knock_room_state: [{ ...pdu, sender: user }] }],
    ["of tuwunel, with whole events", "send_knock", { knock_room_state: [{ ...pdu, auth_events: [], hashes: {} }] }],
    ["without any state", "send_knock", { knock_room_state: [] }],
  ])("%s (%s)", async (_, name, answer) => {
    world.on(a, reply.json(answer), name);
    const client = world.client();
    expect(await (wires[name] as Wire).call(world.room([a], client), client)).toMatchObject({ value: answer });
  });
});

describe("an answer is invalid", () => {
  test.each([
    ["make_join", { room_version: "1" }],
    ["make_knock", { event }],
    ["make_leave", { event: "x" }],
    ["send_join", { state: [] }],
    ["send_join", [200, joined]],
    ["send_knock", {}],
    ["send_leave", [200, {}]],
    ["send_leave", { errcode: "M_UNKNOWN", error: "no" }],
    ["exchange_third_party_invite", { errcode: "M_FORBIDDEN", error: "no" }],
    ["invite", event],
    ["3pid_onbind", "ok"],
  ])("of %s: %j", async (name, answer) => {
    world.on(a, reply.json(answer), name);
    const client = world.client();
    const error = await rejection((wires[name] as Wire).call(world.room([a], client), client));
    const issue = { code: "ERR_RESPONSE_INVALID" };
    const sent = { code: "ERR_OUTCOME_UNKNOWN", cause: issue };
    expect(error).toMatchObject(!name.startsWith("make_") ? sent : { code: "ERR_ALL_FAILED", cause: issue });
  });

  test.each([[[200]], [[]], [joined], [[200, { state: [] }]]])("of send_join v1: %j", async (answer) => {
    world.on(a, reply.json(answer as never), "send_join_v1");
    const { attempts } = await world.room([a]).safe.request(sendJoinV1, { eventId, event }, { rounds });
    expect(attempts).toMatchObject([{ verdict: "invalid" }]);
  });

  test("of send_leave v1: an error in the pair", async () => {
    world.on(a, reply.json([403, { errcode: "M_FORBIDDEN", error: "no" }]), "send_leave_v1");
    const { attempts } = await world.room([a]).safe.request(sendLeaveV1, { eventId, event }, { rounds });
    expect(attempts).toMatchObject([{ verdict: "invalid", mayHaveTakenEffect: true }]);
  });
});

test("one bad event costs no knock: it is left out and reported", async () => {
  world.on(a, reply.json({ knock_room_state: [pdu, 5, { no: "type" }] }), "send_knock");
  const { value, dropped } = await world.room([a]).sendKnock({ eventId, event });
  expect(value).toEqual({ knock_room_state: [pdu] });
  expect(dropped.map(({ path }) => path)).toEqual(["$.knock_room_state[1]", "$.knock_room_state[2]"]);
});
