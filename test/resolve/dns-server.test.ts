import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDnsServer, type DnsServer, NXDOMAIN, REFUSED, SERVFAIL } from "./dns-server.js";

let server: DnsServer;
const resolve4 = (name: string) => server.dns.resolve4(name, { ttl: true });
const resolve6 = (name: string) => server.dns.resolve6(name, { ttl: true });

beforeEach(async () => {
  server = await createDnsServer();
});

afterEach(() => server.close());

describe("the DNS server of the tests", () => {
  it("gives addresses with their TTL", async () => {
    server.set("a.example", "A", { records: ["192.0.2.1", "192.0.2.2"], ttl: 77 });
    server.set("a.example", "AAAA", { records: ["2001:db8::1", "::1"], ttl: 0 });
    expect(await resolve4("a.example")).toEqual([
      { address: "192.0.2.1", ttl: 77 },
      { address: "192.0.2.2", ttl: 77 },
    ]);
    expect(await resolve6("a.example")).toEqual([
      { address: "2001:db8::1", ttl: 0 },
      { address: "::1", ttl: 0 },
    ]);
  });

  it("keeps what it was asked, in order", async () => {
    server.set("a.example", "A", ["192.0.2.1"]);
    await resolve4("a.example");
    await resolve6("a.example").catch(() => {});
    await server.dns.resolveSrv("_matrix-fed._tcp.a.example").catch(() => {});
    expect(server.asked).toEqual(["A a.example", "AAAA a.example", "SRV _matrix-fed._tcp.a.example"]);
  });

  it("finds names in any case and with a final dot", async () => {
    server.set("A.example", "A", ["192.0.2.1"]);
    expect(await resolve4("a.EXAMPLE.")).toEqual([{ address: "192.0.2.1", ttl: 300 }]);
  });

  it("follows a chain of CNAMEs, whose shortest TTL counts", async () => {
    server.set("a.example", "CNAME", { records: ["b.example"], ttl: 50 });
    server.set("b.example", "CNAME", { records: ["c.example"], ttl: 20 });
    server.set("c.example", "A", { records: ["192.0.2.1"], ttl: 90 });
    expect(await resolve4("a.example")).toEqual([{ address: "192.0.2.1", ttl: 20 }]);
    expect(server.asked).toEqual(["A a.example"]);
  });

  it("answers a CNAME that leads to nothing of the type with the CNAME alone, of which Node makes an empty list", async () => {
    server.set("a.example", "CNAME", ["six.example"]);
    server.set("six.example", "AAAA", ["2001:db8::1"]);
    server.set("circle.example", "CNAME", ["circle.example"]);
    expect(await resolve4("a.example")).toEqual([]);
    expect(await resolve4("circle.example")).toEqual([]);
  });

  it.each([
    ["a name that it does not know", "ENOTFOUND", "nowhere.example"],
    ["a CNAME that points to no name", "ENOTFOUND", "cname.example"],
    ["a name that has only other types", "ENODATA", "six.example"],
    ["a name whose list is empty", "ENODATA", "empty.example"],
    ["a name said to be none", "ENOTFOUND", "none.example"],
    ["a failure of the server", "ESERVFAIL", "broken.example"],
    ["a refusal", "EREFUSED", "refused.example"],
    ["silence", "ETIMEOUT", "silent.example"],
  ])("makes of %s: %s", async (_, code, name) => {
    server.set("cname.example", "CNAME", ["nowhere.example"]);
    server.set("six.example", "AAAA", ["2001:db8::1"]);
    server.set("empty.example", "A", []);
    server.set("none.example", "A", NXDOMAIN);
    server.set("broken.example", "A", SERVFAIL);
    server.set("refused.example", "A", REFUSED);
    server.set("silent.example", "A", "silence");
    await expect(resolve4(name)).rejects.toMatchObject({ code });
  });

  it("gives SRV records, each as it is", async () => {
    server.set("_x._tcp.a.example", "SRV", [
      { target: "one.example", port: 1, priority: 10, weight: 60 },
      { target: "two.example", port: 65535 },
    ]);
    // Node 24 says the record's type as well.
    expect(await server.dns.resolveSrv("_x._tcp.a.example")).toMatchObject([
      { name: "one.example", port: 1, priority: 10, weight: 60 },
      { name: "two.example", port: 65535, priority: 0, weight: 0 },
    ]);
  });

  it("gives the root as a target, which Node tells as an empty name", async () => {
    server.set("_x._tcp.a.example", "SRV", [{ target: ".", port: 0 }]);
    expect(await server.dns.resolveSrv("_x._tcp.a.example")).toMatchObject([{ name: "" }]);
  });

  it("gives answers that are too long for a datagram over TCP", async () => {
    const records = Array.from({ length: 100 }, (_, at) => ({ target: `host-${at}.a.example`, port: 8448 }));
    server.set("_x._tcp.a.example", "SRV", records);
    expect(await server.dns.resolveSrv("_x._tcp.a.example")).toHaveLength(100);
  });

  it("calls a function for each query, for nothing in between remembers an answer", async () => {
    const replies = [["192.0.2.1"], ["192.0.2.2"], SERVFAIL];
    server.set("a.example", "A", async () => replies.shift() ?? "silence");
    expect(await resolve4("a.example")).toMatchObject([{ address: "192.0.2.1" }]);
    expect(await resolve4("a.example")).toMatchObject([{ address: "192.0.2.2" }]);
    await expect(resolve4("a.example")).rejects.toMatchObject({ code: "ESERVFAIL" });
  });

  it("ends the queries that are under way when it closes, and is gone afterwards", async () => {
    const closed = await createDnsServer();
    let arrived = (): void => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    closed.set("a.example", "A", () => {
      arrived();
      return "silence";
    });
    const query = expect(closed.dns.resolve4("a.example", { ttl: true })).rejects.toMatchObject({ code: "ECANCELLED" });
    await arrival;
    await closed.close();
    await query;
    await expect(closed.dns.resolve4("a.example", { ttl: true })).rejects.toThrow();
  });
});
