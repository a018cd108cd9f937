import { promises } from "node:dns";
import { afterEach, describe, expect, it, vi } from "vitest";
import { lookupAddresses } from "../../src/resolve/addresses.js";
import { createSystemDns, type Dns } from "../../src/resolve/dns.js";
import { scriptedDns } from "./world.js";

const { signal } = new AbortController();
const lookup = (dns: Dns, hostname = "a.example") => lookupAddresses(dns, hostname, signal);

afterEach(() => {
  vi.useRealTimers();
});

describe("lookupAddresses", () => {
  it("gives both families in turn, IPv6 first", async () => {
    const a = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    const answer = await lookup(scriptedDns({ "a.example": { a, aaaa: ["2001:db8::1"], ttl: 60 } }));
    expect(answer).toEqual({
      kind: "found",
      lifetimeMs: 60_000,
      addresses: [
        { address: "2001:db8::1", family: 6 },
        { address: "192.0.2.1", family: 4 },
        { address: "192.0.2.2", family: 4 },
        { address: "192.0.2.3", family: 4 },
      ],
    });
  });

  it.each([
    [0, 30_000],
    [90, 90_000],
    [604_800, 3_600_000],
  ])("keeps a TTL of %i s for %i ms", async (ttl, lifetimeMs) => {
    expect(await lookup(scriptedDns({ "a.example": { a: ["192.0.2.1"], ttl } }))).toMatchObject({ lifetimeMs });
  });

  it("is content with one family, but not for long when the other one failed", async () => {
    const dns = scriptedDns({ "a.example": { a: "ESERVFAIL", aaaa: ["2001:db8::1"] } });
    expect(await lookup(dns)).toMatchObject({ addresses: [{ address: "2001:db8::1" }], lifetimeMs: 30_000 });
  });

  it("does not wait for ever for one family", async () => {
    vi.useFakeTimers();
    const dns: Dns = { ...scriptedDns({ "a.example": { a: ["192.0.2.1"] } }), resolve6: () => new Promise(() => {}) };
    const answer = lookup(dns);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await answer).toMatchObject({ addresses: [{ address: "192.0.2.1" }] });
  });

  it("takes no more than eight addresses of a family", async () => {
    const a = Array.from({ length: 100 }, (_, at) => `192.0.2.${at}`);
    const answer = await lookup(scriptedDns({ "a.example": { a } }));
    expect(answer.kind === "found" && answer.addresses).toHaveLength(8);
  });

  it("tells a name without addresses from a DNS that does not know", async () => {
    const none = scriptedDns({ "a.example": { a: [] } });
    const broken = scriptedDns({ "a.example": { a: "ESERVFAIL", aaaa: "ECONNREFUSED" } });
    expect(await lookup(none)).toMatchObject({ kind: "absent", reason: "A ENODATA, AAAA ENODATA" });
    expect(await lookup(broken)).toMatchObject({ kind: "failed", reason: "A ESERVFAIL, AAAA ECONNREFUSED" });
  });

  it("asks the system only where the records gave nothing", async () => {
    const system = vi.fn(async () => [
      { address: "127.0.0.1", family: 4 },
      { address: "::1", family: 6 },
    ]);
    const dns: Dns = { ...scriptedDns({ "a.example": { a: ["192.0.2.1"] } }), lookup: system };
    await lookup(dns);
    expect(system).not.toHaveBeenCalled();
    expect(await lookup(dns, "b.example")).toEqual({
      kind: "found",
      lifetimeMs: 30_000,
      addresses: [
        { address: "::1", family: 6 },
        { address: "127.0.0.1", family: 4 },
      ],
    });
  });

  it("tells that the system did not know either", async () => {
    const dns: Dns = {
      ...scriptedDns({}),
      lookup: () => Promise.reject(Object.assign(new Error("getaddrinfo"), { code: "EAI_AGAIN" })),
    };
    expect(await lookup(dns)).toMatchObject({ reason: "A ENOTFOUND, AAAA ENOTFOUND, system lookup EAI_AGAIN" });
  });
});

it("finds localhost on this machine", async () => {
  const answer = await lookup(createSystemDns(), "localhost");
  expect(answer.kind === "found" && answer.addresses.map(({ address }) => address)).toContain("127.0.0.1");
});

it("takes Node's own resolver", () => {
  const resolver: Dns = new promises.Resolver();
  expect(resolver.resolve4).toBeTypeOf("function");
});
