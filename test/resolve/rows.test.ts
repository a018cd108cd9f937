import { isIP } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DnsWorld, type Zone } from "./world.js";

let world: DnsWorld;
beforeEach(async () => {
  world = await DnsWorld.create();
});
afterEach(() => world.close());

/** A row of the specification's "Resolving server names". Each name that is asked for .well-known is at 192.0.2.1. */
interface Row {
  /** The number of the step, and what it is about. */
  readonly says: string;
  readonly name: string;
  /** What .well-known says; null where it answers 404. Absent: it must not be asked. */
  readonly delegatesTo?: string | null;
  readonly zone?: Zone;
  /** Where the server is. */
  readonly at: readonly [address: string, port: number];
  /** The `Host` header. */
  readonly host: string;
  /** The name that the certificate must be for, which is the SNI as well where it is no address. */
  readonly certificate: string;
  /** Names whose certificates must be refused. */
  readonly wrong: readonly string[];
  readonly asked?: readonly string[];
  readonly steps: readonly string[];
}

const six = "2001:db8::9";
const fed = (name: string): string => `SRV _matrix-fed._tcp.${name}`;
const old = (name: string): string => `SRV _matrix._tcp.${name}`;
const srv = (target: string) => [{ target, port: 4448 }];
const book = "xn--bcher-kva.example";
const munich = "xn--mnchen-3ya.example";
const greek = "xn--hxajbheg2az3al.example";

const literals: readonly Row[] = [
  ["192.0.2.9", "192.0.2.9", 8448, "an IPv4 literal without a port"] as const,
  ["192.0.2.9:4448", "192.0.2.9", 4448, "an IPv4 literal with a port"] as const,
  [`[${six}]`, six, 8448, "an IPv6 literal without a port"] as const,
  [`[${six}]:4448`, six, 4448, "an IPv6 literal with a port"] as const,
].flatMap(([host, address, port, says]) => {
  const common = { at: [address, port], host, certificate: address } as const;
  return [
    { ...common, says: `1: ${says}`, name: host, wrong: ["192.0.2.8", "a.example"], asked: [], steps: ["literal"] },
    {
      ...common,
      says: `3.1: .well-known delegates to ${says}`,
      name: "a.example",
      delegatesTo: host,
      wrong: ["a.example"],
      asked: ["addresses a.example"],
      steps: ["wellKnown", "literal"],
    },
  ];
});

const ports: readonly Row[] = [
  ["b.example", 4448, "a host name with a port"] as const,
  ["b.example", 443, "a host name with the port of https"] as const,
  [book, 4448, "an IDNA name with a port"] as const,
].flatMap(([hostname, port, says]) => {
  const host = `${hostname}:${port}`;
  const zone: Zone = { [`A ${hostname}`]: ["192.0.2.9"] };
  const common = { zone, at: ["192.0.2.9", port], host, certificate: hostname } as const;
  return [
    {
      ...common,
      says: `2: ${says}`,
      name: host,
      wrong: ["192.0.2.9", "c.example"],
      asked: [`addresses ${hostname}`],
      steps: ["explicitPort", "address"],
    },
    {
      ...common,
      says: `3.2: .well-known delegates to ${says}`,
      name: "a.example",
      delegatesTo: host,
      wrong: ["a.example"],
      asked: ["addresses a.example", `addresses ${hostname}`],
      steps: ["wellKnown", "explicitPort", "address"],
    },
  ];
});

/** Steps 3.3 to 3.5 and 4 to 6 are the same, but for the name that they begin with. */
const names: readonly Row[] = (
  [
    ["m.example", "t.example", "a.example", ""],
    [munich, greek, book, ", IDNA names throughout"],
  ] as const
).flatMap(([delegated, target, base, idna]) =>
  (
    [
      [delegated, "3.", 3, delegated, " of the delegated host"],
      [null, "", 4, base, ""],
    ] as const
  ).flatMap(([delegatesTo, prefix, first, name, of]) => {
    const common = { name: base, delegatesTo, host: name, certificate: name };
    const wrong = [target, ...(name === base ? [] : [base])];
    const asked = [`addresses ${base}`, fed(name)];
    return [
      {
        ...common,
        says: `${prefix}${first}: the SRV record _matrix-fed${of}${idna}`,
        zone: { [fed(name)]: srv(target), [old(name)]: srv("z.example"), [`A ${target}`]: ["192.0.2.5"] },
        at: ["192.0.2.5", 4448] as const,
        wrong,
        asked: [...asked, `addresses ${target}`],
        steps: ["wellKnown", "srv", "address"],
      },
      {
        ...common,
        says: `${prefix}${first + 1}: the SRV record _matrix${of}${idna}`,
        zone: { [old(name)]: srv(target), [`AAAA ${target}`]: ["2001:db8::5"] },
        at: ["2001:db8::5", 4448] as const,
        wrong,
        asked: [...asked, old(name), `addresses ${target}`],
        steps: ["wellKnown", "srv", "srv", "address"],
      },
      {
        ...common,
        says: `${prefix}${first + 2}: no SRV record${of}${idna}`,
        zone: name === base ? {} : { [`A ${name}`]: ["192.0.2.1"] },
        at: ["192.0.2.1", 8448] as const,
        wrong: [target, ...(name === base ? [] : [base])],
        asked: [...asked, old(name), ...(name === base ? [] : [`addresses ${name}`])],
        steps: ["wellKnown", "srv", "srv", "address"],
      },
    ];
  }),
);

const others: readonly Row[] = [
  {
    says: "2: a host name with a port and a CNAME, whose name no certificate is asked for",
    name: "b.example:4448",
    zone: { "CNAME b.example": ["c.example"], "A c.example": ["192.0.2.9"] },
    at: ["192.0.2.9", 4448],
    host: "b.example:4448",
    certificate: "b.example",
    wrong: ["c.example"],
    asked: ["addresses b.example"],
    steps: ["explicitPort", "address"],
  },
  {
    says: "2: a host name in capitals, which stay as they are",
    name: "B.EXAMPLE:4448",
    zone: { "A b.example": ["192.0.2.9"] },
    at: ["192.0.2.9", 4448],
    host: "B.EXAMPLE:4448",
    certificate: "B.EXAMPLE",
    wrong: ["c.example"],
    asked: ["addresses b.example"],
    steps: ["explicitPort", "address"],
  },
  {
    says: "1: an IPv6 literal in capitals, which stay as they are",
    name: "[2001:DB8::9]",
    at: ["2001:DB8::9", 8448],
    host: "[2001:DB8::9]",
    certificate: "2001:DB8::9",
    wrong: ["2001:db8::8"],
    asked: [],
    steps: ["literal"],
  },
];

describe.each([...literals, ...ports, ...names, ...others])("$says", (row) => {
  const { name, delegatesTo, at, certificate } = row;

  beforeEach(async () => {
    world.records({ ...row.zone });
    if (delegatesTo === undefined) return;
    world.records({ [`A ${name}`]: ["192.0.2.1"] });
    await world.homeserver("192.0.2.1", 443, name, delegatesTo ?? undefined);
  });

  it("has its own Host header, SNI, certificate name, queries and steps", async () => {
    await world.homeserver(...at, certificate);
    const { steps, tlsName, host } = await world.ask(name);
    const wellKnown = { at: "192.0.2.1 443", path: "/.well-known/matrix/server", host: name, sni: name };
    const sni = isIP(certificate) === 0 ? certificate : "";
    const request = { at: at.join(" "), path: "/_matrix/federation/v1/version", host: row.host, sni };
    expect(world.seen).toMatchObject(delegatesTo === undefined ? [request] : [wellKnown, request]);
    expect({ host, tlsName }).toEqual({ host: row.host, tlsName: certificate });
    expect(world.asked).toEqual(row.asked);
    expect(steps.map(({ step }) => step)).toEqual(row.steps);
    // Nobody is asked for .well-known whom no step names: such a request would have come this way.
    const dialled = [...(delegatesTo === undefined ? [] : ["192.0.2.1 443"]), at.join(" ")];
    expect(world.dialled.map((to) => to.replace(/^\S+ /, ""))).toEqual(dialled);
  });

  it.each(row.wrong)("refuses a certificate for %s", async (wrong) => {
    await world.homeserver(...at, wrong);
    await expect(world.ask(name)).rejects.toMatchObject({ code: "ERR_TLS", requestSent: false });
    expect(world.reached).toEqual([]);
  });
});

describe("host and host:443", () => {
  beforeEach(async () => {
    world.records({ "A a.example": ["192.0.2.1"] });
    await world.homeserver("192.0.2.1", 443, "a.example");
    await world.homeserver("192.0.2.1", 8448, "a.example");
  });

  it("are two servers: 443 is not left out of the Host header, nor put into it", async () => {
    const client = await world.client();
    const [plain, explicit] = [await world.ask("a.example", client), await world.ask("a.example:443", client)];
    expect(world.seen.filter(({ path }) => path.startsWith("/_matrix/"))).toMatchObject([
      { at: "192.0.2.1 8448", host: "a.example" },
      { at: "192.0.2.1 443", host: "a.example:443" },
    ]);
    expect(plain.steps.map(({ step }) => step)).toEqual(["wellKnown", "srv", "srv", "address"]);
    expect(explicit.steps.map(({ step }) => step)).toEqual(["explicitPort", "address"]);
  });

  it("share no connection, even where both lead to one port; nor does .well-known share one with them", async () => {
    world.records({ [fed("a.example")]: [{ target: "a.example", port: 443 }] });
    const client = await world.client();
    for (const name of ["a.example", "a.example:443", "a.example", "a.example:443"]) await world.ask(name, client);
    expect(world.seen.map(({ at, host }) => `${at} ${host}`)).toEqual([
      "192.0.2.1 443 a.example",
      ...["a.example", "a.example:443", "a.example", "a.example:443"].map((host) => `192.0.2.1 443 ${host}`),
    ]);
    const [wellKnown, ...requests] = world.seen;
    const of = (host: string) => requests.filter((one) => one.host === host).map(({ connection }) => connection);
    expect(of("a.example")).not.toContain(wellKnown?.connection);
    for (const connection of [wellKnown?.connection, ...of("a.example")])
      expect(of("a.example:443")).not.toContain(connection);
  });

  it("are cleared and inspected apart", async () => {
    const { resolver } = await world.client();
    await resolver.resolve("a.example:443");
    expect(resolver.inspect("a.example")).toBeUndefined();
    resolver.clear("a.example");
    expect(resolver.inspect("a.example:443")).toBeDefined();
  });
});

it("3.5: a delegated host is not asked whether it delegates further", async () => {
  world.records({ "A a.example": ["192.0.2.1"], "A m.example": ["192.0.2.2"] });
  await world.homeserver("192.0.2.1", 443, "a.example", "m.example");
  await world.homeserver("192.0.2.2", 443, "m.example", "z.example");
  await world.homeserver("192.0.2.2", 8448, "m.example");
  await world.ask("a.example");
  expect(world.seen.map(({ at }) => at)).toEqual(["192.0.2.1 443", "192.0.2.2 8448"]);
});

it("3: .well-known may redirect to an IDNA name", async () => {
  await world.wellKnown("a.example", "192.0.2.1", (_, response) =>
    response.writeHead(302, { location: `https://${book}/` }).end(),
  );
  await world.wellKnown(book, "192.0.2.2", { "m.server": "192.0.2.9" });
  expect((await (await world.resolver()).resolve("a.example")).host).toBe("192.0.2.9");
});

it("6: nobody listens on port 443", async () => {
  world.records({ "A a.example": ["192.0.2.1"] });
  world.lead("192.0.2.1", 443);
  await world.homeserver("192.0.2.1", 8448, "a.example");
  const { steps } = await world.ask("a.example");
  expect(steps[0]).toMatchObject({ step: "wellKnown", result: "127.0.0.1:1 ECONNREFUSED" });
  expect(world.seen).toMatchObject([{ at: "192.0.2.1 8448", host: "a.example", sni: "a.example" }]);
});

it("keeps the final dot of a name out of the certificate name", async () => {
  world.records({ "A a.example": ["192.0.2.1"] });
  await world.homeserver("192.0.2.1", 4448, "a.example");
  expect(await world.ask("a.example.:4448")).toMatchObject({ host: "a.example.:4448", tlsName: "a.example" });
  expect(world.seen).toMatchObject([{ host: "a.example.:4448", sni: "a.example" }]);
});

it.skipIf(URL.canParse("https://xn--999999999.example"))(
  "refuses a name that no URL can hold (bug: one such resident broke the call for all others)",
  async () => {
    const name = "xn--999999999.example";

    await expect((await world.resolver()).resolve(name)).rejects.toMatchObject({ code: "ERR_SERVER_NAME" });
  },
);
