import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Dns } from "../../src/resolve/dns.js";
import { lookupSrv } from "../../src/resolve/srv.js";
import { createDnsServer, type DnsScript, type DnsServer, NXDOMAIN, REFUSED, SERVFAIL } from "./dns-server.js";

let server: DnsServer;
const { signal } = new AbortController();
const lookup = (dns: Dns = server.dns) => lookupSrv(dns, "_matrix-fed", "a.example", signal);
const set = (script: DnsScript<"SRV">): void => server.set("_matrix-fed._tcp.a.example", "SRV", script);

/** A DNS whose SRV answer is whatever it is told, as that of a caller written in JavaScript may be. */
const answering = (resolveSrv: () => unknown): Dns => ({ ...server.dns, resolveSrv: resolveSrv as Dns["resolveSrv"] });

beforeEach(async () => {
  server = await createDnsServer();
});

afterEach(async () => {
  vi.useRealTimers();
  await server.close();
});

describe("lookupSrv finds", () => {
  it.each(["_matrix-fed", "_matrix"] as const)("the records of %s, and asks nothing else", async (service) => {
    server.set(`${service}._tcp.a.example`, "SRV", [{ target: "b.example", port: 8449, priority: 10, weight: 5 }]);
    expect(await lookupSrv(server.dns, service, "a.example", signal)).toEqual({
      kind: "found",
      records: [{ hostname: "b.example", port: 8449, priority: 10, weight: 5 }],
    });
    expect(server.asked).toEqual([`SRV ${service}._tcp.a.example`]);
  });

  it("the lowest priority first, inside it the greatest weight", async () => {
    set([
      { target: "d.example", port: 1, priority: 20, weight: 9 },
      { target: "c.example", port: 1, priority: 10, weight: 0 },
      { target: "b.example", port: 1, priority: 10, weight: 7 },
    ]);
    const answer = await lookup();
    expect(answer.kind === "found" && answer.records.map(({ hostname }) => hostname)).toEqual([
      "b.example",
      "c.example",
      "d.example",
    ]);
  });

  it("hosts in lower case and without a final dot", async () => {
    set([{ target: "B.Example", port: 1 }]);
    expect(await lookup()).toMatchObject({ records: [{ hostname: "b.example" }] });
    const record = { name: "B.EXAMPLE.", port: 1, priority: 0, weight: 0 };
    expect(await lookup(answering(() => [record]))).toMatchObject({ records: [{ hostname: "b.example" }] });
  });

  it("every host and port once, at its best place", async () => {
    set([
      { target: "b.example", port: 1, priority: 20, weight: 9 },
      { target: "B.example", port: 1, priority: 10, weight: 2 },
      { target: "b.example", port: 1, priority: 10, weight: 3 },
      { target: "b.example", port: 2, priority: 30 },
    ]);
    expect(await lookup()).toEqual({
      kind: "found",
      records: [
        { hostname: "b.example", port: 1, priority: 10, weight: 3 },
        { hostname: "b.example", port: 2, priority: 30, weight: 0 },
      ],
    });
  });

  it("no more than sixteen, those of the lowest priority", async () => {
    set(Array.from({ length: 100 }, (_, at) => ({ target: `host-${at}.example`, port: 1, priority: 100 - at })));
    const answer = await lookup();
    const records = Array.from({ length: 16 }, (_, at) => ({ priority: at + 1 }));
    expect(answer).toMatchObject({ kind: "found", records });
  });

  it("records behind a CNAME", async () => {
    server.set("_matrix-fed._tcp.a.example", "CNAME", ["_matrix-fed._tcp.hosting.example"]);
    server.set("_matrix-fed._tcp.hosting.example", "SRV", [{ target: "b.example", port: 1 }]);
    expect(await lookup()).toMatchObject({ records: [{ hostname: "b.example" }] });
  });
});

/** Some versions of Node take such a label for one of a URL's host. */
const brokenLabels: [string, { target: string; port: number }][] = URL.canParse("https://xn--a.example")
  ? []
  : [["a broken xn-- label", { target: "xn--a.example", port: 1 }]];

describe("lookupSrv drops", () => {
  it.each([
    ["the root among others", { target: ".", port: 0 }],
    ["port 0", { target: "c.example", port: 0 }],
    ["an IPv4 address", { target: "192.0.2.1", port: 1 }],
    ["a name that URL parsers read as an IPv4 address", { target: "127.1", port: 1 }],
    ["a host that no server name may have", { target: "under_score.example", port: 1 }],
    ["a name with a port", { target: "c.example:22", port: 1 }],
    ["a name with a space", { target: "c d.example", port: 1 }],
    ["a name with a control character", { target: "c\u0000d.example", port: 1 }],
    ["a name with a line break", { target: "c.example\r\nx", port: 1 }],
    ["a URL", { target: "user@c.example/", port: 1 }],
    ["an IPv6 address", { target: "[2001:db8::1]", port: 1 }],
    ...brokenLabels,
  ])("%s, and keeps the good record", async (_, garbage) => {
    set([garbage, { target: "b.example", port: 1 }]);
    const answer = await lookup();
    expect(answer.kind === "found" && answer.records.map(({ hostname }) => hostname)).toEqual(["b.example"]);
    if (garbage.target === ".") return;
    set([garbage]);
    expect(await lookup()).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("no usable record among 1"),
      cause: expect.any(Error),
    });
  });

  const good = { name: "b.example", port: 1, priority: 0, weight: 0 };
  it.each([
    undefined,
    null,
    "b.example",
    {},
    { ...good, name: 7 },
    { ...good, port: "8448" },
    { ...good, port: 1.5 },
    { ...good, port: 65_536 },
    { ...good, port: -1 },
    { ...good, port: Number.NaN },
    { ...good, priority: -1 },
    { ...good, priority: undefined },
    { ...good, weight: Number.POSITIVE_INFINITY },
    { ...good, weight: 0.5 },
  ])("what is no record: %j", async (garbage) => {
    expect(await lookup(answering(() => [garbage]))).toMatchObject({ kind: "failed" });
    expect(await lookup(answering(() => [garbage, good]))).toMatchObject({ records: [{ hostname: "b.example" }] });
  });

  it("garbage without taking it for a refusal", async () => {
    set([
      { target: ".", port: 0 },
      { target: "192.0.2.1", port: 25 },
    ]);
    expect(await lookup()).toMatchObject({
      kind: "failed",
      reason: 'no usable record among 2, such as "192.0.2.1" port 25',
    });
  });
});

describe("lookupSrv tells apart", () => {
  it("a service that is decidedly not offered", async () => {
    const refused = { kind: "refused", reason: 'the service is not offered (the target is ".")' };
    set([{ target: ".", port: 0 }]);
    expect(await lookup()).toEqual(refused);
    expect(await lookup(answering(() => [{ name: ".", port: 0, priority: 0, weight: 0 }]))).toEqual(refused);
  });

  it("a name that is none", async () => {
    set(NXDOMAIN);
    expect(await lookup()).toEqual({ kind: "absent", reason: "ENOTFOUND" });
  });

  it("a name without such records", async () => {
    set([]);
    expect(await lookup()).toEqual({ kind: "absent", reason: "ENODATA" });
    expect(await lookup(answering(() => []))).toEqual({ kind: "absent", reason: "ENODATA" });
  });

  it("a CNAME to a name without such records", async () => {
    server.set("_matrix-fed._tcp.a.example", "CNAME", ["b.example"]);
    server.set("b.example", "A", ["192.0.2.1"]);
    expect(await lookup()).toEqual({ kind: "absent", reason: "ENODATA" });
  });

  it("a name that is too long to have such records, without asking", async () => {
    const label = "a".repeat(59);
    const hostname = `${label}.${label}.${label}.${label}`;
    server.set(hostname, "A", ["192.0.2.1"]);
    expect(await server.dns.resolve4(hostname, { ttl: true })).toHaveLength(1);
    const answer = await lookupSrv(server.dns, "_matrix-fed", `${hostname}.`, signal);
    expect(answer).toEqual({ kind: "absent", reason: "longer than 253 characters" });
    const longest = hostname.slice(17 - 253);
    expect(await lookupSrv(server.dns, "_matrix-fed", longest, signal)).toMatchObject({ reason: "ENOTFOUND" });
    expect(server.asked).toEqual([`A ${hostname}`, `SRV _matrix-fed._tcp.${longest}`]);
  });

  it.each([
    ["a server that fails", "ESERVFAIL", SERVFAIL],
    ["a server that refuses", "EREFUSED", REFUSED],
    ["a server that is silent", "ETIMEOUT", "silence"],
    ["a server that cannot read the query", "EFORMERR", { rcode: 1 }],
  ] as const)("%s, which is no absence: %s", async (_, code, reply) => {
    set(reply);
    expect(await lookup()).toMatchObject({ kind: "failed", reason: code, cause: { code } });
  });

  it("a server that is not there, which is no absence", async () => {
    const gone = await createDnsServer();
    await gone.close();
    expect(await lookup(gone.dns)).toMatchObject({ kind: "failed", reason: "ECONNREFUSED" });
  });

  it.each([
    ["rejects with no error", () => Promise.reject("no")],
    [
      "throws at once",
      () => {
        throw new Error("no");
      },
    ],
  ])("a DNS of the caller's that %s", async (_, resolveSrv) => {
    expect(await lookup(answering(resolveSrv))).toMatchObject({ kind: "failed", reason: "no" });
  });

  it.each([undefined, null, "b.example", { length: 1 }])("an answer that is no list: %j", async (answer) => {
    const reason = "resolveSrv gave no list of records";
    expect(await lookup(answering(() => answer))).toMatchObject({ kind: "failed", reason });
  });
});

describe("lookupSrv ends", () => {
  it("after five seconds, whatever the DNS does", async () => {
    vi.useFakeTimers();
    const answer = lookup(answering(() => new Promise(() => {})));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await answer).toMatchObject({ kind: "failed", reason: "no answer within 5000 ms" });
  });

  it("with the signal's reason, before and during the query", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    set(() => {
      controller.abort(reason);
      return "silence";
    });
    await expect(lookupSrv(server.dns, "_matrix-fed", "a.example", controller.signal)).rejects.toBe(reason);
    const asked = server.asked.length;
    await expect(lookupSrv(server.dns, "_matrix-fed", "a.example", controller.signal)).rejects.toBe(reason);
    expect(server.asked).toHaveLength(asked);
  });
});
