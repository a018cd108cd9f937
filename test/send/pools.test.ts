import { createServer, type Server } from "node:https";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Cancellation } from "../../src/cancellation.js";
import type { ResolvedServer } from "../../src/resolve/resolved-server.js";
import { type PoolOptions, Pools } from "../../src/send/pools.js";
import { send, type WireRequest } from "../../src/send/send.js";
import { destination, Loopback, loopbackOptions, openSockets, type Place, theAuthority } from "../connect/world.js";

const loopback = new Loopback();
const made: Pools[] = [];
afterEach(async () => {
  await Promise.all(made.splice(0).map((pools) => pools.close()));
  await loopback.close();
  await expect.poll(openSockets).toBe(0);
});

async function createPools(options: PoolOptions = {}): Promise<Pools> {
  const pools = new Pools({ ...(await loopbackOptions()), ...options });
  made.push(pools);
  return pools;
}

const request: WireRequest = {
  method: "GET",
  uri: "/",
  authorization: [],
  content: undefined,
  userAgent: "test",
  maxResponseBytes: 1_000,
};
async function ask(pools: Pools, target: ResolvedServer): Promise<string> {
  const { bytes } = await send(pools, target, request, new Cancellation());
  return String(bytes);
}

function resolved(
  places: readonly Place[],
  host = "a.example",
  tlsName = host.split(":")[0] as string,
): ResolvedServer {
  return { ...destination(places, tlsName), serverName: host, host, steps: [], expiresAt: Number.POSITIVE_INFINITY };
}

/** Lets requests wait until the test says so. */
class Gate {
  waiting = 0;
  readonly #open: (() => void)[] = [];
  pass(): Promise<void> {
    this.waiting += 1;
    return new Promise((resolve) => this.#open.push(resolve));
  }
  open(): void {
    for (const open of this.#open.splice(0)) open();
  }
}

describe("pools", () => {
  let place: Place;
  let gate: Gate | undefined;
  /** The options of the place's answers: how long it keeps a connection open, for example. */
  let headers: Record<string, string>;

  /** An HTTPS server for both names, which answers with the Host header and the port that the connection comes from. */
  const web = async (): Promise<Server> => {
    const [a, b] = await Promise.all(
      ["a.example", "b.example"].map(async (name) => (await theAuthority()).issue(name)),
    );
    const server = createServer({ ...a, keepAliveTimeout: 60_000 }, async (incoming, response) => {
      const { remotePort } = incoming.socket;
      await gate?.pass();
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.end(`${incoming.headers.host} ${remotePort}`);
    });
    server.addContext("b.example", b as { cert: string; key: string });
    return server;
  };
  beforeEach(async () => {
    gate = undefined;
    headers = {};
    place = await loopback.listen(await web());
  });
  const opened = (): number => place.sockets.length;

  describe("share a connection", () => {
    test("between requests to one destination, one after the other (bug: they took turns on two)", async () => {
      const pools = await createPools();
      const answers = new Set<string>();
      for (let time = 0; time < 6; time++) answers.add(await ask(pools, resolved([place])));
      expect(answers.size).toBe(1);
      expect(opened()).toBe(1);
    });

    test("between answers of DNS that have the addresses in another order", async () => {
      const pools = await createPools();
      const [address] = resolved([place]).targets;
      const other = {
        ...address,
        addresses: [{ address: "127.0.0.9", family: 4 as const }, ...(address?.addresses ?? [])],
      };
      const one = { ...resolved([place]), targets: [other] } as ResolvedServer;
      const two = { ...one, targets: [{ ...other, addresses: [...other.addresses].reverse() }] } as ResolvedServer;
      expect(pools.of(one)).toBe(pools.of(two));
      await ask(pools, one);
      await ask(pools, two);
      expect(opened()).toBe(1);
    });

    test("never between two names at one address", async () => {
      const pools = await createPools();
      const names = ["a.example", "b.example", "a.example:443", "a.example:8448"];
      for (const name of [...names, ...names]) {
        expect(await ask(pools, resolved([place], name))).toMatch(new RegExp(`^${name} `));
      }
      expect(opened()).toBe(names.length);
    });

    test("never between two certificates' names behind one Host header, nor between two ports", async () => {
      const pools = await createPools();
      const target = resolved([place], "a.example");
      const delegated = { ...target, tlsName: "b.example" };
      const elsewhere = resolved([{ ...place, port: 1 }]);
      expect(new Set([target, delegated, elsewhere].map((each) => pools.of(each))).size).toBe(3);
    });
  });

  test("hold no more connections to a destination than the options say, and make every request in the end", async () => {
    const pools = await createPools({ maxConnectionsPerServer: 3 });
    gate = new Gate();
    const calls = Array.from({ length: 10 }, () => ask(pools, resolved([place])));
    await expect.poll(() => gate?.waiting).toBe(3);
    expect(opened()).toBe(3);
    const ended = Promise.all(calls);
    const opening = setInterval(() => gate?.open(), 5);
    expect((await ended).length).toBe(10);
    clearInterval(opening);
    expect(opened()).toBe(3);
  });

  test("drop a destination whose connections have closed", async () => {
    const pools = await createPools();
    headers = { connection: "close" };
    const target = resolved([place]);
    const pool = pools.of(target);
    await ask(pools, target);
    await expect.poll(() => pool.closed).toBe(true);
    expect(pools.of(target)).not.toBe(pool);
  });

  test("close an idle connection when the server says how long it keeps it, and drop the destination then", async () => {
    const pools = await createPools();
    headers = { "keep-alive": "timeout=2" };
    const target = resolved([place]);
    const pool = pools.of(target);
    await ask(pools, target);
    await expect.poll(place.open).toBe(0);
    await expect.poll(() => pool.closed).toBe(true);
    expect(pools.of(target)).not.toBe(pool);
  });

  test("drop a destination that cannot be connected to", async () => {
    const pools = await createPools();
    const target = resolved([await loopback.refusing()]);
    const pool = pools.of(target);
    await expect(ask(pools, target)).rejects.toMatchObject({ code: "ERR_CONNECT" });
    expect(pool.closed).toBe(true);
    expect(pools.of(target)).not.toBe(pool);
  });

  describe("of more destinations than the options allow", () => {
    test("close the connections of the one that was not used for longest", async () => {
      const pools = await createPools({ maxServers: 2 });
      const first = await ask(pools, resolved([place], "a.example"));
      await ask(pools, resolved([place], "a.example:1"));
      expect(await ask(pools, resolved([place], "a.example"))).toBe(first);
      await ask(pools, resolved([place], "a.example:2"));
      await expect.poll(place.open).toBe(2);
      expect(await ask(pools, resolved([place], "a.example"))).toBe(first);
    });

    test("let requests under way and in the queue end", async () => {
      const pools = await createPools({ maxServers: 1, maxConnectionsPerServer: 1 });
      gate = new Gate();
      const running = [1, 2, 3].map(() => ask(pools, resolved([place])));
      await expect.poll(() => gate?.waiting).toBe(1);
      const other = ask(pools, resolved([place], "b.example"));
      await expect.poll(() => gate?.waiting).toBe(2);
      const opening = setInterval(() => gate?.open(), 5);
      expect((await Promise.all([...running, other])).length).toBe(4);
      clearInterval(opening);
      await expect.poll(place.open).toBe(1);
    });

    test("are all closed by close(), those that still had requests included", async () => {
      const pools = await createPools({ maxServers: 1 });
      gate = new Gate();
      const names = ["a.example", "a.example:1", "b.example"];
      const calls = Promise.allSettled(names.map((name) => ask(pools, resolved([place], name))));
      await expect.poll(() => gate?.waiting).toBe(3);
      await pools.close();
      expect((await calls).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      await expect.poll(place.open).toBe(0);
    });
  });

  describe("close()", () => {
    test("ends idle connections, requests under way and those in the queue", async () => {
      const pools = await createPools({ maxConnectionsPerServer: 2 });
      await ask(pools, resolved([place], "b.example"));
      gate = new Gate();
      const calls = Promise.allSettled([1, 2, 3, 4].map(() => ask(pools, resolved([place]))));
      await expect.poll(() => gate?.waiting).toBe(2);
      await pools.close();
      expect((await calls).every(({ status }) => status === "rejected")).toBe(true);
      await expect.poll(place.open).toBe(0);
    });

    test("ends connections that are being made: unanswered ones, and those in the handshake", async () => {
      const pools = await createPools();
      const stalled = await loopback.stalled();
      const calls = [stalled, await loopback.blackHole()].map((silent) => ask(pools, resolved([silent])));
      const settled = Promise.allSettled(calls);
      await expect.poll(stalled.open).toBe(1);
      await pools.close();
      for (const result of await settled) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "ERR_CONNECT", requestSent: false } });
      }
      await expect.poll(stalled.open).toBe(0);
    });

    test("lets nobody connect any more", async () => {
      const pools = await createPools();
      await ask(pools, resolved([place]));
      await pools.close();
      await expect(ask(pools, resolved([place]))).rejects.toMatchObject({ code: "ERR_CONNECT", requestSent: false });
      expect(opened()).toBe(1);
    });
  });
});
