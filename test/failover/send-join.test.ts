import { describe, expect, test } from "vitest";

import { sendJoin } from "../../src/endpoints.js";
import { type Attempt, defineEndpoint, type FailoverError, type MatrixError } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, stateIdsAnswer } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const c = "c.example";
const world = createWorld(a, b, c, { name: "dead.example", dead: true });

const joined = reply.json({ state: [], auth_chain: [] });
const event = { type: "m.room.member", content: { membership: "join" } };
const on = (server: string, behaviour: Behaviour): void => world.on(server, behaviour, "send_join");
const seen = (attempts: readonly Attempt[]): string[] => attempts.map(({ server, verdict }) => `${server} ${verdict}`);
const rounds = 1;

describe("send_join goes to another resident", () => {
  test.each([
    ["is still joining the room", reply.partialState()],
    ["is still joining the room, and says so as Synapse", reply.notFullyJoined("send_join")],
    ["does not know the room", reply.matrixError(404, "M_NOT_FOUND")],
    ["cannot authorise the join", reply.matrixError(400, "M_UNABLE_TO_GRANT_JOIN")],
    ["limits our rate", reply.rateLimited({ retryAfterMs: 60_000 })],
    ["does not know us", reply.matrixError(401, "M_UNAUTHORIZED")],
  ])("when the first one %s: it certainly took no effect", async (_, behaviour) => {
    on(a, behaviour);
    on(b, joined);
    const { via, attempts } = await world.room([a, b]).sendJoin({ eventId, event });
    expect([via, attempts.length, attempts[0]?.mayHaveTakenEffect]).toEqual([b, 2, false]);
  });

  test("when the first one cannot be connected to", async () => {
    on(b, joined);
    const { attempts } = await world.room(["dead.example", "nowhere.example", b]).sendJoin({ eventId, event });
    expect(seen(attempts)).toEqual(["dead.example unavailable", "nowhere.example unavailable", `${b} answered`]);
  });
});

describe("send_join goes nowhere else", () => {
  const expectUnknown = async (behaviour: Behaviour, options: object): Promise<FailoverError> => {
    const client = await world.connectedClient(a);
    on(a, behaviour);
    on(b, joined);
    const endpoint = defineEndpoint({ ...sendJoin, timeoutMs: 200 });
    const call = world.room([a, b], client).request(endpoint, { eventId, event }, options);
    const error = await rejection<FailoverError>(call);
    expect(error).toMatchObject({ code: "ERR_OUTCOME_UNKNOWN", outcome: "unknown", name: "FailoverError" });
    expect(error.attempts[0]).toMatchObject({ server: a, mayHaveTakenEffect: true });
    expect(world.requests(b)).toEqual([]);
    return error;
  };

  test.each([
    ["a timeout", reply.stallBeforeHeaders()],
    ["a reset", reply.reset()],
    ["a reset in the middle of the answer", reply.reset({ when: "midBody" })],
    ["a gateway's error", reply.htmlError(504)],
    ["an error of the server itself", reply.matrixError(500, "M_UNKNOWN")],
    ["an answer that cannot be read", reply.garbage()],
  ])("after %s, once its bytes had left: the outcome is unknown", async (_, behaviour) => {
    const error = await expectUnknown(behaviour, { rounds });
    expect(error.attempts.length).toBe(1);
  });

  test("when the caller's own time is over", async () => {
    await expectUnknown(reply.stallBeforeHeaders(), { timeout: 150 });
  });

  test("but the same event may be put to the same server again", async () => {
    on(a, reply.sequence(reply.htmlError(504), joined));
    on(b, joined);
    const { via, attempts } = await world.room([a, b]).sendJoin({ eventId, event });
    expect([via, seen(attempts)]).toEqual([a, [`${a} unavailable`, `${a} answered`]]);
    expect(world.requests(b)).toEqual([]);
    const [first, second] = world.requests(a);
    expect([second?.uri, second?.body]).toEqual([first?.uri, first?.body]);
  });

  test("and stays unknown when the same server later says that it knows nothing", async () => {
    await expectUnknown(reply.sequence(reply.htmlError(502), reply.matrixError(404, "M_NOT_FOUND")), {
      rounds: 2,
      timeout: 5_000,
    });
  });

  test("after a refusal, which is an answer", async () => {
    on(a, reply.matrixError(403, "M_FORBIDDEN", "You are banned"));
    const error = await rejection<MatrixError>(world.room([a, b]).sendJoin({ eventId, event }));
    expect(error).toMatchObject({ name: "MatrixError", errcode: "M_FORBIDDEN", server: a });
    expect(world.requests(b)).toEqual([]);
  });
});

describe("a restricted join", () => {
  const restricted = { type: "m.room.member", content: { join_authorised_via_users_server: `@alice:${b}` } };

  test("goes to the server that authorised it, resident or not in the caller's list, and to no other", async () => {
    for (const server of [a, b, c]) on(server, joined);
    const { via } = await world.room([a, c]).sendJoin({ eventId, event: restricted });
    expect(via).toBe(b);
    expect([world.requests(a), world.requests(c)]).toEqual([[], []]);
  });

  test("moves to no other server when that one is still joining", async () => {
    on(b, reply.partialState());
    on(a, joined);
    await rejection(world.room([a, b]).sendJoin({ eventId, event: restricted }, { rounds }));
    expect([world.requests(a).length, world.requests(b).length]).toEqual([0, 1]);
  });

  test("by a user of a server with a port goes to that port's server", async () => {
    const content = { join_authorised_via_users_server: "@alice:b.example:1234" };
    const call = world.room([a]).safe.sendJoin({ eventId, event: { ...event, content } }, { rounds });
    expect((await call).attempts).toMatchObject([{ server: "b.example:1234" }]);
  });

  test("with an authorising user that has no server is an error before any request", async () => {
    const content = { join_authorised_via_users_server: "@alice:not a server" };
    const error = await rejection(world.room([a]).sendJoin({ eventId, event: { content } }));
    expect(error).toMatchObject({ code: "ERR_SERVER_NAME" });
    expect(world.requestCount()).toBe(0);
  });

  test.each([[5], [null], [["@alice:b.example"]]])(
    "with %j for an authorising user is not restricted",
    async (user) => {
      on(a, joined);
      const call = world
        .room([a])
        .sendJoin({ eventId, event: { content: { join_authorised_via_users_server: user } } });
      expect((await call).via).toBe(a);
    },
  );
});

test("send_join's answer must name the servers in the room when it leaves members out", async () => {
  on(a, reply.json({ state: [], auth_chain: [], members_omitted: true }));
  const { attempts } = await world.room([a]).safe.sendJoin({ eventId, event, omitMembers: true }, { rounds });
  expect(attempts).toMatchObject([{ verdict: "invalid", mayHaveTakenEffect: true }]);
  expect(world.requests(a)[0]?.uri).toMatch(/\?omit_members=true$/);
  expect(attempts[0]?.error).toMatchObject({ issues: [{ path: "$.servers_in_room" }] });
});

test("a send that was cut off is an unknown outcome too", async () => {
  world.on(a, reply.reset(), "send");
  world.on(a, reply.json(stateIdsAnswer));
  const error = await rejection(
    world.client().sendTransaction(a, { txnId: "t", originServerTs: 1, pdus: [] }, { rounds }),
  );
  expect(error).toMatchObject({ code: "ERR_OUTCOME_UNKNOWN", server: a });
});

test("a join whose fate is unknown stays so when its repetition is refused (bug: only the refusal was told)", async () => {
  on(a, reply.sequence(reply.reset({ when: "beforeResponse" }), reply.matrixError(403, "M_FORBIDDEN", "no")));
  on(b, joined);
  const result = await world.room([a, b]).safe.sendJoin({ eventId, event: { type: "m.room.member" } });
  expect(result).toMatchObject({
    ok: false,
    error: { code: "ERR_OUTCOME_UNKNOWN", cause: { errcode: "M_FORBIDDEN" } },
  });
  expect(world.requests(b)).toEqual([]);
});

test("a restricted join that is sent to one named server goes there (bug: it went to the authorising one)", async () => {
  on(a, joined);
  const content = { join_authorised_via_users_server: `@alice:${b}` };
  await world
    .client()
    .request(a, sendJoin, { roomId: "!room:a.example", eventId, event: { type: "m.room.member", content } });
  expect([world.requests(a).length, world.requests(b).length]).toEqual([1, 0]);
});
