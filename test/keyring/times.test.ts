import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Patience } from "../../src/keyring/patience.js";
import { reply, type TestServer } from "../../src/testing.js";
import { createKeyringWorld, dayMs, documentOf, minuteMs, wanted } from "./world.js";

const [a, b, n] = ["a.example", "b.example", "n.example"];
const world = createKeyringWorld(a, b, n);
const server = (name: string): TestServer => world.server(name);
const publish = (name: string, validForMs: number): void => {
  const document = documentOf(name, server(name).signingKey, { validUntilTs: Date.now() + validForMs });
  world.on(name, reply.json(JSON.parse(JSON.stringify(document))), "server_keys");
};

// Inside of what certificates allow.
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"], now: Date.UTC(2026, 0, 1) }));
afterEach(() => void vi.useRealTimers());
/** Time passes on all clocks. */
const pass = (ms: number): void => void vi.advanceTimersByTime(ms);

describe("a key whose validity ends", () => {
  test("is asked for again when it is needed for later, and still good for what was before", async () => {
    const keyring = world.keyring();
    publish(a, dayMs);
    const before = Date.now();
    await keyring.keys([wanted(server(a))]);
    pass(2 * dayMs);
    expect((await keyring.keys([wanted(server(a), { at: before })])).missing).toEqual([]);
    expect(world.requests(a).length).toBe(1);
    publish(a, dayMs);
    expect((await keyring.keys([wanted(server(a), { use: "request" })])).missing).toEqual([]);
    expect(world.requests(a).length).toBe(2);
  });

  test("is valid for 7 days after it was fetched, whatever the server says", async () => {
    const keyring = world.keyring();
    publish(a, 365 * dayMs);
    await keyring.keys([wanted(server(a))]);
    pass(7 * dayMs);
    expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
    expect(world.requests(a).length).toBe(1);
    pass(1);
    await keyring.keys([wanted(server(a))]);
    expect(world.requests(a).length).toBe(2);
  });

  test("is of no use when its server is expired itself, and the server is not asked on and on", async () => {
    const keyring = world.keyring();
    publish(a, -dayMs);
    for (let time = 0; time < 3; time++) {
      const { missing } = await keyring.keys([wanted(server(a)), wanted(server(b))]);
      expect(missing).toMatchObject([{ server: a, reason: "outOfValidity" }]);
    }
    expect(world.requests(a).length).toBe(1);
    expect((await keyring.keys([wanted(server(a), { enforceValidity: false })])).missing).toEqual([]);
    pass(minuteMs);
    await keyring.keys([wanted(server(a))]);
    expect(world.requests(a).length).toBe(2);
  });

  test("is prolonged by a notary when its server is dead, and stays the server's key", async () => {
    publish(a, dayMs);
    world.on(n, world.notaryOf(server(n)), "query_keys");
    const keyring = world.keyring({ notaries: [n] });
    await keyring.keys([wanted(server(a))]);
    pass(2 * dayMs);
    await server(a).stop();
    expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
    expect(keyring.peek(a, server(a).signingKey.keyId)?.source).toBe("direct");
    expect(world.questions(n)).toEqual([
      { [a]: { [server(a).signingKey.keyId]: { minimum_valid_until_ts: Date.now() } } },
    ]);
  });

  test("does not become worse by a document that is older", async () => {
    const keyring = world.keyring();
    publish(a, dayMs);
    await keyring.keys([wanted(server(a))]);
    const older = documentOf(a, server(a).signingKey, { validUntilTs: Date.now() - dayMs });
    expect(await keyring.learn(JSON.parse(JSON.stringify(older)), { server: a })).toBeUndefined();
    expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
    expect(world.requests(a).length).toBe(1);
  });
});

describe("who gave no answer", () => {
  test("is asked again after a wait that doubles, up to an hour", () => {
    const patience = new Patience({ baseMs: 15_000 });
    for (const seconds of [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]) {
      patience.failed(a, "failed");
      pass(seconds * 1_000 - 1);
      expect(patience.isOver(a)).toBe(false);
      pass(1);
      expect(patience.isOver(a)).toBe(true);
    }
    expect(patience.last(a)?.failures).toBe(10);
    patience.answered(a, 0);
    patience.failed(a, "failed");
    expect(patience.list()).toEqual([{ name: a, failures: 1, until: Date.now() + 15_000, reason: "failed" }]);
    patience.forget(a);
    expect(patience.isOver(a)).toBe(true);
  });

  test("is waited for as long as it is, though somebody sets the clock", async () => {
    const keyring = world.keyring();
    await server(a).stop();
    await keyring.keys([wanted(server(a))]);
    await server(a).start();
    for (const clock of [Date.UTC(2025, 0, 1), Date.UTC(2027, 0, 1)]) {
      vi.setSystemTime(clock);
      expect(keyring.inspect().waits).toMatchObject([{ name: a, failures: 1, reason: "ERR_CONNECT" }]);
      expect((await keyring.keys([wanted(server(a))])).missing).toMatchObject([{ reason: "unreachable" }]);
      expect(world.requests(a).length).toBe(0);
    }
    pass(15_000);
    expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
  });

  test("is asked for the key of a request after a minute, however long it was away: it may be back", async () => {
    const keyring = world.keyring();
    await server(a).stop();
    for (let time = 0; time < 8; time++) {
      await keyring.keys([wanted(server(a))]);
      pass(30 * minuteMs);
    }
    await keyring.keys([wanted(server(a))]);
    await server(a).start();
    pass(minuteMs);
    expect((await keyring.keys([wanted(server(a))])).missing).toMatchObject([{ reason: "unreachable" }]);
    expect((await keyring.keys([wanted(server(a), { use: "request" })])).missing).toEqual([]);
  });

  test("is forgotten on request, with its keys", async () => {
    const keyring = world.keyring();
    await keyring.keys([wanted(server(a))]);
    keyring.forget(a);
    expect(keyring.inspect()).toMatchObject({ keys: [], waits: [] });
    await keyring.keys([wanted(server(a))]);
    expect(world.requests(a).length).toBe(2);
    keyring.forget();
    expect(keyring.inspect()).toMatchObject({ keys: [], waits: [] });
  });
});
