import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { certify, findingOf, homeserver, issuers, told, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

const name = "a.example";
const address = "192.0.2.1";
const working = homeserver({ name });

describe("an address", () => {
  beforeEach(() => world.wellKnown(name, address));

  it("at which nothing listens is told of with its port and where else a server may be", async () => {
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error connectionRefused"]);
    expect(findingOf(diagnosis, "connectionRefused")).toMatchObject({
      about: "192.0.2.1:8448",
      message: "Nothing accepts connections on port 8448 (ECONNREFUSED).",
      advice: expect.stringMatching(/port 8448.*\.well-known or an SRV record/),
    });
    expect(diagnosis.addresses).toMatchObject([{ ok: false, finished: true, failure: { stage: "connect" } }]);
  });

  it("that is broken makes the server broken, though another one works (bug: testers said OK)", async () => {
    world.dns.set(name, "A", [address, "192.0.2.2"]);
    await world.serve(address, 8448, name, working);
    const diagnosis = await world.diagnose(name);

    expect(diagnosis.ok).toBe(false);
    expect(told(diagnosis)).toEqual(["error connectionRefused"]);
    expect(diagnosis.addresses.map(({ address, ok }) => `${address} ${ok}`).sort()).toEqual([
      "192.0.2.1 true",
      "192.0.2.2 false",
    ]);
  });

  it("that does not answer hints at a firewall", async () => {
    // A proxy that never opens the tunnel: no machine has a network that is silent for certain.
    const port = await world.serveTcp("127.9.9.9", 1, () => {});
    const proxy = ({ port: to }: { port: number }) => (to === 8448 ? `http://127.0.0.1:${port}` : undefined);
    const diagnosis = await world.diagnose(name, { proxy }, 30_000);

    expect(told(diagnosis)).toEqual(["error connectionTimeout"]);
    expect(findingOf(diagnosis, "connectionTimeout").advice).toContain("Open TCP port 8448 in every firewall");
  });

  it("that does not answer within a short timeout is not judged", async () => {
    const port = await world.serveTcp("127.9.9.9", 1, () => {});
    const proxy = ({ port: to }: { port: number }) => (to === 8448 ? `http://127.0.0.1:${port}` : undefined);
    const diagnosis = await world.diagnose(name, { proxy }, 900);

    expect(told(diagnosis)).toEqual(["warning timeout"]);
    expect(diagnosis).toMatchObject({ ok: false, addresses: [{ ok: false, finished: false, failure: undefined }] });
  });

  it("that there is no way to is said to be unreachable from here", async () => {
    const connectTo: World["connectTo"] = (to) =>
      to.port === 8448 ? { address: "255.255.255.255", port: 1 } : world.connectTo(to);
    const diagnosis = await world.diagnose(name, { connectTo });

    expect(told(diagnosis)).toEqual(["error noRoute"]);
    expect(findingOf(diagnosis, "noRoute").message).toContain("ENETUNREACH");
  });

  it("that breaks connections off in the handshake is told of", async () => {
    await world.serveTcp(address, 8448, (socket) => socket.once("data", () => socket.resetAndDestroy()));
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error connectionFailed"]);
    expect(findingOf(diagnosis, "connectionFailed").message).toContain("ECONNRESET");
  });

  it("that a proxy refuses is held against the proxy, without its password", async () => {
    const port = await world.serveTcp("127.9.9.9", 1, (socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")),
    );
    const proxy = ({ port: to }: { port: number }) => (to === 8448 ? `http://me:hunter2@127.0.0.1:${port}` : undefined);
    const diagnosis = await world.diagnose(name, { proxy });

    expect(told(diagnosis)).toEqual(["error proxyFailed"]);
    expect(findingOf(diagnosis, "proxyFailed").message).toContain("the proxy answered 403");
    expect(JSON.stringify(diagnosis)).not.toContain("hunter2");
  });

  it("that a proxy wants credentials for is held against the proxy alone (bug: .well-known was blamed as well)", async () => {
    const port = await world.serveTcp("127.9.9.9", 1, (socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")),
    );
    const diagnosis = await world.diagnose(name, { proxy: `http://127.0.0.1:${port}` });

    expect(told(diagnosis)).toEqual(["error proxyFailed"]);
    expect(findingOf(diagnosis, "proxyFailed")).toMatchObject({ about: "192.0.2.1:8448" });
  });

  it("that is not public is refused as for every request, and is a warning beside one that works", async () => {
    world.dns.set(name, "A", ["127.0.0.1"]);
    const alone = await world.diagnose(`${name}:1`);
    expect(told(alone)).toEqual(["error addressRefused"]);
    expect(findingOf(alone, "addressRefused")).toMatchObject({
      about: "127.0.0.1:1",
      message: expect.stringContaining("127.0.0.1 is not public (loopback)"),
      advice: expect.stringContaining("allowAddress"),
    });

    world.dns.set(name, "A", ["127.0.0.1", address]);
    await world.serve(address, 8448, name, working);
    const beside = await world.diagnose(name);
    expect(beside.ok).toBe(true);
    expect(findingOf(beside, "addressRefused").severity).toBe("warning");
    // Nobody ever connected to the one (bug: it was OK).
    expect(beside.addresses.map(({ address, ok }) => `${address} ${ok}`).sort()).toEqual([
      "127.0.0.1 false",
      "192.0.2.1 true",
    ]);
  });
});

describe("a TLS handshake", () => {
  beforeEach(() => world.wellKnown(name, address));
  const serve = (...args: Parameters<World["serve"]> extends [string, number, ...infer Rest] ? Rest : never) =>
    world.serve(address, 8448, ...args);

  it("shows protocol, cipher and the whole chain", async () => {
    const issuer = await issuers.intermediate();
    const { cert, key } = await certify({ names: [name, "*.b.example"], issuer });
    await serve(name, working, { cert: cert + issuer.cert, key });
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual([]);
    expect(diagnosis.addresses[0]?.tls).toMatchObject({
      protocol: "TLSv1.3",
      cipher: expect.stringMatching(/^TLS_/),
      verified: true,
      chain: [
        { subject: "CN=server", issuer: "CN=intermediate", names: [name, "*.b.example"] },
        { subject: "CN=intermediate", issuer: "CN=root" },
        { subject: "CN=root", issuer: "CN=root" },
      ],
    });
  });

  it("with plain HTTP is no TLS", async () => {
    await world.serveTcp(address, 8448, (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error notTls"]);
    expect(findingOf(diagnosis, "notTls").message).toContain("wrong version number");
  });

  it("below TLS 1.2 is told of", async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await serve(name, working, old);

    expect(told(await world.diagnose(name))).toEqual(["error tlsProtocol"]);
  });

  it("that never ends fails within its time", async () => {
    await world.serveTcp(address, 8448, () => {});
    const diagnosis = await world.diagnose(name, {}, 30_000);

    expect(told(diagnosis)).toEqual(["error tlsFailed"]);
    expect(findingOf(diagnosis, "tlsFailed")).toMatchObject({
      about: "192.0.2.1:8448",
      message: "The TLS handshake fails: no answer in the TLS handshake within 10000 ms.",
    });
    expect(told(await world.diagnose(name, {}, 900))).toEqual(["warning timeout"]);
  });

  it("for another name says which names there are and which one is needed", async () => {
    await serve({ names: ["b.example", "www.b.example"] }, working);
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error certificateName"]);
    expect(findingOf(diagnosis, "certificateName").message).toBe(
      "The certificate is for b.example, www.b.example; it has to be for a.example.",
    );
    expect(diagnosis.addresses).toMatchObject([{ ok: false, version: undefined, keys: undefined }]);
  });

  it("for the target of an SRV record says that the server name counts", async () => {
    world.dns.set("_matrix-fed._tcp.a.example", "SRV", [{ target: "m.example", port: 443 }]);
    world.dns.set("m.example", "A", ["192.0.2.9"]);
    await world.serve("192.0.2.9", 443, "m.example", working);
    const { advice } = findingOf(await world.diagnose(name), "certificateName");

    expect(advice).toContain("for a.example");
    expect(advice).toContain("the server name counts, and not m.example, which an SRV record names");
  });

  it.each([
    ["that has expired", { from: -90, to: -2 }, "error certificateExpired", /expired on \d{4}-/],
    ["that is not yet valid", { from: 2, to: 90 }, "error certificateNotYetValid", /not valid before \d{4}-/],
    ["that expires within 14 days", { from: -80, to: 10 }, "warning certificateExpiring", /expires in 10 days/],
    ["of six days in its last third", { from: -5, to: 1 }, "warning certificateExpiring", /expires in 1 days/],
    ["that is signed by itself", { selfSigned: true }, "error certificateSelfSigned", /signed by itself/],
  ])("with a certificate %s", async (_, options, expected, message) => {
    await serve({ names: [name], ...options }, working);
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual([expected]);
    expect(diagnosis.findings[0]?.message).toMatch(message);
    expect(diagnosis.addresses[0]?.tls?.chain[0]?.names).toEqual([name]);
  });

  it("with a certificate of six days that is fresh is in order", async () => {
    await serve({ names: [name], from: -1, to: 5 }, working);
    expect(told(await world.diagnose(name))).toEqual([]);
  });

  it("with everything wrong tells all of it", async () => {
    await serve({ names: ["b.example"], from: -90, to: -2, issuer: await issuers.stranger() }, working);

    expect(told(await world.diagnose(name))).toEqual([
      "error certificateName",
      "error certificateExpired",
      "error certificateIncomplete",
    ]);
  });

  it("with its own certificate alone has an incomplete chain", async () => {
    await serve({ names: [name], issuer: await issuers.intermediate() }, working);
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error certificateIncomplete"]);
    expect(findingOf(diagnosis, "certificateIncomplete")).toMatchObject({
      message: expect.stringContaining("CN=intermediate"),
      advice: expect.stringContaining("fullchain.pem"),
    });
  });

  it("with a chain to an unknown authority is not trusted", async () => {
    const issuer = await issuers.stranger();
    const { cert, key } = await certify({ names: [name], issuer });
    await serve(name, working, { cert: cert + issuer.cert, key });
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error certificateUntrusted"]);
    expect(findingOf(diagnosis, "certificateUntrusted").message).toContain("CN=stranger");
  });

  it("with another certificate than the pinned one is told of", async () => {
    await serve(name, working);
    const fingerprint256 = "AB".repeat(32);
    const diagnosis = await world.diagnose(`${name}:8448`, { tlsExceptions: { [name]: { fingerprint256 } } });

    expect(told(diagnosis)).toEqual(["error certificatePin"]);
    expect(diagnosis.addresses[0]?.tls?.reason).toContain("not the one that is pinned");
  });

  it("that tlsExceptions excuse is followed by requests, and noted", async () => {
    await serve({ names: [name], selfSigned: true }, homeserver({ name: `${name}:8448` }));
    const shown = (await world.diagnose(name)).addresses[0]?.tls?.chain[0]?.fingerprint256 ?? "";
    for (const exception of [{ verify: false }, { fingerprint256: shown }] as const) {
      const diagnosis = await world.diagnose(`${name}:8448`, { tlsExceptions: { [name]: exception } });

      expect(told(diagnosis)).toEqual(["note certificateExcepted"]);
      expect(diagnosis).toMatchObject({ ok: true, addresses: [{ ok: true, version: { name: "Test" } }] });
    }
  });
});
