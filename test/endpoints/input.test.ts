/** What is passed is looked at once, before anything is sent. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { policyCheck } from "../../src/endpoints.js";
import type { Client, Room } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId } from "../client/world.js";

const a = "a.example";
const world = createWorld(a);
const userId = "@me:me.example";
const transaction = { txnId: "1", originServerTs: 1, pdus: [{ type: "m.x" }] };

/** What users without types pass. */
// biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
type Wrong = any;

describe("what is no event is refused before anything is sent (bug: it was sent):", () => {
  const calls: Record<string, (event: Wrong, room: Room, client: Client) => Promise<unknown>> = {
    send_join: (event, room) => room.sendJoin({ eventId, event }),
    send_leave: (event, room) => room.sendLeave({ eventId, event }),
    send_knock: (event, room) => room.sendKnock({ eventId, event }),
    invite: (event, _, client) => client.invite(a, { roomId, eventId, roomVersion: "10", event }),
    "the state of an invite": (event, _, client) =>
      client.invite(a, { roomId, eventId, roomVersion: "10", event: {}, inviteRoomState: [event] }),
    exchange_third_party_invite: (signed, room) => room.exchangeThirdPartyInvite({ sender: userId, userId, signed }),
    "3pid_onbind": (invite, _, client) =>
      client.onBindThirdPartyIdentifier(a, { medium: "email", address: "a@b", mxid: userId, invites: [invite] }),
    send: (event, _, client) => client.sendTransaction(a, { ...transaction, pdus: [event] }),
    "the ephemeral events of send": (edu, _, client) => client.sendTransaction(a, { ...transaction, edus: [edu] }),
    policy_sign: (event, _, client) => client.policySign(a, { event }),
    policy_check: (event, _, client) => client.request(a, policyCheck, { eventId, event }),
  };

  test.each(Object.entries(calls))("%s", async (_, call) => {
    const client = world.client();
    for (const event of [5, "event", null, undefined, true, [], [{}], () => undefined]) {
      expect(await rejection(call(event, world.room([a], client), client))).toMatchObject({ code: "ERR_INPUT" });
    }
    expect(world.requestCount()).toBe(0);
  });
});

test("a text where a list of texts should be is refused (bug: its letters were sent)", async () => {
  const room: Wrong = world.room([a]);
  for (const call of [
    room.getMissingEvents({ earliestEvents: eventId, latestEvents: [eventId] }),
    room.backfill({ from: eventId, limit: 1 }),
    room.makeJoin({ userId, ver: "11" }),
    room.makeKnock({ userId, ver: [11] }),
  ]) {
    expect(await rejection(call)).toMatchObject({ code: "ERR_INPUT", message: expect.stringContaining("array") });
  }
  expect(world.requestCount()).toBe(0);
});

test("each field is read once: what a getter says at first is what is checked, signed and sent", async () => {
  let reads = 0;
  const pdus = Array.from({ length: 51 }, () => ({ type: "m.y" }));
  const changing = {
    ...transaction,
    get pdus() {
      reads += 1;
      return reads === 1 ? transaction.pdus : pdus;
    },
  };
  world.on(a, reply.json({ pdus: {} }), "send");
  await world.client().sendTransaction(a, changing);
  expect([reads, world.requests(a)[0]?.json]).toMatchObject([1, { pdus: transaction.pdus }]);
});

test("what an input throws is the cause of an error of ours, or comes through as it is", async () => {
  const boom = new Error("boom");
  const throwing = (field: string): Wrong =>
    Object.defineProperty({ ...transaction }, field, {
      enumerable: true,
      get: () => {
        throw boom;
      },
    });
  const proxied = new Proxy([], {
    get: () => {
      throw boom;
    },
  });
  for (const input of [throwing("pdus"), throwing("other"), { ...transaction, pdus: proxied }]) {
    const error = await rejection<Error>(world.client().sendTransaction(a, input));
    expect(error === boom || error.cause === boom).toBe(true);
  }
  const inside = { ...transaction, pdus: [throwing("type")] };
  expect(await rejection(world.client().sendTransaction(a, inside))).toMatchObject({ code: "ERR_INPUT", cause: boom });
  expect(world.requestCount()).toBe(0);
});

test("null in a query, such as the next_batch of the last page, is left out of it and of a body", async () => {
  world.on(a, reply.json({ chunk: [] }), "*");
  const client = world.client();
  await client.publicRooms(a, { since: null, limit: 5 });
  await client.searchPublicRooms(a, { since: null, filter: {} });
  expect(world.requests(a).map(({ uri, json }) => [uri.split("?")[1], json])).toEqual([
    ["limit=5", undefined],
    [undefined, { filter: {} }],
  ]);
});

test("null for what is required is missing, in a query too", async () => {
  const room: Wrong = world.room([a]);
  for (const call of [room.stateIds({ eventId: null }), room.backfill({ from: [eventId], limit: null })]) {
    expect(await rejection(call)).toMatchObject({ code: "ERR_INPUT", message: expect.stringContaining("is missing") });
  }
});

describe("an event is sent as it is:", () => {
  const sent = async (event: Wrong): Promise<string> => {
    world.on(a, reply.json({}), "send_leave");
    await world.room([a]).sendLeave({ eventId, event });
    const text = world.requests(a).at(-1)?.body ?? "";
    world.server(a).reset();
    return text;
  };

  test("with keys that mean something to JavaScript", async () => {
    const text = '{"__proto__":{"a":1},"constructor":{"prototype":1},"content":{"__proto__":null},"toString":5}';
    expect(await sent(JSON.parse(text))).toBe(text);
    expect(({} as Wrong).a).toBeUndefined();
  });

  test("with the largest numbers, and without a sign before nought", async () => {
    expect(await sent({ max: Number.MAX_SAFE_INTEGER, min: Number.MIN_SAFE_INTEGER, nought: -0 })).toBe(
      '{"max":9007199254740991,"min":-9007199254740991,"nought":0}',
    );
  });

  test("or not at all", async () => {
    let deep: unknown = 0;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    const circle: Wrong = {};
    circle.again = circle;
    for (const wrong of [
      2 ** 53,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      1n,
      deep,
      circle,
      new Date(),
      undefined,
      Array(2),
    ]) {
      const error = await rejection(world.room([a]).sendLeave({ eventId, event: { type: "m.x", wrong } as Wrong }));
      expect(error).toMatchObject({ code: "ERR_CANONICAL_JSON" });
    }
    expect(world.requestCount()).toBe(0);
  });

  test("whatever its keys are", async () => {
    const key = fc.oneof(fc.constantFrom("__proto__", "constructor", "prototype", "toJSON", "then", ""), fc.string());
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, fc.integer(), { noNullPrototype: false }), async (event) => {
        expect(JSON.parse(await sent(event))).toEqual({ ...event });
      }),
      { numRuns: 25 },
    );
  });
});
