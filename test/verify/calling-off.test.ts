import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { reply, type TestRoom } from "../../src/testing.js";
import { oneByOne } from "../one-by-one.js";
import {
  alice,
  bob,
  createVerifyWorld,
  inPieces,
  json,
  poisons,
  rejection,
  stateAnswer,
  transactionOf,
  type VerifyWorld,
} from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const roomVersion = "10" as const;

function crowd(members = 400): {
  room: TestRoom;
  eventId: string;
  answer: ReturnType<typeof stateAnswer>;
  body: string;
} {
  const room = world.room();
  room.addMembers(members, { servers: ["a.example", "b.example", "c.example"] });
  const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
  const answer = stateAnswer(room, eventId);
  return { room, eventId, answer, body: JSON.stringify(answer) };
}

const never = (): Promise<void> => new Promise(() => {});

describe("a caller who aborts gets the reason, at every stage", () => {
  test.each([new Error("enough"), "a text", 7])("with the reason %s", async (reason) => {
    const { room, eventId, answer, body } = crowd(100);
    const doubtful = JSON.stringify({
      ...answer,
      pdus: answer.pdus.with(9, poisons.content(answer.pdus[9] as JsonObject)),
    });
    const stages: Record<string, () => Promise<unknown>> = {
      "while the version is asked for": async () => {
        const hold = world.server("a.example").hold("event_auth");
        return hold.requested;
      },
      "before the answer": async () => world.server("a.example").hold("state").requested,
      "in the middle of the answer": async () => {
        world.on("a.example", "state", inPieces(body.slice(0, -10), 20_000, "stall"));
        await sleep(150);
      },
      "while keys are asked for": async () => {
        world.on("a.example", "state", inPieces(body, 50_000));
        await world.server("b.example").hold("server_keys").requested;
      },
      "while another resident is asked for an event": async () => {
        world.on("a.example", "state", inPieces(doubtful, 50_000));
        await Promise.race(["b.example", "c.example"].map((server) => world.server(server).hold("event").requested));
      },
    };
    for (const [stage, reached] of Object.entries(stages)) {
      for (const { name } of world.federation.servers) world.server(name).reset();
      // On a busy machine it is asked too, and its answer would end the call.
      world.on("b.example", "state", reply.stallBeforeHeaders());
      const version = stage === "while the version is asked for" ? undefined : roomVersion;
      const controller = new AbortController();
      const there = reached();
      const client = world.client();
      const call = rejection(world.view(room, client, version).state({ eventId }, { signal: controller.signal }));
      await there;
      controller.abort(reason);
      expect({ stage, reason: await call }).toEqual({ stage, reason });
      expect(client.backoff.list()).toEqual([]);
    }
  });

  test("and a handler that never ends keeps no timer (bug: the attempt's kept the process)", async () => {
    const { room, eventId, body } = crowd(100);
    world.on("a.example", "state", inPieces(body.slice(0, -10), 20_000, "stall"));
    const client = world.client();
    const stop = new AbortController();
    const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === "Timeout").length;
    const before = timers();
    const onEvent = (): Promise<void> => {
      setImmediate(() => stop.abort());
      return never();
    };
    await rejection(world.view(room, client, roomVersion).state({ eventId }, { onEvent, signal: stop.signal }));
    await client.close();
    await expect.poll(timers).toBeLessThanOrEqual(before);
  });

  test("while the caller's own handler is at work", async () => {
    const { room, eventId } = crowd(100);
    const controller = new AbortController();
    const reason = new Error("enough");
    const onEvent = (): Promise<void> => {
      controller.abort(reason);
      return never();
    };
    const call = world
      .view(room, world.client(), roomVersion)
      .state({ eventId }, { signal: controller.signal, onEvent });
    expect(await rejection(call)).toBe(reason);
  });
});

describe("a handler is called no more once its call is over", () => {
  /** Calls with a handler that aborts the call and takes its time; says how often it was called. */
  async function calledIn(
    call: (options: { signal: AbortSignal; onEvent: () => Promise<void> }) => Promise<unknown>,
    after: number,
  ): Promise<number> {
    const controller = new AbortController();
    let calls = 0;
    const onEvent = async (): Promise<void> => {
      calls += 1;
      if (calls === after) controller.abort(new Error("enough"));
      await sleep(5);
    };
    expect(await rejection(call({ signal: controller.signal, onEvent }))).toEqual(new Error("enough"));
    await sleep(200);
    return calls;
  }

  test("with the events that were asked for elsewhere", async () => {
    const { room, eventId, answer } = crowd(20);
    const pdus = answer.pdus.map((event) => (event.type === "m.room.member" ? poisons.content(event) : event));
    const given = new Set(pdus.filter((event, at) => event === answer.pdus[at])).size + answer.auth_chain.length;
    world.on("a.example", "state", json({ ...answer, pdus }));
    const view = world.view(room, world.client(), roomVersion);
    expect(await calledIn((options) => view.state({ eventId }, options), given + 2)).toBe(given + 2);
  });

  test("with the events of an answer that is not streamed", async () => {
    const room = world.room();
    for (let at = 0; at < 20; at++) room.send(bob, "m.room.message", { body: `hi ${at}` });
    const { eventId } = room.send(bob, "m.room.message", { body: "hi" });
    const view = world.view(room, world.client(), roomVersion);
    expect(await calledIn((options) => view.backfill({ from: [eventId], limit: 20 }, options), 2)).toBe(2);
  });

  test.each(["reset", "end"] as const)("with the events of an answer that broke off: %s", async (then) => {
    const { room, eventId, body } = crowd();
    const keys = world.server("b.example").hold("server_keys");
    world.on("a.example", "state", async ({ response, reset }) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write(body.slice(0, -10));
      await keys.requested;
      if (then === "end") response.end();
      else reset();
    });
    const next = world.server("c.example").hold("state");
    const controller = new AbortController();
    const calls: string[] = [];
    const call = rejection(
      world
        .client()
        .room(room.roomId, { residents: ["a.example", "c.example"], roomVersion })
        .state({ eventId }, { signal: controller.signal, onEvent: ({ via }) => void calls.push(via) }),
    );
    // The next one is asked though the keys have not come.
    await next.requested;
    const before = [...calls];
    keys.release();
    await sleep(200);
    expect(calls).toEqual(before);
    controller.abort(new Error("enough"));
    expect(await call).toEqual(new Error("enough"));
  });
});

describe("a call that runs out of time", () => {
  test("in the middle of an answer says so, and counts no failure against a server that had little of it", async () => {
    const { room, eventId, body } = crowd();
    world.on("a.example", "state", inPieces(body.slice(0, -10), 20_000, "stall"));
    const client = world.client();
    const answer = await world.view(room, client, roomVersion).safe.state({ eventId }, { timeout: 400, ...oneByOne });
    expect(answer).toMatchObject({ ok: false, error: { code: "ERR_ALL_FAILED" } });
    expect(client.backoff.list()).toEqual([]);
  });

  test("while keys are looked for does not blame the server that answered", async () => {
    const { room, eventId } = crowd();
    world.on("b.example", "server_keys", reply.stallBeforeHeaders());
    const client = world.client();
    const answer = await world.view(room, client, roomVersion).safe.state({ eventId }, { timeout: 500 });
    expect(answer.ok).toBe(false);
    expect(client.backoff.list()).toEqual([]);
  });

  test("while a handler is at work ends all the same", async () => {
    const { room, eventId } = crowd(100);
    const answer = await world
      .view(room, world.client(), roomVersion)
      .safe.state({ eventId }, { timeout: 400, onEvent: never });
    expect(answer).toMatchObject({ ok: false, error: { code: "ERR_ALL_FAILED" } });
  });
});

describe("closing the client", () => {
  test.each(["in the middle of an answer", "while keys are asked for", "while a handler is at work"])(
    "%s ends the call with ERR_CLOSED, and nothing is left running",
    async (stage) => {
      const { room, eventId, body } = crowd();
      const client = world.client();
      const isKeys = stage.includes("keys");
      const there = isKeys ? world.server("b.example").hold("server_keys").requested : sleep(200);
      world.on("a.example", "state", inPieces(body.slice(0, -10), 20_000, "stall"));
      const onEvent = stage.includes("handler") ? never : undefined;
      const call = rejection(world.view(room, client, roomVersion).state({ eventId }, { onEvent }));
      await there;
      await client.close();
      expect(await call).toMatchObject({ code: "ERR_CLOSED" });
    },
  );
});

test("a slow resident that is asked for an event elsewhere does not cost the answer", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", { body: "hi" });
  world.on("a.example", "event", json(transactionOf(poisons.content(event))));
  world.on("b.example", "event", reply.matrixError(500, "M_UNKNOWN"));
  const { value } = await world.view(room, world.client(), roomVersion).event({ eventId });
  expect(value.pdus).toEqual([event]);
});
