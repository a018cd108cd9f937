import { describe, expect, test } from "vitest";

import { stateIds } from "../../src/endpoints.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId, stateIdsAnswer } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const answers = reply.json(stateIdsAnswer);

describe("two identical reads at the same time", () => {
  test("make one request, and share the answer and its attempts", async () => {
    const held = reply.held(answers);
    world.on(a, held);
    const room = world.room([a]);
    const calls = [room.stateIds({ eventId }), room.stateIds({ eventId })];
    await held.requested;
    calls.push(room.stateIds({ eventId }));
    held.release();
    const [first, second, third] = await Promise.all(calls);
    expect(world.requests(a).length).toBe(1);
    expect(second?.value).toBe(first?.value);
    expect(third).toEqual(first);
  });

  test("make one request by two handles of the room, and one from the client's call", async () => {
    const held = reply.held(answers);
    world.on(a, held);
    const client = world.client();
    const calls = [1, 2].map(() => world.room([a], client).stateIds({ eventId }));
    await held.requested;
    held.release();
    await Promise.all(calls);
    expect(world.requests(a).length).toBe(1);
  });

  test("fail together, each with an error that says so", async () => {
    world.on(a, reply.delay(50, reply.matrixError(400, "M_BAD_JSON")));
    const room = world.room([a]);
    const errors = await Promise.all([1, 2].map(() => rejection(room.stateIds({ eventId }))));
    expect(errors).toMatchObject([{ errcode: "M_BAD_JSON" }, { errcode: "M_BAD_JSON" }]);
    expect(world.requests(a).length).toBe(1);
  });

  test("one after the other make two requests", async () => {
    world.on(a, answers);
    const room = world.room([a]);
    await room.stateIds({ eventId });
    await room.stateIds({ eventId });
    expect(world.requests(a).length).toBe(2);
  });
});

describe("each caller", () => {
  test("may abort its own call: the other gets the answer", async () => {
    const held = reply.held(answers);
    world.on(a, held);
    const room = world.room([a]);
    const controller = new AbortController();
    const reason = new Error("not me");
    const first = rejection(room.stateIds({ eventId }, { signal: controller.signal }));
    const second = room.stateIds({ eventId });
    await held.requested;
    controller.abort(reason);
    expect(await first).toBe(reason);
    held.release();
    expect((await second).via).toBe(a);
    expect(world.requests(a).length).toBe(1);
  });

  test("ends the request when it is the last to leave", async () => {
    let gone = 0;
    const held = reply.held(answers);
    world.on(a, async (exchange) => {
      exchange.signal.addEventListener("abort", () => {
        gone += 1;
      });
      await held(exchange);
    });
    const room = world.room([a]);
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => rejection(room.stateIds({ eventId }, { signal })));
    await held.requested;
    controllers[0]?.abort(new Error("first"));
    await calls[0];
    expect(gone).toBe(0);
    controllers[1]?.abort(new Error("second"));
    expect((await Promise.all(calls)).map(({ message }) => message)).toEqual(["first", "second"]);
    await expect.poll(() => gone).toBe(1);
  });

  test("who comes after the last one left gets a request of its own", async () => {
    const held = reply.held(answers);
    world.on(a, held);
    const room = world.room([a]);
    const controller = new AbortController();
    const first = rejection(room.stateIds({ eventId }, { signal: controller.signal }));
    await held.requested;
    controller.abort(new Error("enough"));
    const second = room.stateIds({ eventId });
    held.release();
    expect([(await first).message, (await second).via]).toEqual(["enough", a]);
    expect(world.requests(a).length).toBe(2);
  });

  test("has its own timeout: the shorter one does not cut the longer one off", async () => {
    world.on(a, reply.delay(400, answers));
    const room = world.room([a]);
    const hasty = rejection(room.stateIds({ eventId }, { timeout: 100 }));
    const patient = room.stateIds({ eventId }, { timeout: 10_000 });
    expect(await hasty).toMatchObject({ attempts: [{ verdict: "aborted" }] });
    expect((await patient).via).toBe(a);
    expect(world.requests(a).length).toBe(1);
  });

  test("who joins with a longer timeout prolongs the rounds of the shared call", async () => {
    const room = world.room([b, a], await world.connectedClient(a, b));
    world.on(a, reply.sequence(reply.partialState(), answers));
    const held = reply.held(reply.partialState());
    world.on(b, reply.sequence(held, answers));
    const hasty = rejection(room.stateIds({ eventId }, { timeout: 300 }));
    await held.requested;
    const patient = room.stateIds({ eventId }, { timeout: 10_000 });
    held.release();
    expect(await hasty).toMatchObject({ code: "ERR_ALL_FAILED", summary: "allPartial" });
    expect((await patient).attempts.at(-1)).toMatchObject({ round: 2, verdict: "answered" });
  });
});

describe("reads that are not identical", () => {
  test("make a request each: another event, other residents, other servers obliged, another client", async () => {
    const held = reply.held(answers);
    for (const server of [a, b]) world.on(server, held);
    const client = world.client();
    const calls = [
      world.room([a], client).stateIds({ eventId }),
      world.room([a], client).stateIds({ eventId: "$other" }),
      world.room([a, b], client).stateIds({ eventId }),
      world.room([a], client).stateIds({ eventId }, { sentBy: [a] }),
      world.room([a], client).stateIds({ eventId }, { rounds: 1 }),
      world.room([a]).stateIds({ eventId }),
    ];
    await expect.poll(() => world.requestCount()).toBe(calls.length);
    held.release();
    await Promise.all(calls);
  });

  test("nor are those of two endpoints with the same path", async () => {
    const held = reply.held(answers);
    world.on(a, held);
    const client = world.client();
    const other = { ...stateIds, name: "other" };
    const calls = [stateIds, other].map((endpoint) => client.request(a, endpoint, { roomId, eventId }));
    await expect.poll(() => world.requestCount()).toBe(2);
    held.release();
    await Promise.all(calls);
  });
});

test("requests that change something are never joined", async () => {
  const held = reply.held(reply.json({ pdus: {} }));
  world.on(a, held, "send");
  const client = world.client();
  const input = { txnId: "1", originServerTs: 1, pdus: [] };
  const calls = [1, 2].map(() => client.sendTransaction(a, input));
  await expect.poll(() => world.requests(a).length).toBe(2);
  held.release();
  await Promise.all(calls);
});
