import { channel } from "node:diagnostics_channel";

import { afterEach, describe, expect, test } from "vitest";

import { type DiagnosticsEvents, observe } from "../src/index.js";
import { publish } from "../src/observe.js";
import { reply } from "../src/testing.js";
import { createWorld, eventId, rejection, roomId, stateIdsAnswer } from "./client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** The events of a channel, as they come. */
function listen<Name extends keyof DiagnosticsEvents>(name: Name): DiagnosticsEvents[Name][] {
  const events: DiagnosticsEvents[Name][] = [];
  stops.push(observe(name, (event) => events.push(event)));
  return events;
}

describe("on the channels", () => {
  test("request:start and request:end tell of every attempt, and its verdict follows", async () => {
    world.on(a, reply.partialState());
    world.on(b, reply.json(stateIdsAnswer));
    const starts = listen("matrix-federation-sdk:request:start");
    const ends = listen("matrix-federation-sdk:request:end");
    const verdicts = listen("matrix-federation-sdk:verdict");
    await world.room([a, b]).stateIds({ eventId });
    expect(starts).toEqual([a, b].map((server) => ({ server, endpoint: "state_ids", roomId })));
    const ms = expect.any(Number);
    expect(ends).toEqual([
      { server: a, endpoint: "state_ids", roomId, ms, status: 403 },
      { server: b, endpoint: "state_ids", roomId, ms, status: 200 },
    ]);
    expect(verdicts).toEqual([
      {
        ...ends[0],
        ms,
        verdict: "partialState",
        rule: expect.stringContaining("unstable name"),
        errcode: "ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE",
      },
      { ...ends[1], ms, verdict: "answered", rule: "a success whose body is valid", errcode: undefined },
    ]);
  });

  test("request:end tells of an attempt without a response, and of one that was aborted", async () => {
    const ends = listen("matrix-federation-sdk:request:end");
    const verdicts = listen("matrix-federation-sdk:verdict");
    world.on(a, reply.reset());
    await world.client().safe.version("nowhere.example", { rounds: 1 });
    expect(ends).toMatchObject([
      { server: "nowhere.example", endpoint: "version", roomId: undefined, status: undefined },
    ]);
    expect(verdicts).toMatchObject([{ verdict: "unavailable", status: undefined }]);

    const held = reply.held(reply.json(stateIdsAnswer));
    world.on(a, held);
    const controller = new AbortController();
    const call = rejection(world.room([a]).stateIds({ eventId }, { signal: controller.signal }));
    await held.requested;
    controller.abort();
    await call;
    await expect.poll(() => ends.length).toBe(2);
    expect(ends[1]).toMatchObject({ server: a, status: undefined });
    expect(verdicts.length).toBe(1);
  });

  test("partial-state tells since when and how often", async () => {
    world.on(a, reply.partialState());
    const events = listen("matrix-federation-sdk:partial-state");
    const before = Date.now();
    const room = world.room([a]);
    await room.safe.stateIds({ eventId }, { rounds: 1 });
    await room.safe.stateIds({ eventId }, { rounds: 1 });
    expect(events).toMatchObject([
      { server: a, roomId, times: 1 },
      { server: a, roomId, times: 2 },
    ]);
    expect(events[0]?.since).toBeGreaterThanOrEqual(before);
    expect(events[1]?.since).toBe(events[0]?.since);
  });

  test("backoff:open and backoff:close tell of a server that fails, and that is back", async () => {
    world.on(a, reply.sequence(reply.htmlError(), reply.htmlError(), reply.json(stateIdsAnswer)));
    const opened = listen("matrix-federation-sdk:backoff:open");
    const closed = listen("matrix-federation-sdk:backoff:close");
    const client = world.client({ backoff: { threshold: 1 } });
    const room = world.room([a], client);
    await room.safe.stateIds({ eventId }, { rounds: 1 });
    const { retryAt } = await client.backoff.get(a);
    expect(opened).toEqual([{ server: a, failures: 1, retryAt }]);
    await client.markAlive(a);
    expect(closed).toEqual([{ server: a, failures: 0, retryAt: undefined }]);
    await client.markAlive(a);
    await client.backoff.reset(a);
    expect(closed.length).toBe(1);
    await room.safe.stateIds({ eventId }, { rounds: 1 });
    await room.stateIds({ eventId }, { ignoreBackoff: true });
    expect([opened.length, closed.length]).toEqual([2, 2]);
  });

  test("nothing of partial state is published where a failure is, and nothing of backoff where partial state is", async () => {
    world.on(a, reply.partialState());
    const opened = listen("matrix-federation-sdk:backoff:open");
    const client = world.client({ backoff: { threshold: 1 } });
    for (let call = 0; call < 5; call++) await world.room([a], client).safe.stateIds({ eventId }, { rounds: 1 });
    expect(opened).toEqual([]);
  });
});

describe("listening", () => {
  test("ends with the function that observe returned, for that listener alone", () => {
    const seen: string[] = [];
    const name = "matrix-federation-sdk:backoff:open";
    const stopFirst = observe(name, () => seen.push("first"));
    stops.push(observe(name, () => seen.push("second")));
    const event = { server: a, failures: 1, retryAt: 1 };
    publish(name, () => event);
    stopFirst();
    stopFirst();
    publish(name, () => event);
    expect(seen).toEqual(["first", "second", "second"]);
  });

  test("works with node:diagnostics_channel alone", async () => {
    const events: unknown[] = [];
    const onMessage = (event: unknown): void => void events.push(event);
    const verdicts = channel("matrix-federation-sdk:verdict");
    verdicts.subscribe(onMessage);
    stops.push(() => verdicts.unsubscribe(onMessage));
    await world.client().version(a);
    expect(events).toMatchObject([{ server: a, verdict: "answered" }]);
  });
});

test("nothing is computed while nobody listens", () => {
  let computed = 0;
  const event = (): DiagnosticsEvents["matrix-federation-sdk:backoff:open"] => {
    computed += 1;
    return { server: a, failures: 1, retryAt: 1 };
  };
  publish("matrix-federation-sdk:backoff:open", event);
  expect(computed).toBe(0);
  const stop = observe("matrix-federation-sdk:backoff:open", () => {});
  publish("matrix-federation-sdk:backoff:open", event);
  stop();
  publish("matrix-federation-sdk:backoff:open", event);
  expect(computed).toBe(1);
});
