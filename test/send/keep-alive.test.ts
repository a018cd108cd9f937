import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";

import { getMissingEvents } from "../../src/endpoints.js";
import type { Attempt, Client } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId, stateIdsAnswer } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const answer = reply.json(stateIdsAnswer);

/** Asks once over the connection that the client has, and tells the trail. */
async function attemptsOver(client: Client, ...behaviours: Behaviour[]): Promise<readonly Attempt[]> {
  world.on(a, reply.sequence(...behaviours));
  return (await world.room([a], client).safe.stateIds({ eventId }, { rounds: 1 })).attempts;
}

/** The head of an answer, or a part of it, and then a reset. */
const broken =
  (bytes: string): Behaviour =>
  async ({ response, reset }) => {
    response.socket?.write(bytes);
    // A reset overtakes data on its way; the client shall have seen the bytes.
    await sleep(20);
    reset();
  };
/** The other side hangs up in the proper way, with nothing said. */
const hangUp: Behaviour = ({ response }) => void response.socket?.end();
const head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n";

describe("a connection that was used before and breaks before a byte of the answer", () => {
  test.each([
    ["it is reset", reply.reset()],
    ["it is closed", hangUp],
  ])("because %s costs nothing: the request is made once more, and one attempt is told", async (_, breaks) => {
    const client = await world.connectedClient(a);
    expect(await attemptsOver(client, breaks, answer)).toMatchObject([{ verdict: "answered", status: 200 }]);
    expect(world.requests(a).length).toBe(2);
    expect(await client.backoff.get(a)).toMatchObject({ failures: 0 });
  });

  test("is replaced by a new one, on which the request is the same, signature included", async () => {
    const client = await world.connectedClient(a);
    await attemptsOver(client, reply.reset(), answer);
    const [first, second] = world.requests(a);
    expect(second?.uri).toBe(first?.uri);
    expect(second?.headers).toEqual(first?.headers);
  });

  test.each([
    [
      "POST",
      (client: Client) =>
        world.room([a], client).request(getMissingEvents, { earliestEvents: ["$old"], latestEvents: ["$new"] }),
      "get_missing_events",
      reply.json({ events: [] }),
    ],
    [
      "PUT",
      (client: Client) => client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: [] }),
      "send",
      reply.json({ pdus: {} }),
    ],
  ])("has the body of a %s sent again as it was", async (method, ask, endpoint, last) => {
    const client = await world.connectedClient(a);
    world.on(a, reply.sequence(reply.reset(), last), endpoint);
    await ask(client);
    const [first, second] = world.requests(a);
    expect([first?.method, second?.method]).toEqual([method, method]);
    expect(first?.body?.length).toBeGreaterThan(2);
    expect(second?.body).toEqual(first?.body);
    expect(second?.signedBy).toBe("me.example");
  });

  test("costs each of many requests one more try", async () => {
    const client = await world.connectedClient(a);
    const ids = ["$1", "$2", "$3"];
    world.on(a, reply.delay(20, answer));
    await Promise.all(ids.map((id) => world.room([a], client).stateIds({ eventId: id })));
    world.server(a).reset();
    const seen = new Set<string>();
    world.on(a, async (exchange) => {
      const { uri } = exchange.request;
      const isFirst = !seen.has(uri);
      seen.add(uri);
      await (isFirst ? reply.reset() : answer)(exchange);
    });
    await Promise.all(ids.map((id) => world.room([a], client).stateIds({ eventId: id })));
    expect(world.requests(a).length).toBe(6);
  });

  test("twice is a failure, which counts once", async () => {
    const client = world.client({ backoff: { threshold: 2 } });
    await client.version(a);
    world.server(a).reset();
    expect(await attemptsOver(client, reply.reset())).toMatchObject([
      { verdict: "unavailable", mayHaveTakenEffect: true, error: { code: "ERR_CONNECTION_LOST" } },
    ]);
    expect(world.requests(a).length).toBe(2);
    expect(await client.backoff.get(a)).toMatchObject({ failures: 1 });
  });

  test("may have brought the request, although nobody can be connected to for the second try", async () => {
    const client = await world.connectedClient(a);
    const [attempt] = await attemptsOver(client, ({ server, reset }) => {
      void server.stop();
      reset();
    });
    expect(attempt).toMatchObject({ mayHaveTakenEffect: true, error: { requestSent: true } });
  });

  test("lets a join that may have taken effect move to no other server", async () => {
    const client = await world.connectedClient(a, b);
    const join = { method: "PUT", path: /send_join/ } as const;
    world.server(a).on(join, ({ server, reset }) => {
      void server.stop();
      reset();
    });
    const event = { type: "m.room.member", room_id: roomId };
    const options = { rounds: 1, prefer: [a] };
    const error = await rejection(world.room([a, b], client).sendJoin({ eventId, event } as never, options));
    expect(error).toMatchObject({ code: "ERR_OUTCOME_UNKNOWN" });
    expect(world.requests(b)).toEqual([]);
  });

  test("ends with the caller's abort, when that comes between the two tries", async () => {
    const client = await world.connectedClient(a);
    const controller = new AbortController();
    world.on(a, ({ reset }) => {
      reset();
      controller.abort(new Error("enough"));
    });
    const error = await rejection(world.room([a], client).stateIds({ eventId }, { signal: controller.signal }));
    expect(error.message).toBe("enough");
    expect(world.requests(a).length).toBe(1);
    expect(await client.backoff.get(a)).toMatchObject({ failures: 0 });
  });
});

describe("no second try is made", () => {
  test("where a new connection breaks: that is a failure, and counts", async () => {
    const client = world.client();
    expect(await attemptsOver(client, reply.reset(), answer)).toMatchObject([
      { verdict: "unavailable", mayHaveTakenEffect: true, error: { code: "ERR_CONNECTION_LOST" } },
    ]);
    expect(world.requests(a).length).toBe(1);
    expect(await client.backoff.get(a)).toMatchObject({ failures: 1 });
  });

  test.each([
    ["a part of the status line", "HTTP/1.1 20"],
    ["a part of the head", head],
    ["the head", `${head}\r\n`],
    ["a part of the body", `${head}\r\n{"pdu_ids"`],
    ["an informational response", "HTTP/1.1 102 Processing\r\n\r\n"],
  ])("after %s", async (_, bytes) => {
    const client = await world.connectedClient(a);
    expect(await attemptsOver(client, broken(bytes), answer)).toMatchObject([
      { verdict: "unavailable", error: { code: "ERR_CONNECTION_LOST" } },
    ]);
    expect(world.requests(a).length).toBe(1);
  });

  test("after a timeout", async () => {
    const client = await world.connectedClient(a);
    world.on(a, reply.sequence(reply.stallBeforeHeaders(), answer));
    const { attempts } = await world.room([a], client).safe.stateIds({ eventId }, { rounds: 1, timeout: 500 });
    expect(attempts.map(({ verdict }) => verdict)).not.toContain("answered");
    expect(world.requests(a).length).toBe(1);
  });
});

test("a request that is aborted while it waits for its turn costs the others no connection", async () => {
  const client = world.client({ maxConnectionsPerServer: 1 });
  const controller = new AbortController();
  const ports: unknown[] = [];
  const held = reply.held((exchange) => {
    ports.push(exchange.response.socket?.remotePort);
    return answer(exchange);
  });
  world.on(a, held);
  const room = world.room([a], client);
  const first = room.stateIds({ eventId: "$1" });
  await held.requested;
  const second = rejection(room.stateIds({ eventId: "$2" }, { signal: controller.signal }));
  const third = room.stateIds({ eventId: "$3" });
  await sleep(20);
  controller.abort(new Error("enough"));
  await second;
  held.release();
  await Promise.all([first, third]);
  expect(ports.length).toBe(2);
  expect(new Set(ports).size).toBe(1);
});
