import { setTimeout as sleep } from "node:timers/promises";

import { describe, expect, test } from "vitest";

import type { FailoverError, Residents } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, ourName, rejection, roomId } from "./world.js";

const a = "a.example";
const b = "b.example";
const c = "c.example";
const world = createWorld(a, b, c);

/** The servers that are asked, in order. */
async function asked(residents: Residents, options = {}): Promise<string[]> {
  for (const server of [a, b, c]) world.on(server, reply.matrixError(404, "M_NOT_FOUND"));
  const result = await world.client().room(roomId, { residents }).safe.stateIds({ eventId }, options);
  return result.attempts.map(({ server }) => server);
}

async function* slowly(names: readonly string[]): AsyncGenerator<string> {
  for (const name of names) {
    await sleep(1);
    yield name;
  }
}

describe("the residents of a room", () => {
  const forms: Record<string, Residents> = {
    "a list": [b, a],
    "a set": new Set([b, a]),
    "a generator": slowly([b, a]),
    "something to iterate over": { [Symbol.asyncIterator]: () => slowly([b, a]) },
    "a function": () => [b, a],
    "a function that returns a set": () => new Set([b, a]),
    "a function that returns a generator": () => slowly([b, a]),
    "an asynchronous function": async () => [b, a],
  };
  for (const [form, residents] of Object.entries(forms)) {
    test(`may be ${form}`, async () => expect(await asked(residents)).toEqual([b, a]));
  }

  test("are asked for with the room's id, once a call, and not before", async () => {
    const ids: string[] = [];
    world.on(a, reply.json({ pdu_ids: [], auth_chain_ids: [] }));
    const room = world.client().room(roomId, {
      residents: (id) => {
        ids.push(id);
        return [a];
      },
    });
    expect(ids).toEqual([]);
    await room.stateIds({ eventId });
    await room.stateIds({ eventId });
    expect(ids).toEqual([roomId, roomId]);
  });

  test("that can be read only once serve all the calls of a handle", async () => {
    world.on(a, reply.json({ pdu_ids: [], auth_chain_ids: [] }));
    const room = world.client().room(roomId, { residents: slowly([a]) });
    expect((await room.stateIds({ eventId })).via).toBe(a);
    expect((await room.stateIds({ eventId })).via).toBe(a);
  });

  test("are asked once each, though named twice", async () => {
    expect(await asked([a, b, a, b, a])).toEqual([a, b]);
    expect(await asked(slowly([a, b, a]))).toEqual([a, b]);
  });

  test("are asked without ourselves", async () => {
    expect(await asked([ourName, a, ourName])).toEqual([a]);
    expect(await asked(slowly([ourName, a]))).toEqual([a]);
  });

  test("are told apart by their port and their case, as names are", async () => {
    expect(await asked([a, "a.example:8448"])).toEqual([a, "a.example:8448"]);
  });

  test("with wrong names among them lose those alone, where it is no list", async () => {
    const names = ["", "a b", "https://a.example", a, "#", 5, undefined, "x".repeat(300), b] as string[];
    expect(await asked(slowly(names))).toEqual([a, b]);
    expect(await asked(() => names)).toEqual([a, b]);
  });

  test("are joined by those whom the caller names for the call", async () => {
    expect(await asked([a], { sentBy: [c], prefer: [b] })).toEqual([c, b, a]);
    expect(await asked([], { prefer: [b] })).toEqual([b]);
  });

  test.each([
    ["nobody", []],
    ["ourselves alone", [ourName]],
    ["nobody, slowly", slowly([])],
    ["ourselves alone, by a function", () => [ourName]],
    ["wrong names alone", () => ["a b"]],
  ] as [string, Residents][])("that are %s are an error without a request", async (_, residents) => {
    const room = world.client().room(roomId, { residents });
    const error = await rejection<FailoverError>(room.stateIds({ eventId }));
    expect(error).toMatchObject({ code: "ERR_NO_RESIDENTS", summary: "notAsked", attempts: [], outcome: "notDone" });
    expect(error.message).toMatch(/servers in the room|another server/);
    expect(await room.safe.stateIds({ eventId })).toMatchObject({ ok: false, error: { code: "ERR_NO_RESIDENTS" } });
    expect(world.requestCount()).toBe(0);
  });

  test("without end are read as far as they can be asked: a thousand and one", async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<string> {
      for (;;) yield `s${read++}.invalid`;
    }
    const noDns = {
      resolve4: () => Promise.reject(new Error("no")),
      resolve6: () => Promise.reject(new Error("no")),
      resolveSrv: () => Promise.reject(new Error("no")),
    };
    const room = world.client({ dns: noDns }).room(roomId, { residents: endless });
    const { attempts } = await room.safe.stateIds({ eventId }, { rounds: 1 });
    expect([read, attempts.length]).toEqual([1001, 1000]);
  });

  test("that throw make the call fail with an error that has what they threw as its cause", async () => {
    const cause = new Error("The database is down");
    const residents = (): never => {
      throw cause;
    };
    const room = world.client().room(roomId, { residents });
    expect(await rejection(room.stateIds({ eventId }))).toMatchObject({ code: "ERR_NO_RESIDENTS", cause });
    expect(await room.safe.stateIds({ eventId })).toMatchObject({ ok: false, error: { cause } });
  });

  test.each([
    ["nothing", async () => undefined],
    ["one name", () => a],
    ["a number", () => 5],
  ])("from a function that returns %s are an error that shows a right one", async (_, residents) => {
    const room = world.client().room(roomId, { residents: residents as unknown as Residents });
    await expect(room.stateIds({ eventId })).rejects.toThrow('["a.example"]');
  });

  const never = (): Promise<never> => new Promise(() => {});
  test("that never come are waited for no longer than the call's timeout", async () => {
    const room = world.client().room(roomId, { residents: never });
    const error = await rejection(room.stateIds({ eventId }, { timeout: 100 }));
    expect(error).toMatchObject({ code: "ERR_NO_RESIDENTS", summary: "notAsked" });
  }, 1_000);

  test("that never come are waited for no longer than the caller's signal allows", async () => {
    const room = world.client().room(roomId, { residents: never });
    const reason = new Error("enough");
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    expect(await rejection(room.stateIds({ eventId }, { signal: controller.signal }))).toBe(reason);
  }, 1_000);
});
