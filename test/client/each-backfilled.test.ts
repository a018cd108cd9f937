import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eachBackfilled } from "../../src/client/each-backfilled.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { redactEvent } from "../../src/events/redact-event.js";
import { signEvent } from "../../src/events/sign-event.js";
import { type Client, createClient, type JsonObject, signJson } from "../../src/index.js";
import type { RecordedRequest, TestFederation, TestRoom } from "../../src/testing.js";
import { createTestFederation, reply } from "../../src/testing.js";
import { rejection } from "./world.js";

const a = "a.example";
const alice = "@alice:a.example";
const bob = "@bob:b.example";

let federation: TestFederation;
let client: Client;

beforeAll(async () => {
  federation = await createTestFederation({ servers: [a, "b.example"] });
  const { signingKey } = federation.server("b.example");
  client = createClient({ serverName: "b.example", signingKey, ...federation.clientOptions });
});
afterEach(() => federation.server(a).reset());
afterAll(async () => {
  await client.close();
  await federation.close();
});

/** A room with both users in it, and how to add events to it where one likes. */
function makeRoom(version: "1" | "10" = "10") {
  const room = federation.createRoom({ creator: alice, version });
  room.join(bob);
  const auth = (user: string) => {
    const slots = new Set(["m.room.create ", "m.room.power_levels ", `m.room.member ${user}`]);
    const found = room.state().filter(({ event }) => slots.has(`${event.type} ${event.state_key}`));
    return found.map(({ eventId, event }) => link(eventId, event));
  };
  const link = (eventId: string, event: JsonObject) =>
    version === "1" ? [eventId, (event.hashes ?? {}) as JsonObject] : eventId;
  let made = 0;
  /** A message of bob after some events, signed, but not in the room yet. */
  const message = (after: readonly string[], more: JsonObject = {}) => {
    made += 1;
    const id = `$made-${made}:b.example`;
    const draft: JsonObject = {
      type: "m.room.message",
      room_id: room.roomId,
      sender: bob,
      content: { body: String(made) },
      depth: 10 + made,
      origin_server_ts: Date.now(),
      prev_events: after.map((eventId) => link(eventId, { hashes: { sha256: "x" } })),
      auth_events: auth(bob),
      ...(version === "1" && { event_id: id }),
      ...more,
    };
    const event = signEvent(draft, version, "b.example", federation.server("b.example").signingKey);
    return { event: event as JsonObject, eventId: eventIdOf(event, version) };
  };
  /** The same, in the room. */
  const add = (after: readonly string[], more?: JsonObject): string => {
    const { event, eventId } = message(after, more);
    expect(room.accept(event)).toBeUndefined();
    return eventId;
  };
  return { room, add, message, tip: room.events.at(-1)?.eventId as string };
}

const handle = (room: TestRoom) => client.room(room.roomId, { residents: [a], roomVersion: room.version });
const eachId = async (events: AsyncIterable<JsonObject>, version: "1" | "10" = "10"): Promise<string[]> => {
  const ids: string[] = [];
  for await (const event of events) ids.push(eventIdOf(event, version));
  return ids;
};
const allIds = (room: TestRoom): string[] => room.events.map(({ eventId }) => eventId).toSorted();
const pagesAsked = (): RecordedRequest[] =>
  federation.server(a).requests.filter(({ endpoint }) => endpoint === "backfill");
const fromOf = ({ uri }: RecordedRequest): string[] => new URL(uri, "https://x.example").searchParams.getAll("v");

describe("each event of a room backwards", () => {
  test("is told on all branches, also where the history forks just where a page ends (bug: one was lost)", async () => {
    const { room, add, tip } = makeRoom();
    const branch = (length: number): string => {
      let last = tip;
      for (let at = 0; at < length; at++) last = add([last]);
      return last;
    };
    const [first, second] = [branch(4), branch(4)];
    const merged = add([first, second]);
    // Nobody says what version the room has: that is asked for.
    const handle = client.room(room.roomId, { residents: [a] });
    for (const pageSize of [1, 2, 3, 5, 8]) {
      const ids = await eachId(handle.eachBackfilled({ from: [merged], pageSize }));
      expect(ids.toSorted()).toEqual(allIds(room));
    }
  });

  test("is told once in a room of any shape, whatever the size of the pages", async () => {
    const shape = fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(shape, fc.integer({ min: 1, max: 9 }), async (parents, pageSize) => {
        const { room, add, tip } = makeRoom();
        const ids = [tip];
        for (const picks of parents) ids.push(add([...new Set(picks.map((pick) => ids[pick % ids.length] as string))]));
        const last = add(ids.slice(-20));
        const found = await eachId(handle(room).eachBackfilled({ from: [last], pageSize }));
        expect(found.toSorted()).toEqual(allIds(room));
      }),
      { numRuns: 12 },
    );
  });

  test.each([0, 1, 2 ** 53 - 1])(
    "is told to the beginning though a sender forged the depth %s, and events that there are not",
    async (depth) => {
      const { room, add, message, tip } = makeRoom();
      let last = tip;
      for (let at = 0; at < 12; at++) last = add([last]);
      const forged = message([...Array.from({ length: 19 }, (_, at) => `$made-up-${at}`), last], { depth });
      const answer = async (request: RecordedRequest): Promise<JsonObject[]> => {
        const from = fromOf(request);
        const at = Math.max(...from.map((id) => room.events.findIndex(({ eventId }) => eventId === id)));
        const page = room.events.slice(Math.max(0, at - 2), at + 1).map(({ event }) => event as JsonObject);
        return from.includes(forged.eventId) ? [...page, forged.event] : page;
      };
      federation.server(a).on("backfill", async (exchange) => {
        await reply.json({ pdus: await answer(exchange.request) })(exchange);
      });
      const ids = await eachId(handle(room).eachBackfilled({ from: [forged.eventId, last], pageSize: 3 }));
      expect(ids.toSorted()).toEqual([...allIds(room), forged.eventId].toSorted());
      for (const request of pagesAsked()) expect(fromOf(request).length).toBeLessThanOrEqual(20);
    },
  );

  test("is told once where events lead in a circle", async () => {
    const { room, message } = makeRoom("1");
    const one = message(["$other:b.example"], { event_id: "$one:b.example" });
    const other = message(["$one:b.example"], { event_id: "$other:b.example" });
    federation.server(a).on("backfill", reply.json({ pdus: [one.event, other.event] }));
    const ids = await eachId(handle(room).eachBackfilled({ from: [one.eventId] }), "1");
    expect(ids).toEqual([one.eventId, other.eventId]);
    expect(pagesAsked()).toHaveLength(1);
  });

  test("is told though another event has its hashes (bug: the second was taken for the first)", async () => {
    const { room, message, tip } = makeRoom();
    const { event, eventId } = message([tip]);
    const { signatures, ...forged }: JsonObject = { ...event, content: { body: "forged" }, depth: 99 };
    const signed = signJson(redactEvent(forged, "10"), "b.example", federation.server("b.example").signingKey);
    federation
      .server(a)
      .on("backfill", reply.json({ pdus: [{ ...forged, signatures: signed.signatures as JsonObject }, event] }));
    const ids = await eachId(handle(room).eachBackfilled({ from: [eventId], limit: 2 }));
    expect(ids).toEqual([eventIdOf(forged, "10"), eventId]);
  });

  test("ends at the limit where a server makes up ever more events", async () => {
    const { room, message } = makeRoom();
    federation.server(a).on("backfill", async (exchange) => {
      const made = fromOf(exchange.request).map((id) => message([id, `$more-${id.slice(1, 20)}`]).event);
      await reply.json({ pdus: made })(exchange);
    });
    expect(await eachId(handle(room).eachBackfilled({ from: ["$begin"], limit: 30 }))).toHaveLength(30);
  });

  test("ends where page after page brings nothing new, however many ids are named", async () => {
    const { room, message } = makeRoom();
    const pdus = Array.from({ length: 50 }, (_, event) =>
      Array.from({ length: 20 }, (__, at) => `$made-up-${event}-${at}`),
    ).map((ids) => message(ids).event);
    federation.server(a).on("backfill", reply.json({ pdus }));
    expect(await eachId(handle(room).eachBackfilled({ from: ["$begin"] }))).toHaveLength(50);
    expect(pagesAsked().length).toBeLessThanOrEqual(12);
  });

  test("is asked for from at most twenty events at a time", async () => {
    const { room, add, tip } = makeRoom();
    const heads = Array.from({ length: 45 }, () => add([tip]));
    const ids = await eachId(handle(room).eachBackfilled({ from: heads }));
    expect(ids.toSorted()).toEqual(allIds(room));
    expect(pagesAsked().map((request) => fromOf(request).length)).toEqual([20, 20, 5]);
  });

  test("is told, and the page's other events too, where one of them does not hold", async () => {
    const { room, add, tip } = makeRoom();
    const bad = add([tip]);
    const last = add([add([bad])]);
    federation.server(a).on("backfill", async (exchange) => {
      const from = fromOf(exchange.request);
      const at = Math.max(...from.map((id) => room.events.findIndex(({ eventId }) => eventId === id)));
      const page = room.events.slice(Math.max(0, at - 3), at + 1);
      const pdus = page.map(({ eventId, event }) => (eventId === bad ? { ...event, signatures: {} } : event));
      await reply.json({ pdus: pdus as JsonObject[] })(exchange);
    });
    const dropped: string[] = [];
    const onDropped = (all: readonly { reason: string }[]) => dropped.push(...all.map(({ reason }) => reason));
    const ids = await eachId(handle(room).eachBackfilled({ from: [last], pageSize: 4, onDropped }));
    expect(ids.toSorted()).toEqual(allIds(room).filter((id) => id !== bad));
    expect(dropped.length).toBeGreaterThan(0);
  });

  test("is told of by its id where only its redacted form is there (bug: nobody was told)", async () => {
    const { room, add, tip } = makeRoom();
    const changed = add([tip]);
    const last = add([changed]);
    const pdus = room.events.map(({ eventId, event }) =>
      eventId === changed ? { ...event, content: { body: "changed" } } : event,
    );
    federation.server(a).on("backfill", reply.json({ pdus: pdus as JsonObject[] }));
    const told: unknown[] = [];
    const onRedacted = (eventIds: readonly string[], via: string) => told.push([eventIds, via]);
    const contents = new Map<string, unknown>();
    for await (const event of handle(room).eachBackfilled({ from: [last], onRedacted })) {
      contents.set(eventIdOf(event, "10"), event.content);
    }
    expect([...contents.keys()].toSorted()).toEqual(allIds(room));
    expect(contents.get(changed)).toEqual({});
    expect(told).toEqual([[[changed], a]]);
  });

  test("is told without verification, from the oldest events of each page", async () => {
    const { room, add, tip } = makeRoom();
    const last = add([add([tip])]);
    const events = handle(room).eachBackfilled({ from: [last], pageSize: 2 }, { verify: "none" });
    expect((await eachId(events)).toSorted()).toEqual(allIds(room));
  });

  test("is told on all branches without verification too, where the room's version is given", async () => {
    const { room, add, tip } = makeRoom();
    const merged = add([add([add([tip])]), add([add([tip])])]);
    const ask = (page: { from: readonly string[]; limit: number }) => handle(room).backfill(page, { verify: "none" });
    const ids = await eachId(eachBackfilled(ask, { from: [merged], pageSize: 2 }, "10"));
    expect(ids.toSorted()).toEqual(allIds(room));
  });

  test("is told no further after an abort, which is the error (bug: the rest of the page was told, and it ended)", async () => {
    const { room, add, tip } = makeRoom();
    const last = add([add([tip])]);
    const reason = new Error("enough");
    for (const count of [1, 3, room.events.length]) {
      const stop = new AbortController();
      const ask = (page: { from: readonly string[]; limit: number }) =>
        handle(room).backfill(page, { signal: stop.signal });
      let told = 0;
      const each = async () => {
        for await (const _ of eachBackfilled(ask, { from: [last] }, "10", stop.signal)) {
          told += 1;
          if (told === count) stop.abort(reason);
        }
      };
      expect(await rejection(each())).toBe(reason);
      expect(told).toBe(count);
    }
  });

  test("is not told where whoever is told of dropped events aborts", async () => {
    const { room, tip } = makeRoom();
    const pdus = [...room.events.map(({ event }) => event), { type: "m.room.message" }];
    federation.server(a).on("backfill", reply.json({ pdus }));
    const stop = new AbortController();
    const ask = (page: { from: readonly string[]; limit: number }) => handle(room).backfill(page);
    const onDropped = () => stop.abort("enough");
    const events = eachBackfilled(ask, { from: [tip], onDropped }, "10", stop.signal);
    await expect(events.next()).rejects.toBe("enough");
  });

  test("is not told when nobody answers", async () => {
    const { room, tip } = makeRoom();
    federation.server(a).on("backfill", reply.partialState());
    const error = await rejection(eachId(handle(room).eachBackfilled({ from: [tip] }, { rounds: 1 })));
    expect(error).toMatchObject({ code: "ERR_ALL_FAILED", summary: "allPartial" });
  });
});
