import { describe, expect, test } from "vitest";

import { makeJoin } from "../../src/endpoints.js";
import { type Attempt, type Client, defineEndpoint, type Endpoint } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, rejection, roomId } from "../client/world.js";

const servers = ["a.example", "b.example", "c.example", "d.example", "e.example"] as const;
const [a, b, c, d, e] = servers;
const world = createWorld(...servers);

// An endpoint whose servers count as slow after half a second: on a busy machine a tenth is soon over.
const read: Endpoint<{ roomId: string }, object, "resident"> = defineEndpoint({
  ...(makeJoin as unknown as Endpoint<{ roomId: string }, object, "resident">),
  name: "x_read",
  path: "/_matrix/federation/unstable/x/{roomId}",
  query: {},
  required: [],
  timeoutMs: 30_000,
});
const change: typeof read = defineEndpoint({
  ...read,
  name: "x_change",
  method: "PUT",
  body: () => ({}),
  repeatable: "sameServer",
});

const on = (server: string, behaviour: Behaviour): void => void world.server(server).on(read, behaviour);
const answers = reply.json({ event: {} });
const seen = (attempts: readonly Attempt[]): string[] =>
  attempts.map(({ server, verdict, hedge }) => `${server} ${verdict}${hedge ? ", hedge" : ""}`);
const ask = (
  residents: readonly string[],
  client: Client = world.client(),
): Promise<{ attempts: readonly Attempt[]; via: string }> => client.room(roomId, { residents }).request(read, {});

describe("a slow server", () => {
  test("is not waited for: the next one answers, and the slow one's request is aborted", async () => {
    let aborted = 0;
    on(a, async (exchange) => {
      exchange.signal.addEventListener("abort", () => {
        aborted += 1;
      });
      await reply.stallBeforeHeaders()(exchange);
    });
    on(b, answers);
    const client = world.client();
    // Slow after two seconds: however busy the machine is, the second one has answered by then.
    const patient: typeof read = defineEndpoint({ ...read, timeoutMs: 120_000 });
    const { via, attempts } = await client.room(roomId, { residents: [a, b, c] }).request(patient, {});
    expect([via, seen(attempts)]).toEqual([b, [`${a} aborted`, `${b} answered, hedge`]]);
    expect(attempts[0]).toMatchObject({ round: 1, status: undefined, error: undefined });
    await expect.poll(() => aborted).toBe(1);
    expect(world.requests(c)).toEqual([]);
    expect(await client.backoff.get(a)).toMatchObject({ failures: 0, misbehaviours: 0 });
  });

  test("is waited for no longer than a third of the call's time (bug: a healthy one was never asked)", async () => {
    on(a, reply.stallBeforeHeaders());
    on(b, answers);
    // Slow after ten seconds otherwise.
    const patient: typeof read = defineEndpoint({ ...read, timeoutMs: 600_000 });
    const view = world.client().room(roomId, { residents: [a, b] });
    const { via, attempts } = await view.request(patient, {}, { timeout: 6_000 });
    expect([via, seen(attempts)]).toEqual([b, [`${a} aborted`, `${b} answered, hedge`]]);
    expect(attempts[1]?.startMs).toBeGreaterThan(1_900);
  });

  test("is asked after the faster ones the next time", async () => {
    on(a, reply.sequence(reply.stallBeforeHeaders(), answers));
    on(b, answers);
    const client = world.client();
    await ask([a, b], client);
    expect(seen((await ask([a, b], client)).attempts)).toEqual([`${b} answered`]);
  });

  test("may still answer first", async () => {
    const held = reply.held(answers);
    on(a, held);
    on(b, async (exchange) => {
      held.release();
      await reply.stallBeforeHeaders()(exchange);
    });
    const { via, attempts } = await ask([a, b]);
    expect([via, seen(attempts)]).toEqual([a, [`${a} answered`, `${b} aborted, hedge`]]);
  });

  test("and two more slow ones are asked at the same time, and not a fourth", async () => {
    for (const server of servers) on(server, reply.stallBeforeHeaders());
    const client = world.client();
    const result = await client.room(roomId, { residents: servers }).safe.request(read, {}, { timeout: 2_500 });
    expect(seen(result.attempts)).toEqual([`${a} aborted`, `${b} aborted, hedge`, `${c} aborted, hedge`]);
    expect([world.requests(d), world.requests(e)]).toEqual([[], []]);
  });

  test("does not keep a failing one from being replaced at once", async () => {
    on(a, reply.stallBeforeHeaders());
    on(b, reply.htmlError());
    on(c, answers);
    expect(seen((await ask([a, b, c])).attempts)).toEqual([`${a} aborted`, `${b} unavailable, hedge`, `${c} answered`]);
  });

  test("is waited for when nobody else is left", async () => {
    on(a, reply.delay(1_000, answers));
    on(b, reply.matrixError(404, "M_NOT_FOUND"));
    expect(seen((await ask([a, b])).attempts)).toEqual([`${a} answered`, `${b} notResident, hedge`]);
  });

  test("by its own history alone is not slow: where that is known, three times its usual time are granted", async () => {
    on(a, reply.delay(800, answers));
    on(b, answers);
    const client = world.client();
    await ask([a], client);
    expect(seen((await ask([a, b], client)).attempts)).toEqual([`${a} answered`]);
    expect(world.requests(b)).toEqual([]);
  });
});

describe("hedges", () => {
  test("are capped: when everything is slow, calls wait for one server at a time", async () => {
    for (const server of [a, b]) on(server, reply.stallBeforeHeaders());
    const client = world.client();
    const calls = Array.from({ length: 15 }, (_, index) =>
      client.room(`!r${index}:a.example`, { residents: [a, b] }).safe.request(read, {}, { timeout: 1_500 }),
    );
    const attempts = (await Promise.all(calls)).flatMap((result) => result.attempts);
    expect(attempts.filter(({ hedge }) => hedge).length).toBe(10);
    expect(attempts.filter(({ hedge }) => !hedge).length).toBe(15);
  });

  test("are never made for requests that change the room", async () => {
    world.server(a).on(change, reply.delay(1_000, answers));
    world.server(b).on(change, answers);
    const { via, attempts } = await world.room([a, b]).request(change, {});
    expect([via, seen(attempts)]).toEqual([a, [`${a} answered`]]);
    expect(world.requests(b)).toEqual([]);
  });

  test("leave nothing behind when the caller aborts", async () => {
    const held = reply.held(answers);
    on(a, reply.stallBeforeHeaders());
    on(b, held);
    on(c, answers);
    const controller = new AbortController();
    const call = rejection(world.room([a, b, c]).request(read, {}, { signal: controller.signal }));
    await held.requested;
    controller.abort(new Error("enough"));
    expect((await call).message).toBe("enough");
    held.release();
    expect(world.requests(c)).toEqual([]);
  });
});
