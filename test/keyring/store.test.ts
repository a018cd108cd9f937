import { describe, expect, test } from "vitest";

import { createMemoryStore, type Store } from "../../src/index.js";
import type { TestServer } from "../../src/testing.js";
import { createKeyringWorld, dayMs, documentOf, retired, SigningKey, wanted } from "./world.js";

const [a, b, gone, n] = ["a.example", "b.example", "gone.example", "n.example"];
const world = createKeyringWorld(a, b, n, { name: gone, dead: true });
const server = (name: string): TestServer => world.server(name);
const former = SigningKey.generate("former");
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("key rings that share a store, one after the other", () => {
  test("keep keys over a restart: in use and out of use, and who told of them", async () => {
    world.on(n, world.notaryOf(server(n)), "query_keys");
    const store = createMemoryStore();
    const before = world.keyring({ store, notaries: [n] });
    await before.learn(json(documentOf(a, server(a).signingKey, { oldVerifyKeys: retired(former, 1_000) })), {
      server: a,
    });
    const requests = [wanted(server(a)), wanted({ name: a, signingKey: former }, { at: 1_000 }), wanted(server(gone))];
    expect((await before.keys(requests)).missing).toEqual([]);
    await before.close();
    const count = world.requestCount();
    const after = world.keyring({ store });
    const answer = await after.keys(requests);
    expect(answer.missing).toEqual([]);
    for (const { server: name, keyId } of requests) expect(answer.get(name, keyId)).toEqual(before.peek(name, keyId));
    expect(world.requestCount()).toBe(count);
  });

  test("forget a server for good when they are told to", async () => {
    const store = createMemoryStore();
    const before = world.keyring({ store });
    await before.keys([a, b].map((name) => wanted(server(name))));
    before.forget(a);
    await before.close();
    const after = world.keyring({ store });
    await after.keys([a, b].map((name) => wanted(server(name))));
    expect([a, b].map((name) => world.requests(name).length)).toEqual([2, 1]);
  });

  test("read the store again after they forgot what they knew of all servers", async () => {
    const keyring = world.keyring({ store: createMemoryStore() });
    await keyring.keys([wanted(server(a))]);
    await expect.poll(() => keyring.peek(a, server(a).signingKey.keyId)).toBeDefined();
    await new Promise(setImmediate);
    keyring.forget();
    expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
    expect(world.requests(a).length).toBe(1);
  });

  test("do not write worse keys over better ones of each other", async () => {
    const store = createMemoryStore();
    const [one, two] = [world.keyring({ store }), world.keyring({ store })];
    await Promise.all([one, two].map((keyring) => keyring.keys([wanted(server(a), { keyId: "ed25519:none" })])));
    const long = documentOf(a, server(a).signingKey, {
      validUntilTs: Date.now() + 3 * dayMs,
      oldVerifyKeys: retired(former, 1_000),
    });
    await one.learn(json(long), { server: a });
    await one.close();
    await two.learn(json(documentOf(a, server(a).signingKey, { validUntilTs: 5 })), { server: a });
    await two.close();
    const after = world.keyring({ store });
    const requests = [
      wanted(server(a), { at: Date.now() + 2 * dayMs }),
      wanted({ name: a, signingKey: former }, { at: 1_000 }),
    ];
    expect((await after.keys(requests)).missing).toEqual([]);
  });

  test("write every entry with a time after which it expires, and no secret", async () => {
    const entries: [key: string, text: string, ttlMs: number][] = [];
    const store: Store = {
      get: async () => undefined,
      set: async (...entry) => void entries.push(entry),
      delete: async () => {},
    };
    const keyring = world.keyring({ store });
    await keyring.keys([wanted(server(a))]);
    await keyring.close();
    expect(entries.map(([key, , ttlMs]) => [key, ttlMs])).toEqual([[`keys:${a}`, 180 * dayMs]]);
    expect(entries[0]?.[1]).toContain(server(a).signingKey.publicKey);
  });
});

describe("a store", () => {
  const never = (): Promise<never> => new Promise(() => {});
  const down = (): Promise<never> => Promise.reject(new Error("down"));
  const thrown = (): never => {
    throw new Error("down");
  };
  const told = (text: string): Store => ({ get: async () => text, set: async () => {}, delete: async () => {} });
  const entry = { server: a, keyId: "ed25519:x", publicKey: former.publicKey, validUntilTs: 9e12, source: "direct" };
  const stores: Record<string, Store> = {
    "that hangs": { get: never, set: never, delete: never },
    "that rejects": { get: down, set: down, delete: down },
    "that throws": { get: thrown, set: thrown, delete: thrown },
    "that tells garbage": told("\u0000{"),
    "that tells no list": told('{"__proto__":1}'),
    "that tells entries that are none": told(
      JSON.stringify([
        null,
        5,
        entry,
        { ...entry, fetchedAt: "now" },
        { ...entry, fetchedAt: 1, publicKey: "AAAA" },
        { ...entry, fetchedAt: 1, server: b },
        { ...entry, fetchedAt: 1, source: "own" },
        { ...entry, fetchedAt: 1, expiredTs: 1.5 },
      ]),
    ),
  };
  for (const [what, store] of Object.entries(stores)) {
    test(`${what} is as good as none`, async () => {
      const keyring = world.keyring({ store });
      expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
      expect(keyring.inspect().keys.map(({ keyId }) => keyId)).toEqual([server(a).signingKey.keyId]);
      keyring.forget(a);
      await keyring.close();
    });
  }

  test("that cannot be read for a moment keeps what it has (bug: less was written over it)", async () => {
    const text = JSON.stringify([{ ...entry, fetchedAt: 1, expiredTs: 1 }]);
    const texts = new Map([[`keys:${a}`, text]]);
    let isDown = true;
    const store: Store = {
      get: async (key) => (isDown ? down() : texts.get(key)),
      set: async (key, value) => void texts.set(key, value),
      delete: async () => {},
    };
    const keyring = world.keyring({ store });
    await keyring.keys([wanted(server(a))]);
    await keyring.close();
    expect(texts.get(`keys:${a}`)).toBe(text);
    isDown = false;
    const next = world.keyring({ store });
    await next.keys([wanted(server(a))]);
    await next.close();
    expect(JSON.parse(texts.get(`keys:${a}`) ?? "").length).toBe(2);
  });

  test("does not make a key valid for longer than 7 days", async () => {
    const keyring = world.keyring({ store: told(JSON.stringify([{ ...entry, fetchedAt: 1 }])) });
    const { missing } = await keyring.keys([wanted({ name: a, signingKey: former }, { keyId: "ed25519:x" })]);
    expect(missing).toMatchObject([{ reason: "outOfValidity" }]);
    expect(keyring.peek(a, "ed25519:x")?.validUntilTs).toBe(1 + 7 * dayMs);
  });
});
