import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { describe, expect, test } from "vitest";

import { createClient } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId, stateIdsAnswer } from "./world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /TLS|TCPSocket|TCPConnect/.test(name)).length;

describe("close", () => {
  test("ends all connections", async () => {
    for (const server of [a, b]) world.on(server, reply.json(stateIdsAnswer));
    const before = sockets();
    const client = world.client();
    await Promise.all([a, b].map((server) => world.room([server], client).stateIds({ eventId })));
    expect(sockets()).toBeGreaterThan(before);
    await client.close();
    await expect.poll(sockets).toBe(before);
  });

  test("may be called twice, and by `await using`", async () => {
    world.on(a, reply.json(stateIdsAnswer));
    const client = world.client();
    await world.room([a], client).stateIds({ eventId });
    await client.close();
    await client.close();
    await client[Symbol.asyncDispose]();
  });

  test("of a client that was never used is quick", async () => {
    await createClient().close();
  });

  test("makes requests under way fail, and counts nothing of it against the servers", async () => {
    const held = reply.held(reply.json(stateIdsAnswer));
    world.on(a, held);
    const client = world.client();
    const call = client.room(roomId, { residents: [a] }).safe.stateIds({ eventId }, { rounds: 1 });
    await held.requested;
    await client.close();
    expect(await call).toMatchObject({ ok: false });
    expect(client.backoff.list()).toEqual([]);
  });

  test("ends calls under way at once: they wait for no further round", async () => {
    const held = reply.held(reply.json(stateIdsAnswer));
    world.on(a, held);
    const client = world.client();
    const controller = new AbortController();
    const call = rejection(world.room([a], client).stateIds({ eventId }, { signal: controller.signal }));
    await held.requested;
    await client.close();
    const first = await Promise.race([call, sleep(300, "still waiting")]);
    controller.abort();
    await call;
    expect(first).not.toBe("still waiting");
  });
});

describe("a call after close", () => {
  test("to a server that was never asked fails without a request", async () => {
    const client = world.client();
    await client.close();
    const error = await rejection(client.version(a, { rounds: 1 }));
    expect(error.message).toContain("closed");
    expect(world.server(a).requests).toEqual([]);
  });

  test("to a server that was asked before fails too, and opens no connection", async () => {
    const client = world.client();
    await client.version(a);
    await client.close();
    const before = sockets();
    const error = await rejection(client.version(a, { rounds: 1 }));
    expect(error).toMatchObject({ code: "ERR_CLOSED" });
    expect([world.requests(a).length, sockets()]).toEqual([1, before]);
  });
});

test("a process whose clients are closed ends by itself", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const script = `
    import { createClient } from "./src/index.ts";
    import { createTestFederation } from "./src/testing.ts";
    const federation = await createTestFederation({ servers: ["a.example"] });
    const client = createClient(federation.clientOptions);
    await client.version("a.example");
    await client.close();
    await federation.close();
  `;
  const { stderr, status } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", script], {
    cwd: root,
    encoding: "utf8",
    timeout: 18_000,
  });
  expect(status, stderr).toBe(0);
});
