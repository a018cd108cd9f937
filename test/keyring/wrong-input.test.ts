import { expect, test } from "vitest";

import { createKeyring } from "../../src/keyring/create-keyring.js";
import { rejection } from "../client/world.js";

const nobody = async (): Promise<never> => {
  throw new Error("Nobody is asked.");
};
// biome-ignore lint/suspicious/noExplicitAny: these are the calls of users without types
const keyring = (parts: object = {}): any =>
  createKeyring({
    ownServerName: undefined,
    ownKeys: [],
    notaries: [],
    fetchKeys: nobody,
    queryNotary: nobody,
    ...parts,
  });

test.each([
  ["no list", () => keyring().keys({ server: "a.example" }), "ERR_INPUT", /`requests` is an object.*a list/],
  ["nothing", () => keyring().keys(), "ERR_INPUT", /a list/],
  ["a list with null", () => keyring().keys([null]), "ERR_INPUT", /requests\[0\].*object/],
  ["null for options", () => keyring().keys([], null), "ERR_OPTION", /object/],
  ["text for a timeout", () => keyring().keys([], { timeout: "5" }), "ERR_OPTION", /timeout.*milliseconds/],
  ["text for a signal", () => keyring().keys([], { signal: "x" }), "ERR_OPTION", /AbortSignal/],
  ["text to be told", () => keyring().keys([], { onServer: "x" }), "ERR_OPTION", /function/],
  ["a number to ask on behalf of", () => keyring().keys([], { onBehalfOf: 5 }), "ERR_OPTION", /onBehalfOf.*object/],
  ["a number to peek for", async () => keyring().peek(5, "ed25519:a"), "ERR_INPUT", /`server` is 5/],
  ["no key id to peek for", async () => keyring().peek("a.example"), "ERR_INPUT", /`keyId`/],
  ["a document of nobody", () => keyring().learn({}), "ERR_INPUT", /`from`/],
  ["a document of a text", () => keyring().learn({}, "a.example"), "ERR_INPUT", /server: "a\.example"/],
  ["null to forget", async () => keyring().forget(null), "ERR_INPUT", /text/],
])("a key ring refuses %s (bug: it threw a TypeError, or nothing)", async (_, ask, code, message) => {
  expect(await rejection(ask())).toMatchObject({ code, message: expect.stringMatching(message) });
});

test("a large question reads few keys from the store at a time (bug: as many as there are servers)", async () => {
  let [now, most, reads] = [0, 0, 0];
  const get = async (): Promise<undefined> => {
    reads += 1;
    now += 1;
    most = Math.max(most, now);
    await new Promise(setImmediate);
    now -= 1;
  };
  const ring = keyring({ store: { get, set: async () => {}, delete: async () => {} } });
  const requests = Array.from({ length: 500 }, (_, at) => ({
    server: `s${at}.example`,
    keyId: "ed25519:a",
    at: 1,
    use: "event",
    enforceValidity: true,
  }));
  expect((await ring.keys(requests)).missing).toHaveLength(500);
  expect({ reads, isBounded: most <= 50 }).toEqual({ reads: 500, isBounded: true });
});
