import { describe, expect, test } from "vitest";
import { z } from "zod";

import { defineEndpoint, type Endpoint } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, ourName, rejection, roomId } from "./world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);

interface RelationsInput {
  roomId: string;
  eventId: string;
  kinds: readonly string[];
}
const relations: Endpoint<RelationsInput, { events: { type: string }[] }, "resident"> = defineEndpoint({
  name: "x_relations",
  method: "POST",
  path: "/_matrix/federation/unstable/org.example.msc0000/relations/{roomId}",
  query: { kind: "kinds" },
  body: ({ eventId }, origin) => ({ event_id: eventId, origin }),
  required: ["eventId", "kinds"],
  maxItems: { kinds: 2 },
  authentication: "signature",
  audience: "resident",
  repeatable: "anyServer",
  // So long that on a busy machine, too, nobody is asked because another one is slow.
  timeoutMs: 300_000,
  maxResponseBytes: 1_000,
  nextResidentOn: [{ errcode: "ORG.EXAMPLE.NOT_HERE", status: 404 }],
  partialState: "possible",
  response: z.looseObject({ events: z.array(z.looseObject({ type: z.string() })) }),
  spec: "https://example.org/msc0000",
});
const input = { eventId, kinds: ["m.thread", "a&b=c d/é'"] };
const answer = { events: [{ type: "m.x", unknown: { deep: [1, null] } }], next: "token" };

describe("an endpoint of one's own, with a zod schema", () => {
  test("is asked of residents, with failover by its own error code", async () => {
    world.server(a).on(relations, reply.matrixError(404, "ORG.EXAMPLE.NOT_HERE"));
    world.server(b).on(relations, reply.json(answer));
    const { value, via, attempts } = await world.room([a, b]).request(relations, input);
    expect([via, attempts[0]?.verdict]).toEqual([b, "unableHere"]);
    expect(value.events[0]?.type).toBe("m.x");
    expect(world.requests(b)[0]).toMatchObject({
      method: "POST",
      uri: "/_matrix/federation/unstable/org.example.msc0000/relations/!room%3Aa.example?kind=m.thread&kind=a%26b%3Dc%20d%2F%C3%A9%27",
      json: { event_id: eventId, origin: ourName },
      signedBy: ourName,
    });
  });

  test("is asked of one server, and returns the answer alone", async () => {
    world.server(a).on(relations, reply.json(answer));
    expect(await world.client().request(a, relations, { ...input, roomId })).toEqual(answer);
  });

  test("has its own limits and its own idea of what is valid", async () => {
    world.server(a).on(relations, reply.json({ events: [{ type: "x".repeat(1_000) }] }));
    world.server(b).on(relations, reply.json({ events: [{ type: 5 }] }));
    const { attempts } = await world.room([a, b]).safe.request(relations, input);
    expect(attempts.map(({ error }) => error)).toMatchObject([
      { code: "ERR_RESPONSE_TOO_LARGE" },
      { code: "ERR_RESPONSE_INVALID", issues: [{ path: "$.events[0].type" }] },
    ]);
    await expect(world.room([a]).request(relations, { ...input, kinds: ["1", "2", "3"] })).rejects.toMatchObject({
      code: "ERR_INPUT",
    });
  });

  test("may bring a schema that takes its time, or one that breaks on hostile answers", async () => {
    world.server(a).on(relations, reply.json(answer));
    const standard = { version: 1, vendor: "test" } as const;
    const slow = { "~standard": { ...standard, validate: async () => ({ issues: [{ message: "too late" }] }) } };
    const broken = {
      "~standard": {
        ...standard,
        validate: () => {
          throw new Error("boom\u001b");
        },
      },
    };
    for (const [response, message] of [
      [slow, "too late"],
      [broken, "the schema failed: boom "],
    ] as const) {
      const endpoint = defineEndpoint({ ...relations, response });
      const { attempts } = await world.room([a]).safe.request(endpoint, input);
      expect(attempts).toMatchObject([{ verdict: "invalid", error: { issues: [{ path: "$", message }] } }]);
    }
  });

  test("cannot be changed after it was made", () => {
    expect(Object.isFrozen(relations)).toBe(true);
  });
});

describe("an answer", () => {
  const body =
    '{"events":[{"type":"a","__proto__":{"polluted":true}}],"__proto__":{"x":1},"constructor":2,"10":1,"9":2}';

  test("is the parsed JSON itself: fields that nobody knows are there, `__proto__` is a field like any other", async () => {
    world.server(a).on(relations, reply.raw({ body }));
    const { value } = await world.room([a]).request(relations, input);
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(body)));
    expect(Object.hasOwn(value, "__proto__")).toBe(true);
    expect(Object.hasOwn(value.events[0] as object, "__proto__")).toBe(true);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("keeps numbers and texts as JSON.parse reads them", async () => {
    const text = '{"events":[],"big":12345678901234567890,"float":1.50,"surrogate":"\\ud800","nul":"\\u0000"}';
    world.server(a).on(relations, reply.raw({ body: text }));
    expect((await world.room([a]).request(relations, input)).value).toEqual(JSON.parse(text));
  });

  test("is not changed by a schema that would: what the schema makes of it is not used", async () => {
    world.server(a).on(relations, reply.json(answer));
    const response = z.object({ events: z.array(z.any()).transform(() => []) });
    const endpoint = defineEndpoint({ ...relations, response });
    expect((await world.room([a]).request(endpoint, input)).value).toEqual(answer);
  });
});

test("a body that cannot be made of the input is an error before any request", async () => {
  const endpoint = defineEndpoint({
    ...relations,
    body: () => {
      throw new TypeError("no");
    },
  });
  const error = await rejection(world.room([a]).request(endpoint, input));
  expect(error).toMatchObject({ code: "ERR_INPUT", endpoint: "x_relations", cause: expect.any(TypeError) });
  expect(world.requestCount()).toBe(0);
});
