import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SERVFAIL } from "./dns-server.js";
import { DnsWorld, fakeClock } from "./world.js";

// What other implementations got wrong, and the threads that tell of it.

let world: DnsWorld;
const tcp: { server: Server; sockets: Set<Socket> }[] = [];
beforeEach(async () => {
  world = await DnsWorld.create();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
  for (const { server, sockets } of tcp.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A port that takes TCP connections, and does with them what it is told. */
async function tcpServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  tcp.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

describe("DNS", () => {
  it("asks both SRV names (tuwunel#157: only the new one was asked, and old servers were lost)", async () => {
    world.records({
      "A a.example": ["192.0.2.1"],
      "SRV _matrix._tcp.a.example": [{ target: "old.example", port: 4448 }],
      "A old.example": ["192.0.2.2"],
    });
    await world.homeserver("192.0.2.1", 443, "a.example");
    await world.homeserver("192.0.2.2", 4448, "a.example");
    await world.ask("a.example");
    expect(world.asked.filter((query) => query.startsWith("SRV"))).toEqual([
      "SRV _matrix-fed._tcp.a.example",
      "SRV _matrix._tcp.a.example",
    ]);
    expect(world.reached).toEqual(["192.0.2.2 4448"]);
  });

  it("reaches a server with IPv6 alone behind an SRV record (synapse#2405: such records were ignored)", async () => {
    world.records({
      "AAAA a.example": ["2001:db8::1"],
      "SRV _matrix-fed._tcp.a.example": [{ target: "six.example", port: 4448 }],
      "AAAA six.example": ["2001:db8::6"],
    });
    await world.homeserver("2001:db8::1", 443, "a.example");
    await world.homeserver("2001:db8::6", 4448, "a.example");
    await world.ask("a.example");
    expect(world.reached).toEqual(["2001:db8::6 4448"]);
  });

  it("reaches a server with IPv4 alone (synapse#2850, #12287: only IPv6 was tried)", async () => {
    world.records({ "A a.example": ["192.0.2.1"], "AAAA a.example": [] });
    await world.homeserver("192.0.2.1", 4448, "a.example");
    await world.ask("a.example:4448");
    expect(world.reached).toEqual(["192.0.2.1 4448"]);
  });

  it.each([
    ["SERVFAIL", SERVFAIL],
    ["silence", "silence"],
  ] as const)(
    "uses the A records when AAAA ends in %s (synapse#2477: the name counted as broken)",
    async (_, reply) => {
      await world.close();
      world = await DnsWorld.create(500);
      world.records({ "A a.example": ["192.0.2.1"], "AAAA a.example": reply });
      await world.homeserver("192.0.2.1", 4448, "a.example");
      await world.ask("a.example:4448");
      expect(world.reached).toEqual(["192.0.2.1 4448"]);
    },
  );

  it.each(["EBADRESP", "ECONNREFUSED"])(
    "takes %s of SRV for an error, no absence (nodejs/node#66173, #62326: Node gives it for records that exist)",
    async (code) => {
      world.records({ "A a.example": ["192.0.2.1"] });
      await world.homeserver("192.0.2.1", 443, "a.example");
      await world.homeserver("192.0.2.1", 8448, "a.example");
      const asked: string[] = [];
      const { resolve4, resolve6 } = world.zone.dns;
      const dns = {
        resolve4: resolve4.bind(world.zone.dns),
        resolve6: resolve6.bind(world.zone.dns),
        resolveSrv: async (name: string) => {
          asked.push(name);
          throw Object.assign(new Error(`querySrv ${code} ${name}`), { code });
        },
      };
      const { steps, expiresAt } = await world.ask("a.example", await world.client({ dns }));
      expect(world.reached).toEqual(["192.0.2.1 8448"]);
      expect(asked).toEqual(["_matrix-fed._tcp.a.example"]);
      expect(steps[1]?.result).toBe(code);
      expect(expiresAt).toBeLessThanOrEqual(Date.now() + 30_000);
    },
  );
});

describe("connecting", () => {
  it("tries all addresses (synapse#3016: the first one that failed was the last one)", async () => {
    world.records({ "A a.example": ["192.0.2.1", "192.0.2.2"], "AAAA a.example": ["2001:db8::1", "2001:db8::2"] });
    for (const address of ["192.0.2.1", "2001:db8::1", "2001:db8::2"]) world.lead(address, 4448);
    await world.homeserver("192.0.2.2", 4448, "a.example");
    await world.ask("a.example:4448");
    expect(world.reached).toEqual(["192.0.2.2 4448"]);
  });

  it("falls back to IPv4 where IPv6 does not work (synapse#14299: IPv6 was tried although it was off)", async () => {
    world.records({ "A a.example": ["192.0.2.1"], "AAAA a.example": ["2001:db8::1"] });
    world.lead("2001:db8::1", 443);
    world.lead("2001:db8::1", 8448);
    await world.homeserver("192.0.2.1", 443, "a.example");
    await world.homeserver("192.0.2.1", 8448, "a.example");
    const { steps } = await world.ask("a.example");
    expect(steps[0]).toMatchObject({ step: "wellKnown", result: "answered 404" });
    expect(world.reached).toEqual(["192.0.2.1 8448"]);
  });

  it("does not give up an address that is slow and good (nodejs/node#54359: each had 250 ms)", async () => {
    world.records({ "A a.example": ["192.0.2.1", "192.0.2.2"] });
    const fast = await world.homeserver("192.0.2.1", 4448, "a.example");
    // The handshake takes longer than the time after which the next address is tried, which refuses.
    const slow = await tcpServer((socket) => {
      socket.pause();
      setTimeout(() => {
        const through = dial(fast, "127.0.0.1").on("error", () => socket.destroy());
        socket.pipe(through).pipe(socket);
      }, 500);
    });
    world.lead("192.0.2.1", 4448, slow);
    world.lead("192.0.2.2", 4448);
    await world.ask("a.example:4448");
    expect(world.reached).toEqual(["192.0.2.1 4448"]);
  });

  it("tells of every address that failed (nodejs/node#54359: AggregateError said nothing)", async () => {
    world.records({ "A a.example": ["192.0.2.1"], "AAAA a.example": ["2001:db8::1"] });
    world.lead("192.0.2.1", 4448);
    world.lead("2001:db8::1", 4448, await tcpServer((socket) => socket.destroy()));
    const error = await world.ask("a.example:4448").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "ERR_CONNECT", cause: { tries: [{ stage: "reach" }, { stage: "reach" }] } });
    expect(String(error)).toMatch(/ECONNREFUSED.*ECONNRESET|ECONNRESET.*ECONNREFUSED/);
  });

  it("finds a server that moved within the same request (gomatrixserverlib#247: the old address was kept)", async () => {
    let address = "192.0.2.1";
    world.records({ "A a.example": () => [address] });
    const close = (_: unknown, response: ServerResponse): void =>
      void response.setHeader("connection", "close").end('{"server":{}}');
    await world.serve("192.0.2.1", 4448, "a.example", close);
    const client = await world.client();
    await world.ask("a.example:4448", client);
    address = "192.0.2.2";
    world.lead("192.0.2.1", 4448);
    await world.homeserver("192.0.2.2", 4448, "a.example");
    await world.ask("a.example:4448", client);
    expect(world.reached).toEqual(["192.0.2.2 4448"]);
  });

  it("finds a server whose delegation moved within the same request (synapse#5139: for a day the old one was used)", async () => {
    let delegatesTo = "b.example:4448";
    world.records({ "A b.example": ["192.0.2.2"], "A c.example": ["192.0.2.3"] });
    await world.wellKnown("a.example", "192.0.2.1", (_: unknown, response: ServerResponse) =>
      response.end(JSON.stringify({ "m.server": delegatesTo })),
    );
    await world.serve("192.0.2.2", 4448, "b.example", (_, response) =>
      response.setHeader("connection", "close").end('{"server":{}}'),
    );
    const client = await world.client();
    await world.ask("a.example", client);
    delegatesTo = "c.example:4448";
    world.lead("192.0.2.2", 4448);
    await world.homeserver("192.0.2.3", 4448, "c.example");
    await world.ask("a.example", client);
    expect(world.seen).toMatchObject([{ at: "192.0.2.3 4448", host: "c.example:4448" }]);
  });
});

describe("after an outage of DNS", () => {
  it("the port of the SRV record is found again (conduwuit#704, #436: 8448 was kept for good)", async () => {
    fakeClock();
    world.records({ "A a.example": ["192.0.2.1"], "SRV _matrix-fed._tcp.a.example": SERVFAIL });
    await world.homeserver("192.0.2.1", 443, "a.example");
    await world.homeserver("192.0.2.1", 8448, "a.example");
    await world.homeserver("192.0.2.1", 4448, "a.example");
    const client = await world.client();
    await world.ask("a.example", client);
    world.records({ "SRV _matrix-fed._tcp.a.example": [{ target: "a.example", port: 4448 }] });
    vi.advanceTimersByTime(31_000);
    await world.ask("a.example", client);
    expect(world.reached).toEqual(["192.0.2.1 8448", "192.0.2.1 4448"]);
  });

  it("a delegation is found again (conduwuit#704, synapse#5850: the name counted as one that does not delegate)", async () => {
    fakeClock();
    world.records({ "A a.example": SERVFAIL, "AAAA a.example": SERVFAIL, "A m.example": ["192.0.2.2"] });
    await world.homeserver("192.0.2.1", 443, "a.example", "m.example:4448");
    await world.homeserver("192.0.2.1", 8448, "a.example");
    await world.homeserver("192.0.2.2", 4448, "m.example");
    const client = await world.client();
    await expect(world.ask("a.example", client)).rejects.toMatchObject({ code: "ERR_RESOLVE" });
    world.records({ "A a.example": ["192.0.2.1"], "AAAA a.example": [] });
    vi.advanceTimersByTime(31_000);
    await world.ask("a.example", client);
    expect(world.reached).toEqual(["192.0.2.2 4448"]);
  });

  it("a delegation is found again also where DNS was silent for longer than .well-known may take", async () => {
    await world.close();
    world = await DnsWorld.create(500);
    fakeClock();
    world.records({ "A a.example": "silence", "AAAA a.example": "silence", "A m.example": ["192.0.2.2"] });
    await world.homeserver("192.0.2.1", 443, "a.example", "m.example:4448");
    const resolver = await world.resolver({ wellKnownTimeoutMs: 100 });
    await expect(resolver.resolve("a.example")).rejects.toMatchObject({ code: "ERR_RESOLVE" });
    world.records({ "A a.example": ["192.0.2.1"], "AAAA a.example": [] });
    vi.advanceTimersByTime(31_000);
    expect((await resolver.resolve("a.example")).host).toBe("m.example:4448");
  });

  it("what is remembered can be looked at, and cleared (conduwuit#704, synapse#5139: admins could not)", async () => {
    world.records({ "A a.example": ["192.0.2.1"], "SRV _matrix-fed._tcp.a.example": SERVFAIL });
    await world.homeserver("192.0.2.1", 443, "a.example");
    await world.homeserver("192.0.2.1", 8448, "a.example");
    await world.homeserver("192.0.2.1", 4448, "a.example");
    const client = await world.client();
    await world.ask("a.example", client);
    expect(client.resolver.inspect("a.example")?.steps[1]?.result).toBe("ESERVFAIL");
    world.records({ "SRV _matrix-fed._tcp.a.example": [{ target: "a.example", port: 4448 }] });
    client.resolver.clear("a.example");
    expect(client.resolver.inspect("a.example")).toBeUndefined();
    await world.ask("a.example", client);
    expect(world.reached).toEqual(["192.0.2.1 8448", "192.0.2.1 4448"]);
  });
});

describe(".well-known", () => {
  it("is read to its end (gomatrixserverlib#441: only the first TCP segment was read)", async () => {
    world.records({ "A m.example": ["192.0.2.2"] });
    await world.wellKnown("a.example", "192.0.2.1", (_: unknown, response: ServerResponse) => {
      response.write('{"m.ser');
      setTimeout(() => response.write('ver": "m.exam'), 20);
      setTimeout(() => response.end('ple:4448"}'), 40);
    });
    await world.homeserver("192.0.2.2", 4448, "m.example");
    expect((await world.ask("a.example")).host).toBe("m.example:4448");
  });

  it("is given up where port 443 takes connections and says nothing, and is not asked again at once (synapse#7231, #19393, federation-tester#98, #113: every request waited for it)", async () => {
    fakeClock();
    // No jitter: the failure is remembered for five minutes, and the resolution for four.
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    let connections = 0;
    world.records({ "A a.example": ["192.0.2.1"] });
    world.lead(
      "192.0.2.1",
      443,
      await tcpServer(() => {
        connections += 1;
      }),
    );
    await world.homeserver("192.0.2.1", 8448, "a.example");
    const resolver = await world.resolver({ wellKnownTimeoutMs: 100 });
    const { steps, targets } = await resolver.resolve("a.example");
    expect(steps[0]).toMatchObject({ step: "wellKnown", result: "no answer within 100 ms" });
    expect(targets).toMatchObject([{ port: 8448 }]);
    vi.advanceTimersByTime(250_000);
    expect((await resolver.resolve("a.example")).steps[0]?.result).toBe("no answer within 100 ms (remembered)");
    expect(connections).toBe(1);
  });

  it("never lends its connection to a federation request (undici pools by origin, and so did)", async () => {
    world.records({ "A a.example": ["192.0.2.1"] });
    await world.homeserver("192.0.2.1", 443, "a.example", "a.example:443");
    const client = await world.client();
    await world.ask("a.example", client);
    await world.ask("a.example", client);
    expect(world.seen.map(({ path }) => path.split("/")[1])).toEqual([".well-known", "_matrix", "_matrix"]);
    const [wellKnown, ...requests] = world.seen.map(({ connection }) => connection);
    expect(requests).not.toContain(wellKnown);
  });
});
