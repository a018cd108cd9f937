import { describe, expect, test, vi } from "vitest";

import type { FetchKeys } from "../../src/keyring/direct-keys.js";
import type { KeyRequest } from "../../src/keyring/known-key.js";
import { reply } from "../../src/testing.js";
import { rejection } from "../client/world.js";
import { createKeyringWorld, documentOf, wanted } from "./world.js";

const named = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${letter}${index}.example`);
const [large, other] = [named("a", 70), named("b", 70)];
const [small, n] = ["small.example", "n.example"];
const world = createKeyringWorld(small, n, ...large, ...other);
const requestsFor = (names: readonly string[]): KeyRequest[] => names.map((name) => wanted(world.server(name)));
const stall = (names: readonly string[]): void => {
  for (const name of names) world.on(name, reply.stallBeforeHeaders(), "server_keys");
};
const askedOf = (names: readonly string[]): number => names.reduce((sum, name) => sum + world.requests(name).length, 0);
const madeUp = (count: number, letter = "s"): KeyRequest[] =>
  named(letter, count).map((server) => wanted(world.server(small), { server }));

/** Asks over real TLS, and counts. */
function counted(): { readonly fetchKeys: FetchKeys; readonly most: () => number; readonly begun: () => string[] } {
  const client = world.client();
  const begun: string[] = [];
  let [now, most] = [0, 0];
  const fetchKeys: FetchKeys = async (server, { signal, timeoutMs }) => {
    begun.push(server);
    now += 1;
    most = Math.max(most, now);
    try {
      return await client.serverKeys(server, { signal, timeout: timeoutMs, rounds: 1, ignoreBackoff: true });
    } finally {
      now -= 1;
    }
  };
  return { fetchKeys, most: () => most, begun: () => begun };
}

describe("two large searches of servers that stall", () => {
  test("have fifty requests under way together, also when one is called off (bug: each of its servers started another request)", async () => {
    // On a busy machine a step may take longer than a server may before others are asked beside it.
    vi.spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal);
    stall([...large, ...other]);
    const { fetchKeys, most, begun } = counted();
    const keyring = world.keyring({ fetchKeys });
    const [first, second] = [new AbortController(), new AbortController()];
    const one = rejection(keyring.keys(requestsFor(large), { signal: first.signal }));
    await expect.poll(() => askedOf(large)).toBe(40);
    const two = rejection(keyring.keys(requestsFor(other), { signal: second.signal }));
    await expect.poll(() => askedOf(other)).toBe(8);
    first.abort();
    await one;
    await expect.poll(() => askedOf(other)).toBe(40);
    expect(begun().length).toBe(80);
    expect(most()).toBeLessThanOrEqual(50);
    expect([...keyring.inspect().inFlight].sort()).toEqual([...other].sort());
    second.abort();
    await two;
    await expect.poll(() => keyring.inspect().inFlight).toEqual([]);
    expect(begun().length).toBe(80);
  });

  test("leave room for a small one (bug: it waited until they were through)", async () => {
    stall([...large, ...other]);
    const keyring = world.keyring();
    const stop = new AbortController();
    const calls = [large, other].map((names) => rejection(keyring.keys(requestsFor(names), { signal: stop.signal })));
    await expect.poll(() => askedOf([...large, ...other])).toBeGreaterThanOrEqual(48);
    expect((await keyring.keys(requestsFor([small]))).missing).toEqual([]);
    expect(keyring.inspect().inFlight.length).toBe(large.length + other.length);
    stop.abort();
    await Promise.all(calls);
  });

  test("do not hold back a server that they name too, behind all others, when a small one asks for it", async () => {
    stall(large);
    const keyring = world.keyring();
    const stop = new AbortController();
    const call = rejection(keyring.keys(requestsFor([...large, small]), { signal: stop.signal }));
    await expect.poll(() => askedOf(large)).toBe(40);
    expect(askedOf([small])).toBe(0);
    expect((await keyring.keys(requestsFor([small]))).missing).toEqual([]);
    stop.abort();
    await call;
  });
});

describe("what is free", () => {
  const pending = (): { begun: string[]; end: (server: string) => void; fetchKeys: FetchKeys } => {
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const fetchKeys: FetchKeys = (server) => {
      begun.push(server);
      return new Promise((_, reject) => ends.set(server, () => reject(new Error("no answer"))));
    };
    return { begun, end: (server) => ends.get(server)?.(), fetchKeys };
  };

  test("goes to the search that has the fewest requests under way", async () => {
    const { begun, end, fetchKeys } = pending();
    const keyring = world.keyring({ fetchKeys });
    const calls = ["a", "b", "c"].map((letter) => keyring.keys(madeUp(100, letter)));
    await expect.poll(() => begun.length).toBe(50);
    const [last] = begun;
    end(last ?? "");
    await expect.poll(() => begun.length).toBe(51);
    expect(begun.at(-1)?.at(0)).toBe("c");
    await keyring.close();
    await Promise.all(calls);
  });

  test("is shared by all searches for one answer as if they were one", async () => {
    const { begun, fetchKeys } = pending();
    const keyring = world.keyring({ fetchKeys });
    const onBehalfOf = {};
    const calls = ["a", "b", "c"].map((letter) => keyring.keys(madeUp(100, letter), { onBehalfOf }));
    await expect.poll(() => begun.length).toBe(40);
    calls.push(keyring.keys(madeUp(1, "d")));
    await expect.poll(() => begun.length).toBe(41);
    await keyring.close();
    await Promise.all(calls);
  });

  test("is what it was when searches were called off at any moment", async () => {
    const { begun, fetchKeys } = pending();
    const keyring = world.keyring({ fetchKeys });
    for (let turns = 0; turns < 12; turns++) {
      const stop = new AbortController();
      const calls = ["a", "b"].map((letter) => rejection(keyring.keys(madeUp(60, letter), { signal: stop.signal })));
      for (let at = 0; at < turns; at++) await undefined;
      stop.abort();
      await Promise.all(calls);
    }
    await expect.poll(() => keyring.inspect().inFlight).toEqual([]);
    begun.splice(0);
    const call = keyring.keys(madeUp(60));
    await expect.poll(() => begun.length).toBe(40);
    await keyring.close();
    await call;
  });
});

describe("a search for more servers than may be asked", () => {
  const refusing = (): { asked: string[]; fetchKeys: FetchKeys } => {
    const asked: string[] = [];
    const fetchKeys: FetchKeys = async (server) => {
      asked.push(server);
      throw new Error("no answer");
    };
    return { asked, fetchKeys };
  };

  test("asks five hundred, says so of the others, and asks those the next time (bug: one answer had us connect to any number)", async () => {
    const { asked, fetchKeys } = refusing();
    const keyring = world.keyring({ fetchKeys });
    const reasons = async (): Promise<Record<string, number>> => {
      const count: Record<string, number> = {};
      for (const { reason } of (await keyring.keys(madeUp(1200))).missing) count[reason] = (count[reason] ?? 0) + 1;
      return count;
    };
    expect(await reasons()).toEqual({ unreachable: 500, tooMany: 700 });
    expect(asked.length).toBe(500);
    expect(await reasons()).toEqual({ unreachable: 1000, tooMany: 200 });
    expect(await reasons()).toEqual({ unreachable: 1200 });
    expect(asked.length).toBe(new Set(asked).size);
  });

  test("asks five hundred for all parts of one answer together", async () => {
    const { asked, fetchKeys } = refusing();
    const keyring = world.keyring({ fetchKeys });
    const onBehalfOf = {};
    const parts = ["a", "b", "c"].map((letter) => keyring.keys(madeUp(250, letter), { onBehalfOf }));
    const missing = (await Promise.all(parts)).flatMap((part) => part.missing);
    expect(missing.filter(({ reason }) => reason === "tooMany").length).toBe(250);
    expect(asked.length).toBe(500);
  });

  test("does not count those that a notary told", async () => {
    const names = [...large, ...other];
    const { fetchKeys, begun } = counted();
    const told = world.notaryOf(world.server(n), (name) =>
      names.includes(name) ? documentOf(name, world.server(name).signingKey) : undefined,
    );
    world.on(n, told, "query_keys");
    const keyring = world.keyring({
      notaries: [n],
      fetchKeys: (server, limits) =>
        server === n ? fetchKeys(server, limits) : Promise.reject(new Error("no answer")),
    });
    const { missing } = await keyring.keys([...madeUp(500), ...requestsFor(names)]);
    expect(missing.map(({ reason }) => reason)).toEqual(Array.from({ length: 500 }, () => "unreachable"));
    expect(begun()).toEqual([n]);
  });
});
