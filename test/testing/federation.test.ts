import { createPrivateKey, X509Certificate } from "node:crypto";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

import { Agent, request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient } from "../../src/index.js";
import { verifySignedJson } from "../../src/sign/signed-json.js";
import { createTestFederation, reply, type TestFederation } from "../../src/testing.js";
import { ask, askForHead } from "./ask.js";

let federation: TestFederation;

beforeEach(async () => {
  federation = await createTestFederation({
    servers: [
      "a.test",
      "b.test:9000",
      "10.1.2.3",
      { name: "dead.test", dead: true },
      { name: "liar.test", certificateFor: "other.test" },
    ],
  });
});
afterEach(() => federation.close());

test("a server is reached by name over TLS that its client verifies", async () => {
  const answer = await ask(federation, "a.test");
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual({ server: { name: "matrix-federation-sdk test server", version: "1" } });
});

test("a client that does not know the authority refuses the certificate", async () => {
  const other = await createTestFederation({ servers: [] });
  const { ca } = other.clientOptions;
  const strange = { ...federation, clientOptions: { ...federation.clientOptions, ca } };
  await expect(ask(strange, "a.test")).rejects.toThrow(/certificate|signature/);
});

test("two federations can be trusted together, as a list and as one text (bug: their authorities had one name)", async () => {
  await using other = await createTestFederation({ servers: ["c.test"] });
  const cas = [federation.clientOptions.ca, other.clientOptions.ca];
  for (const ca of cas) expect(ca).toMatch(/-----END CERTIFICATE-----\n$/);
  for (const trusted of [cas, cas.toReversed(), cas.join(""), cas.toReversed().join("")]) {
    for (const [of, host] of [
      [federation, "a.test"],
      [other, "c.test"],
    ] as const) {
      await using client = createClient({ ...of.clientOptions, ca: trusted });
      expect(await client.version(host)).toMatchObject({ server: { version: "1" } });
    }
  }
});

test("an IP address has a certificate for the address", async () => {
  expect((await ask(federation, "10.1.2.3")).status).toBe(200);
});

test("a server listens at the port that it is given, where other processes find it by its name", async () => {
  await using free = await createTestFederation({ servers: ["free.test"] });
  const { port } = free.server("free.test");
  await free.close();
  await using other = await createTestFederation({ servers: [{ name: `localhost:${port}`, port }] });
  expect(other.server(`localhost:${port}`).port).toBe(port);
  const { ca } = other.clientOptions;
  const dispatcher = new Agent({ connect: { ca } });
  const { statusCode, body } = await request(`https://localhost:${port}/_matrix/federation/v1/version`, { dispatcher });
  expect(statusCode).toBe(200);
  await body.dump();
  await dispatcher.close();
});

test("the authority issues certificates for homeservers of one's own", async () => {
  const { cert, key } = await federation.issueCertificate("own.test");
  expect(new X509Certificate(cert).checkHost("own.test")).toBe("own.test");
  expect(new X509Certificate(cert).verify(new X509Certificate(federation.clientOptions.ca).publicKey)).toBe(true);
  expect(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))).toBe(true);
});

test("undici reaches it, several times over one connection", async () => {
  const { port } = federation.server("a.test");
  const { ca } = federation.clientOptions;
  const dispatcher = new Agent({ connections: 1, connect: { ca, servername: "a.test" } });
  for (let turn = 0; turn < 3; turn++) {
    const { statusCode, body } = await request(`https://127.0.0.1:${port}/_matrix/key/v2/server`, { dispatcher });
    expect(statusCode).toBe(200);
    await body.dump();
  }
  await dispatcher.close();
});

test("a dead server refuses, a liar has somebody else's certificate", async () => {
  await expect(ask(federation, "dead.test")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await expect(ask(federation, "liar.test")).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  await federation.server("dead.test").start();
  expect((await ask(federation, "dead.test")).status).toBe(200);
});

test("a server can go away and come back at its port", async () => {
  const server = federation.server("a.test").on("version", reply.stallBeforeHeaders());
  const { port } = server;
  const lost = expect(ask(federation, "a.test")).rejects.toMatchObject({ code: "ECONNRESET" });
  await expect.poll(() => server.requests.length).toBe(1);
  await server.stop();
  await lost;
  await expect(ask(federation, "a.test")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  server.reset();
  await server.start();
  expect(server.port).toBe(port);
  expect((await ask(federation, "a.test")).status).toBe(200);
});

test("connectTo leads 8448 and 443 to the server, its other ports nowhere, and leaves others alone", () => {
  const { connectTo } = federation.clientOptions;
  const at = (hostname: string, port: number) => connectTo({ hostname, address: "127.0.0.1", port });
  const { port } = federation.server("a.test");
  expect(at("a.test", 8448)).toEqual({ address: "127.0.0.1", port });
  expect(at("A.TEST", 443)).toEqual({ address: "127.0.0.1", port });
  expect(at("a.test", 9000)).toEqual({ address: "127.0.0.1", port: 1 });
  expect(at("b.test", 9000)?.port).toBe(federation.server("b.test:9000").port);
  expect(at("b.test", 8448)?.port).toBe(1);
  expect(at("elsewhere.test", 8448)).toBeUndefined();
});

test("the name server knows the federation's hosts alone", async () => {
  const { dns } = federation.clientOptions;
  expect(await dns.resolve4("a.test", { ttl: true })).toEqual([{ address: "127.0.0.1", ttl: 60 }]);
  expect(await dns.resolve4("B.test.")).toHaveLength(1);
  await expect(dns.resolve6("a.test")).rejects.toMatchObject({ code: "ENODATA" });
  await expect(dns.resolve4("elsewhere.test")).rejects.toMatchObject({ code: "ENOTFOUND", hostname: "elsewhere.test" });
  await expect(dns.resolve4("10.1.2.3")).rejects.toMatchObject({ code: "ENOTFOUND" });
  await expect(dns.resolve6("elsewhere.test")).rejects.toMatchObject({ code: "ENOTFOUND" });
  await expect(dns.resolveSrv("_matrix-fed._tcp.a.test")).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("unscripted: a key document signed by the server, and 404 for the rest", async () => {
  const { signingKey } = federation.server("a.test");
  const keys = (await ask(federation, "a.test", { path: "/_matrix/key/v2/server" })).json();
  expect(keys.server_name).toBe("a.test");
  expect(keys.valid_until_ts).toBeGreaterThan(Date.now());
  expect(verifySignedJson(keys, "a.test", signingKey.keyId, keys.verify_keys[signingKey.keyId].key)).toBe(true);
  for (const path of ["/.well-known/matrix/server", "/_matrix/federation/v1/state_ids/!r", "/x"]) {
    const answer = await ask(federation, "a.test", { path });
    expect([answer.status, answer.json().errcode]).toEqual([404, "M_UNRECOGNIZED"]);
  }
});

test("what nothing answers says how to set what does", async () => {
  const told = async (path: string): Promise<string> => (await ask(federation, "a.test", { path })).json().error;
  expect(await told("/_matrix/federation/v1/state_ids/!r")).toBe(
    'Unrecognized request: nothing answers it here. Set what does with server.on("state_ids", …).',
  );
  expect(await told("/own/x?q=1")).toContain('server.on({ method: "GET", path: "/own/x" }, …)');
});

test("requests are recorded as they were on the wire", async () => {
  const before = Date.now();
  const uri = "/_matrix/federation/v1/get_missing_events/%21r%3Aa.test?x=%2f&y=";
  await ask(federation, "a.test", {
    method: "POST",
    path: uri,
    headers: { authorization: ["X-Matrix one", "X-Matrix two"], "X-Other": ["1", "2"] },
    body: '{"limit": 1, "é": "🐈"}',
  });
  const [recorded] = federation.server("a.test").requests;
  expect(recorded).toMatchObject({
    method: "POST",
    uri,
    authorization: ["X-Matrix one", "X-Matrix two"],
    body: '{"limit": 1, "é": "🐈"}',
    json: { limit: 1, é: "🐈" },
    endpoint: "get_missing_events",
    signedBy: undefined,
  });
  expect([recorded?.headers.host, recorded?.headers["x-other"]]).toEqual(["a.test", "1, 2"]);
  expect(recorded?.at).toBeGreaterThanOrEqual(before);
  federation.server("a.test").reset();
  expect(federation.server("a.test").requests).toEqual([]);
});

test("what was set last wins, a star comes last, and own endpoints work", async () => {
  const server = federation.server("a.test");
  server.on("version", reply.json(1)).on("version", reply.json(2)).on("*", reply.json("star"));
  server.on({ method: "GET", path: /^\/own\/\d+$/g }, reply.json("own"));
  server.on({ method: "GET", path: "/_matrix/own.v1/{room}/x" }, reply.json("template"));
  server.on("well_known", reply.json({ "m.server": "b.test:9000" }));
  const at = async (path: string, port = 8448): Promise<unknown> =>
    (await ask(federation, "a.test", { path, port })).json();
  expect(await at("/_matrix/federation/v1/version")).toBe(2);
  expect(await at("/_matrix/federation/v1/version?x")).toBe(2);
  expect(await at("/_matrix/key/v2/server")).toBe("star");
  expect(await at("/own/7?q=/")).toBe("own");
  expect(await at("/own/7")).toBe("own");
  expect(await at("/own/x")).toMatchObject({ errcode: "M_UNRECOGNIZED" });
  expect(await at("/_matrix/own.v1/%2F/x")).toBe("template");
  expect(await at("/_matrix/ownXv1/r/x")).toBe("star");
  expect(await at("/.well-known/matrix/server", 443)).toEqual({ "m.server": "b.test:9000" });
});

test("mistakes in a test are told", async () => {
  const wrong = { code: "ERR_OPTION" };
  const server = federation.server("a.test");
  expect(() => server.on("state_idz", reply.json({}))).toThrow(expect.objectContaining(wrong));
  expect(() => federation.server("x.test")).toThrow(expect.objectContaining(wrong));
  expect(() => reply.sequence()).toThrow(expect.objectContaining(wrong));
  await expect(createTestFederation({ servers: ["a.test", { name: "a.test" }] })).rejects.toMatchObject(wrong);
  await expect(createTestFederation({ servers: ["https://a.test/"] })).rejects.toMatchObject(wrong);
  server.on("version", () => {
    throw new Error("a mistake");
  });
  const answer = await ask(federation, "a.test");
  expect([answer.status, answer.json().error]).toEqual([500, "The behaviour threw: Error: a mistake"]);
  server.on("version", async ({ response }) => {
    response.write("half");
    throw new Error("too late");
  });
  await expect(ask(federation, "a.test")).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("a body that is too large is refused and not kept", async () => {
  const answer = await ask(federation, "a.test", {
    method: "PUT",
    path: "/x",
    body: Buffer.alloc(10 * 1024 * 1024 + 1),
  });
  expect(answer.status).toBe(413);
  expect(federation.server("a.test").requests).toEqual([]);
});

test("neither noise nor a client that leaves does harm", async () => {
  const { port } = federation.server("a.test");
  const { ca } = federation.clientOptions;
  await new Promise((resolve) => {
    connect(port, "127.0.0.1")
      .on("close", resolve)
      .on("error", () => {})
      .end("GET / HTTP/1.1\r\n\r\n");
  });
  const say = (text: string): Promise<unknown> =>
    new Promise((resolve) => {
      const socket = connectTls({ host: "127.0.0.1", port, ca, servername: "a.test" }, () => socket.end(text));
      socket
        .on("close", resolve)
        .on("error", () => {})
        .resume();
    });
  await say("\u0000\u0001 nonsense\r\n\r\n");
  await say("PUT /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nshort");
  expect((await ask(federation, "a.test")).status).toBe(200);
  expect(federation.server("a.test").requests).toHaveLength(1);
});

test("close ends open exchanges at once and frees the ports", async () => {
  const server = federation.server("a.test");
  server.on("version", reply.stall({ afterBytes: 1 })).on("event", reply.delay(60_000, reply.json({})));
  const stalled = await askForHead(federation, "a.test");
  const body = stalled.toArray().catch((error: NodeJS.ErrnoException) => error.code);
  const delayed = ask(federation, "a.test", { path: "/_matrix/federation/v1/event/$e" }).catch((error) => error.code);
  await expect.poll(() => server.requests.length).toBe(2);
  const start = Date.now();
  await federation[Symbol.asyncDispose]();
  await federation.close();
  expect([await body, await delayed]).toEqual(["ECONNRESET", "ECONNRESET"]);
  expect(Date.now() - start).toBeLessThan(1_000);
  await expect(ask(federation, "10.1.2.3")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const sockets = ["TCPServerWrap", "TLSWrap", "TCPSocketWrap"];
  await expect.poll(() => process.getActiveResourcesInfo().filter((kind) => sockets.includes(kind))).toEqual([]);
});
