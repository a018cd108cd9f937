import { describe, expect, test } from "vitest";

import { eachPublicRoom, untilAborted } from "../../src/client/iterate.js";
import type { Behaviour, RecordedRequest } from "../../src/testing.js";
import { reply } from "../../src/testing.js";
import { createWorld, rejection, roomId } from "./world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);

/** Answers each request with what a function of it says. */
const answering =
  (answer: (request: RecordedRequest) => object): Behaviour =>
  async (exchange) =>
    await reply.json(answer(exchange.request) as never)(exchange);

async function all<T>(each: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of each) found.push(one);
  return found;
}

/** Aborts at the given element; what was told, and the error that it ended with. */
async function abortedAt<T>(count: number, start: (signal: AbortSignal) => AsyncIterable<T>, reason: Error) {
  const stop = new AbortController();
  const found: T[] = [];
  const each = async () => {
    for await (const one of start(stop.signal)) if (found.push(one) === count) stop.abort(reason);
  };
  const error = await rejection(each());
  return { found, error };
}

const published = (id: number) => ({
  room_id: `!${id}:a.example`,
  num_joined_members: 1,
  world_readable: false,
  guest_can_join: false,
});
const param = ({ uri }: RecordedRequest, name: string): string | null =>
  new URL(uri, "https://x.example").searchParams.get(name);
const lookups = (server: string): number => world.requests(server).length;

describe("each public room", () => {
  /** A directory of so many rooms, of which the server gives `limit` at a time. */
  const directory = (rooms: number): Behaviour =>
    answering((request) => {
      const from = Number(param(request, "since") ?? 0);
      const to = Math.min(rooms, from + Number(param(request, "limit")));
      const chunk = Array.from({ length: to - from }, (_, at) => published(from + at));
      return to < rooms ? { chunk, next_batch: String(to) } : { chunk };
    });

  test("is told once, page by page until the end", async () => {
    world.on(a, directory(25), "public_rooms");
    const rooms = await all(world.client().eachPublicRoom(a, { pageSize: 10 }));
    expect(rooms.map(({ room_id }) => room_id)).toEqual(Array.from({ length: 25 }, (_, id) => `!${id}:a.example`));
    expect(world.requests(a).map((request) => param(request, "since"))).toEqual([null, "10", "20"]);
  });

  test("is asked for no further than the limit", async () => {
    world.on(a, directory(25), "public_rooms");
    expect(await all(world.client().eachPublicRoom(a, { pageSize: 10, limit: 12 }))).toHaveLength(12);
    expect(world.requests(a).map((request) => param(request, "limit"))).toEqual(["10", "2"]);
    expect(await all(world.client().eachPublicRoom(a, { limit: 0 }))).toEqual([]);
  });

  test("is not asked for again where the server goes in a circle", async () => {
    world.on(a, reply.json({ chunk: [published(1)], next_batch: "x" }), "public_rooms");
    expect(await all(world.client().eachPublicRoom(a))).toHaveLength(1);
    expect(lookups(a)).toBe(2);
    let page = 0;
    world.on(
      a,
      answering(() => {
        page += 1;
        return { chunk: [], next_batch: String(page) };
      }),
      "public_rooms",
    );
    expect(await all(world.client().eachPublicRoom(a))).toEqual([]);
    expect(page).toBe(4);
  });

  test("is not asked for again where the tokens that go in a circle are long, and alike at their beginnings", async () => {
    let page = 0;
    world.on(
      a,
      answering(() => {
        page += 1;
        return { chunk: [published(page)], next_batch: `${"x".repeat(4_000)}${page % 5}` };
      }),
      "public_rooms",
    );
    expect(await all(world.client().eachPublicRoom(a))).toHaveLength(6);
  });

  test("is told though a page before it had none: Dendrite fills pages up with rooms without an id", async () => {
    const filler = { ...published(0), room_id: "" };
    const pages = [[published(1), filler], [filler], [published(2)]];
    world.on(
      a,
      answering((request) => {
        const at = Number(param(request, "since") ?? 0);
        return { chunk: pages[at], ...(at < 2 && { next_batch: String(at + 1) }) };
      }),
      "public_rooms",
    );
    const rooms = await all(world.client().eachPublicRoom(a));
    expect(rooms.map(({ room_id }) => room_id)).toEqual(["!1:a.example", "!2:a.example"]);
  });

  test("costs no more than a page when the loop is left", async () => {
    world.on(a, directory(1_000), "public_rooms");
    for await (const room of world.client().eachPublicRoom(a)) if (room) break;
    expect(lookups(a)).toBe(1);
  });

  test("is told no further after an abort, which is the error (bug: the rest of the page was told, and it ended)", async () => {
    const client = world.client();
    const reason = new Error("enough");
    const start = (signal: AbortSignal) =>
      eachPublicRoom((page) => client.publicRooms(a, page, { signal }), { pageSize: 10 }, signal);
    for (const count of [1, 5, 10, 25]) {
      world.on(a, directory(25), "public_rooms");
      const { found, error } = await abortedAt(count, start, reason);
      expect(found).toHaveLength(count);
      expect(error).toBe(reason);
    }
  });

  test("is searched for with a filter", async () => {
    world.on(a, reply.json({ chunk: [published(1)] }), "search_public_rooms");
    const filter = { genericSearchTerm: "cats" };
    expect(await all(world.client().eachPublicRoom(a, { filter, limit: 5 }))).toHaveLength(1);
    expect(world.requests(a)[0]).toMatchObject({
      method: "POST",
      json: { limit: 5, filter: { generic_search_term: "cats" } },
    });
  });

  test("ends with the server's error", async () => {
    world.on(a, reply.matrixError(403, "M_FORBIDDEN"), "public_rooms");
    const found = rejection(all(world.client().eachPublicRoom(a)));
    expect(await found).toMatchObject({ code: "ERR_MATRIX", errcode: "M_FORBIDDEN" });
  });
});

describe("each event backwards", () => {
  const event = (depth: number) => ({
    ...(depth === 1 ? { type: "m.room.create", state_key: "" } : { type: "m.room.message" }),
    depth,
    hashes: { sha256: `hash${depth}` },
    prev_events: depth > 1 ? [`$${depth - 1}`] : [],
  });
  /** A room with one event at each depth; the oldest has depth 1. */
  const history = answering((request) => {
    const from = Number(param(request, "v")?.slice(1));
    const limit = Math.min(Number(param(request, "limit")), from);
    return { pdus: Array.from({ length: limit }, (_, at) => event(from - at)) };
  });
  const depths = async (events: AsyncIterable<{ depth?: unknown }>) => (await all(events)).map(({ depth }) => depth);

  test("goes on from the oldest events of a page until the room's beginning", async () => {
    world.on(a, history, "backfill");
    const events = world.room([a]).eachBackfilled({ from: ["$7"], pageSize: 3 });
    expect(await depths(events)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(world.requests(a).map((request) => param(request, "v"))).toEqual(["$7", "$4", "$1"]);
  });

  test("goes no further than the limit", async () => {
    world.on(a, history, "backfill");
    expect(await depths(world.room([a]).eachBackfilled({ from: ["$7"], limit: 4, pageSize: 3 }))).toEqual([7, 6, 5, 4]);
    for (const wrong of [{ limit: Number.NaN }, { limit: 1.5 }, { pageSize: 0 }, { pageSize: -3 }]) {
      const error = await rejection(all(world.room([a]).eachBackfilled({ from: ["$7"], ...wrong })));
      expect(error).toMatchObject({ code: "ERR_INPUT" });
    }
  });

  test("stops where a server gives the same events again, or events that lead in a circle", async () => {
    world.on(a, reply.json({ pdus: [{ ...event(3), prev_events: ["$x"] }] }), "backfill");
    expect(await depths(world.room([a]).eachBackfilled({ from: ["$3"] }))).toEqual([3]);
    expect(lookups(a)).toBe(2);
    let given = 0;
    world.on(
      a,
      answering(() => {
        given += 1;
        return { pdus: [{ ...event(1), hashes: { sha256: String(given) }, prev_events: ["$3"] }] };
      }),
      "backfill",
    );
    expect(await depths(world.room([a]).eachBackfilled({ from: ["$3"] }))).toEqual([1]);
  });

  test.each([
    ["negative", -5],
    ["0", 0],
    ["absent", undefined],
    ["no number that can be counted", 1e300],
  ])(
    "is told to the room's beginning though a sender forged a depth that is %s (bug: it ended there)",
    async (_, depth) => {
      const forged = { ...event(6), depth, hashes: { sha256: "forged" } };
      world.on(
        a,
        answering((request) => {
          const from = (param(request, "v") ?? "").slice(1);
          const first = Math.min(7, Number(from));
          const pdus = Array.from({ length: Math.min(3, first) }, (__, at) => event(first - at));
          return { pdus: first === 7 ? [...pdus, forged] : pdus };
        }),
        "backfill",
      );
      const found = await all(world.room([a]).eachBackfilled({ from: ["$7"], pageSize: 3 }));
      expect(
        found.filter(({ hashes }) => (hashes as { sha256: string }).sha256 !== "forged").map((pdu) => pdu.depth),
      ).toEqual([7, 6, 5, 4, 3, 2, 1]);
    },
  );

  test("ends where page after page brings nothing new, however many ways back there are", async () => {
    let pages = 0;
    const previous = (page: number) => Array.from({ length: 50 }, (_, at) => `$${page}-${at}`);
    world.on(
      a,
      answering(() => {
        pages += 1;
        return { pdus: [{ ...event(9), prev_events: previous(0) }] };
      }),
      "backfill",
    );
    expect(await depths(world.room([a]).eachBackfilled({ from: ["$9"] }))).toEqual([9]);
    expect(pages).toBeLessThanOrEqual(5);
  });

  test("ends at the limit where a server makes up ever more events, which lead to what no id can be", async () => {
    let made = 0;
    world.on(
      a,
      answering(() => {
        made += 1;
        const ids = [`$made-up-${made}`, "$\ud800", "no id", `$${"x".repeat(300)}`, 5, null];
        return { pdus: [{ ...event(5), hashes: { sha256: String(made) }, prev_events: ids }] };
      }),
      "backfill",
    );
    expect(await depths(world.room([a]).eachBackfilled({ from: ["$9"], limit: 12 }))).toHaveLength(12);
    expect(world.requests(a).map((request) => param(request, "v"))).toEqual([
      "$9",
      ...Array.from({ length: 11 }, (_, at) => `$made-up-${at + 1}`),
    ]);
  });

  test("tells what was left out of a page (bug: nobody could know)", async () => {
    world.on(a, reply.json({ pdus: [event(1), { type: 5 }] }), "backfill");
    const told: unknown[] = [];
    const events = world.room([a]).eachBackfilled({ from: ["$1"], onDropped: (...each) => told.push(each) });
    expect(await depths(events)).toEqual([1]);
    expect(told).toEqual([[[{ path: "$.pdus[1]", reason: expect.any(String) }], a]]);
  });

  test("is asked of another resident where the first is in partial state", async () => {
    world.on(a, reply.partialState(), "backfill");
    world.on(b, history, "backfill");
    expect(await depths(world.room([a, b]).eachBackfilled({ from: ["$2"] }))).toEqual([2, 1]);
  });
});

describe("each room in a space", () => {
  const space = (id: string, children: readonly string[], via: readonly string[] = []) => ({
    room_id: id,
    room_type: "m.space",
    children_state: children.map((child) => ({ type: "m.space.child", state_key: child, content: { via } })),
  });
  const inner = "!inner:a.example";
  const leaf = { room_id: "!leaf:a.example", children_state: [] };
  const rooms = async (each: AsyncIterable<{ room: { [key: string]: unknown }; depth: number }>) =>
    (await all(each)).map(({ room, depth }) => [room.room_id, depth]);
  const byRoom = (answers: Record<string, object | undefined>): Behaviour => {
    return async (exchange) => {
      const id = decodeURIComponent(exchange.request.uri.split("/").pop()?.split("?")[0] ?? "");
      const answer = answers[id];
      await (answer ? reply.json(answer as never) : reply.matrixError(404, "M_NOT_FOUND"))(exchange);
    };
  };

  test("is told once, level by level, spaces in spaces included, though they lead in a circle", async () => {
    const answers = {
      [roomId]: { room: space(roomId, [inner, leaf.room_id]), children: [space(inner, []), leaf] },
      [inner]: { room: space(inner, [roomId]), children: [space(roomId, [inner]), { room_id: "!deep:a.example" }] },
    };
    world.on(a, byRoom(answers), "hierarchy");
    expect(await rooms(world.room([a]).eachInHierarchy())).toEqual([
      [roomId, 0],
      [inner, 1],
      [leaf.room_id, 1],
      ["!deep:a.example", 2],
    ]);
    expect(lookups(a)).toBe(2);
    expect(await rooms(world.room([a]).eachInHierarchy({ limit: 2 }))).toHaveLength(2);
    expect(await rooms(world.room([a]).eachInHierarchy({ maxDepth: 1 }))).toHaveLength(3);
  });

  test("is asked of the servers that the space names, and left closed where nobody tells", async () => {
    world.on(a, byRoom({ [roomId]: { room: space(roomId, [inner], [b]), children: [space(inner, [])] } }), "hierarchy");
    world.on(b, byRoom({ [inner]: { room: space(inner, []), children: [leaf] } }), "hierarchy");
    const expected = [
      [roomId, 0],
      [inner, 1],
    ];
    expect(await rooms(world.room([a]).eachInHierarchy())).toEqual([...expected, [leaf.room_id, 2]]);
    world.on(b, reply.matrixError(404, "M_NOT_FOUND"), "hierarchy");
    expect(await rooms(world.room([a]).eachInHierarchy())).toEqual(expected);
  });

  test("is told in time though the space names thousands of spaces that nobody tells about (bug: each had its time)", async () => {
    const ids = Array.from({ length: 5_000 }, (_, at) => `!dead${at}:a.example`);
    const outer = { room: space(roomId, ids, [b]), children: ids.map((id) => space(id, [])) };
    const client = await world.connectedClient(a, b);
    world.on(a, byRoom({ [roomId]: outer }), "hierarchy");
    world.on(b, reply.stall(), "hierarchy");
    const found = await all(world.room([a], client).eachInHierarchy({}, { timeout: 400, rounds: 1 }));
    expect(found).toHaveLength(5_001);
    expect(lookups(b)).toBeLessThanOrEqual(11);
  });

  test.each([
    ["in all", 300, false],
    ["also where another server tells after them", 300, true],
  ])(
    "is not asked of named servers more than a thousand times %s (bug: a small answer caused thousands of requests)",
    async (_, count, isTold) => {
      const ids = Array.from({ length: count }, (__, at) => `!child${at}:a.example`);
      const via = [b, ...Array.from({ length: 9 }, (__, at) => `none${at}.example`)];
      const outer = { room: space(roomId, ids, via), children: ids.map((id) => space(id, [])) };
      const inside = Object.fromEntries(ids.map((id) => [id, { room: space(id, []), children: [] }]));
      world.on(a, byRoom({ ...(isTold && inside), [roomId]: outer }), "hierarchy");
      world.on(b, reply.matrixError(404, "M_NOT_FOUND"), "hierarchy");
      const found = await all(world.room([a]).eachInHierarchy({}, { ignoreBackoff: true, prefer: via }));
      expect(found).toHaveLength(count + 1);
      expect(lookups(b)).toBe(101);
      expect(lookups(a)).toBe(101);
    },
  );

  test("is opened however many spaces there are, where the servers that they name tell about them", async () => {
    const ids = Array.from({ length: 150 }, (_, at) => `!child${at}:a.example`);
    const outer = { room: space(roomId, ids, [b]), children: ids.map((id) => space(id, [])) };
    const inside = Object.fromEntries(ids.map((id) => [id, { room: space(id, []), children: [] }]));
    world.on(a, byRoom({ [roomId]: outer }), "hierarchy");
    world.on(b, byRoom(inside), "hierarchy");
    expect(await all(world.room([a]).eachInHierarchy())).toHaveLength(151);
    expect(lookups(b)).toBe(150);
  });

  test("is told no further after an abort, which is the error (bug: the rest of the page was told, and it ended)", async () => {
    const children = Array.from({ length: 9 }, (_, at) => ({ room_id: `!${at}:a.example` }));
    const reason = new Error("enough");
    for (const count of [1, 5, 10]) {
      world.on(a, byRoom({ [roomId]: { room: space(roomId, []), children } }), "hierarchy");
      const start = (signal: AbortSignal) => world.room([a]).eachInHierarchy({}, { signal });
      const { found, error } = await abortedAt(count, start, reason);
      expect(found).toHaveLength(count);
      expect(error).toBe(reason);
    }
  });

  test("is told no further when the client is closed, and that is no end (bug: it looked like one)", async () => {
    world.on(a, byRoom({ [roomId]: { room: space(roomId, [inner]), children: [space(inner, [])] } }), "hierarchy");
    const client = world.client();
    const each = world.room([a], client).eachInHierarchy();
    await each.next();
    await each.next();
    await client.close();
    expect(await rejection(each.next())).toMatchObject({ code: "ERR_CLOSED" });
  });

  test("is not told where nobody knows the space itself", async () => {
    world.on(a, reply.matrixError(404, "M_NOT_FOUND"), "hierarchy");
    const error = await rejection(all(world.room([a]).eachInHierarchy({}, { rounds: 1 })));
    expect(error).toMatchObject({ code: "ERR_ALL_FAILED" });
  });
});

describe("an iteration that can be aborted", () => {
  async function* numbers(ended: () => void): AsyncGenerator<number> {
    try {
      for (let at = 0; at < 5; at++) yield at;
    } finally {
      ended();
    }
  }

  test("hands out everything, in order, where nobody aborts", async () => {
    expect(await all(untilAborted(numbers(Boolean), undefined))).toEqual([0, 1, 2, 3, 4]);
    expect(await all(untilAborted(numbers(Boolean), new AbortController().signal))).toEqual([0, 1, 2, 3, 4]);
  });

  test("ends what it goes through when it is aborted or left", async () => {
    let ended = 0;
    const count = () => {
      ended += 1;
    };
    const { found } = await abortedAt(2, (signal) => untilAborted(numbers(count), signal), new Error("enough"));
    expect(found).toEqual([0, 1]);
    expect(ended).toBe(1);
    for await (const one of untilAborted(numbers(count), undefined)) if (one === 2) break;
    expect(ended).toBe(2);
  });

  test("rejects with the reason where nothing was there to hand out", async () => {
    const signal = AbortSignal.abort("enough");
    await expect(all(untilAborted((async function* () {})(), signal))).rejects.toBe("enough");
  });
});
