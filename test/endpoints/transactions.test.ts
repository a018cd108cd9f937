import { expect, test } from "vitest";

import { reply } from "../../src/testing.js";
import { createWorld, rejection } from "../client/world.js";

const a = "a.example";
const world = createWorld(a);
const transaction = {
  txnId: "1700000000000-7",
  originServerTs: 1_700_000_000_000,
  pdus: [{ type: "m.room.message", depth: 3 }],
  edus: [{ edu_type: "m.typing", content: {} }],
};

test("a transaction is repeated with the same id and the same bytes", async () => {
  world.on(a, reply.sequence(reply.htmlError(502), reply.json({ pdus: {} })), "send");
  await world.client().sendTransaction(a, transaction);
  const [first, second] = world.requests(a);
  expect(second).toMatchObject({ method: "PUT", uri: first?.uri, body: first?.body });
  expect(first?.uri).toBe("/_matrix/federation/v1/send/1700000000000-7");
});

test("the answer says what became of each event", async () => {
  const pdus = { $good: {}, $bad: { error: "You are not allowed to send a message to this room." } };
  world.on(a, reply.json({ pdus }), "send");
  expect(await world.client().sendTransaction(a, transaction)).toEqual({ pdus });
});

test("more than 50 events or 100 ephemeral ones are refused before anything is sent", async () => {
  const client = world.client();
  for (const [field, count] of [
    ["pdus", 51],
    ["edus", 101],
  ] as const) {
    const error = await rejection(client.sendTransaction(a, { ...transaction, [field]: Array(count).fill({}) }));
    expect(error).toMatchObject({ code: "ERR_INPUT", message: expect.stringContaining(`"${field}"`) });
  }
  expect(world.requestCount()).toBe(0);
  world.on(a, reply.json({ pdus: {} }), "send");
  await client.sendTransaction(a, { ...transaction, pdus: Array(50).fill({}), edus: Array(100).fill({}) });
  expect(world.requests(a)).toHaveLength(1);
});
