import { expect, test } from "vitest";

import { createMemoryStore } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, stateIdsAnswer } from "./world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);

test("an address that our policy refuses says nothing of the server (bug: it was in backoff when the policy was mended)", async () => {
  const store = createMemoryStore();
  const strict = world.client({ allowAddress: [], store, backoff: { threshold: 1 } });
  for (let call = 0; call < 3; call++) {
    const error = await rejection(strict.version(a));
    expect(error).toMatchObject({ code: "ERR_ADDRESS_REFUSED" });
    expect(error.message).toContain("127.0.0.1 is not public (loopback)");
    expect(error.message).toContain("allowAddress");
  }
  expect(world.requestCount()).toBe(0);
  expect(await strict.backoff.get(a)).toMatchObject({ failures: 0, retryAt: undefined });
  expect(await world.client({ store }).version(a)).toHaveProperty("server");
});

test("nor does a proxy of ours that is down: another resident is asked, and no round waits for it", async () => {
  world.on(b, reply.json(stateIdsAnswer));
  const client = world.client({
    proxy: ({ hostname }) => (hostname === a ? "http://127.0.0.1:1" : undefined),
    backoff: { threshold: 1 },
  });
  const { via, attempts } = await world.room([a, b], client).stateIds({ eventId });
  expect([via, attempts[0]?.verdict, attempts[0]?.error?.code]).toEqual([b, "notAllowed", "ERR_PROXY"]);
  expect(await client.backoff.get(a)).toMatchObject({ failures: 0 });
  const alone = await world.room([a], client).safe.stateIds({ eventId });
  expect(alone.attempts).toHaveLength(1);
});

test("a function among the options that throws is a wrong option, whatever was asked", async () => {
  const bug = new RangeError("a bug of the caller's");
  const client = world.client({
    connectTo: () => {
      throw bug;
    },
    backoff: { threshold: 1 },
  });
  expect(await rejection(client.version(a))).toMatchObject({ code: "ERR_OPTION", cause: bug });
  expect(await client.backoff.get(a)).toMatchObject({ failures: 0 });
});

test("a call about a room can be put to one server: nobody else is asked", async () => {
  world.on(a, reply.partialState());
  world.on(b, reply.json(stateIdsAnswer));
  const client = world.client();
  const room = { roomId: "!room:a.example", eventId };
  expect(await rejection(client.stateIds(a, room, { rounds: 1 }))).toMatchObject({ code: "ERR_PARTIAL_STATE" });
  expect(await client.stateIds(b, room)).toMatchObject({ value: stateIdsAnswer, via: b, dropped: [] });
  expect(await client.safe.stateIds(b, room)).toMatchObject({ ok: true, via: b });
});

test("and tells what was left out of the answer (bug: only its safe twin did)", async () => {
  world.on(b, reply.json({ pdus: [{ type: "m.room.message" }, { type: 5 }], auth_chain: [] }), "state");
  const { value, dropped } = await world.client().state(b, { roomId: "!room:a.example", eventId });
  expect(value.pdus).toEqual([{ type: "m.room.message" }]);
  expect(dropped).toEqual([{ path: "$.pdus[1]", reason: expect.stringContaining("type") }]);
});

test("the server that sent us an event is obliged to answer about it, also where it alone is asked", async () => {
  world.on(a, reply.partialState(), "event_auth");
  const call = world.client().safe.eventAuth(a, { roomId: "!room:a.example", eventId }, { sentBy: [a], rounds: 1 });
  expect((await call).attempts).toMatchObject([{ server: a, verdict: "obligationBroken" }]);
});
