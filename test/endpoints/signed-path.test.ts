/** The path that is signed is byte for byte the path that a server receives, whatever the ids have in them. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { allEndpoints } from "../../src/endpoints/index.js";
import { type Client, createClient, defineEndpoint, type Endpoint, SigningKey } from "../../src/index.js";
import { createAuthority } from "../../src/testing/authority.js";
import { createLoopbackDns } from "../../src/testing/loopback-dns.js";
import { verifiedOrigin } from "../../src/testing/signature-oracle.js";
import { createTestFederation, reply, type TestFederation } from "../../src/testing.js";
import { type RawServer, startRawServer } from "./raw-server.js";

// Names with a port, so that nothing is asked before the request itself.
const [a, raw] = ["a.example:1234", "raw.example:1234"];
const us = "me.example";
const key = SigningKey.generate("a_test");
const trusted = new Map([[us, new Map([[key.keyId, key.publicKey]])]]);
let federation: TestFederation;
let rawServer: RawServer;
const clients = new Map<string, Client>();

beforeAll(async () => {
  federation = await createTestFederation({ servers: [a] });
  federation.trust(us, key.keyId, key.publicKey);
  federation.server(a).on("*", reply.json({ of: "nothing" }));
  const authority = await createAuthority();
  rawServer = await startRawServer(await authority.issue("raw.example"));
  const ours = { serverName: us, signingKey: key };
  clients.set(a, createClient({ ...federation.clientOptions, ...ours }));
  clients.set(
    raw,
    createClient({
      ...ours,
      ca: authority.ca,
      dns: createLoopbackDns(["raw.example"]),
      allowAddress: ["127.0.0.1"],
      connectTo: () => ({ address: "127.0.0.1", port: rawServer.port }),
    }),
  );
});
afterAll(async () => {
  for (const client of clients.values()) await client.close();
  rawServer.close();
  await federation.close();
});

// biome-ignore lint/suspicious/noExplicitAny: endpoints of every input
type AnyEndpoint = Endpoint<any, unknown>;
type Fields = Record<string, unknown>;

const placesOf = ({ path }: AnyEndpoint): string[] =>
  [...path.matchAll(/\{([^{}]*)\}/g)].map(([, place = ""]) => place);
const endpoints = allEndpoints.filter(({ path, query }) => path.includes("{") || query !== undefined);

const oddities = [
  "/",
  "//",
  "\\",
  "%",
  "%2F",
  "%2f..",
  "%00",
  "%",
  "?",
  "#",
  "&",
  "=",
  "+",
  " ",
  ";",
  "'",
  '"',
  "{",
  "}",
];
const moreOddities = [
  ".",
  "..",
  "...",
  "/../",
  "/./",
  "~",
  "*",
  "\t",
  "\n",
  "\r\n",
  "\u0001",
  "\u007f",
  "\u2028",
  "\ufeff",
];
const letters = [
  "é",
  "e\u0301",
  "a\u0301\u0323\u0307",
  "ß",
  "İ",
  "🐈",
  "👩‍👩‍👧",
  "\u{10ffff}",
  "\ufffd",
  "\u202e",
  "日本",
];
/** Any code points but NUL, often those that mean something in a URL. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(...oddities, ...moreOddities, ...letters),
      fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
      fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 8 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join("").replaceAll("\0", ""));
const short = text.filter((it) => Buffer.byteLength(it) <= 200);
const long = fc.constantFrom("x", "%", "/", "é", "🐈").map((it) => it.repeat(200 / Buffer.byteLength(it)));
const idPart = fc.oneof({ arbitrary: short, weight: 5 }, { arbitrary: long, weight: 1 });
const server = fc.constantFrom("a.example", "a.example:8448", "192.0.2.1", "[2001:db8::1]", "[2001:db8::1]:1");
const segment = fc
  .oneof(text, fc.constantFrom("%2e", "%2e%2e", ". ", "..%2f", "a".repeat(3000), "🐈".repeat(500)))
  .filter((it) => !["", ".", ".."].includes(it));

/** An arbitrary for each field with a grammar. */
const grammars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  roomId: fc.oneof(
    fc
      .tuple(idPart, server)
      .filter(([opaque]) => opaque !== "" && !opaque.includes(":"))
      .map(([opaque, name]) => `!${opaque}:${name}`),
    fc.stringMatching(/^![\w-]{43}$/),
  ),
  eventId: idPart.filter((opaque) => opaque !== "").map((opaque) => `$${opaque}`),
  userId: fc
    .tuple(idPart, server)
    .filter(([local]) => !local.includes(":"))
    .map(([local, name]) => `@${local}:${name}`),
  roomAlias: fc
    .tuple(idPart, server)
    .filter(([local]) => local !== "" && !local.includes(":"))
    .map(([local, name]) => `#${local}:${name}`),
  serverName: server,
};

/** What the bodies need; nothing of it is in a path. */
const bodies: Fields = {
  event: {},
  pdus: [],
  originServerTs: 1,
  earliestEvents: [],
  latestEvents: [],
  oneTimeKeys: {},
  deviceKeys: {},
  serverKeys: {},
  roomVersion: "10",
  sender: "@a:a.example",
  userId: "@a:a.example",
  signed: {},
};

const anyQueryField = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.integer(), fc.boolean());

/** The fields of the path and the query, in all the values that they may have. */
function fieldsOf(endpoint: AnyEndpoint): fc.Arbitrary<Fields> {
  const { query = {}, required = [] } = endpoint;
  const inQuery = Object.entries(query).map(([name, field]) => {
    const any = name === "*" ? fc.dictionary(text, fc.oneof(text, fc.array(text))) : (grammars[field] ?? anyQueryField);
    return [field, required.includes(field) ? any : fc.option(any, { nil: undefined })] as const;
  });
  const inPath = placesOf(endpoint).map((field) => [field, grammars[field] ?? segment] as const);
  return fc.record(Object.fromEntries<fc.Arbitrary<unknown>>([...inQuery, ...inPath]));
}

/** Asks, and wants nothing but a request to be made: what comes back is no answer to most of them. */
async function ask(server: string, endpoint: AnyEndpoint, fields: Fields): Promise<void> {
  const anything = { "~standard": { version: 1, vendor: "test", validate: () => ({}) } } as const;
  const { name, method, path, query = {}, body, required = [], authentication, audience, spec } = endpoint;
  const request = { name, method, path, query, required, authentication, audience, spec, ...(body && { body }) };
  const input = { ...bodies, ...fields };
  await clients.get(server)?.request(server, defineEndpoint({ ...request, response: anything }), input, { rounds: 1 });
}

/** The ids that a server reads out of a path: what its router cuts out, decoded. */
function idsIn(uri: string, endpoint: AnyEndpoint): Fields {
  const given = (uri.split("?", 1)[0] ?? "").split("/");
  const wanted = endpoint.path.split("/");
  expect(given).toHaveLength(wanted.length);
  return Object.fromEntries(
    wanted.flatMap((part, at) => {
      if (part.startsWith("{")) return [[part.slice(1, -1), decodeURIComponent(given[at] ?? "")]];
      expect(given[at]).toBe(part);
      return [];
    }),
  );
}

/** The parameters that a server reads out of a query, decoded. */
function parametersIn(uri: string): [string, string][] {
  const at = uri.indexOf("?");
  if (at === -1) return [];
  return uri
    .slice(at + 1)
    .split("&")
    .map((pair) => pair.split("=").map(decodeURIComponent) as [string, string]);
}

function parametersOf({ query = {} }: AnyEndpoint, fields: Fields): [string, string][] {
  return Object.entries(query)
    .flatMap(([name, field]) => (name === "*" ? Object.entries(fields[field] ?? {}) : [[name, fields[field]] as const]))
    .flatMap(([name, value]) => [value].flat().map((each): [string, unknown] => [name, each]))
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)]);
}

describe("what is signed is what a server receives, and it reads the ids out of it:", () => {
  test.each(endpoints.map((endpoint) => [endpoint.name, endpoint] as const))("%s", async (_name, endpoint) => {
    const signer = endpoint.authentication === "none" ? undefined : us;
    await fc.assert(
      fc.asyncProperty(fieldsOf(endpoint), async (fields) => {
        await ask(a, endpoint, fields);
        const seen = federation.server(a).requests.at(-1);
        const uri = seen?.uri ?? "";
        expect(seen?.signedBy).toBe(signer);

        await ask(raw, endpoint, fields);
        const { line, received } = rawServer.requests.at(-1) ?? {};
        expect(line).toBe(`${endpoint.method} ${uri} HTTP/1.1`);
        expect(received && verifiedOrigin(received, raw, trusted)).toBe(signer);

        expect(uri).toMatch(/^[!-~]*$/);
        expect(new URL(uri, "https://a.example").href).toBe(`https://a.example${uri}`);
        expect(fields).toMatchObject(idsIn(uri, endpoint));
        expect(parametersIn(uri)).toEqual(parametersOf(endpoint, fields));
      }),
      { numRuns: 15 },
    );
  });
});

describe("what cannot be sent is refused before anything is:", () => {
  const asked = (): number => federation.server(a).requests.length;
  const refusal = {
    code: expect.stringMatching(/^ERR_(PATH_SEGMENT|INPUT|ROOM_ID|EVENT_ID|USER_ID|ROOM_ALIAS|SERVER_NAME)$/),
  };
  const never = [
    "",
    ".",
    "..",
    "\ud800",
    "\udc00",
    "a\ud800b",
    "!\udbff:a.example",
    "$\udc00",
    undefined,
    null,
    {},
    [],
  ];

  test.each(endpoints.map((endpoint) => [endpoint.name, endpoint] as const))("%s", async (_name, endpoint) => {
    const [fields = {}] = fc.sample(fieldsOf(endpoint), { numRuns: 1, seed: 1 });
    const before = asked();
    for (const place of placesOf(endpoint)) {
      for (const value of never) {
        await expect(ask(a, endpoint, { ...fields, [place]: value }), place).rejects.toMatchObject(refusal);
      }
    }
    for (const [name, field] of Object.entries(endpoint.query ?? {})) {
      for (const value of [
        "\ud800",
        ["a", "\udc00"],
        {},
        Number.NaN,
        ...(endpoint.required?.includes(field) ? [null] : []),
      ]) {
        const given = name === "*" ? { parameter: value } : value;
        await expect(ask(a, endpoint, { ...fields, [field]: given }), field).rejects.toMatchObject(refusal);
      }
    }
    expect(asked()).toBe(before);
  });

  test("a parameter whose name has no UTF-8 form", async () => {
    const query = endpoints.find(({ name }) => name === "query") as AnyEndpoint;
    const parameters = { "\ud800": "a" };
    await expect(ask(a, query, { queryType: "profile", parameters })).rejects.toMatchObject(refusal);
  });
});
