import { describe, expect, test } from "vitest";

import { type Behaviour, reply, type TestServer } from "../../src/testing.js";
import { rejection } from "../client/world.js";
import { createKeyringWorld, documentOf, minuteMs, published, retired, SigningKey, wanted } from "./world.js";

const [a, b, c] = ["a.example", "b.example", "c.example"];
const world = createKeyringWorld(a, b, c);
const server = (name: string): TestServer => world.server(name);
const [other, former] = [SigningKey.generate("other"), SigningKey.generate("former")];
const says = (document: unknown): Behaviour => reply.json(JSON.parse(JSON.stringify(document)));
const publish = (name: string, behaviour: Behaviour): void => world.on(name, behaviour, "server_keys");

describe("a server that", () => {
  const { keyId } = other;
  const unbelievable: Record<string, () => Behaviour> = {
    "hands over another server's document": () => says(documentOf(b, server(b).signingKey)),
    "claims another server's name in its own document": () => says({ ...documentOf(a, other), server_name: b }),
    "does not sign its document": () => says(documentOf(a, other, { signers: [] })),
    "signs with a key that it does not publish": () => says(documentOf(a, other, { signers: [former] })),
    "signs with an old key": () =>
      says(documentOf(a, other, { verifyKeys: {}, oldVerifyKeys: retired(other, Date.now() + minuteMs) })),
    "changes its document after it signed it": () => says({ ...documentOf(a, other), valid_until_ts: 9e12 }),
    "answers garbage": () => reply.garbage(),
    "answers without end": () => reply.endless(),
    "answers without end, compressed": () => reply.endless({ gzip: true }),
    "answers a document that is too large": () => says(documentOf(a, other, { more: { text: "x".repeat(66_000) } })),
    "publishes too many keys": () =>
      says(
        documentOf(a, other, {
          verifyKeys: published(...Array.from({ length: 20 }, (_, i) => SigningKey.generate(`k${i}`)), other),
        }),
      ),
  };
  for (const [what, behaviour] of Object.entries(unbelievable)) {
    test(`${what} is not believed, and costs nobody else`, async () => {
      publish(a, behaviour());
      const keyring = world.keyring();
      const answer = await keyring.keys([wanted({ name: a, signingKey: other }), wanted(server(b)), wanted(server(c))]);
      expect(answer.missing).toMatchObject([{ server: a, keyId, reason: "badDocument" }]);
      expect(answer.get(b, server(b).signingKey.keyId)).toBeDefined();
      expect(
        keyring
          .inspect()
          .keys.map((key) => key.server)
          .sort(),
      ).toEqual([b, c]);
    });
  }

  for (const [what, behaviour] of Object.entries({
    "resets the connection": reply.reset(),
    "is behind a broken proxy": reply.htmlError(),
    "asks to be left alone": reply.rateLimited({ retryAfterMs: minuteMs }),
  })) {
    test(`${what} is unreachable, and costs nobody else`, async () => {
      publish(a, behaviour);
      const keyring = world.keyring();
      const { missing } = await keyring.keys([a, b].map((name) => wanted(server(name))));
      expect(missing).toMatchObject([{ server: a, reason: "unreachable" }]);
      expect(world.requests(a).length).toBe(1);
    });
  }

  test("is slow is waited for, and one that stalls does not keep the others waiting", async () => {
    publish(a, reply.delay(200, says(documentOf(a, server(a).signingKey))));
    publish(b, reply.stall({ afterBytes: 10 }));
    const keyring = world.keyring();
    const stop = new AbortController();
    const over: string[] = [];
    let tell = (): void => {};
    const two = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const onServer = (name: string): void => {
      if (over.push(name) === 2) tell();
    };
    const requests = [a, b, c].map((name) => wanted(server(name)));
    const call = rejection(keyring.keys(requests, { onServer, signal: stop.signal }));
    await two;
    expect(over.sort()).toEqual([a, c]);
    expect(keyring.inspect().inFlight).toEqual([b]);
    stop.abort();
    await call;
  });

  test.each(["throws", "rejects"])(
    "is told to a handler that %s ends the search, and no other is told",
    async (how) => {
      const held = [b, c].map((name) => reply.held(says(documentOf(name, server(name).signingKey))));
      for (const [at, name] of [b, c].entries()) publish(name, held[at] as Behaviour);
      const told: string[] = [];
      const onServer = (name: string): void | Promise<void> => {
        told.push(name);
        const error = new Error(`mine, of ${name}`);
        if (how === "throws") throw error;
        return Promise.reject(error);
      };
      const keyring = world.keyring();
      const requests = [a, b, c].map((name) => wanted(server(name)));
      expect(await rejection(keyring.keys(requests, { onServer }))).toEqual(new Error(`mine, of ${a}`));
      expect(keyring.inspect().inFlight).toEqual([]);
      for (const { release } of held) release();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(told).toEqual([a]);
    },
  );

  test("is named with random key ids is asked once a minute at most", async () => {
    const keyring = world.keyring();
    for (let index = 0; index < 5; index++) {
      const { missing } = await keyring.keys([wanted(server(a), { keyId: `ed25519:random${index}` })]);
      expect(missing).toMatchObject([{ reason: "unknownKey" }]);
    }
    expect(world.requests(a).length).toBe(1);
    expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
  });

  test("puts its key out of use is believed: the key is good for its old events alone", async () => {
    const expired = Date.now() - minuteMs;
    publish(a, says(documentOf(a, server(a).signingKey, { oldVerifyKeys: retired(former, expired) })));
    const keyring = world.keyring();
    const old = { name: a, signingKey: former };
    const answer = await keyring.keys([
      wanted(old, { at: expired }),
      wanted(old, { at: expired + 1 }),
      wanted(old, { at: expired, use: "request" }),
      wanted(server(a), { use: "request" }),
    ]);
    expect(answer.missing.map(({ at, reason }) => [at, reason])).toEqual([
      [expired + 1, "retired"],
      [expired, "retired"],
    ]);
    expect(answer.get(a, former.keyId)?.expiredTs).toBe(expired);
  });
});

describe("what is no request for a key", () => {
  test("is told so, and costs the others nothing", async () => {
    const keyring = world.keyring();
    const wrong = [
      wanted(server(a), { server: "a example" }),
      wanted(server(a), { keyId: "curve25519:x" }),
      wanted(server(a), { keyId: `ed25519:${"x".repeat(500)}` }),
      wanted(server(a), { at: Number.NaN }),
      wanted(server(a), { at: 1e300 }),
    ];
    const { missing } = await keyring.keys([...wrong, wanted(server(b))]);
    expect(missing.map(({ reason }) => reason)).toEqual(wrong.map(() => "badRequest"));
    expect(world.requests(a).length).toBe(0);
  });

  test("is a key far in the future: nobody is asked for it", async () => {
    const keyring = world.keyring();
    const { missing } = await keyring.keys([wanted(server(a), { at: Date.now() + 8 * 24 * 60 * minuteMs })]);
    expect(missing).toMatchObject([{ reason: "outOfValidity" }]);
    expect(world.requestCount()).toBe(0);
  });
});

describe("a search", () => {
  test("ends with what there is when its time is over, and goes on for those who ask later", async () => {
    const held = reply.held(says(documentOf(a, server(a).signingKey)));
    publish(a, held);
    const keyring = world.keyring();
    await keyring.keys([wanted(server(b))]);
    const first = keyring.keys(
      [a, b].map((name) => wanted(server(name))),
      { timeout: 500 },
    );
    await held.requested;
    const answer = await first;
    expect(answer.missing).toMatchObject([{ server: a, reason: "timeout" }]);
    expect(answer.get(b, server(b).signingKey.keyId)).toBeDefined();
    const second = keyring.keys([wanted(server(a))]);
    held.release();
    expect((await second).missing).toEqual([]);
    expect(world.requests(a).length).toBe(1);
  });

  test("rejects with the reason of its signal, before and while it asks, and then ends its requests", async () => {
    const keyring = world.keyring();
    const reason = { why: "enough" };
    expect(await rejection(keyring.keys([wanted(server(a))], { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const held = reply.held(reply.garbage());
    publish(a, held);
    const controller = new AbortController();
    const call = keyring.keys([wanted(server(a))], { signal: controller.signal });
    await held.requested;
    controller.abort(reason);
    expect(await rejection(call)).toBe(reason);
    await expect.poll(() => keyring.inspect().inFlight).toEqual([]);
    expect(keyring.inspect().waits).toEqual([]);
    publish(a, says(documentOf(a, server(a).signingKey)));
    expect((await keyring.keys([wanted(server(a))])).missing).toEqual([]);
  });

  test("that is called off takes nothing from others who wait for the same", async () => {
    const held = reply.held(says(documentOf(a, server(a).signingKey)));
    publish(a, held);
    const keyring = world.keyring();
    const controller = new AbortController();
    const leaves = rejection(keyring.keys([wanted(server(a))], { signal: controller.signal }));
    const stays = keyring.keys([wanted(server(a))]);
    await held.requested;
    controller.abort();
    await leaves;
    held.release();
    expect((await stays).missing).toEqual([]);
    expect(world.requests(a).length).toBe(1);
  });

  test("answers with what it has when the key ring is closed, and nobody is asked after that", async () => {
    const held = reply.held(reply.garbage());
    publish(a, held);
    const keyring = world.keyring();
    await keyring.keys([wanted(server(b))]);
    const call = keyring.keys([wanted(server(a)), wanted(server(b))]);
    await held.requested;
    await keyring.close();
    expect((await call).missing).toMatchObject([{ server: a, reason: "closed" }]);
    expect((await keyring.keys([wanted(server(b)), wanted(server(c))])).missing).toMatchObject([
      { server: c, reason: "closed" },
    ]);
    expect(world.requests(c).length).toBe(0);
    expect(keyring.inspect()).toMatchObject({ inFlight: [], notariesInFlight: [] });
  });

  test("has forty servers under way at most, so that others find room, and does not begin with the others once it was called off", async () => {
    const asked: string[] = [];
    const fetchKeys = (name: string): Promise<never> => {
      asked.push(name);
      return new Promise(() => {});
    };
    const keyring = world.keyring({ fetchKeys });
    const controller = new AbortController();
    const requests = Array.from({ length: 200 }, (_, index) => wanted(server(a), { server: `${index}.s.example` }));
    const call = rejection(keyring.keys(requests, { signal: controller.signal }));
    await expect.poll(() => asked.length).toBe(40);
    controller.abort();
    await call;
    await expect.poll(() => keyring.inspect().inFlight).toEqual([]);
    expect(asked.length).toBe(40);
    expect(keyring.inspect().waits).toEqual([]);
  });

  test("is not held up by functions that heed no signal, throw at once, or answer nothing", async () => {
    for (const fetchKeys of [
      (): never => {
        throw new Error("at once");
      },
      async (): Promise<never> => Promise.reject(undefined),
      async (): Promise<unknown> => undefined,
    ]) {
      const keyring = world.keyring({ fetchKeys, notaries: [c], queryNotary: fetchKeys as () => Promise<never> });
      expect((await keyring.keys([wanted(server(a))])).missing.length).toBe(1);
    }
    const keyring = world.keyring({ fetchKeys: () => new Promise(() => {}) });
    expect((await keyring.keys([wanted(server(a))], { timeout: 20 })).missing).toMatchObject([{ reason: "timeout" }]);
  });

  test("finds the keys of one server though a hundred before it hang (bug: it waited until its time was over)", async () => {
    const dead = Array.from({ length: 100 }, (_, at) => wanted({ ...server(a), name: `dead${at}.example` }));
    const document = documentOf(b, server(b).signingKey);
    const fetchKeys = (name: string): Promise<unknown> =>
      name === b ? Promise.resolve(document) : new Promise(() => {});
    const keyring = world.keyring({ fetchKeys });
    const found = await keyring.keys([...dead, wanted(server(b))], { timeout: 9000 });
    expect(found.get(b, server(b).signingKey.keyId)).toBeDefined();
    expect(found.missing.length).toBe(100);
  });
});
