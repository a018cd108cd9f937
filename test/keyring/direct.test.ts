import { describe, expect, test } from "vitest";

import { reply } from "../../src/testing.js";
import { createKeyringWorld, documentOf, ourKey, ourName, SigningKey, wanted } from "./world.js";

const [a, b, c, dead] = ["a.example", "b.example", "c.example", "dead.example"];
const world = createKeyringWorld(a, b, c, { name: dead, dead: true });
const publicKeyOf = (server: string): string => world.server(server).signingKey.publicKey;
const base64 = (bytes: Uint8Array | undefined): string =>
  Buffer.from(bytes ?? [])
    .toString("base64")
    .replace(/=+$/, "");

describe("a key ring without notaries", () => {
  test("gets keys from the servers themselves, and answers from memory after that", async () => {
    const keyring = world.keyring();
    const requests = [wanted(world.server(a)), wanted(world.server(b), { use: "request" })];
    const answer = await keyring.keys(requests);
    expect(answer.missing).toEqual([]);
    for (const name of [a, b]) {
      const key = answer.get(name, world.server(name).signingKey.keyId);
      expect(base64(key?.publicKey)).toBe(publicKeyOf(name));
      expect(key?.source).toBe("direct");
    }
    const count = world.requestCount();
    expect(count).toBe(2);
    expect((await keyring.keys(requests)).missing).toEqual([]);
    expect(world.requestCount()).toBe(count);
  });

  test("asks a server once, however many ask for its keys at the same time", async () => {
    const keyring = world.keyring();
    const answer = reply.held(reply.json(JSON.parse(JSON.stringify(documentOf(a, world.server(a).signingKey)))));
    world.on(a, answer, "server_keys");
    const calls = Array.from({ length: 5 }, () => keyring.keys([wanted(world.server(a))]));
    await answer.requested;
    calls.push(keyring.keys([wanted(world.server(a), { keyId: "ed25519:other" })]));
    expect(keyring.inspect().inFlight).toEqual([a]);
    answer.release();
    const missing = (await Promise.all(calls)).map((each) => each.missing.map(({ reason }) => reason));
    expect(missing).toEqual([[], [], [], [], [], ["unknownKey"]]);
    expect(world.requests(a).length).toBe(1);
    expect(keyring.inspect().inFlight).toEqual([]);
  });

  test("never asks for our own keys", async () => {
    const keyring = world.keyring();
    const us = { name: ourName, signingKey: ourKey };
    const answer = await keyring.keys([wanted(us), wanted(us, { keyId: "ed25519:no_such" })]);
    expect(answer.get(ourName, ourKey.keyId)).toMatchObject({ source: "own" });
    expect(answer.missing).toMatchObject([{ keyId: "ed25519:no_such", reason: "unknownKey" }]);
    expect(world.requestCount()).toBe(0);
  });

  test("knows our own keys out of use, for our old events", async () => {
    const old = { name: ourName, signingKey: SigningKey.generate("old") };
    const ownOldKeys = { [old.signingKey.keyId]: { key: old.signingKey.publicKey, expired_ts: 1_000 } };
    const keyring = world.keyring({ ownOldKeys });
    const requests = [wanted(old, { at: 1_000 }), wanted(old, { at: 1_001 }), wanted(old, { use: "request" })];
    const answer = await keyring.keys(requests);
    expect(answer.get(ourName, old.signingKey.keyId)).toMatchObject({ source: "own", expiredTs: 1_000 });
    expect(answer.missing.map(({ reason }) => reason)).toEqual(["retired", "retired"]);
    expect(world.requestCount()).toBe(0);
  });

  test("gives up on a dead server, which costs nobody else their keys, and does not ask it again soon", async () => {
    const keyring = world.keyring();
    const silent = reply.held(reply.garbage());
    world.on(c, silent, "server_keys");
    const over: string[] = [];
    let tell = (): void => {};
    const two = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const onServer = (server: string): void => {
      over.push(server);
      if (over.length === 2) tell();
    };
    const call = keyring.keys(
      [dead, a, c].map((name) => wanted(world.server(name))),
      { onServer },
    );
    await two;
    expect(over.sort()).toEqual([a, dead]);
    expect(keyring.peek(a, world.server(a).signingKey.keyId)).toBeDefined();
    expect(keyring.inspect().waits.map(({ name, failures }) => [name, failures])).toContainEqual([dead, 1]);
    silent.release();
    expect((await call).missing.map(({ server, reason }) => [server, reason])).toEqual([
      [dead, "unreachable"],
      [c, "badDocument"],
    ]);
    await world.server(dead).start();
    expect((await keyring.keys([wanted(world.server(dead))])).missing).toMatchObject([{ reason: "unreachable" }]);
    expect(world.requests(dead).length).toBe(0);
    keyring.forget(dead);
    expect((await keyring.keys([wanted(world.server(dead))])).missing).toEqual([]);
    await world.server(dead).stop();
  });
});
