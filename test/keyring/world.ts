import { afterEach } from "vitest";

import { SigningKey } from "../../src/index.js";
import { createKeyring } from "../../src/keyring/create-keyring.js";
import type { Keyring, KeyringOptions } from "../../src/keyring/keyring.js";
import type { KeyRequest } from "../../src/keyring/known-key.js";
import { signJson } from "../../src/sign/signed-json.js";
import { type Behaviour, reply, type TestServer, type TestServerOptions } from "../../src/testing.js";
import { createWorld, ourKey, ourName, type World } from "../client/world.js";

export const minuteMs = 60_000;
export const dayMs: number = 24 * 60 * minuteMs;

/** What a key document says; the rest is as it should be. */
export interface DocumentParts {
  readonly validUntilTs?: number;
  readonly verifyKeys?: Record<string, { key: string }>;
  readonly oldVerifyKeys?: Record<string, { key: string; expired_ts: number }> | null;
  readonly more?: Record<string, unknown>;
  /** The keys that sign it. */
  readonly signers?: readonly SigningKey[];
  /** The notary that signs it too. */
  readonly notary?: { readonly name: string; readonly signingKey: SigningKey };
}

export type Document = Record<string, unknown> & { signatures: Record<string, Record<string, string>> };

/** A key document of a server with one key. */
export function documentOf(name: string, key: SigningKey, parts: DocumentParts = {}): Document {
  const { validUntilTs = Date.now() + dayMs, verifyKeys = published(key), oldVerifyKeys = {}, more = {} } = parts;
  let document: Document = {
    server_name: name,
    verify_keys: verifyKeys,
    old_verify_keys: oldVerifyKeys,
    valid_until_ts: validUntilTs,
    ...more,
    signatures: {},
  };
  for (const signer of parts.signers ?? [key]) document = signJson(document, name, signer);
  return parts.notary ? signJson(document, parts.notary.name, parts.notary.signingKey) : document;
}

/** A key as `verify_keys` has it. */
export const published = (...keys: readonly SigningKey[]): Record<string, { key: string }> =>
  Object.fromEntries(keys.map(({ keyId, publicKey }) => [keyId, { key: publicKey }]));

/** A key as `old_verify_keys` has it. */
export const retired = (key: SigningKey, expiredTs: number): Record<string, { key: string; expired_ts: number }> => ({
  [key.keyId]: { key: key.publicKey, expired_ts: expiredTs },
});

/** A request for a server's key for something that was signed now. */
export const wanted = (
  { name, signingKey }: { readonly name: string; readonly signingKey: SigningKey },
  parts: Partial<KeyRequest> = {},
): KeyRequest => ({
  server: name,
  keyId: signingKey.keyId,
  at: Date.now(),
  use: "event",
  enforceValidity: true,
  ...parts,
});

/** What a notary is asked, as it goes over the wire. */
export type NotaryBody = { server_keys: Record<string, Record<string, { minimum_valid_until_ts?: number }>> };

/** A federation with key rings that make their requests through a client over real TLS. */
export interface KeyringWorld extends World {
  /** A key ring, closed after the test. */
  readonly keyring: (options?: Partial<KeyringOptions>) => Keyring;
  /** How a server answers as a notary: with documents of the servers that it is asked for, signed by it. */
  readonly notaryOf: (notary: TestServer, of?: (name: string) => Document | undefined) => Behaviour;
  /** What a notary was asked. */
  readonly questions: (notary: string) => NotaryBody["server_keys"][];
}

/** Makes the federation before the file's tests. */
export function createKeyringWorld(...servers: readonly (string | TestServerOptions)[]): KeyringWorld {
  const world = createWorld(...servers);
  const keyrings: Keyring[] = [];
  afterEach(async () => void (await Promise.all(keyrings.splice(0).map((keyring) => keyring.close()))));
  const keyring: KeyringWorld["keyring"] = (options = {}) => {
    const client = world.client();
    const made = createKeyring({
      ownServerName: ourName,
      ownKeys: [ourKey],
      notaries: [],
      fetchKeys: (server, { signal, timeoutMs }) =>
        client.serverKeys(server, { signal, timeout: timeoutMs, rounds: 1, ignoreBackoff: true }),
      queryNotary: async (notary, serverKeys, { signal, timeoutMs }) => {
        const call = { signal, timeout: timeoutMs, rounds: 1, ignoreBackoff: true };
        return (await client.queryKeys(notary, { serverKeys }, call)).server_keys;
      },
      ...options,
    });
    keyrings.push(made);
    return made;
  };
  const notaryOf: KeyringWorld["notaryOf"] = (notary, of = honest) => {
    return async (exchange) => {
      const asked = Object.keys((exchange.request.json as NotaryBody).server_keys);
      const documents = asked.flatMap((name) => of(name) ?? []);
      const signed = documents.map((document) => signJson(document, notary.name, notary.signingKey));
      await reply.json({ server_keys: JSON.parse(JSON.stringify(signed)) })(exchange);
    };
  };
  const honest = (name: string): Document => documentOf(name, world.server(name).signingKey);
  const questions: KeyringWorld["questions"] = (notary) =>
    world
      .requests(notary)
      .filter(({ endpoint }) => endpoint === "query_keys")
      .map(({ json }) => (json as NotaryBody).server_keys);
  // The getter of the federation has to stay one.
  return Object.assign(Object.create(world), { keyring, notaryOf, questions }) as KeyringWorld;
}

export { ourKey, ourName, SigningKey };
