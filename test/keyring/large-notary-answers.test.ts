import { describe, expect, test } from "vitest";

import { Cancellation } from "../../src/cancellation.js";
import { type DocumentFault, type KeyDocument, readKeyDocument } from "../../src/keyring/key-document.js";
import { Notaries, type QueryNotary } from "../../src/keyring/notaries.js";
import { Share } from "../../src/keyring/turns.js";
import { signJson } from "../../src/sign/signed-json.js";
import { type Document, documentOf, published, SigningKey } from "./world.js";

const notary = SigningKey.generate("notary");
const name = "n.example";
const keys = new Map([[notary.keyId, notary.publicKey]]);
const servers = Array.from({ length: 100 }, (_, index) => `s${index}.example`);
const key = SigningKey.generate("a");
const told = (server: string): Document => documentOf(server, key, { notary: { name, signingKey: notary } });
const wanted = new Map([[key.keyId, 0]]);

/** Asks a notary that answers as it is told. */
function asking(queryNotary: QueryNotary, learn: (document: KeyDocument) => void = () => {}): Notaries {
  return new Notaries({ queryNotary, notaryKeys: async () => keys, learn, isKnown: () => true });
}

describe("an answer of a notary with a hundred documents", () => {
  test("leaves the program its turn between them (bug: all were verified in one go)", async () => {
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns += 1;
      if (!isOver) setImmediate(turn);
    };
    const seen = new Set<number>();
    const notaries = asking(
      async () => servers.map(told),
      () => void seen.add(turns),
    );
    turn();
    await Promise.all(servers.map((server) => notaries.ask(name, server, wanted, new Cancellation(), new Share())));
    isOver = true;
    expect(seen.size).toBe(servers.length);
  });

  test("is read no further when nobody waits for it", async () => {
    const leaving = new Cancellation();
    let learned = 0;
    const notaries = asking(
      async () => servers.map(told),
      () => {
        learned += 1;
        leaving.abort("unwanted");
      },
    );
    await Promise.all(servers.map((server) => notaries.ask(name, server, wanted, leaving, new Share())));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(learned).toBe(1);
    expect(notaries.patience.list()).toEqual([]);
  });
});

describe("a small question to a notary", () => {
  test.each([
    ["goes with the next batch, before a large one that was there first (bug: after it)", []],
    ["goes with the next batch, though a large one asks the same at its end", ["small.example"]],
  ])("%s", async (_, shared) => {
    const asked: string[][] = [];
    const answers: (() => void)[] = [];
    const notaries = asking((_notary, question) => {
      asked.push(Object.keys(question));
      return new Promise((resolve) => answers.push(() => resolve([])));
    });
    const large = new Share();
    const all = [...Array.from({ length: 900 }, (_, index) => `l${index}.example`), ...shared];
    const calls = all.map((server) => notaries.ask(name, server, wanted, new Cancellation(), large));
    await expect.poll(() => asked.length).toBe(4);
    const call = notaries.ask(name, "small.example", wanted, new Cancellation(), new Share());
    answers.shift()?.();
    await expect.poll(() => asked.length).toBe(5);
    expect(asked[4]).toContain("small.example");
    for (const count of [6, 7, 8, 9, 10]) {
      answers.shift()?.();
      await expect.poll(() => asked.length).toBe(count);
    }
    for (const answer of answers) answer();
    await Promise.all([...calls, call]);
    expect(asked.every((names) => names.length <= 100)).toBe(true);
    expect(asked.flat().length).toBe(901);
    expect(new Set(asked.flat()).size).toBe(901);
    expect(notaries.inFlight()).toEqual([]);
  });
});

describe("a key document", () => {
  const server = "a.example";
  const many = Array.from({ length: 16 }, (_, index) => SigningKey.generate(`k${index}`));
  const document = documentOf(server, key, { verifyKeys: published(...many), signers: many });
  const read = (value: unknown, from?: string): KeyDocument | DocumentFault =>
    readKeyDocument(value, {
      servers: new Set([server]),
      source: from === undefined ? "direct" : `notary:${from}`,
      fetchedAt: Date.now(),
      ...(from === undefined ? {} : { notary: { name: from, keys } }),
    });
  const keysOf = (answer: KeyDocument | DocumentFault): number | string =>
    typeof answer === "string" ? answer : answer.keys.length;

  test("with sixteen signatures has four of them looked at (bug: all, for each of a hundred servers)", () => {
    const wrong = structuredClone(document);
    const signatures = wrong.signatures[server] ?? {};
    for (const { keyId } of many.slice(4)) signatures[keyId] = "A".repeat(86);
    expect(keysOf(read(signJson(document, name, notary), name))).toBe(4);
    expect(keysOf(read(signJson(wrong, name, notary), name))).toBe(4);
    expect(keysOf(read(document))).toBe(16);
    signatures[many[3]?.keyId ?? ""] = "A".repeat(86);
    expect(read(signJson(wrong, name, notary), name)).toBe("notSelfSigned");
    expect(read(wrong)).toBe("notSelfSigned");
  });

  test("that a notary did not sign is looked at no further", () => {
    const unsigned = { ...document, signatures: {} };
    expect(read(unsigned, name)).toBe("notSignedByNotary");
    expect(read(signJson(unsigned, name, notary), name)).toBe("notSelfSigned");
  });
});
