import { describe, expect, test } from "vitest";

import { reply } from "../../src/testing.js";
import { createKeyringWorld, documentOf, wanted } from "./world.js";

const alive = Array.from({ length: 180 }, (_, index) => `s${index}.example`);
const dead = Array.from({ length: 20 }, (_, index) => `dead${index}.example`);
const [n, m] = ["n.example", "m.example"];
const world = createKeyringWorld(n, m, ...alive, ...dead.map((name) => ({ name, dead: true })));
const requests = (): ReturnType<typeof wanted>[] => [...dead, ...alive].map((name) => wanted(world.server(name)));

describe("two hundred servers, twenty of them dead", () => {
  test("are asked themselves when there is no notary: the dead cost only themselves", async () => {
    const keyring = world.keyring();
    const { missing } = await keyring.keys(requests());
    expect(missing.map(({ server, reason }) => `${server} ${reason}`).sort()).toEqual(
      dead.map((name) => `${name} unreachable`).sort(),
    );
    expect(keyring.inspect().keys.length).toBe(alive.length);
    expect(alive.every((name) => world.requests(name).length === 1)).toBe(true);
  });

  test("are asked of the notary in batches, and none of them is asked itself when it knows them all", async () => {
    world.on(n, world.notaryOf(world.server(n)), "query_keys");
    const keyring = world.keyring({ notaries: [n] });
    expect((await keyring.keys(requests())).missing).toEqual([]);
    expect(world.questions(n).map((question) => Object.keys(question).length)).toEqual([100, 100]);
    expect(alive.every((name) => world.requests(name).length === 0)).toBe(true);
  });

  test("are asked themselves as far as the notary does not know them", async () => {
    const isKnown = (name: string): boolean => name.startsWith("s1");
    const of = (name: string): ReturnType<typeof documentOf> | undefined =>
      isKnown(name) ? documentOf(name, world.server(name).signingKey) : undefined;
    world.on(n, world.notaryOf(world.server(n), of), "query_keys");
    const keyring = world.keyring({ notaries: [n] });
    const { missing } = await keyring.keys(requests());
    expect(missing.length).toBe(dead.length);
    for (const name of alive) expect(world.requests(name).length).toBe(isKnown(name) ? 0 : 1);
  });

  test("are found though the notary hangs", async () => {
    world.on(n, reply.stallBeforeHeaders(), "query_keys");
    const keyring = world.keyring({ notaries: [n] });
    const over = new Set<string>();
    const stop = new AbortController();
    const found = new Promise<void>((resolve) => {
      const onServer = (server: string): void => {
        over.add(server);
        if (alive.every((name) => over.has(name))) resolve();
      };
      keyring
        .keys(requests(), { onServer, signal: stop.signal })
        .catch((reason: unknown) => expect(reason).toBe("enough"));
    });
    await found;
    expect(dead.some((name) => over.has(name))).toBe(false);
    stop.abort("enough");
  });

  test("are asked of the second notary when the first is dead", async () => {
    await world.server(n).stop();
    world.on(m, world.notaryOf(world.server(m)), "query_keys");
    const keyring = world.keyring({ notaries: [n, m] });
    expect((await keyring.keys(requests())).missing).toEqual([]);
    expect(keyring.inspect().notaryWaits.map(({ name }) => name)).toEqual([n]);
    expect(new Set(keyring.inspect().keys.map(({ source }) => source))).toEqual(new Set([`notary:${m}`, "direct"]));
  });
});
