import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Dns } from "../../src/resolve/dns.js";
import { REFUSED, SERVFAIL } from "../resolve/dns-server.js";
import { findingOf, homeserver, told, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

describe("a name", () => {
  it("that is in no DNS is told of with the step, the queries and their codes", async () => {
    const diagnosis = await world.diagnose("a.example");

    expect(told(diagnosis)).toEqual(["error nameNotFound"]);
    expect(findingOf(diagnosis, "nameNotFound")).toMatchObject({
      about: "a.example",
      message: "Step address: a.example has no address (A ENOTFOUND, AAAA ENOTFOUND).",
      advice: expect.stringContaining("Check the spelling"),
    });
    expect(diagnosis).toMatchObject({ ok: false, addresses: [], resolution: { host: undefined, targets: [] } });
    const steps = diagnosis.resolution.steps.map(({ step, outcome }) => `${step} ${outcome}`);
    expect(steps).toEqual(["wellKnown failed", "srv absent", "srv absent", "address absent"]);
  });

  it("that .well-known delegates to, and that does not exist, is to be corrected there", async () => {
    await world.wellKnown("a.example", "192.0.2.1", { "m.server": "typo.example:443" });
    const diagnosis = await world.diagnose("a.example");

    expect(told(diagnosis)).toEqual(["error nameNotFound"]);
    const { advice } = findingOf(diagnosis, "nameNotFound");
    expect(advice).toContain("comes from https://a.example/.well-known/matrix/server: correct it there");
  });

  it("whose name servers fail is not said to be absent", async () => {
    world.dns.set("a.example", "A", SERVFAIL);
    world.dns.set("a.example", "AAAA", REFUSED);
    const diagnosis = await world.diagnose("a.example:8448");

    expect(told(diagnosis)).toEqual(["error dnsFailed"]);
    const { message } = findingOf(diagnosis, "dnsFailed");
    expect(message).toBe("Step address: DNS did not say where a.example is (A ESERVFAIL, AAAA EREFUSED).");
  });

  it("whose name servers fail for one kind of address is warned of, and not said to have no IPv6", async () => {
    await world.healthy("a.example", "192.0.2.1");
    world.dns.set("a.example", "AAAA", SERVFAIL);
    const diagnosis = await world.diagnose("a.example");

    expect(diagnosis.findings.map(({ code }) => code)).toEqual(["dnsPartial"]);
    expect(findingOf(diagnosis, "dnsPartial")).toMatchObject({
      severity: "warning",
      about: "AAAA a.example",
      message: expect.stringContaining("ESERVFAIL"),
    });
  });

  it("with IPv4 alone, or IPv6 alone, gets a note", async () => {
    await world.healthy("four.example", "192.0.2.1");
    world.dns.set("six.example", "AAAA", ["2001:db8:0:0:0:0:0:1"]);
    await world.serve("2001:db8::1", 8448, "six.example", homeserver({ name: "six.example" }));
    const [four, six] = await Promise.all(["four.example", "six.example:8448"].map((name) => world.diagnose(name)));

    expect(four?.findings).toMatchObject([{ severity: "note", code: "noIpv6" }]);
    expect(six?.findings).toContainEqual(expect.objectContaining({ severity: "note", code: "onlyIpv6" }));
  });

  it("that is an IP address gets neither note", async () => {
    await world.serve("192.0.2.1", 8448, "192.0.2.1", homeserver({ name: "192.0.2.1" }));
    const diagnosis = await world.diagnose("192.0.2.1");

    expect(diagnosis).toMatchObject({ ok: true, findings: [], addresses: [{ ok: true }] });
  });

  it("with more addresses than anybody tries has 32 of them examined", async () => {
    const hosts = [1, 2, 3, 4, 5].map((host) => `h${host}.example`);
    const addresses = (host: number) => Array.from({ length: 8 }, (_, at) => `192.0.${host}.${at}`);
    world.dns.set(
      "_matrix-fed._tcp.a.example",
      "SRV",
      hosts.map((target) => ({ target, port: 1 })),
    );
    for (const [at, host] of hosts.entries()) world.dns.set(host, "A", addresses(at));
    const diagnosis = await world.diagnose("a.example");

    expect(diagnosis.addresses).toHaveLength(32);
    expect(findingOf(diagnosis, "tooManyAddresses")).toMatchObject({
      severity: "warning",
      message: "The server has 40 addresses; 8 are not used, and were not examined.",
    });
  });

  it("with more addresses of one kind than anybody uses says so (bug: it said nothing)", async () => {
    world.dns.set(
      "a.example",
      "A",
      Array.from({ length: 20 }, (_, at) => `192.0.2.${at}`),
    );
    const diagnosis = await world.diagnose("a.example");

    expect(diagnosis.addresses).toHaveLength(8);
    expect(findingOf(diagnosis, "tooManyAddresses").message).toContain("20 addresses; 12 are not used");
  });
});

describe(".well-known", () => {
  const withWellKnown = async (
    ...args: Parameters<World["wellKnown"]> extends [string, string, ...infer Rest] ? Rest : never
  ) => {
    await world.wellKnown("a.example", "192.0.2.1", ...args);
    await world.serve("192.0.2.1", 8448, "a.example", homeserver({ name: "a.example" }));
    return await world.diagnose("a.example");
  };

  it("that delegates, or answers 404, is in order", async () => {
    expect(told(await withWellKnown(404))).toEqual([]);
    world.dns.set("m.example", "A", ["192.0.2.9"]);
    await world.serve("192.0.2.9", 443, "m.example", homeserver({ name: "b.example" }));
    await world.wellKnown("b.example", "192.0.2.2", { "m.server": "m.example:443" });
    const diagnosis = await world.diagnose("b.example");

    expect(told(diagnosis)).toEqual([]);
    expect(diagnosis.resolution).toMatchObject({ host: "m.example:443", tlsName: "m.example" });
  });

  it("that is malformed is warned of, with what is wrong", async () => {
    const diagnosis = await withWellKnown({ "m.server": "https://m.example" });

    expect(told(diagnosis)).toEqual(["warning wellKnownInvalid"]);
    expect(findingOf(diagnosis, "wellKnownInvalid")).toMatchObject({
      about: "https://a.example/.well-known/matrix/server",
      message: 'The answer is no valid delegation, and is ignored: m.server is no server name: "https://m.example".',
      advice: expect.stringContaining('{"m.server": "matrix.example:443"}'),
    });
  });

  it("that is an error of the web server is warned of", async () => {
    const diagnosis = await withWellKnown((_, response) => response.writeHead(503).end());

    expect(findingOf(diagnosis, "wellKnownInvalid").message).toContain("answered 503");
  });

  it("that redirects to http is warned of", async () => {
    const location = "http://a.example/.well-known/matrix/server";
    const diagnosis = await withWellKnown((_, response) => response.writeHead(302, { location }).end());

    expect(told(diagnosis)).toEqual(["warning wellKnownInsecure"]);
    expect(findingOf(diagnosis, "wellKnownInsecure")).toMatchObject({
      message: expect.stringContaining(location),
      advice: expect.stringContaining("https://"),
    });
  });

  it("that nobody serves is a note; that has a wrong certificate, a warning", async () => {
    world.dns.set("a.example", "A", ["192.0.2.1"]);
    await world.serve("192.0.2.1", 8448, "a.example", homeserver({ name: "a.example" }));
    expect(told(await world.diagnose("a.example"))).toEqual(["note wellKnownUnreachable"]);

    await world.serve("192.0.2.1", 443, "other.example", (_, response) => response.end("{}"));
    const diagnosis = await world.diagnose("a.example");
    expect(told(diagnosis)).toEqual(["warning wellKnownUnreachable"]);
    expect(findingOf(diagnosis, "wellKnownUnreachable").message).toContain("does not match certificate");
  });
});

describe("SRV records", () => {
  const srv = (records: { target: string; port: number }[], service = "_matrix-fed") =>
    world.dns.set(`${service}._tcp.a.example`, "SRV", records);

  beforeEach(() => world.wellKnown("a.example", "192.0.2.1"));

  it("are followed to their targets", async () => {
    srv([{ target: "m.example", port: 443 }]);
    world.dns.set("m.example", "A", ["192.0.2.9"]);
    await world.serve("192.0.2.9", 443, "a.example", homeserver({ name: "a.example" }));
    const diagnosis = await world.diagnose("a.example");

    expect(told(diagnosis)).toEqual([]);
    expect(diagnosis.addresses).toMatchObject([{ hostname: "m.example", address: "192.0.2.9", port: 443, ok: true }]);
  });

  it("that DNS fails on are warned of with the query and the code, and the default port is examined", async () => {
    await world.serve("192.0.2.1", 8448, "a.example", homeserver({ name: "a.example" }));
    world.dns.set("_matrix-fed._tcp.a.example", "SRV", SERVFAIL);
    const diagnosis = await world.diagnose("a.example");

    expect(told(diagnosis)).toEqual(["warning srvFailed"]);
    const { message } = findingOf(diagnosis, "srvFailed");
    expect(message).toContain("SRV _matrix-fed._tcp.a.example (ESERVFAIL)");
  });

  it('with the target "." say that there is no server', async () => {
    srv([{ target: ".", port: 0 }]);
    const diagnosis = await world.diagnose("a.example");

    expect(told(diagnosis)).toEqual(["error srvRefused"]);
    expect(diagnosis.resolution.steps.at(-1)).toMatchObject({ step: "srv", outcome: "refused" });
  });

  it("whose target has no address are an error, and a warning where another target has one", async () => {
    srv([{ target: "gone.example", port: 443 }]);
    const gone = await world.diagnose("a.example");
    expect(told(gone)).toEqual(["error srvTargetMissing"]);
    expect(findingOf(gone, "srvTargetMissing").message).toBe(
      "The SRV record _matrix-fed._tcp.a.example names gone.example, which has no address (A ENOTFOUND, AAAA ENOTFOUND).",
    );

    srv([
      { target: "gone.example", port: 443 },
      { target: "m.example", port: 443 },
    ]);
    world.dns.set("m.example", "A", ["192.0.2.9"]);
    await world.serve("192.0.2.9", 443, "a.example", homeserver({ name: "a.example" }));
    expect(told(await world.diagnose("a.example"))).toEqual(["warning srvTargetMissing"]);
  });

  it("of the deprecated kind get a note", async () => {
    srv([{ target: "m.example", port: 443 }], "_matrix");
    world.dns.set("m.example", "A", ["192.0.2.9"]);
    await world.serve("192.0.2.9", 443, "a.example", homeserver({ name: "a.example" }));
    const diagnosis = await world.diagnose("a.example");

    expect(told(diagnosis)).toEqual(["note srvDeprecated"]);
    expect(findingOf(diagnosis, "srvDeprecated").advice).toContain("_matrix-fed._tcp");
  });
});

it("a name server of the caller's own is asked as its methods want to be called", async () => {
  await world.healthy("a.example", "192.0.2.1");
  class Own implements Dns {
    readonly dns: Dns = world.dns.dns;
    resolve4(...args: Parameters<Dns["resolve4"]>) {
      return this.dns.resolve4(...args);
    }
    resolve6(...args: Parameters<Dns["resolve6"]>) {
      return this.dns.resolve6(...args);
    }
    resolveSrv(hostname: string) {
      return this.dns.resolveSrv(hostname);
    }
    async lookup() {
      return this.dns ? [] : [];
    }
  }
  expect(told(await world.diagnose("a.example", { dns: new Own() }))).toEqual([]);
});
