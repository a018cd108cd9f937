import { describe, expect, test } from "vitest";

import { stateIds } from "../../src/endpoints.js";
import { type Attempt, FailoverError, MatrixError } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, ourName, rejection, roomId, stateIdsAnswer } from "../client/world.js";
import { oneByOne } from "../one-by-one.js";

const a = "a.example";
const b = "b.example";
const c = "c.example";
const world = createWorld(a, b, c, { name: "dead.example", dead: true });
const all = [a, b, c];
const answers = reply.json(stateIdsAnswer);
const failure = async (promise: Promise<unknown>): Promise<FailoverError> => {
  const error = await rejection<FailoverError>(promise);
  expect(error).toBeInstanceOf(FailoverError);
  return error;
};
const trail = (attempts: readonly Attempt[]): string[] =>
  attempts.map(({ server, verdict, round }) => `${round} ${server} ${verdict}`);

describe("a round", () => {
  test("asks each server at most once, in the caller's order, and stops at the first answer", async () => {
    world.on(a, reply.matrixError(404, "M_NOT_FOUND"));
    world.on(b, answers);
    const { via, attempts } = await world.room(all).stateIds({ eventId }, oneByOne);
    expect([via, trail(attempts)]).toEqual([b, [`1 ${a} notResident`, `1 ${b} answered`]]);
    expect(all.map((server) => world.requests(server).length)).toEqual([1, 1, 0]);
  });

  test("stops at a refusal, which is thrown as it is", async () => {
    world.on(a, reply.matrixError(400, "M_INCOMPATIBLE_ROOM_VERSION"));
    const error = await rejection<MatrixError>(world.room(all).stateIds({ eventId }));
    expect(error).toBeInstanceOf(MatrixError);
    expect(error).toMatchObject({ errcode: "M_INCOMPATIBLE_ROOM_VERSION", server: a, endpoint: "state_ids" });
    expect(world.requestCount()).toBe(1);
  });
});

describe("when all are in partial state", () => {
  test("a server that has finished joining by a later round answers", async () => {
    for (const server of [a, c]) world.on(server, reply.partialState());
    world.on(b, reply.sequence(reply.partialState(), answers));
    const client = world.client();
    const room = world.room(all, client);
    const { via, attempts } = await room.stateIds({ eventId }, oneByOne);
    expect(via).toBe(b);
    expect(trail(attempts).slice(0, 3)).toEqual(all.map((server) => `1 ${server} partialState`));
    expect(attempts.at(-1)).toMatchObject({ server: b, round: 2, verdict: "answered" });
    expect((await client.partialState.list(room.roomId)).map(({ server }) => server)).not.toContain(b);
    expect(client.backoff.list()).toEqual([]);
  });

  test("until the end, the error says so, server by server, and no server costs more than one attempt a round", async () => {
    for (const server of all) world.on(server, reply.partialState());
    const error = await failure(world.room(all).stateIds({ eventId }, { rounds: 2, ...oneByOne }));
    expect(error).toMatchObject({
      code: "ERR_ALL_FAILED",
      summary: "allPartial",
      outcome: "notDone",
      retryAt: undefined,
    });
    expect(trail(error.attempts).sort()).toEqual(
      [1, 2].flatMap((round) => all.map((server) => `${round} ${server} partialState`)),
    );
    expect(error.attempts.every((attempt) => attempt.error instanceof MatrixError && attempt.error.partialState)).toBe(
      true,
    );
    expect(error.message).toContain(`${a}: partialState (403 ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE), round 1`);
  });

  test("the waits between rounds grow, and end with the deadline", async () => {
    for (const server of all) world.on(server, reply.partialState());
    const error = await failure(world.room(all).stateIds({ eventId }, { timeout: 2_200 }));
    const rounds = [1, 2, 3].map((round) => error.attempts.filter((attempt) => attempt.round === round));
    const [first, second, third] = rounds.map((attempts) => attempts[0]?.startMs ?? Number.POSITIVE_INFINITY);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(495);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(995);
    expect(error.summary).toBe("allPartial");
  });

  test("and the caller named one server, its own error is thrown", async () => {
    world.on(a, reply.partialState());
    const error = await rejection<MatrixError>(world.client().request(a, stateIds, { roomId, eventId }));
    expect(error).toMatchObject({ name: "MatrixError", code: "ERR_PARTIAL_STATE", partialState: true, server: a });
    expect(world.requests(a).length).toBe(2);
  });

  test("they are asked last the next time, those that said so most often at the very end", async () => {
    world.on(a, reply.partialState());
    world.on(b, reply.sequence(reply.partialState(), answers));
    world.on(c, reply.partialState());
    const room = world.room([a, c, b]);
    await room.stateIds({ eventId }, oneByOne);
    const { attempts } = await room.stateIds({ eventId }, oneByOne);
    expect(trail(attempts)).toEqual([`1 ${b} answered`]);
  });
});

describe("when all fail, the error says what it means:", () => {
  test("allRefused where nobody has it, after one round", async () => {
    world.on(a, reply.matrixError(403, "M_FORBIDDEN"));
    world.on(b, reply.matrixError(404, "M_NOT_FOUND"));
    world.on(c, reply.matrixError(404, "M_UNRECOGNIZED"));
    const error = await failure(world.room(all).stateIds({ eventId }));
    expect(error).toMatchObject({ code: "ERR_ALL_FAILED", summary: "allRefused" });
    expect(error.attempts.map(({ verdict }) => verdict)).toEqual(["notResident", "notResident", "unsupported"]);
    expect(world.requestCount()).toBe(3);
  });

  test("allUnavailable where nobody can be reached or trusted", async () => {
    world.on(a, reply.htmlError());
    world.on(b, reply.garbage());
    const error = await failure(world.room([a, b, "dead.example"]).stateIds({ eventId }, { rounds: 1 }));
    expect(error.summary).toBe("allUnavailable");
  });

  test("mixed where the reasons differ", async () => {
    world.on(a, reply.partialState());
    world.on(b, reply.matrixError(404, "M_NOT_FOUND"));
    const error = await failure(world.room([a, b, "dead.example"]).stateIds({ eventId }, { rounds: 1 }));
    expect(error.summary).toBe("mixed");
    expect(trail(error.attempts)).toEqual([`1 ${a} partialState`, `1 ${b} notResident`, "1 dead.example unavailable"]);
  });

  test("the last word of each server counts", async () => {
    world.on(a, reply.sequence(reply.htmlError(), reply.partialState()));
    world.on(b, reply.partialState());
    const error = await failure(world.room([a, b]).stateIds({ eventId }, { rounds: 2, ...oneByOne }));
    expect(error.summary).toBe("allPartial");
  });

  test("a room where we alone live is an error before any request", async () => {
    const error = await failure(world.room([ourName]).stateIds({ eventId }));
    expect(error).toMatchObject({ code: "ERR_NO_RESIDENTS", summary: "notAsked", attempts: [] });
    expect(world.requestCount()).toBe(0);
  });
});

describe("a server that limits our rate", () => {
  test("is asked again after the time that it said, when it is the only one", async () => {
    world.on(a, reply.sequence(reply.rateLimited({ retryAfterMs: 700 }), answers));
    const { attempts } = await world.room([a]).stateIds({ eventId });
    expect(trail(attempts)).toEqual([`1 ${a} rateLimited`, `2 ${a} answered`]);
    expect((attempts[1]?.startMs ?? 0) - (attempts[0]?.startMs ?? 0)).toBeGreaterThanOrEqual(695);
  });

  test("is not asked again within a call that would be over before its time", async () => {
    world.on(a, reply.rateLimited({ retryAfterHeader: "3000" }));
    const error = await rejection<MatrixError>(world.client().request(a, stateIds, { roomId, eventId }));
    expect(error).toMatchObject({ errcode: "M_LIMIT_EXCEEDED", retryAfterMs: 3_000_000 });
    expect(world.requests(a).length).toBe(1);
  });

  test("tells with the others when asking again may help: the earliest time", async () => {
    world.on(a, reply.rateLimited({ retryAfterHeader: "3000" }));
    world.on(b, reply.rateLimited({ retryAfterHeader: "600" }));
    const error = await failure(world.room([a, b]).stateIds({ eventId }));
    expect(error).toMatchObject({ code: "ERR_ALL_FAILED", summary: "allUnavailable" });
    expect(error.retryAt).toBeGreaterThan(Date.now() + 590_000);
    expect(error.retryAt).toBeLessThanOrEqual(Date.now() + 600_000);
    expect(world.requestCount()).toBe(2);
  });

  test("is left alone by the next call too, which asks another or nobody", async () => {
    world.on(a, reply.rateLimited({ retryAfterHeader: "600" }));
    world.on(b, answers);
    const client = world.client();
    await world.room([a, b], client).stateIds({ eventId });
    await world.room([a, b], client).stateIds({ eventId });
    expect(world.requests(a).length).toBe(1);
    const error = await failure(world.room([a], client).stateIds({ eventId }));
    expect(error).toMatchObject({ code: "ERR_IN_BACKOFF", retryAt: (await client.backoff.get(a)).pausedUntil });
    expect(world.requests(a).length).toBe(1);
  });
});

describe("a server in backoff", () => {
  const backoff = { threshold: 1, baseMs: 3_600_000 };

  test("is not asked while another answers", async () => {
    world.on(a, reply.htmlError());
    world.on(b, answers);
    const client = world.client({ backoff });
    const room = world.room([a, b], client);
    await room.stateIds({ eventId });
    expect(trail((await room.stateIds({ eventId })).attempts)).toEqual([`1 ${b} answered`]);
    expect(world.requests(a).length).toBe(1);
  });

  test("is not asked when nobody else is left: the error says when it may be", async () => {
    world.on(a, reply.htmlError());
    const client = world.client({ backoff });
    const room = world.room([a, "dead.example"], client);
    await failure(room.stateIds({ eventId }, { rounds: 1 }));
    const error = await failure(room.stateIds({ eventId }));
    const { retryAt } = await client.backoff.get(a);
    expect(error).toMatchObject({ code: "ERR_IN_BACKOFF", summary: "notAsked", attempts: [] });
    expect(error.retryAt).toBeLessThanOrEqual(retryAt ?? 0);
    expect(error.message).toMatch(/Retry at: \d{4}-\d\d-\d\dT/);
    expect(world.requests(a).length).toBe(1);
    await expect(client.version(a)).rejects.toMatchObject({ code: "ERR_IN_BACKOFF", retryAt, server: a });
    expect(world.requests(a).length).toBe(1);
  });

  test("is asked when the call ignores that; its failure then does not count, and its answer ends the backoff", async () => {
    world.on(a, reply.sequence(reply.htmlError(), reply.htmlError(), answers));
    const client = world.client({ backoff });
    const room = world.room([a], client);
    await rejection(room.stateIds({ eventId }, { rounds: 1 }));
    const before = await client.backoff.get(a);
    await rejection(room.stateIds({ eventId }, { rounds: 1, ignoreBackoff: true }));
    expect(await client.backoff.get(a)).toEqual(before);
    await room.stateIds({ eventId }, { ignoreBackoff: true });
    expect(await client.backoff.get(a)).toMatchObject({ failures: 0, retryAt: undefined });
  });

  test("that the call ignores is asked after all the others, in the same round (bug: only when they had left the call)", async () => {
    world.on(a, reply.sequence(reply.htmlError(), answers));
    world.on(b, reply.htmlError());
    world.on(c, reply.partialState());
    const client = world.client({ backoff });
    await rejection(world.room([a], client).stateIds({ eventId }, { rounds: 1 }));
    const { attempts } = await world.room(all, client).stateIds({ eventId }, { ignoreBackoff: true });
    expect(trail(attempts)).toEqual([`1 ${b} unavailable`, `1 ${c} partialState`, `1 ${a} answered`]);
  });

  test("is asked again after it was marked alive, or reset", async () => {
    world.on(a, reply.sequence(reply.htmlError(), reply.htmlError(), answers));
    const client = world.client({ backoff });
    const room = world.room([a], client);
    await rejection(room.stateIds({ eventId }, { rounds: 1 }));
    await client.markAlive(a);
    await rejection(room.stateIds({ eventId }, { rounds: 1 }));
    await client.backoff.reset(a);
    expect(await client.backoff.get(a)).toEqual({ server: a, failures: 0, misbehaviours: 0 });
    expect((await room.stateIds({ eventId })).via).toBe(a);
  });

  test("got there by one failure of many calls at once, not by many", async () => {
    world.on(a, reply.htmlError());
    const client = world.client();
    const events = Array.from({ length: 20 }, (_, index) => `$event${index}`);
    await Promise.all(
      events.map((event) => rejection(world.room([a], client).stateIds({ eventId: event }, { rounds: 1 }))),
    );
    expect(world.requests(a).length).toBe(20);
    // At most 8 connections: later requests began after the first had failed. What began together counts once.
    expect((await client.backoff.get(a)).failures).toBe(1);
  });
});

describe("a server without the endpoint", () => {
  test("is asked after the others the next time, for that endpoint alone", async () => {
    world.on(a, reply.matrixError(404, "M_UNRECOGNIZED"), "hierarchy");
    world.on(b, reply.json({ room: { room_id: roomId }, children: [] }), "hierarchy");
    for (const server of [a, b]) world.on(server, answers);
    const room = world.room([a, b]);
    await room.hierarchy({});
    expect((await room.hierarchy({})).attempts.map(({ server }) => server)).toEqual([b]);
    await room.stateIds({ eventId });
    expect(world.requests(a).map(({ endpoint }) => endpoint)).toContain("hierarchy");
  });
});

describe("servers that sent us the event", () => {
  test("are asked first, before healthy and preferred ones", async () => {
    for (const server of all) world.on(server, reply.json({ auth_chain: [] }), "event_auth");
    const room = world.room(all);
    await room.eventAuth({ eventId });
    expect((await room.eventAuth({ eventId }, { sentBy: [c], prefer: [b] })).via).toBe(c);
    expect((await room.eventAuth({ eventId }, { prefer: [b] })).via).toBe(b);
  });

  test("and break their obligation lose to another resident, and their reputation", async () => {
    world.on(a, reply.partialState(), "event_auth");
    world.on(b, reply.json({ auth_chain: [] }), "event_auth");
    const client = world.client();
    const { attempts } = await world.room([a, b], client).eventAuth({ eventId }, { sentBy: [a] });
    expect(trail(attempts)).toEqual([`1 ${a} obligationBroken`, `1 ${b} answered`]);
    expect(await client.backoff.get(a)).toMatchObject({ failures: 0, misbehaviours: 1 });
  });
});

describe("soon after our join", () => {
  test("a refusal by a server that has not heard of it is no last word: it is asked again", async () => {
    world.on(a, reply.sequence(reply.matrixError(403, "M_FORBIDDEN"), answers));
    const { attempts } = await world.room([a]).stateIds({ eventId }, { joinedVia: b });
    expect(trail(attempts)).toEqual([`1 ${a} notYetPropagated`, `2 ${a} answered`]);
  });
});
