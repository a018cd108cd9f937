import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, describe, expect, test, vi } from "vitest";

import { Cancellation } from "../../src/cancellation.js";
import { sendJoin } from "../../src/endpoints.js";
import { Failover, type Plan } from "../../src/failover/failover.js";
import { Trail } from "../../src/failover/trail.js";
import { defineEndpoint, type FailoverError } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId, stateIdsAnswer } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const reason = new Error("The user went away");
const never = new Promise<never>(() => {});

/** Answers like this; is fulfilled when the answer has had time to arrive. */
const answeredOn = (server: string, behaviour: Behaviour): Promise<void> =>
  new Promise((resolve) => {
    world.on(server, async (exchange) => {
      await behaviour(exchange);
      setTimeout(resolve, 50);
    });
  });

/** Aborts when the first request is there, and makes sure that the call left nothing behind. */
async function expectAbort(
  call: (signal: AbortSignal) => Promise<unknown>,
  when: Promise<unknown>,
  quietMs = 100,
): Promise<void> {
  const controller = new AbortController();
  const rejected = rejection(call(controller.signal));
  await when;
  controller.abort(reason);
  expect(await rejected).toBe(reason);
  const count = world.requestCount();
  await sleep(quietMs);
  expect(world.requestCount()).toBe(count);
}

describe("an abort by the caller rejects with the signal's own reason, and nothing goes on:", () => {
  test("before the call", async () => {
    world.on(a, reply.json(stateIdsAnswer));
    const signal = AbortSignal.abort(reason);
    expect(await rejection(world.room([a]).stateIds({ eventId }, { signal }))).toBe(reason);
    expect(await rejection(world.room([a]).safe.stateIds({ eventId }, { signal }))).toBe(reason);
    expect(world.requestCount()).toBe(0);
  });

  test("while the server thinks", async () => {
    const held = reply.held(reply.json(stateIdsAnswer));
    world.on(a, held);
    world.on(b, reply.json(stateIdsAnswer));
    const room = world.room([a, b]);
    await expectAbort((signal) => room.stateIds({ eventId }, { signal }), held.requested);
    expect(world.requests(b)).toEqual([]);
  });

  test("in the middle of the body: the server sees the connection go", async () => {
    let gone = false;
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    world.on(a, async (exchange) => {
      exchange.signal.addEventListener("abort", () => {
        gone = true;
      });
      setTimeout(begin, 50);
      await reply.stall({ afterBytes: 5 })(exchange);
    });
    await expectAbort((signal) => world.room([a]).stateIds({ eventId }, { signal }), begun);
    expect(gone).toBe(true);
  });

  test("in the wait between two rounds", async () => {
    const answered = answeredOn(a, reply.partialState());
    await expectAbort((signal) => world.room([a]).stateIds({ eventId }, { signal }), answered, 1_100);
    expect(world.requests(a).length).toBe(1);
  });

  test("in the wait for a server that limits our rate", async () => {
    const limited = answeredOn(a, reply.rateLimited({ retryAfterMs: 600 }));
    await expectAbort((signal) => world.room([a]).stateIds({ eventId }, { signal }), limited, 1_700);
    expect(world.requests(a).length).toBe(1);
  });

  test("while DNS is silent", async () => {
    const silent = { resolve4: () => never, resolve6: () => never, resolveSrv: () => never };
    const room = world.room([a], world.client({ dns: silent }));
    await expectAbort((signal) => room.stateIds({ eventId }, { signal }), sleep(50));
  });

  test("while the store is silent", async () => {
    const store = { get: () => never, set: async () => {}, delete: async () => {} };
    world.on(a, reply.json(stateIdsAnswer));
    const room = world.room([a], world.client({ store }));
    await expectAbort((signal) => room.stateIds({ eventId }, { signal }), sleep(50));
  });

  test("while the residents are looked up (bug: the call went on)", async () => {
    world.on(a, reply.partialState());
    const residents = async (): Promise<string[]> => {
      await sleep(100);
      return [a];
    };
    const room = world.client().room(roomId, { residents });
    await expectAbort((signal) => room.stateIds({ eventId }, { signal }), sleep(20));
  });

  test("in the safe twin as well, unwrapped", async () => {
    const held = reply.held(reply.json(stateIdsAnswer));
    world.on(a, held);
    await expectAbort((signal) => world.room([a]).safe.stateIds({ eventId }, { signal }), held.requested);
  });

  test("with a reason that is no error, and with a timeout signal's reason", async () => {
    world.on(a, reply.stallBeforeHeaders());
    const controller = new AbortController();
    const rejected = rejection(world.room([a]).stateIds({ eventId }, { signal: controller.signal }));
    setTimeout(() => controller.abort("enough"), 30);
    expect(await rejected).toBe("enough");
    const signal = AbortSignal.timeout(30);
    expect(await rejection(world.room([a]).stateIds({ eventId }, { signal }))).toBe(signal.reason);
  });

  test("and a call that is over leaves no listener on the signal", async () => {
    world.on(a, reply.sequence(reply.partialState(), reply.json(stateIdsAnswer)));
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof addEventListener>) => {
        listeners += 1;
        return addEventListener.apply(signal, args);
      },
      removeEventListener: (...args: Parameters<typeof removeEventListener>) => {
        listeners -= 1;
        return removeEventListener.apply(signal, args);
      },
    });
    await world.room([a]).stateIds({ eventId }, { signal });
    expect(listeners).toBe(0);
  });
});

describe("a deadline", () => {
  const expectTimeout = async (promise: Promise<unknown>): Promise<FailoverError> => {
    const error = await rejection<FailoverError>(promise);
    expect(error).toMatchObject({ name: "FailoverError", code: "ERR_ALL_FAILED" });
    return error;
  };

  test("covers a server that is silent, and says how long the call had", async () => {
    world.on(a, reply.stallBeforeHeaders());
    const error = await expectTimeout(world.room([a]).stateIds({ eventId }, { timeout: 120 }));
    expect(error.message).toContain("120 ms");
    expect(error.attempts).toMatchObject([{ server: a, verdict: "aborted" }]);
    expect(error.summary).toBe("allUnavailable");
  });

  test("covers the waits between rounds: a wait that would outlast it is not begun", async () => {
    const room = world.room([a, b], await world.connectedClient(a, b));
    world.on(a, reply.partialState());
    world.on(b, reply.partialState());
    const error = await expectTimeout(room.stateIds({ eventId }, { timeout: 400 }));
    expect(error.summary).toBe("allPartial");
    expect(world.requestCount()).toBe(2);
  });

  test("covers DNS and the store", async () => {
    const silent = { resolve4: () => never, resolve6: () => never, resolveSrv: () => never };
    await expectTimeout(world.room([a], world.client({ dns: silent })).stateIds({ eventId }, { timeout: 100 }));
    const store = { get: () => never, set: async () => {}, delete: async () => {} };
    const error = await expectTimeout(world.room([a], world.client({ store })).stateIds({ eventId }, { timeout: 100 }));
    expect(error).toMatchObject({ summary: "notAsked", attempts: [] });
  });

  test("longer than timers can count is no deadline that is over at once", async () => {
    world.on(a, reply.delay(50, reply.json(stateIdsAnswer)));
    expect((await world.room([a]).stateIds({ eventId }, { timeout: 2 ** 40 })).via).toBe(a);
  });

  test("of one attempt ends it, and what became of the request is unknown where it changes the room", async () => {
    const hasty = defineEndpoint({ ...sendJoin, timeoutMs: 200 });
    const client = await world.connectedClient(a);
    world.on(a, reply.delay(5_000, reply.json({ state: [], auth_chain: [] })), "send_join");
    const error = await rejection(
      client.request(a, hasty, { roomId, eventId, event: {} }, { timeout: 5_000, rounds: 1 }),
    );
    expect(error).toMatchObject({
      code: "ERR_OUTCOME_UNKNOWN",
      attempts: [{ verdict: "unavailable", mayHaveTakenEffect: true }],
    });
  });
});

afterEach(() => void vi.useRealTimers());

describe("a server that was given ten seconds and said nothing", () => {
  /** What is held against the server after four calls that ended after some ten seconds, each for this reason. */
  async function failuresAfter(why: Error): Promise<number> {
    vi.useFakeTimers();
    const failover = new Failover(undefined, undefined);
    const plan: Plan<unknown> = {
      endpoint: "state_ids",
      repeatable: "anyServer",
      roomId: undefined,
      oneServer: true,
      candidates: [a],
      sentBy: undefined,
      prefer: undefined,
      rounds: 1,
      attemptTimeoutMs: 60_000,
      mayHedge: true,
      ignoreBackoff: false,
      ask: () => never,
    };
    const calls = [0, 1, 2, 3].map((index) => {
      const cancellation = new Cancellation();
      setTimeout(() => cancellation.abort(why), 10_100 + index * 50);
      return rejection(failover.run(plan, new Trail(), cancellation, () => Number.POSITIVE_INFINITY));
    });
    await vi.advanceTimersByTimeAsync(11_000);
    expect(await Promise.all(calls)).toEqual(calls.map(() => why));
    return failover.records.state(a).failures;
  }

  test("has failed, though the caller had no more patience, and once for all calls at once (bug: once for each)", async () => {
    expect(await failuresAfter(new DOMException("too late", "TimeoutError"))).toBe(1);
  });

  test("has not failed when the caller changed its mind (bug: an abort opened the backoff)", async () => {
    expect(await failuresAfter(reason)).toBe(0);
  });
});
