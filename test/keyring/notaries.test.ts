import { describe, expect, test } from "vitest";

import { signJson } from "../../src/sign/signed-json.js";
import { reply, type TestServer } from "../../src/testing.js";
import {
  createKeyringWorld,
  type Document,
  dayMs,
  documentOf,
  minuteMs,
  published,
  retired,
  SigningKey,
  wanted,
} from "./world.js";

const [a, b, gone, lost, n, m] = ["a.example", "b.example", "gone.example", "lost.example", "n.example", "m.example"];
const world = createKeyringWorld(a, b, n, m, { name: gone, dead: true }, { name: lost, dead: true });
const server = (name: string): TestServer => world.server(name);
const asNotary = (notary: string, of?: (name: string) => Document | undefined): void =>
  world.on(notary, world.notaryOf(server(notary), of), "query_keys");
const [madeUp, other] = [SigningKey.generate("made_up"), SigningKey.generate("other")];

describe("a key ring with a notary", () => {
  test("asks a server itself first, and the notary for those that gave nothing, until when the key shall be valid", async () => {
    asNotary(n);
    const keyring = world.keyring({ notaries: [n] });
    const at = Date.now() - minuteMs;
    const requests = [
      wanted(server(a)),
      wanted(server(gone), { at }),
      wanted(server(lost), { at, enforceValidity: false }),
    ];
    const answer = await keyring.keys(requests);
    expect(answer.missing).toEqual([]);
    expect(answer.get(a, server(a).signingKey.keyId)?.source).toBe("direct");
    expect(answer.get(gone, server(gone).signingKey.keyId)?.source).toBe(`notary:${n}`);
    const asked = Object.assign({}, ...world.questions(n));
    expect(asked).toEqual({
      [gone]: { [server(gone).signingKey.keyId]: { minimum_valid_until_ts: at } },
      [lost]: { [server(lost).signingKey.keyId]: { minimum_valid_until_ts: 0 } },
    });
  });

  test("asks for each key until the latest of the times that it is needed for", async () => {
    asNotary(n);
    const at = Date.now();
    const keyring = world.keyring({ notaries: [n] });
    await keyring.keys([5, 0, 3].map((ms) => wanted(server(gone), { at: at + ms })));
    expect(world.questions(n)).toEqual([
      { [gone]: { [server(gone).signingKey.keyId]: { minimum_valid_until_ts: at + 5 } } },
    ]);
  });

  test("asks the next notary when the first has nothing, hangs up, or answers nonsense", async () => {
    asNotary(m);
    for (const behaviour of [
      reply.json({ server_keys: [] }),
      reply.reset(),
      reply.garbage(),
      reply.json({ server_keys: 5 }),
    ]) {
      world.on(n, behaviour, "query_keys");
      const keyring = world.keyring({ notaries: [n, m] });
      const { missing } = await keyring.keys([wanted(server(gone))]);
      expect(missing).toEqual([]);
      expect(keyring.peek(gone, server(gone).signingKey.keyId)?.source).toBe(`notary:${m}`);
    }
  });

  test("takes what a notary has when it is not all that was asked, and does not ask for the rest again at once", async () => {
    asNotary(n, (name) => (name === gone ? documentOf(gone, server(gone).signingKey) : undefined));
    const keyring = world.keyring({ notaries: [n] });
    const requests = [gone, lost].map((name) => wanted(server(name)));
    expect((await keyring.keys(requests)).missing).toMatchObject([{ server: lost, reason: "unreachable" }]);
    const count = world.questions(n).length;
    expect((await keyring.keys(requests)).missing).toMatchObject([{ server: lost, reason: "unreachable" }]);
    expect(world.questions(n).length).toBe(count);
  });

  test("still finds a second key of a dead server at the notary a moment after the first", async () => {
    const old = SigningKey.generate("second");
    const { signingKey } = server(gone);
    const withoutOld = documentOf(gone, signingKey);
    const withOld = documentOf(gone, signingKey, { oldVerifyKeys: retired(old, Date.now() - minuteMs) });
    let asked = 0;
    asNotary(n, () => (asked++ === 0 ? withoutOld : withOld));
    const keyring = world.keyring({ notaries: [n] });
    expect((await keyring.keys([wanted(server(gone))])).missing).toEqual([]);
    const request = wanted({ name: gone, signingKey: old }, { at: Date.now() - 2 * minuteMs });
    expect((await keyring.keys([request])).missing).toEqual([]);
  });

  test("does not let random key ids ask it without end", async () => {
    asNotary(n);
    const keyring = world.keyring({ notaries: [n] });
    for (let index = 0; index < 12; index++) {
      await keyring.keys([wanted(server(gone), { keyId: `ed25519:random${index}` })]);
    }
    expect(world.questions(n).length).toBe(5);
    expect(world.requests(a).length).toBe(0);
  });

  test("asks one question, however many ask it at the same time", async () => {
    const answer = reply.held(world.notaryOf(server(n)));
    world.on(n, answer, "query_keys");
    const keyring = world.keyring({ notaries: [n] });
    const at = Date.now();
    const first = keyring.keys([wanted(server(gone), { at })]);
    await answer.requested;
    const others = [1, 2].map((ms) => keyring.keys([wanted(server(gone), { at: at - ms })]));
    expect(keyring.inspect().notariesInFlight).toEqual([`${n} ${gone}`]);
    answer.release();
    for (const { missing } of await Promise.all([first, ...others])) expect(missing).toEqual([]);
    expect(world.questions(n).length).toBe(1);
  });

  test("asks no notary for its own key, and never itself", async () => {
    await server(n).stop();
    asNotary(m);
    const keyring = world.keyring({ notaries: ["me.example", n, m] });
    const answer = await keyring.keys([wanted(server(n))]);
    expect(answer.get(n, server(n).signingKey.keyId)?.source).toBe(`notary:${m}`);
  });
});

describe("a notary that lies", () => {
  const told = async (of: (name: string) => Document | undefined, name = gone): Promise<string | undefined> => {
    asNotary(n, of);
    const keyring = world.keyring({ notaries: [n] });
    const answer = await keyring.keys([wanted(server(name))]);
    expect(keyring.inspect().keys.filter((key) => key.server !== name && key.server !== n)).toEqual([]);
    return answer.missing[0]?.reason;
  };

  test("with a document of another server is not heard", async () => {
    expect(await told(() => documentOf(b, server(b).signingKey))).toBe("unreachable");
    expect(await told(() => ({ ...documentOf(b, server(b).signingKey), server_name: gone }))).toBe("unreachable");
  });

  test("with a document that the server did not sign is not heard", async () => {
    expect(await told(() => documentOf(gone, server(gone).signingKey, { signers: [] }))).toBe("unreachable");
    expect(await told(() => documentOf(gone, server(gone).signingKey, { signers: [other] }))).toBe("unreachable");
  });

  test("about a server that we asked ourselves changes nothing", async () => {
    const lie = documentOf(a, madeUp, {
      oldVerifyKeys: retired(server(a).signingKey, 0),
      verifyKeys: published(madeUp),
    });
    asNotary(n, () => lie);
    const keyring = world.keyring({ notaries: [n] });
    await keyring.keys([wanted(server(a))]);
    await keyring.keys([wanted(server(a), { keyId: "ed25519:none" })]);
    expect(world.questions(n).length).toBe(1);
    const key = keyring.peek(a, server(a).signingKey.keyId);
    expect(key).toMatchObject({ source: "direct" });
    expect(key?.expiredTs).toBeUndefined();
    expect((await keyring.keys([wanted(server(a), { use: "request" })])).missing).toEqual([]);
  });

  test("costs one server at most: what it says rightly of others counts", async () => {
    asNotary(n, (name) => documentOf(name, server(name).signingKey, name === gone ? { signers: [other] } : {}));
    const keyring = world.keyring({ notaries: [n] });
    const { missing } = await keyring.keys([gone, lost].map((name) => wanted(server(name))));
    expect(missing.map((one) => one.server)).toEqual([gone]);
  });

  test("with any number of documents of one server is heard for the first sixteen", async () => {
    const { signingKey } = server(n);
    const unsigned = documentOf(gone, other, { signers: [] });
    const right = documentOf(gone, server(gone).signingKey, { notary: { name: n, signingKey } });
    for (const [wrongOnes, isFound] of [
      [15, true],
      [16, false],
    ] as const) {
      const documents = [...Array.from({ length: wrongOnes }, () => unsigned), right];
      world.on(n, reply.json({ server_keys: JSON.parse(JSON.stringify(documents)) }), "query_keys");
      const { missing } = await world.keyring({ notaries: [n] }).keys([wanted(server(gone))]);
      expect(missing.length).toBe(isFound ? 0 : 1);
    }
  });

  test("by not signing, or with a key that it does not publish, is not heard", async () => {
    for (const sign of [(one: Document) => one, (one: Document) => signJson(one, n, madeUp)]) {
      const document = JSON.parse(JSON.stringify(sign(documentOf(gone, server(gone).signingKey))));
      world.on(n, reply.json({ server_keys: [document, 5, null, {}] }), "query_keys");
      const keyring = world.keyring({ notaries: [n] });
      expect((await keyring.keys([wanted(server(gone))])).missing).toMatchObject([{ reason: "unreachable" }]);
    }
  });
});

describe("the keys of a notary", () => {
  test("are its own word: what another notary says of them is not enough, and it is not asked about itself", async () => {
    asNotary(m, (name) => (name === n ? documentOf(n, server(n).signingKey) : undefined));
    asNotary(n);
    world.on(n, reply.htmlError(), "server_keys");
    const alone = world.keyring({
      notaries: [n],
      trustedNotaryKeys: { [n]: { [server(n).signingKey.keyId]: server(n).signingKey.publicKey } },
    });
    expect((await alone.keys([wanted(server(n))])).missing).toMatchObject([{ reason: "unreachable" }]);
    const keyring = world.keyring({ notaries: [m, n] });
    expect((await keyring.keys([wanted(server(n))])).missing).toEqual([]);
    expect((await keyring.keys([wanted(server(gone))])).missing).toMatchObject([{ reason: "unreachable" }]);
    expect(world.questions(n)).toEqual([]);
  });

  test("may be pinned: then the one that it publishes is neither asked for nor enough", async () => {
    asNotary(n);
    const { keyId, publicKey } = server(n).signingKey;
    const right = world.keyring({ notaries: [n], trustedNotaryKeys: { [n]: { [keyId]: publicKey } } });
    expect((await right.keys([wanted(server(gone))])).missing).toEqual([]);
    expect(world.requests(n).map(({ endpoint }) => endpoint)).toEqual(["query_keys"]);
    const wrong = world.keyring({ notaries: [n], trustedNotaryKeys: { [n]: { [keyId]: other.publicKey } } });
    expect((await wrong.keys([wanted(server(gone))])).missing).toMatchObject([{ reason: "unreachable" }]);
  });

  test("are asked for again when it has new ones (bug: nothing from it was believed for days)", async () => {
    asNotary(n, (name) => (name === n ? undefined : documentOf(name, server(name).signingKey)));
    const keyring = world.keyring({ notaries: [n] });
    const former = documentOf(n, other, { validUntilTs: Date.now() + 5 * dayMs });
    expect(await keyring.learn(JSON.parse(JSON.stringify(former)), { server: n })).toBeUndefined();
    expect((await keyring.keys([wanted(server(gone))])).missing).toEqual([]);
    expect(world.questions(n).length).toBe(1);
  });
});

describe("a document that came by other means", () => {
  test("is taken from a server for itself, from a notary that is trusted, and from nobody else", async () => {
    const keyring = world.keyring({ notaries: [n] });
    const { signingKey } = server(n);
    const plain = documentOf(gone, server(gone).signingKey);
    const signed = documentOf(gone, server(gone).signingKey, { notary: { name: n, signingKey } });
    expect(await keyring.learn(plain, { server: a })).toBe("wrongServerName");
    expect(await keyring.learn(plain, { notary: n })).toBe("notSignedByNotary");
    expect(await keyring.learn(signed, { notary: m })).toBe("notSignedByNotary");
    expect(keyring.peek(gone, server(gone).signingKey.keyId)).toBeUndefined();
    expect(await keyring.learn(signed, { notary: n })).toBeUndefined();
    expect(keyring.peek(gone, server(gone).signingKey.keyId)?.source).toBe(`notary:${n}`);
    expect(await keyring.learn(plain, { server: gone })).toBeUndefined();
    expect(keyring.peek(gone, server(gone).signingKey.keyId)?.source).toBe("direct");
  });

  test("about ourselves is not taken", async () => {
    const keyring = world.keyring();
    expect(await keyring.learn(documentOf("me.example", madeUp), { server: "me.example" })).toBe("wrongServerName");
    expect(keyring.peek("me.example", madeUp.keyId)).toBeUndefined();
  });
});
