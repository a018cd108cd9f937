import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { stateIds } from "../../src/endpoints.js";
import { type Attempt, type Client, type ClientOptions, defineEndpoint } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { Loopback } from "../connect/world.js";
import { createWorld, eventId, rejection, stateIdsAnswer } from "./world.js";

const a = "a.example";
const b = "b.example";
const c = "c.example";
const world = createWorld(a, b, c);
const loopback = new Loopback();
afterEach(() => loopback.close());
afterEach(() => void vi.useRealTimers());

/** The address of each name, or the code that DNS answers with. */
let names: Map<string, string>;
/** Where the addresses and ports lead; nobody listens at all others. */
let hosts: Map<string, number>;
/** Every A query. */
let asked: string[];
/** What DNS waits for before it answers. */
let dnsHold: Promise<void> | undefined;

const failing = (code: string): Error => Object.assign(new Error(code), { code });
const dns: NonNullable<ClientOptions["dns"]> = {
  async resolve4(name) {
    asked.push(name);
    await dnsHold;
    const found = names.get(name) ?? "ENOTFOUND";
    if (!found.includes(".")) throw failing(found);
    return [{ address: found, ttl: 3_600 }];
  },
  async resolve6(name) {
    const found = names.get(name) ?? "ENOTFOUND";
    throw failing(found.includes(".") ? "ENODATA" : found);
  },
  resolveSrv: async () => Promise.reject(failing("ENOTFOUND")),
};

/** A client that looks nowhere else, and counts no failures. */
const createClient = (): Client =>
  world.client({
    dns,
    connectTo: ({ address, port }) => ({ address: "127.0.0.1", port: hosts.get(`${address}:${port}`) ?? 1 }),
    backoff: { threshold: 1_000 },
  });

/** Says that a server is at an address now, and nowhere else. Its connections break off, as they do in a move. */
async function move(name: string, address: string, ports: readonly number[] = [8448]): Promise<void> {
  const server = world.server(name);
  for (const [where, port] of hosts) if (port === server.port) hosts.delete(where);
  for (const port of ports) hosts.set(`${address}:${port}`, server.port);
  await server.stop();
  await server.start();
}

const ask = async (client: Client, id: string = eventId): Promise<readonly Attempt[]> =>
  (await world.room([a], client).safe.stateIds({ eventId: id }, { rounds: 1 })).attempts;

const answered = [{ verdict: "answered", server: a }];
const unavailable = (code: string) => [{ verdict: "unavailable", error: { code } }];

beforeEach(async () => {
  names = new Map([[a, "192.0.2.1"]]);
  hosts = new Map();
  asked = [];
  dnsHold = undefined;
  await move(a, "192.0.2.1");
  for (const name of [a, b, c]) world.on(name, reply.json(stateIdsAnswer));
});

describe("an address that is remembered, and where nobody listens any more,", () => {
  test("is looked up afresh within the same request, which succeeds in one attempt", async () => {
    const client = createClient();
    await ask(client);
    await move(a, "192.0.2.2");
    names.set(a, "192.0.2.2");
    expect(await ask(client)).toMatchObject(answered);
    expect(await client.backoff.get(a)).toMatchObject({ failures: 0 });
  });

  test("is looked up once for many requests at the same time, all of which succeed", async () => {
    const client = createClient();
    await ask(client);
    await move(a, "192.0.2.2");
    names.set(a, "192.0.2.2");
    const before = asked.length;
    const trails = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(client, `$${index}`)));
    for (const trail of trails) expect(trail).toMatchObject(answered);
    expect(asked.slice(before)).toEqual([a]);
  });

  test("fails where DNS says the same again, and is not looked up for each request after it", async () => {
    const client = createClient();
    await ask(client);
    await world.server(a).stop();
    expect(await ask(client)).toMatchObject(unavailable("ERR_CONNECT"));
    const before = asked.length;
    for (let index = 0; index < 20; index += 1) {
      expect(await ask(client, `$${index}`)).toMatchObject(unavailable("ERR_CONNECT"));
    }
    expect(asked.length).toBe(before);
  });

  test("is good again as soon as the server is back at it", async () => {
    const client = createClient();
    await ask(client);
    await world.server(a).stop();
    await ask(client);
    await world.server(a).start();
    expect(await ask(client)).toMatchObject(answered);
  });

  test("is looked up afresh although another server with another certificate is there now", async () => {
    const client = createClient();
    await ask(client);
    await move(a, "192.0.2.2");
    await move(b, "192.0.2.1");
    names.set(a, "192.0.2.2");
    expect(await ask(client)).toMatchObject(answered);
    expect(world.requests(b)).toEqual([]);
  });

  test("fails with the error of the new address, where nobody listens at that either", async () => {
    const client = createClient();
    await ask(client);
    await move(a, "192.0.2.3");
    await move(b, "192.0.2.2");
    names.set(a, "192.0.2.2");
    expect(await ask(client)).toMatchObject(unavailable("ERR_TLS"));
  });
});

test("an address that swallows all the time of a request is looked up afresh for the next one", async () => {
  const client = createClient();
  await ask(client);
  await move(a, "192.0.2.2");
  names.set(a, "192.0.2.2");
  const silent = await loopback.stalled();
  hosts.set("192.0.2.1:8448", silent.port);
  const hasty = defineEndpoint({ ...stateIds, timeoutMs: 200 });
  const { attempts } = await world.room([a], client).safe.request(hasty, { eventId }, { rounds: 1 });
  expect(attempts).toMatchObject([{ ...unavailable("ERR_TIMEOUT")[0], mayHaveTakenEffect: false }]);
  expect(await ask(client)).toMatchObject(answered);
});

test("an abort by the caller says nothing about an address: it is not looked up afresh", async () => {
  const client = createClient();
  await ask(client);
  await move(a, "192.0.2.2");
  const silent = await loopback.stalled();
  hosts.set("192.0.2.1:8448", silent.port);
  const before = asked.length;
  const controller = new AbortController();
  const call = rejection(world.room([a], client).stateIds({ eventId }, { signal: controller.signal }));
  await expect.poll(silent.open).toBe(1);
  controller.abort(new Error("enough"));
  expect((await call).message).toBe("enough");
  expect(asked.length).toBe(before);
});

describe("a delegation that is remembered", () => {
  const delegate = (to: string): void => world.on(a, reply.json({ "m.server": to }), "well_known");

  beforeEach(async () => {
    names.set(b, "192.0.2.20").set(c, "192.0.2.30");
    await move(a, "192.0.2.1", [443]);
    await move(b, "192.0.2.20");
    await move(c, "192.0.2.30");
    delegate(b);
  });

  test("and has moved is fetched afresh, although it could be kept for a day", async () => {
    const client = createClient();
    expect(await ask(client)).toMatchObject(answered);
    expect(world.requests(b).length).toBe(1);
    await world.server(b).stop();
    delegate(c);
    expect(await ask(client)).toMatchObject(answered);
    expect(world.requests(c).map(({ headers }) => headers.host)).toEqual([c]);
  });

  test("is fetched afresh too when only the addresses had to be looked up again (bug: they were no old answer)", async () => {
    vi.useFakeTimers({ toFake: ["performance", "Date"] });
    const client = createClient();
    await ask(client);
    vi.advanceTimersByTime(2 * 3_600_000);
    await world.server(b).stop();
    delegate(c);
    expect(await ask(client)).toMatchObject(answered);
    expect(world.requests(c).map(({ headers }) => headers.host)).toEqual([c]);
  });

  test("and has ended is fetched afresh: the server itself is asked", async () => {
    const client = createClient();
    await ask(client);
    await world.server(b).stop();
    world.on(a, reply.matrixError(404, "M_UNRECOGNIZED"), "well_known");
    await move(a, "192.0.2.1", [443, 8448]);
    expect(await ask(client)).toMatchObject(answered);
    expect(world.requests(a).map(({ headers }) => headers.host)).toEqual([a]);
  });

  test("is used on while its own host is down: the delegated server may be back any moment", async () => {
    const client = createClient();
    await ask(client);
    await world.server(a).stop();
    await world.server(b).stop();
    expect(await ask(client)).toMatchObject(unavailable("ERR_CONNECT"));
    await world.server(b).start();
    expect(await ask(client)).toMatchObject(answered);
  });
});

describe("nothing is asked again", () => {
  test("where bytes of the request have left: it is not sent to the new address either", async () => {
    const client = createClient();
    await ask(client);
    await world.server(a).stop();
    await world.server(a).start();
    await move(b, "192.0.2.2");
    names.set(a, "192.0.2.2");
    const before = asked.length;
    world.on(a, reply.reset());
    expect(await ask(client)).toMatchObject([{ verdict: "unavailable", mayHaveTakenEffect: true }]);
    expect(asked.length).toBe(before);
    expect(world.requests(b)).toEqual([]);
  });

  test("for a name that was looked up for this very request", async () => {
    await world.server(a).stop();
    expect(await ask(createClient())).toMatchObject(unavailable("ERR_CONNECT"));
    // Once for .well-known and for the server alike.
    expect(asked).toEqual([a]);
  });
});

describe("when DNS is asked afresh", () => {
  test("and says that the name is gone, that is the error", async () => {
    const client = createClient();
    await ask(client);
    await world.server(a).stop();
    names.delete(a);
    const [attempt] = await ask(client);
    expect(attempt).toMatchObject({ verdict: "unavailable", mayHaveTakenEffect: false });
    expect(String(attempt?.error?.message)).toContain("Cannot resolve");
  });

  test("and fails, what is known stays: the server may be back before DNS is (bug: it was forgotten)", async () => {
    const client = createClient();
    await ask(client);
    await world.server(a).stop();
    names.set(a, "ESERVFAIL");
    expect(await ask(client)).toMatchObject(unavailable("ERR_CONNECT"));
    await world.server(a).start();
    expect(await ask(client)).toMatchObject(answered);
  });

  test("and the caller aborts, the call ends with that, and the others have the use of the answer", async () => {
    const client = createClient();
    await ask(client);
    await move(a, "192.0.2.2");
    names.set(a, "192.0.2.2");
    let release = (): void => {};
    dnsHold = new Promise((resolve) => {
      release = resolve;
    });
    const before = asked.length;
    const controller = new AbortController();
    const room = world.room([a], client);
    const aborted = rejection(room.stateIds({ eventId: "$aborted" }, { signal: controller.signal }));
    const other = ask(client, "$other");
    await expect.poll(() => asked.length).toBeGreaterThan(before);
    controller.abort(new Error("enough"));
    expect((await aborted).message).toBe("enough");
    release();
    expect(await other).toMatchObject(answered);
    expect(world.requests(a).some(({ uri }) => uri.includes("aborted"))).toBe(false);
    expect(asked.slice(before)).toEqual([a]);
  });
});
