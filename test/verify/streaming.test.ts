import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { type FailoverError, type RoomCallOptions, TransportError } from "../../src/index.js";
import { reply, type TestRoom } from "../../src/testing.js";
import type { CallProgress, VerifiedEvent } from "../../src/verify/verify-answer.js";
import {
  alice,
  createVerifyWorld,
  inPieces,
  json,
  poisons,
  rejection,
  stateAnswer,
  type VerifyWorld,
} from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const headers = { "content-type": "application/json" };
const roomVersion = "10" as const;

/** A room with some hundred members, what is asked of it, and what is answered. */
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

const read = (room: TestRoom, eventId: string, options: RoomCallOptions = {}) =>
  world.view(room, world.client(), roomVersion).state({ eventId }, options);

const sorted = (events: readonly JsonObject[]): string[] => events.map((event) => JSON.stringify(event)).toSorted();

describe("progress", () => {
  test("tells of bytes, events and how many are verified; it never goes back, and ends with all of them", async () => {
    const { room, eventId, answer, body } = crowd();
    world.on("a.example", "state", inPieces(body, 50_000));
    const told: CallProgress[] = [];
    await read(room, eventId, { onProgress: (progress) => void told.push(progress) });
    expect(told.length).toBeGreaterThan(2);
    for (const [at, { bytes, events, verified, via }] of told.entries()) {
      const before = told[at - 1] ?? { bytes: 0, events: 0, verified: 0 };
      expect(bytes >= before.bytes && events >= before.events && verified >= before.verified).toBe(true);
      expect(verified <= events && via === "a.example").toBe(true);
    }
    const all = answer.pdus.length + answer.auth_chain.length;
    const bytes = Buffer.byteLength(body);
    expect(told.at(-1)).toEqual({
      bytes,
      totalBytes: undefined,
      events: all,
      verified: all,
      via: "a.example",
      answer: 1,
    });
  });

  test("is told once of an answer without events", async () => {
    const { room, eventId } = crowd(0);
    world.on("a.example", "state", json({ pdus: [], auth_chain: [] }));
    const told: CallProgress[] = [];
    const { value, dropped } = await read(room, eventId, { onProgress: (progress) => void told.push(progress) });
    expect({ value, dropped }).toEqual({ value: { pdus: [], auth_chain: [] }, dropped: [] });
    expect(told).toEqual([{ bytes: 27, totalBytes: 27, events: 0, verified: 0, via: "a.example", answer: 1 }]);
  });

  test("ends the call with what its handler throws", async () => {
    const { room, eventId } = crowd(10);
    const thrown = new Error("enough");
    const onProgress = (): void => {
      throw thrown;
    };
    expect(await rejection(read(room, eventId, { onProgress }))).toBe(thrown);
  });
});

describe("onEvent", () => {
  test("gets each event once, with its id, its field and its server; the answer's arrays are empty", async () => {
    const { room, eventId, answer } = crowd();
    const got: VerifiedEvent[] = [];
    const { value } = await read(room, eventId, { onEvent: (event) => void got.push(event) });
    expect(value).toEqual({ pdus: [], auth_chain: [] });
    const of = (field: string): JsonObject[] => got.filter((one) => one.field === field).map(({ event }) => event);
    expect(sorted(of("pdus"))).toEqual(sorted(answer.pdus));
    expect(sorted(of("auth_chain"))).toEqual(sorted(answer.auth_chain));
    expect(new Set(got.map(({ via }) => via))).toEqual(new Set(["a.example"]));
    expect(got.every(({ eventId: id }) => room.has(id))).toBe(true);
  });

  test("is told which answer an event is from, also where the same server answers again (bug: it could not be seen)", async () => {
    const room = world.room();
    room.addMembers(300, { servers: ["a.example", "b.example"] });
    const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
    const answer = stateAnswer(room, eventId);
    const body = JSON.stringify({
      ...answer,
      pdus: [...answer.pdus, room.send(alice, "m.room.message", { body: "x" }).event],
    });
    let verified = (): void => {};
    const someAreVerified = new Promise<void>((resolve) => {
      verified = resolve;
    });
    const broken = inPieces(body.slice(0, -100), 60_000, "reset", () => someAreVerified);
    let asked = 0;
    world.on("a.example", "state", (request) => {
      asked += 1;
      return asked === 1 ? broken(request) : json(answer)(request);
    });
    const alone = world.client().room(room.roomId, { residents: ["a.example"], roomVersion });
    const got = new Map<number, JsonObject[]>();
    const told = new Set<number>();
    await alone.state(
      { eventId },
      {
        onEvent: ({ event, answer: number }) => void got.set(number, [...(got.get(number) ?? []), event]),
        onProgress: (progress) => {
          told.add(progress.answer);
          if (progress.verified > 0) verified();
        },
      },
    );
    expect([...got.keys()]).toEqual([1, 2]);
    expect([...told]).toEqual([1, 2]);
    expect(sorted(got.get(2) ?? [])).toEqual(sorted([...answer.pdus, ...answer.auth_chain]));
  });

  test("gets an event that waited for its keys as it was sent, whatever is in it", async () => {
    const room = world.room();
    const content = JSON.parse(
      String.raw`{"__proto__":{"a":[{},{}]},"10":"😀","2":"},{","text":"\u2028é"}`,
    ) as JsonObject;
    const odd = room.sendState(alice, "org.example.odd", "", content);
    const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
    world.on("a.example", "state", json(stateAnswer(room, eventId)));
    const got: JsonObject[] = [];
    const onEvent = ({ event }: VerifiedEvent): void => void got.push(event);
    await read(room, eventId, { onEvent });
    const [event] = got.filter(({ type }) => type === "org.example.odd");
    expect(JSON.stringify(event?.content)).toBe(JSON.stringify(content));
    expect(eventIdOf(event as JsonObject, roomVersion)).toBe(odd.eventId);
  });

  test("is waited for, and gets one event at a time", async () => {
    const { room, eventId, answer } = crowd(600);
    let underWay = 0;
    let most = 0;
    let count = 0;
    const onEvent = async (): Promise<void> => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      count += 1;
    };
    await read(room, eventId, { onEvent });
    expect({ most, count }).toEqual({ most: 1, count: answer.pdus.length + answer.auth_chain.length });
  });

  test("that is slow keeps a large answer from being read any further", async () => {
    const room = world.room();
    const blob = "x".repeat(50_000);
    for (let at = 0; at < 900; at++) room.sendState(alice, "org.example.blob", `${at}`, { blob });
    const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
    const body = Buffer.from(JSON.stringify(stateAnswer(room, eventId)));
    let sent = 0;
    world.on("a.example", "state", async ({ response }) => {
      response.writeHead(200, headers);
      for (; sent < body.length; sent += 100_000) {
        await new Promise<void>((resolve) => response.write(body.subarray(sent, sent + 100_000), () => resolve()));
      }
      response.end();
    });
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let count = 0;
    const onEvent = (): Promise<void> => {
      count += 1;
      return released;
    };
    const call = read(room, eventId, { onEvent });
    let before = -1;
    while (sent === 0 || sent !== before) {
      before = sent;
      await sleep(700);
    }
    expect(count).toBe(1);
    expect(sent).toBeLessThan(body.length - 5_000_000);
    release();
    expect((await call).via).toBe("a.example");
    expect(count).toBeGreaterThan(900);
  });

  test("gets what was poisoned in the form that another resident has", async () => {
    const { room, eventId, answer } = crowd(20);
    const bad = { ...answer, pdus: answer.pdus.with(5, poisons.content(answer.pdus[5] as JsonObject)) };
    world.on("a.example", "state", json(bad));
    const got: VerifiedEvent[] = [];
    await read(room, eventId, { onEvent: (event) => void got.push(event) });
    expect(sorted(got.map(({ event }) => event))).toEqual(sorted([...answer.pdus, ...answer.auth_chain]));
  });

  test.each([
    ["an error", new Error("enough")],
    ["an error of this library", new TransportError("ERR_CONNECT", "Another request failed.", { requestSent: false })],
    ["no error at all", "enough"],
  ])("ends the call with what it throws: %s; no server is blamed and nobody else is asked", async (_, thrown) => {
    const { room, eventId } = crowd(20);
    const client = world.client();
    const view = world.view(room, client, roomVersion);
    const rejecting = (): Promise<void> => Promise.reject(thrown);
    const throwing = (): void => {
      throw thrown;
    };
    for (const onEvent of [rejecting, throwing]) {
      expect(await rejection(view.state({ eventId }, { onEvent }))).toBe(thrown);
      expect(await rejection(view.backfill({ from: [eventId], limit: 5 }, { onEvent }))).toBe(thrown);
    }
    expect(client.backoff.list()).toEqual([]);
    expect(world.asked("b.example", "state")).toEqual([]);
  });

  test("ends the call at once when it throws, though the server has fallen silent", async () => {
    const { room, eventId, body } = crowd();
    world.on("a.example", "state", inPieces(body.slice(0, -10), 50_000, "stall"));
    const thrown = new Error("enough");
    const onEvent = (): Promise<void> => Promise.reject(thrown);
    expect(await rejection(read(room, eventId, { onEvent }))).toBe(thrown);
  });

  test("gets all events again from another resident when the answer breaks off, and none of the first one after that", async () => {
    const { room, eventId, answer, body } = crowd();
    const got: VerifiedEvent[] = [];
    const somethingCame = () => expect.poll(() => got.length).toBeGreaterThan(0);
    world.on("a.example", "state", inPieces(body.slice(0, -10), 20_000, "reset", somethingCame));
    let underWay = 0;
    const onEvent = async (event: VerifiedEvent): Promise<void> => {
      expect(underWay).toBe(0);
      underWay += 1;
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      got.push(event);
    };
    const { via } = await read(room, eventId, { onEvent });
    expect(via).toBe("b.example");
    const first = got.findIndex((one) => one.via === "b.example");
    expect(first).toBeGreaterThan(0);
    expect(got.slice(first).every((one) => one.via === "b.example")).toBe(true);
    const all = sorted([...answer.pdus, ...answer.auth_chain]);
    expect(sorted(got.slice(first).map(({ event }) => event))).toEqual(all);
    await sleep(50);
    expect(got.length).toBe(first + all.length);
  });

  test("is called no more once the call has ended: not for events that came before a syntax error", async () => {
    const { room, eventId, body } = crowd();
    for (const server of ["a.example", "b.example", "c.example"]) {
      world.on(server, "state", inPieces(`${body.slice(0, -2)},]}`, 30_000));
    }
    let count = 0;
    const onEvent = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      count += 1;
    };
    const view = world.view(room, world.client(), roomVersion);
    const result = await view.safe.state({ eventId }, { onEvent });
    expect(result.ok).toBe(false);
    const atEnd = count;
    await sleep(100);
    expect(count).toBe(atEnd);
  });

  test("takes the events of answers that are read whole, too", async () => {
    const { room, eventId } = crowd(5);
    const got: VerifiedEvent[] = [];
    const onEvent = (event: VerifiedEvent): void => void got.push(event);
    const { value } = await world.view(room).backfill({ from: [eventId], limit: 50 }, { onEvent });
    expect(value.pdus).toEqual([]);
    expect(got.map(({ event }) => event)).toEqual(room.events.map(({ event }) => event).toReversed());
    expect(got.map((one) => one.eventId)).toEqual(room.events.map((one) => one.eventId).toReversed());
    expect(new Set(got.map(({ field, via }) => `${field} ${via}`))).toEqual(new Set(["pdus a.example"]));
  });
});

describe("an answer that is none makes the next resident answer", () => {
  const broken: Record<string, (body: string) => Parameters<VerifyWorld["on"]>[2]> = {
    "with a syntax error at its very end": (body) => inPieces(`${body.slice(0, -1)}]`, 60_000),
    "with an element that is no JSON": (body) => inPieces(body.replace('"depth":3', '"depth":03'), 60_000),
    "cut off": (body) => inPieces(body.slice(0, -100), 60_000),
    "whose connection is reset": (body) => inPieces(body.slice(0, -100), 60_000, "reset"),
    "that is no gzip though it says so": (body) =>
      reply.raw({ headers: { ...headers, "content-encoding": "gzip" }, body }),
    "whose gzip is broken in the middle": (body) => {
      const bytes = gzipSync(body);
      bytes.fill(0, bytes.length >> 1, (bytes.length >> 1) + 100);
      return reply.raw({ headers: { ...headers, "content-encoding": "gzip" }, body: bytes });
    },
    "whose gzip is cut off": (body) =>
      reply.raw({ headers: { ...headers, "content-encoding": "gzip" }, body: gzipSync(body).subarray(0, -200) }),
    "that is no brotli though it says so": (body) =>
      reply.raw({ headers: { ...headers, "content-encoding": "br" }, body }),
    "that is no deflate though it says so": (body) =>
      reply.raw({ headers: { ...headers, "content-encoding": "deflate" }, body }),
    "with an element of twenty megabytes": (body) =>
      json({ ...JSON.parse(body), auth_chain: [{ type: "x".repeat(20_000_000) }] }),
    "with an event that is a thousand levels deep": (body) =>
      reply.raw({
        headers,
        body: body.replace('"content":{', `"content":{"x":${"[".repeat(1000)}${"]".repeat(1000)},`),
      }),
    "that is empty": () => reply.raw({ headers, body: "" }),
    "that is another JSON": () => json([1, 2, 3]),
    "whose arrays are none": () => json({ pdus: { 0: {} }, auth_chain: "x" }),
    "without arrays": () => json({}),
    "with a field twice": (body) => reply.raw({ headers, body: body.replace("{", '{"pdus":[],') }),
    "that is not UTF-8": (body) => reply.raw({ headers, body: Buffer.from(body.replace("hi", "h\u00e9"), "latin1") }),
    "with nothing in it that holds": () => json({ pdus: [{ type: "x" }, null, 1, "x", [], {}], auth_chain: [] }),
  };
  for (const [what, behaviour] of Object.entries(broken)) {
    test(what, async () => {
      const room = world.room();
      room.sendState(alice, "m.room.topic", "", { topic: "hi" });
      room.addMembers(150, { servers: ["a.example", "b.example"] });
      const { eventId } = room.send(alice, "m.room.message", { body: "hi" });
      const answer = stateAnswer(room, eventId);
      world.on("a.example", "state", behaviour(JSON.stringify(answer)));
      const { value, via, attempts } = await read(room, eventId);
      expect(via).toBe("b.example");
      expect(value).toEqual(answer);
      expect(["invalid", "unavailable"]).toContain(attempts[0]?.verdict);
    });
  }

  test("larger than it may be, be it compressed", async () => {
    const { room, eventId, answer } = crowd(5);
    world.on("a.example", "state", reply.endless({ gzip: true, chunk: `{"pdus":[${"{},".repeat(20_000)}` }));
    const { value, via } = await read(room, eventId);
    expect({ value, via }).toEqual({ value: answer, via: "b.example" });
  });
});

test("gzip is read as it comes", async () => {
  const { room, eventId, answer } = crowd();
  world.on("a.example", "state", reply.gzip(answer));
  const { value, via } = await read(room, eventId);
  expect({ value, via }).toEqual({ value: answer, via: "a.example" });
});

test("what is no event among others is left out and told, and costs the others nothing", async () => {
  const { room, eventId, answer } = crowd(10);
  const pdus = [null, ...answer.pdus, 1, "x", [], {}, { type: 1 }, JSON.parse('{"__proto__":{},"constructor":1}')];
  world.on("a.example", "state", json({ ...answer, pdus }));
  const { value, via, dropped } = await read(room, eventId);
  expect({ value, via }).toEqual({ value: answer, via: "a.example" });
  expect(dropped.length).toBe(7);
  expect(dropped[0]).toEqual({ path: "$.pdus[0]", reason: "it is no object" });
});

test("an event that is too large to be held is left out and told, and costs the others nothing (bug: the whole answer)", async () => {
  const { room, eventId, answer } = crowd(20);
  const large = { type: "m.room.message", content: { body: "]},".repeat(500_000) } };
  const { pdus, auth_chain } = answer;
  world.on("a.example", "state", inPieces(JSON.stringify({ pdus: [large, ...pdus, large], auth_chain }), 50_000));
  const { value, via, dropped } = await read(room, eventId);
  const reason = "it is too large";
  expect({ via, dropped }).toEqual({
    via: "a.example",
    dropped: [0, pdus.length + 1].map((index) => ({ path: `$.pdus[${index}]`, reason })),
  });
  expect(sorted(value.pdus)).toEqual(sorted(pdus));
});

test("two calls at once share what is the same: not with another version, nor without verification", async () => {
  const { room, eventId, answer } = crowd(20);
  const hold = world.server("a.example").hold("state");
  const view = world.view(room);
  const calls = [
    view.state({ eventId }, { roomVersion }),
    view.state({ eventId }, { roomVersion }),
    view.state({ eventId }, { verify: "none" }),
  ];
  const wrong = rejection(view.state({ eventId }, { roomVersion: "9" }));
  await hold.requested;
  await expect.poll(() => world.asked("a.example", "state").length).toBe(3);
  await sleep(50);
  hold.release();
  const [first, second, none] = await Promise.all(calls);
  expect(world.asked("a.example", "state").length).toBe(3);
  expect(first?.value).toBe(second?.value);
  expect(none?.value).toEqual(answer);
  expect([first, none].map((one) => one?.roomVersion)).toEqual(["10", undefined]);
  expect(String(((await wrong) as FailoverError).cause)).toContain("the room is of version 10, not 9");
});

test("two streams at once do not mix", async () => {
  const one = crowd(300);
  const other = crowd(200);
  const client = world.client();
  const views = [one, other].map(({ room }) => world.view(room, client, roomVersion));
  const [first, second] = await Promise.all([
    views[0]?.state({ eventId: one.eventId }),
    views[1]?.state({ eventId: other.eventId }),
  ]);
  expect(first?.value).toEqual(one.answer);
  expect(second?.value).toEqual(other.answer);
});
