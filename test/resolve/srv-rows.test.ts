import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NXDOMAIN, SERVFAIL } from "./dns-server.js";
import { DnsWorld, fakeClock } from "./world.js";

const FED = "SRV _matrix-fed._tcp.a.example";
const OLD = "SRV _matrix._tcp.a.example";

let world: DnsWorld;
beforeEach(async () => {
  // Patient enough for a loaded machine, and hasty enough for tests in which DNS is silent.
  world = await DnsWorld.create(1_000);
  world.records({ "A a.example": ["192.0.2.1"] });
  await world.homeserver("192.0.2.1", 443, "a.example");
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

/** A target at an address of its own, with a server of the right certificate there. */
async function target(name: string, address: string): Promise<void> {
  world.records({ [`A ${name}`]: [address] });
  await world.homeserver(address, 4448, "a.example");
}

const srvQueries = (): string[] => world.asked.filter((query) => query.startsWith("SRV"));

/** The message without the steps' durations. */
const failure = (): Promise<string> =>
  world.ask("a.example").then(
    () => "no failure",
    (error: Error) => error.message.replace(/\d+ ms/g, "0 ms"),
  );

describe("targets are asked", () => {
  beforeEach(async () => {
    await target("b.example", "192.0.2.2");
    await target("c.example", "192.0.2.3");
    await target("d.example", "192.0.2.4");
  });

  const byPriority = [
    { target: "d.example", port: 4448, priority: 30, weight: 65_535 },
    { target: "b.example", port: 4448, priority: 10, weight: 0 },
    { target: "c.example", port: 4448, priority: 20, weight: 65_535 },
  ];

  it("in the order of their priority, whatever their weights and their order in DNS", async () => {
    world.records({ [FED]: byPriority });
    for (let calls = 0; calls < 5; calls += 1) await world.ask("a.example");
    expect(world.reached).toEqual(Array(5).fill("192.0.2.2 4448"));
  });

  it("one after the other, where those before refuse the connection", async () => {
    world.records({ [FED]: byPriority });
    world.lead("192.0.2.2", 4448);
    await world.ask("a.example");
    world.lead("192.0.2.3", 4448);
    await world.ask("a.example");
    expect(world.reached).toEqual(["192.0.2.3 4448", "192.0.2.4 4448"]);
  });

  it("also where those before have a certificate for another name", async () => {
    world.records({ [FED]: byPriority });
    await world.homeserver("192.0.2.2", 4448, "b.example");
    await world.ask("a.example");
    expect(world.reached).toEqual(["192.0.2.3 4448"]);
  });

  it.each([
    ["has no address", NXDOMAIN],
    ["has addresses that DNS does not tell", SERVFAIL],
  ])("also where the one before %s", async (_, reply) => {
    world.records({ [FED]: byPriority, "A b.example": reply, "AAAA b.example": reply });
    const { steps, targets } = await world.ask("a.example");
    expect(world.reached).toEqual(["192.0.2.3 4448"]);
    expect(targets.map(({ hostname }) => hostname)).toEqual(["c.example", "d.example"]);
    expect(steps).toContainEqual(expect.objectContaining({ step: "address", query: "b.example" }));
  });

  it("by their weights inside one priority, drawn for each connection", async () => {
    const weights = [
      { target: "b.example", port: 4448, priority: 10, weight: 1 },
      { target: "c.example", port: 4448, priority: 10, weight: 99 },
    ];
    world.records({ [FED]: weights });
    const random = vi.spyOn(Math, "random");
    const { resolver } = await world.client();
    for (const drawn of [0, 0.5, 0.98, 0.995]) {
      random.mockReturnValue(drawn);
      // A new client, and so a new connection, for which the same answer is drawn anew.
      await world.ask("a.example");
    }
    expect(world.reached.map((at) => at.slice(0, 9))).toEqual(["192.0.2.3", "192.0.2.3", "192.0.2.3", "192.0.2.2"]);
    expect((await resolver.resolve("a.example")).targets).toMatchObject([
      { hostname: "c.example", port: 4448, priority: 10, weight: 99 },
      { hostname: "b.example", port: 4448, priority: 10, weight: 1 },
    ]);
  });

  it("all of them, and the error tells of each", async () => {
    world.records({ [FED]: byPriority });
    world.lead("192.0.2.2", 4448);
    world.lead("192.0.2.4", 4448);
    await world.homeserver("192.0.2.3", 4448, "c.example");
    const error: unknown = await world.ask("a.example").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "ERR_TLS" });
    expect((error as { cause: { tries: unknown } }).cause.tries).toMatchObject([
      { stage: "reach", error: { code: "ECONNREFUSED" } },
      { stage: "tls", error: { code: "ERR_TLS_CERT_ALTNAME_INVALID" } },
      { stage: "reach", error: { code: "ECONNREFUSED" } },
    ]);
    expect(world.reached).toEqual([]);
  });

  it("and are an error of the name where none has an address; its own address is no way out", async () => {
    await world.homeserver("192.0.2.1", 8448, "a.example");
    const gone = [
      { target: "x.example", port: 4448 },
      { target: "y.example", port: 4448, weight: 1 },
    ];
    world.records({ [FED]: gone });
    const message = await failure();
    expect(message).toContain(
      'step address found no address for "y.example", "x.example" (A ENOTFOUND, AAAA ENOTFOUND)',
    );
    expect(message).toContain("Step: srv _matrix-fed._tcp.a.example -> y.example port 4448 (priority 0, weight 1), x.");
    expect(world.reached).toEqual([]);
  });

  it("at their IPv6 addresses, where they have no others", async () => {
    world.records({ [FED]: [{ target: "six.example", port: 4448 }], "AAAA six.example": ["2001:db8::6"] });
    await world.homeserver("2001:db8::6", 4448, "a.example");
    await world.ask("a.example");
    expect(world.reached).toEqual(["2001:db8::6 4448"]);
  });

  it("for an hour at most, however long the TTLs are: Node does not tell that of SRV records", async () => {
    await target("b.example", "192.0.2.2");
    world.records({
      [FED]: { records: [{ target: "b.example", port: 4448 }], ttl: 86_400 },
      "A b.example": { records: ["192.0.2.2"], ttl: 86_400 },
    });
    const before = Date.now();
    const { expiresAt } = await (await world.client()).resolver.resolve("a.example");
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 3_600_000);
    expect(expiresAt).toBeGreaterThan(before + 30_000);
  });

  it("no more than sixteen of them, which is as many as are looked up", async () => {
    world.records({
      [FED]: Array.from({ length: 60 }, (_, at) => ({ target: `t${at}.example`, port: 4448, priority: 60 - at })),
    });
    for (let at = 0; at < 60; at += 1) world.records({ [`A t${at}.example`]: [`198.51.100.${at}`] });
    await world.homeserver("198.51.100.59", 4448, "a.example");
    const { targets } = await world.ask("a.example");
    expect(targets.map(({ hostname }) => hostname)).toEqual(
      Array.from({ length: 16 }, (_, at) => `t${59 - at}.example`),
    );
    const lookedUp = world.zone.asked.filter((query) => query.startsWith("A t"));
    expect(lookedUp).toHaveLength(16);
  });
});

describe("the target . says that there is no server:", () => {
  it.each([
    ["of _matrix-fed, and _matrix is not asked", FED, [FED]],
    ["of _matrix, where there is no _matrix-fed", OLD, [FED, OLD]],
  ])("%s", async (_, query, asked) => {
    await target("b.example", "192.0.2.2");
    await world.homeserver("192.0.2.1", 8448, "a.example");
    world.records({ [OLD]: [{ target: "b.example", port: 4448 }], [query]: [{ target: ".", port: 0 }] });
    const message = await failure();
    expect(message).toContain(
      'step srv found the SRV record of "a.example" says that no server is offered there. Check the record: its target is ".".',
    );
    expect(message).toContain(`${query.slice(4)} -> the service is not offered (the target is ".")`);
    expect(srvQueries()).toEqual(asked);
    expect(world.reached).toEqual([]);
  });
});

describe("an error of DNS is no absence (synapse#6589, #5882, #9526: a server with an address was not reached)", () => {
  beforeEach(async () => {
    await target("b.example", "192.0.2.2");
    await target("c.example", "192.0.2.3");
    await world.homeserver("192.0.2.1", 8448, "a.example");
  });

  it.each([
    ["SERVFAIL", SERVFAIL],
    ["silence", "silence"],
  ] as const)("%s of _matrix-fed leads to 8448 and not to _matrix, and not for long", async (_, reply) => {
    world.records({ [FED]: reply, [OLD]: [{ target: "b.example", port: 4448 }] });
    const { steps, expiresAt } = await world.ask("a.example");
    expect(world.reached).toEqual(["192.0.2.1 8448"]);
    expect(srvQueries()).toEqual([FED]);
    expect(steps[1]).toMatchObject({ step: "srv", result: reply === "silence" ? "ETIMEOUT" : "ESERVFAIL" });
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 30_000);
  });

  it.each([
    ["SERVFAIL", SERVFAIL],
    ["silence", "silence"],
  ] as const)("%s of _matrix, where there is no _matrix-fed, leads to 8448, and not for long", async (_, reply) => {
    world.records({ [OLD]: reply });
    const { expiresAt } = await world.ask("a.example");
    expect(world.reached).toEqual(["192.0.2.1 8448"]);
    expect(srvQueries()).toEqual([FED, OLD]);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 30_000);
  });

  it("the records of before are used meanwhile, for a day at most", async () => {
    fakeClock();
    world.records({ [FED]: [{ target: "b.example", port: 4448 }] });
    const client = await world.client();
    await world.ask("a.example", client);
    world.records({ [FED]: SERVFAIL, [OLD]: [{ target: "c.example", port: 4448 }] });
    vi.advanceTimersByTime(3_600_001);
    const { steps, expiresAt } = await world.ask("a.example", client);
    expect(steps[1]?.result).toBe("ESERVFAIL; still using the records of before");
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 30_000);
    vi.advanceTimersByTime(86_400_000);
    await world.ask("a.example", client);
    expect(world.reached).toEqual(["192.0.2.2 4448", "192.0.2.2 4448", "192.0.2.1 8448"]);
  });

  it("the records of before are not used once DNS says that there are none", async () => {
    fakeClock();
    world.records({ [FED]: [{ target: "b.example", port: 4448 }] });
    const client = await world.client();
    await world.ask("a.example", client);
    for (const reply of [[], SERVFAIL] as const) {
      world.records({ [FED]: reply });
      vi.advanceTimersByTime(3_600_001);
      await world.ask("a.example", client);
    }
    expect(world.reached).toEqual(["192.0.2.2 4448", "192.0.2.1 8448", "192.0.2.1 8448"]);
  });

  it("the records of _matrix are used again as well, where _matrix-fed is still absent", async () => {
    fakeClock();
    world.records({ [OLD]: [{ target: "b.example", port: 4448 }] });
    const client = await world.client();
    await world.ask("a.example", client);
    world.records({ [OLD]: SERVFAIL });
    vi.advanceTimersByTime(3_600_001);
    await world.ask("a.example", client);
    expect(world.reached).toEqual(["192.0.2.2 4448", "192.0.2.2 4448"]);
  });

  it.each([
    ["of the name", "a.example"],
    ["of the host that it delegates to", "m.example"],
  ])("the records of before are forgotten when the name is cleared, also those %s", async (_, name) => {
    const query = `SRV _matrix-fed._tcp.${name}`;
    if (name === "m.example") await world.homeserver("192.0.2.1", 443, "a.example", name);
    world.records({ [query]: [{ target: "b.example", port: 4448 }], "A m.example": ["192.0.2.4"] });
    const { resolver } = await world.client();
    expect((await resolver.resolve("a.example")).targets).toMatchObject([{ hostname: "b.example" }]);
    world.records({ [query]: SERVFAIL });
    resolver.clear("a.example");
    expect((await resolver.resolve("a.example")).targets).toMatchObject([{ hostname: name, port: 8448 }]);
  });

  it("records that are no use are no absence either", async () => {
    world.records({ [FED]: [{ target: "192.0.2.2", port: 4448 }], [OLD]: [{ target: "b.example", port: 4448 }] });
    await world.ask("a.example");
    expect(world.reached).toEqual(["192.0.2.1 8448"]);
    expect(srvQueries()).toEqual([FED]);
  });
});

describe("_matrix is asked", () => {
  beforeEach(() => target("b.example", "192.0.2.2"));

  it.each([
    ["does not exist", NXDOMAIN],
    ["exists without such records", []],
  ] as const)("where _matrix-fed %s", async (_, reply) => {
    world.records({ [FED]: reply, [OLD]: [{ target: "b.example", port: 4448 }] });
    await world.ask("a.example");
    expect(srvQueries()).toEqual([FED, OLD]);
    expect(world.reached).toEqual(["192.0.2.2 4448"]);
  });

  it("not where there is a _matrix-fed, even one that leads nowhere", async () => {
    world.records({ [FED]: [{ target: "b.example", port: 4449 }], [OLD]: [{ target: "b.example", port: 4448 }] });
    world.lead("192.0.2.2", 4449);
    await expect(world.ask("a.example")).rejects.toMatchObject({ code: "ERR_CONNECT" });
    expect(srvQueries()).toEqual([FED]);
    expect(world.reached).toEqual([]);
  });
});
