/** An iteration over a space asks for no more than it needs, and keeps no more than it found. */
import { expect, test } from "vitest";

import { eachInHierarchy } from "../../src/client/each-in-hierarchy.js";
import { reply } from "../../src/testing.js";
import { heldBytes } from "../held-bytes.js";
import { createWorld, roomId } from "./world.js";

const a = "a.example";
const world = createWorld(a);

const space = (id: string) => ({ room_id: id, room_type: "m.space" });
const children = ["!one:a.example", "!two:a.example"].map(space);

test.each([
  [0, 0],
  [1, 1],
  [3, 1],
  [4, 3],
])(
  "a space of three is asked for no further than the limit: up to %i, %i requests (bug: more)",
  async (limit, count) => {
    world.on(
      a,
      async (exchange) => {
        const id = decodeURIComponent(exchange.request.uri.split("/").at(-1) ?? "");
        await reply.json({ room: space(id), children: id === roomId ? children : [] })(exchange);
      },
      "hierarchy",
    );
    const found: unknown[] = [];
    for await (const { room } of world.room([a]).eachInHierarchy({ limit })) found.push(room.room_id);
    expect(found).toEqual([roomId, "!one:a.example", "!two:a.example"].slice(0, limit));
    expect(world.requestCount()).toBe(count);
  },
);

test("a space waits once to be opened, however often it is named (bug: memory grew with each time)", async () => {
  const asked: string[] = [];
  const many = Array.from({ length: 20_000 }, (_, at) => space(`!${at % 200}:a.example`));
  let most = 0;
  const before = heldBytes();
  const each = eachInHierarchy(
    async (id) => {
      // What waits then is of 199 spaces.
      if (asked.push(id) === 200) most = heldBytes() - before;
      const value = { room: space(id), children: many } as never;
      return { value, via: a, dropped: [], redacted: [], roomVersion: undefined, attempts: [{} as never] };
    },
    roomId,
    {},
    {},
  );
  const found: string[] = [];
  for await (const { room } of each) found.push(room.room_id);
  expect(found).toHaveLength(201);
  expect(asked).toEqual(found);
  // Four million places in a queue would be more than a hundred.
  expect(most / 2 ** 20).toBeLessThan(20);
});
