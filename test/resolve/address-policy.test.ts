import type { RequestListener } from "node:http";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AddressQuestion } from "../../src/connect/address-policy.js";
import type { Client, ClientOptions } from "../../src/index.js";
import { DnsWorld } from "./world.js";

let world: DnsWorld;
/** The port on 127.0.0.1 of a server that must not be connected to; its certificate is for `inside.example`. */
let port: number;
beforeEach(async () => {
  world = await DnsWorld.create();
  port = await world.homeserver("192.0.2.99", 1, "inside.example", "inside.example:1");
  world.records({ "A inside.example": ["127.0.0.1"], "A a.example": ["192.0.2.1"] });
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

/**
 * A client for which the ports 443 and 8448 of 127.0.0.1 are the server's. What only changes a port is no address that
 * was put in the place of another, so the policy is asked.
 */
const client = (options: ClientOptions = {}): Promise<Client> =>
  world.client({
    connectTo: (to) => {
      if (/^(::ffff:)?(127\.|7f00:)/.test(to.address)) return { address: to.address, port };
      return world.connectTo(to);
    },
    ...options,
  });

const connections = (): number => world.connections.get(port) ?? 0;

/** Asks a server which must not be reached, and gives the attempts' errors. */
async function refusals(serverName: string, asker?: Client): Promise<unknown[]> {
  const result = await (asker ?? (await client())).safe.version(serverName, { rounds: 1 });
  expect(result.ok).toBe(false);
  expect(connections()).toBe(0);
  return result.ok ? [] : result.attempts.map(({ error }) => error);
}

const refused = (address: string): unknown =>
  expect.objectContaining({
    code: "ERR_ADDRESS_REFUSED",
    requestSent: false,
    cause: expect.objectContaining({ stage: "policy", message: expect.stringContaining(address) }),
  });

describe("a server name is refused without a connection", () => {
  it.each([
    ["that resolves to loopback", { "A in.example": ["127.0.0.1"] }, "127.0.0.1 is not public"],
    ["that resolves to all of 127.0.0.0/8", { "A in.example": ["127.1.2.3"] }, "127.1.2.3 is not public"],
    ["behind a CNAME", { "CNAME in.example": ["inside.example"] }, "127.0.0.1 is not public"],
    [
      "with an AAAA record that is an IPv4 address",
      { "AAAA in.example": ["::ffff:7f00:1"] },
      "::ffff:7f00:1 is not public",
    ],
    ["with an AAAA record of loopback", { "AAAA in.example": ["::1"] }, "::1 is not public"],
    [
      "whose addresses are all private",
      { "A in.example": ["10.0.0.1", "127.0.0.1"], "AAAA in.example": ["fd00::1"] },
      "10.0.0.1 is not public",
    ],
  ])("%s", async (_, zone, why) => {
    world.records(zone);
    expect(await refusals(`in.example:${port}`)).toEqual([refused(why)]);
  });

  it.each([
    ["127.0.0.1", "127.0.0.1 is not public"],
    ["[::1]", "::1 is not public"],
    ["[::ffff:127.0.0.1]", "::ffff:7f00:1 is not public"],
    ["169.254.169.254", "169.254.169.254 is not public"],
  ])("that is an address itself: %s", async (address, why) => {
    expect(await refusals(`${address}:${port}`)).toEqual([refused(why)]);
    expect(await refusals(address)).toEqual([refused(why)]);
  });

  it("that leads to itself for want of anything else", async () => {
    expect(await refusals("inside.example")).toEqual([refused("127.0.0.1")]);
  });

  it.each([
    ["a name that resolves to a private address", (to: number) => `inside.example:${to}`],
    ["a private address", (to: number) => `127.0.0.1:${to}`],
    ["a name whose SRV target has a private address", () => "m.example"],
  ])("to which .well-known delegates: %s", async (_, delegated) => {
    world.records({ "SRV _matrix-fed._tcp.m.example": [{ target: "inside.example", port }] });
    await world.homeserver("192.0.2.1", 443, "a.example", delegated(port));
    expect(await refusals("a.example")).toEqual([refused("127.0.0.1")]);
    expect(world.seen).toHaveLength(1);
  });

  it("whose SRV target has a private address, though the name's own is public", async () => {
    world.records({ "SRV _matrix-fed._tcp.a.example": [{ target: "inside.example", port }] });
    await world.homeserver("192.0.2.1", 443, "a.example");
    await world.homeserver("192.0.2.1", 8448, "a.example");
    expect(await refusals("a.example")).toEqual([refused("127.0.0.1")]);
    expect(world.reached).toEqual([]);
  });
});

it("goes past private addresses to a public one, of a name and of SRV targets", async () => {
  world.records({
    "A both.example": ["127.0.0.1", "192.0.2.2", "10.0.0.1"],
    "SRV _matrix-fed._tcp.a.example": [
      { target: "inside.example", port, priority: 1 },
      { target: "both.example", port: 4448, priority: 2 },
    ],
  });
  await world.homeserver("192.0.2.2", 4448, "both.example");
  const asker = await client();
  await world.ask("both.example:4448", asker);
  await world.homeserver("192.0.2.2", 4448, "a.example");
  await world.ask("a.example", asker);
  expect(world.reached).toEqual(["192.0.2.2 4448", "192.0.2.2 4448"]);
  expect(connections()).toBe(0);
});

describe(".well-known is not asked", () => {
  /** What the trace says of the step. */
  async function wellKnownResult(serverName: string): Promise<string | undefined> {
    const { resolver } = await client();
    const { steps } = await resolver.resolve(serverName);
    expect(connections()).toBe(0);
    return steps.find(({ step }) => step === "wellKnown")?.result;
  }

  const why = /^127\.0\.0\.1 is not public/;

  it("at a name that resolves to a private address (peers' clients for .well-known knew no policy)", async () => {
    expect(await wellKnownResult("inside.example")).toMatch(why);
  });

  it.each([
    ["a name that resolves to a private address", () => "https://inside.example/"],
    ["that name and a port", () => `https://inside.example:${port}/`],
    ["a private address", () => `https://127.0.0.1:${port}/`],
    ["a private address in disguise", () => `https://2130706433:${port}/`],
    ["another disguise", () => `https://0x7f.1:${port}/`],
    ["localhost, which DNS may know", () => `https://localhost:${port}/`],
  ])(
    "at %s that it redirects to (synapse#5273: redirects were used to reach private networks)",
    async (_, location) => {
      const redirect: RequestListener = (_request, response) => response.writeHead(308, { location: location() }).end();
      await world.wellKnown("a.example", "192.0.2.1", redirect);
      world.records({ "A localhost": ["127.0.0.1"] });
      expect(await wellKnownResult("a.example")).toMatch(why);
    },
  );

  it("at an IPv4-mapped address that it redirects to", async () => {
    const location = `https://[::ffff:127.0.0.1]:${port}/`;
    await world.wellKnown("a.example", "192.0.2.1", (_, response) => response.writeHead(302, { location }).end());
    expect(await wellKnownResult("a.example")).toContain("::ffff:7f00:1 is not public");
  });

  it("at a private address behind a second redirect", async () => {
    await world.wellKnown("a.example", "192.0.2.1", (_, response) =>
      response.writeHead(302, { location: "https://b.example/" }).end(),
    );
    await world.wellKnown("b.example", "192.0.2.2", (_, response) =>
      response.writeHead(302, { location: `https://inside.example:${port}/` }).end(),
    );
    expect(await wellKnownResult("a.example")).toMatch(why);
  });
});

describe("a name whose addresses change", () => {
  /** Answers the first query with one address and all later ones with the other. */
  const first = (one: string, other: string) => {
    let queries = 0;
    return () => [queries++ === 0 ? one : other];
  };

  it("is looked up once for all that one resolution does, so that the address in use is the one that was judged", async () => {
    world.records({ "A a.example": first("192.0.2.1", "127.0.0.1") });
    await world.homeserver("192.0.2.1", 443, "a.example");
    await world.homeserver("192.0.2.1", 8448, "a.example");
    await world.ask("a.example", await client());
    expect(world.reached).toEqual(["192.0.2.1 8448"]);
    expect(world.zone.asked.filter((query) => query === "A a.example")).toHaveLength(1);
    expect(connections()).toBe(0);
  });

  it("from public to private is refused once its TTL is over", async () => {
    vi.useFakeTimers({ toFake: ["performance", "Date"] });
    vi.advanceTimersByTime(1);
    world.records({ "A a.example": first("192.0.2.1", "127.0.0.1") });
    await world.homeserver("192.0.2.1", port, "a.example");
    const asker = await client();
    await world.ask(`a.example:${port}`, asker);
    vi.advanceTimersByTime(301_000);
    expect(await refusals(`a.example:${port}`, asker)).toEqual([refused("127.0.0.1")]);
  });

  it("from public to private is refused when it is resolved afresh because nobody answers any more", async () => {
    world.records({ "A a.example": first("192.0.2.1", "127.0.0.1") });
    await world.serve("192.0.2.1", port, "a.example", (_, response) =>
      response.setHeader("connection", "close").end('{"server":{}}'),
    );
    const asker = await client();
    await world.ask(`a.example:${port}`, asker);
    world.lead("192.0.2.1", port);
    expect(await refusals(`a.example:${port}`, asker)).toEqual([refused("127.0.0.1")]);
  });

  it("from private to public is refused, and reached with the next request", async () => {
    world.records({ "A a.example": first("127.0.0.1", "192.0.2.1") });
    await world.homeserver("192.0.2.1", port, "a.example");
    const asker = await client();
    expect(await refusals(`a.example:${port}`, asker)).toEqual([refused("127.0.0.1")]);
    await world.ask(`a.example:${port}`, asker);
    expect(world.reached).toEqual([`192.0.2.1 ${port}`]);
    expect(connections()).toBe(0);
  });

  it("is not asked for .well-known again when they have become private; its delegation is used on", async () => {
    vi.useFakeTimers({ toFake: ["performance", "Date"] });
    vi.advanceTimersByTime(1);
    // No jitter: the answer lives for a day, and is used for two hours more while the host fails.
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    world.records({ "A a.example": first("192.0.2.1", "127.0.0.1"), "A m.example": ["192.0.2.2"] });
    await world.homeserver("192.0.2.1", 443, "a.example", "m.example:4448");
    await world.homeserver("192.0.2.2", 4448, "m.example");
    const asker = await client();
    await world.ask("a.example", asker);
    vi.advanceTimersByTime(25 * 3_600_000);
    const { steps } = await world.ask("a.example", asker);
    expect(steps[0]?.result).toMatch(/^127\.0\.0\.1 is not public .*; still using m\.example:4448$/);
    expect(connections()).toBe(0);
  });
});

describe("the option allowAddress", () => {
  it.each([[["127.0.0.1"]], [["::/0", "127.0.0.0/8"]]])(
    "opens what it lists, everywhere alike: %j",
    async (allowAddress) => {
      await world.wellKnown("a.example", "192.0.2.1", (_, response) =>
        response.writeHead(302, { location: "https://inside.example/.well-known/matrix/server" }).end(),
      );
      const asker = await client({ allowAddress });
      expect((await world.ask("inside.example", asker)).host).toBe("inside.example:1");
      expect((await world.ask("a.example", asker)).host).toBe("inside.example:1");
      expect(world.seen.map(({ path }) => path.split("/")[1])).toEqual([
        ".well-known",
        "_matrix",
        ".well-known",
        "_matrix",
      ]);
    },
  );

  it("opens nothing beside what it lists", async () => {
    const asker = await client({ allowAddress: ["127.0.0.2", "10.0.0.0/8", "::ffff:127.0.0.1"] });
    expect(await refusals(`inside.example:${port}`, asker)).toEqual([refused("127.0.0.1")]);
  });

  it("may be a function, which is told what it decides about", async () => {
    const questions: AddressQuestion[] = [];
    const allowAddress = (question: AddressQuestion): boolean => questions.push(question) > 0;
    await world.ask("inside.example", await client({ allowAddress }));
    const asked = { hostname: "inside.example", address: "127.0.0.1", family: 4, port, isPublic: false };
    expect(questions).toEqual([asked, asked]);
  });

  it("may be a function that refuses", async () => {
    const asker = await client({ allowAddress: ({ hostname }) => hostname !== "inside.example" });
    const errors = await refusals(`inside.example:${port}`, asker);
    expect(errors).toEqual([refused("127.0.0.1 is refused by the option allowAddress")]);
  });
});
