import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mirror, World } from "./world.js";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.close());

/** Resolves, and makes a request to what came out: the server behind it checks nothing, the certificate is checked. */
async function walk(serverName: string) {
  const resolved = await (await world.resolver()).resolve(serverName);
  const { host, tlsName, steps } = resolved;
  return { host, tlsName, steps: steps.map(({ step }) => step), seen: await world.visit(resolved) };
}

describe("the rows of the specification", () => {
  it("1: an IP literal with a port", async () => {
    await world.serve("::1", 80, "::1", mirror);
    const steps = ["literal"];
    expect(await walk("[::1]:80")).toEqual({
      host: "[::1]:80",
      tlsName: "::1",
      steps,
      seen: { host: "[::1]:80", servername: "" },
    });
    expect(world.dns.asked).toEqual([]);
  });

  it("1: an IP literal without a port", async () => {
    await world.serve("192.0.2.1", 8448, "192.0.2.1", mirror);
    const seen = { host: "192.0.2.1", servername: "" };
    expect(await walk("192.0.2.1")).toEqual({ host: "192.0.2.1", tlsName: "192.0.2.1", steps: ["literal"], seen });
  });

  it("2: a host name with a port, which is not asked for .well-known", async () => {
    world.names["a.example"] = { a: ["192.0.2.1"] };
    await world.serve("192.0.2.1", 8449, "a.example", mirror);
    const seen = { host: "a.example:8449", servername: "a.example" };
    const steps = ["explicitPort", "address"];
    expect(await walk("a.example:8449")).toEqual({ host: "a.example:8449", tlsName: "a.example", steps, seen });
  });

  it("3.1: delegated to an IP literal, with and without a port", async () => {
    await world.wellKnown("a.example", "192.0.2.1", { "m.server": "192.0.2.9:99" });
    await world.wellKnown("b.example", "192.0.2.2", { "m.server": "[2001:db8::9]" });
    await world.serve("192.0.2.9", 99, "192.0.2.9", mirror);
    await world.serve("2001:db8::9", 8448, "2001:db8::9", mirror);
    const steps = ["wellKnown", "literal"];
    const a = { host: "192.0.2.9:99", tlsName: "192.0.2.9", steps, seen: { host: "192.0.2.9:99", servername: "" } };
    const b = { host: "[2001:db8::9]", tlsName: "2001:db8::9", steps };
    expect(await walk("a.example")).toEqual(a);
    expect(await walk("b.example")).toEqual({ ...b, seen: { host: "[2001:db8::9]", servername: "" } });
  });

  it("3.2: delegated to a host name with a port", async () => {
    await world.wellKnown("a.example", "192.0.2.1", { "m.server": "m.example:443" });
    world.names["m.example"] = { aaaa: ["2001:db8::2"] };
    await world.serve("2001:db8::2", 443, "m.example", mirror);
    const seen = { host: "m.example:443", servername: "m.example" };
    const steps = ["wellKnown", "explicitPort", "address"];
    expect(await walk("a.example")).toEqual({ host: "m.example:443", tlsName: "m.example", steps, seen });
  });

  it("3.5: delegated to a host name without a port", async () => {
    await world.wellKnown("a.example", "192.0.2.1", { "m.server": "m.example" });
    // A delegated host is not asked again: this one would delegate further.
    await world.wellKnown("m.example", "192.0.2.2", { "m.server": "z.example" });
    await world.serve("192.0.2.2", 8448, "m.example", mirror);
    const seen = { host: "m.example", servername: "m.example" };
    const steps = ["wellKnown", "srv", "srv", "address"];
    expect(await walk("a.example")).toEqual({ host: "m.example", tlsName: "m.example", steps, seen });
  });

  it("6: no delegation", async () => {
    await world.wellKnown("a.example", "192.0.2.1", (_, response) => response.writeHead(404).end());
    await world.serve("192.0.2.1", 8448, "a.example", mirror);
    const seen = { host: "a.example", servername: "a.example" };
    const steps = ["wellKnown", "srv", "srv", "address"];
    expect(await walk("a.example")).toEqual({ host: "a.example", tlsName: "a.example", steps, seen });
    // The one lookup serves both steps.
    expect(world.dns.asked).toHaveLength(2);
  });

  it("6: nobody listens on port 443", async () => {
    world.names["a.example"] = { a: ["127.0.0.1"] };
    const connectTo = ({ address, port }: { address: string; port: number }) => ({
      address,
      port: port === 443 ? 1 : port,
    });
    const resolved = await (await world.resolver({ connectTo, allowAddress: ["127.0.0.1"] })).resolve("a.example");
    expect(resolved.targets).toMatchObject([{ addresses: [{ address: "127.0.0.1", family: 4 }], port: 8448 }]);
    expect(resolved.steps[0]).toMatchObject({ step: "wellKnown", result: "127.0.0.1:1 ECONNREFUSED" });
  });
});

it("keeps the final dot of a name out of the certificate name", async () => {
  world.names["a.example."] = { a: ["192.0.2.1"] };
  await world.serve("192.0.2.1", 1, "a.example", mirror);
  expect(await walk("a.example.:1")).toMatchObject({ host: "a.example.:1", tlsName: "a.example" });
});

it.skipIf(URL.canParse("https://xn--999999999.example"))(
  "refuses a name that no URL can hold (bug: one such resident broke the call for all others)",
  async () => {
    const name = "xn--999999999.example";

    await expect((await world.resolver()).resolve(name)).rejects.toMatchObject({ code: "ERR_SERVER_NAME" });
  },
);
