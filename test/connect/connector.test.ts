import { once } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";

import { type ConnectOptions, createConnector } from "../../src/connect/connector.js";
import { OptionError } from "../../src/errors.js";
import {
  destination,
  failure,
  host,
  Loopback,
  loopbackOptions,
  never,
  openSockets,
  selfSigned,
  theAuthority,
  visit,
} from "./world.js";

const loopback = new Loopback();
afterEach(() => loopback.close());

const issue = async (name: string) => (await theAuthority()).issue(name);
const textOf = ({ address, port }: { address: string; port: number }): string => `${address}:${port}`;
/** An address with the addresses after it, all at one port and in this order. */
const at = (port: number, ...addresses: string[]) => destination(addresses.map((address) => ({ address, port })));

describe("every address is tried:", () => {
  test("the first refuses, the second is silent, the third answers", async () => {
    const places = [await loopback.refusing(), await loopback.blackHole(), await loopback.tls("third")];
    expect(await visit(destination(places))).toBe("third");
  });

  test("the next one answers where a certificate is for another name", async () => {
    const wrong = await loopback.tls("wrong", await issue("b.example"));
    expect(await visit(destination([wrong, await loopback.tls("next")]))).toBe("next");
    await expect.poll(wrong.open).toBe(0);
  });

  test("the next one answers where somebody takes the connection and then says nothing, who is left in the end", async () => {
    const stalled = await loopback.stalled();
    expect(await visit(destination([stalled, await loopback.tls("next")]))).toBe("next");
    expect(stalled.sockets.length).toBe(1);
    await expect.poll(stalled.open).toBe(0);
  });

  test("IPv6 and IPv4 alike", async (context) => {
    const six = await loopback.tls("six", undefined, "::1").catch(() => context.skip("this machine has no ::1"));
    expect(await visit(destination([await loopback.refusing(), six]))).toBe("six");
    expect(await visit(at(six.port, "127.0.0.1", "::1"))).toBe("six");
  });

  test("but no more than 32 of them, and no more than 8 are told in a line", async () => {
    const asked: string[] = [];
    const options: ConnectOptions = {
      connectTo: ({ address }) => void asked.push(address),
      allowAddress: () => false,
    };
    const many = Array.from({ length: 100 }, (_, index) => `192.0.2.${index}`);
    const { tries, message } = await failure(at(8448, ...many), options);
    expect([tries.length, asked.length]).toEqual([32, 32]);
    expect(message.match(/is refused/g)?.length).toBe(8);
    expect(message).toMatch(/ and 24 more$/);
  });

  test("in the order of their SRV records, which is drawn anew for each connection", async () => {
    const [one, two] = [await loopback.tls("one"), await loopback.tls("two")];
    const targets = destination([one, two]).targets.map((target) => ({ ...target, priority: 0, weight: 1 }));
    const random = vi.spyOn(Math, "random");
    const answers: string[] = [];
    for (const draw of [0, 0.99, 0]) {
      random.mockReturnValue(draw);
      answers.push(await visit({ tlsName: host, targets }));
    }
    expect(answers).toEqual(["one", "two", "one"]);
  });
});

describe("where none can be connected to", () => {
  test("every address is named with its reason", async () => {
    const refusing = await loopback.refusing();
    const wrong = await loopback.tls("wrong", await issue("b.example"));
    const places = [{ address: "10.0.0.1", port: 8448 }, refusing, wrong];
    const { message, tries, stage } = await failure(destination(places));
    expect(stage).toBe("tls");
    expect(tries.map((one) => one.stage)).toEqual(["policy", "reach", "tls"]);
    expect(tries.map(textOf)).toEqual(places.map(textOf));
    expect(message).toMatch(/^10\.0\.0\.1 is not public \(private\), /);
    expect(message).toContain(`${textOf(refusing)} ECONNREFUSED`);
    expect(message).toContain(`${textOf(wrong)} Hostname/IP does not match`);
  });

  test("the ones that say nothing in time are named too, and no connection is left", async () => {
    const stalled = await loopback.stalled();
    const places = [await loopback.refusing(), await loopback.blackHole(), stalled];
    const { tries, message } = await failure(destination(places), {}, 600);
    expect(tries.map(({ error }) => (error as { code?: string }).code)).toEqual([
      "ECONNREFUSED",
      "ETIMEDOUT",
      "ETIMEDOUT",
    ]);
    expect(tries.map(({ stage }) => stage)).toEqual(["reach", "reach", "tls"]);
    for (const place of places) expect(message).toContain(textOf(place));
    expect(message).toContain(`${textOf(stalled)} no answer in the TLS handshake within 600 ms`);
    await loopback.close();
    await expect.poll(openSockets).toBe(0);
  });

  test("because there is no address at all, that is said", async () => {
    expect(await failure({ tlsName: host, targets: [] })).toMatchObject({ message: "no address", tries: [] });
  });
});

describe("a server is refused", () => {
  const expired = { notAfter: "2001-01-01T00:00:00Z" };
  const early = { notBefore: "2048-01-01T00:00:00Z" };
  test.each([
    ["whose certificate is for another name", () => issue("b.example"), "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["whose certificate is for a subdomain", () => issue("sub.a.example"), "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["whose certificate is for its address", () => issue("127.0.0.1"), "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["whose certificate is expired", () => selfSigned(host, expired), "CERT_HAS_EXPIRED"],
    ["whose certificate is not valid yet", () => selfSigned(host, early), "CERT_NOT_YET_VALID"],
  ])("%s", async (_, certificate, code) => {
    const shown = await certificate();
    const place = await loopback.tls("wrong", shown);
    const ca = [(await theAuthority()).ca, shown.cert];
    expect(await failure(destination([place]), { ca })).toMatchObject({ stage: "tls", code });
    await expect.poll(place.open).toBe(0);
  });

  test("whose certificate is its own issuer", async () => {
    const place = await loopback.tls("wrong", await selfSigned(host));
    expect(await failure(destination([place]))).toMatchObject({ stage: "tls", code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  });

  test("whose certificate is for another IP address", async () => {
    const place = await loopback.tls("wrong", await issue("127.0.0.2"));
    expect(await failure(destination([place], "127.0.0.1"))).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(await failure(destination([place], "::1"))).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  test("that speaks plain HTTP, which is said in words", async () => {
    const place = await loopback.plainHttp();
    const { stage, message } = await failure(destination([place]));
    expect(stage).toBe("tls");
    expect(message).toBe(`${textOf(place)} answers with something that is no TLS`);
  });

  test.each(["end", "resetAndDestroy"] as const)("that hangs up in the handshake (%s)", async (how) => {
    const place = await loopback.hangingUp(how);
    expect(await failure(destination([place]))).toMatchObject({
      stage: "reach",
      code: "ECONNRESET",
      message: `${textOf(place)} ECONNRESET`,
    });
    await expect.poll(place.open).toBe(0);
  });
});

test.each(["127.0.0.1", "::1"])("a server that is named by the address %s needs a certificate for it", async (name) => {
  const place = await loopback.tls("literal", await issue(name));
  expect(await visit(destination([place], name))).toBe("literal");
});

describe("an abort", () => {
  test("before the first try connects to nobody", async () => {
    const place = await loopback.tls();
    const connector = createConnector(await loopbackOptions());
    await expect(connector.connect(destination([place]), AbortSignal.abort("before"))).rejects.toBe("before");
    expect(place.sockets).toEqual([]);
  });

  test("in the handshake rejects with its reason and leaves no socket on either side", async () => {
    const stalled = [await loopback.stalled(), await loopback.blackHole()];
    const controller = new AbortController();
    const connector = createConnector(await loopbackOptions());
    const call = connector.connect(destination(stalled), controller.signal);
    await expect.poll(() => stalled[0]?.open()).toBe(1);
    controller.abort("enough");
    await expect(call).rejects.toBe("enough");
    await expect.poll(() => stalled[0]?.open()).toBe(0);
    await loopback.close();
    await expect.poll(openSockets).toBe(0);
  });

  test("after the connection was made leaves that to whoever has it", async () => {
    const place = await loopback.tls();
    const controller = new AbortController();
    const socket = await createConnector(await loopbackOptions()).connect(destination([place]), controller.signal);
    controller.abort();
    expect(String(await once(socket, "data"))).toBe("right");
    socket.destroy();
  });

  test("at any moment of many connections leaves no socket", async () => {
    const place = await loopback.tls();
    const connector = createConnector(await loopbackOptions());
    const connectOnce = async (ticks: number): Promise<void> => {
      const controller = new AbortController();
      const call = connector.connect(destination([place]), controller.signal);
      void (async () => {
        for (let tick = 0; tick < ticks; tick += 1) await new Promise(setImmediate);
        controller.abort();
      })();
      await call.then((socket) => socket.destroy()).catch(() => undefined);
    };
    for (let ticks = 0; ticks < 40; ticks += 1) await connectOnce(ticks);
    await expect.poll(place.open).toBe(0);
    await loopback.close();
    await expect.poll(openSockets).toBe(0);
  });
});

describe("through a proxy", () => {
  const through = ({ address, port }: { address: string; port: number }) => ({ proxy: `http://${address}:${port}` });

  test("the next address is tried where one cannot be reached, and where one is not who it should be", async () => {
    const proxy = await loopback.proxy();
    const wrong = await loopback.tls("wrong", await issue("b.example"));
    const places = [await loopback.refusing(), wrong, await loopback.tls("third")];
    expect(await visit(destination(places), through(proxy))).toBe("third");
    expect(proxy.sockets.length).toBe(3);
    await expect.poll(() => proxy.open() + wrong.open()).toBe(0);
  });

  test("an abort in the handshake leaves no tunnel", async () => {
    const [proxy, stalled] = [await loopback.proxy(), await loopback.stalled()];
    const controller = new AbortController();
    const connector = createConnector({ ...(await loopbackOptions()), ...through(proxy) });
    const call = connector.connect(destination([stalled]), controller.signal);
    await expect.poll(stalled.open).toBe(1);
    controller.abort("enough");
    await expect(call).rejects.toBe("enough");
    await expect.poll(() => proxy.open() + stalled.open()).toBe(0);
  });

  test("that is not there, that is the reason", async () => {
    const place = await loopback.tls();
    const { message, stage } = await failure(destination([place]), through(await loopback.refusing()));
    expect(stage).toBe("proxy");
    expect(message).toBe(`${textOf(place)} the proxy cannot be reached (ECONNREFUSED)`);
  });
});

describe("the address policy", () => {
  test("is asked about the address that is dialled, and not by default on loopback", async () => {
    const place = await loopback.tls();
    expect(await failure(destination([place]), { allowAddress: undefined })).toMatchObject({ stage: "policy" });
    expect(place.sockets).toEqual([]);
  });

  test("holds where connectTo leaves the address as it is: with no answer, with the same one, and with another port", async () => {
    const place = await loopback.tls();
    const options = { allowAddress: undefined };
    for (const connectTo of [() => undefined, (to: { address: string; port: number }) => to]) {
      expect(await failure(destination([place]), { ...options, connectTo })).toMatchObject({ stage: "policy" });
    }
    const connectTo = ({ address }: { address: string }) => ({ address, port: place.port });
    expect(await failure(at(8448, "127.0.0.1"), { ...options, connectTo })).toMatchObject({ stage: "policy" });
    expect(place.sockets).toEqual([]);
  });

  test("is told the name, the address and the port that connectTo chose", async () => {
    const place = await loopback.tls();
    const allowAddress = vi.fn(() => true);
    const connectTo = ({ address }: { address: string }) => ({ address, port: place.port });
    expect(await visit(at(8448, "127.0.0.1"), { allowAddress, connectTo })).toBe("right");
    expect(allowAddress.mock.calls).toEqual([
      [{ hostname: host, address: "127.0.0.1", family: 4, port: place.port, isPublic: false }],
    ]);
  });

  test("is not asked about an address that connectTo put in the place of another", async () => {
    const { address, port } = await loopback.tls();
    const options = { allowAddress: () => false, connectTo: () => ({ address, port }) };
    expect(await visit(at(8448, "192.0.2.1"), options)).toBe("right");
  });
});

describe("a function of the caller's that throws is a wrong option, not a failure of the server:", () => {
  const bug = new RangeError("a bug of the caller's");
  const throws = (): never => {
    throw bug;
  };
  test.each(["allowAddress", "connectTo", "proxy"] as const)("%s", async (option) => {
    const place = await loopback.tls();
    const connector = createConnector({ ...(await loopbackOptions()), [option]: throws });
    await expect(connector.connect(destination([place]), never)).rejects.toMatchObject({
      code: "ERR_OPTION",
      cause: bug,
    });
    expect(place.sockets).toEqual([]);
  });

  const right = { address: "127.0.0.1", port: 1 };
  test.each([
    ...["b.example", "", undefined, null, 1].map((address) => ({ ...right, address })),
    ...[undefined, null, 0, -1, 65_536, 1.5, Number.NaN, "8448"].map((port) => ({ ...right, port })),
    { address: right.address },
    null,
    "127.0.0.1:8448",
    Promise.resolve(right),
  ])("and so is connectTo that returns no IP address with a port, but %j", async (answer) => {
    const connector = createConnector({ ...(await loopbackOptions()), connectTo: () => answer as never });
    await expect(connector.connect(at(8448, "127.0.0.1"), never)).rejects.toMatchObject({
      code: "ERR_OPTION",
      message: expect.stringContaining("`connectTo` must return"),
    });
  });

  test("and so is connectTo that is none", () => {
    expect(() => createConnector({ connectTo: { address: "127.0.0.1" } as never })).toThrow(OptionError);
  });
});
