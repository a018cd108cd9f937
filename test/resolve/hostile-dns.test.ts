import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClient } from "../../src/index.js";
import type { Dns } from "../../src/resolve/dns.js";
import { createResolver, type OwnedResolver as Resolver } from "../../src/resolve/resolver.js";
import { World } from "./world.js";

const none = async (): Promise<never> => {
  throw Object.assign(new Error("none"), { code: "ENOTFOUND" });
};
const resolvers: Resolver[] = [];
/** A resolver over a DNS that is JavaScript of the caller's. */
function over(dns: Partial<Record<keyof Dns, (hostname: string) => Promise<unknown>>>): Resolver {
  const resolver = createResolver({ dns: { resolve4: none, resolve6: none, resolveSrv: none, ...dns } as Dns });
  resolvers.push(resolver);
  return resolver;
}
afterEach(async () => void (await Promise.all(resolvers.splice(0).map((resolver) => resolver.close()))));

describe("records of a DNS of one's own", () => {
  it.each([Number.NaN, undefined, "60", -5, Number.POSITIVE_INFINITY, 5n])(
    "with the TTL %s are used for half a minute at least and an hour at most (bug: for ever)",
    async (ttl) => {
      const { expiresAt } = await over({ resolve4: async () => [{ address: "192.0.2.1", ttl }] }).resolve(
        "a.example:1",
      );
      const ms = expiresAt - Date.now();
      expect(ms).toBeGreaterThan(28_000);
      expect(ms).toBeLessThanOrEqual(3_600_000);
    },
  );

  it.each([
    [[{ address: "oops", ttl: 60 }]],
    [[{ address: "::1", ttl: 60 }]],
    [[null, undefined, 5, {}]],
    [{ length: 3 }],
    ["192.0.2.1"],
    [undefined],
  ])("that are no addresses are none: %j (bug: they ended the call for all servers)", async (records) => {
    await expect(over({ resolve4: async () => records }).resolve("a.example:1")).rejects.toMatchObject({
      code: "ERR_RESOLVE",
    });
  });

  it("may be very many: eight of a family are used (bug: a RangeError)", async () => {
    const many = Array.from({ length: 200_000 }, () => ({ address: "192.0.2.1", ttl: 60 }));
    const { targets } = await over({ resolve4: async () => many }).resolve("a.example:1");
    expect(targets[0]?.addresses).toHaveLength(8);
  });
});

describe("the system's lookup", () => {
  const asked: string[] = [];
  const lookup = async (hostname: string) => {
    asked.push(hostname);
    return [{ address: "192.0.2.9", family: 4 }];
  };
  const failing = (code: string) => async (): Promise<never> => {
    throw Object.assign(new Error(code), { code });
  };
  beforeEach(() => {
    asked.length = 0;
  });

  it("is asked of a name that DNS does not know, and where there is no DNS", async () => {
    await over({ lookup }).resolve("localhost:1");
    await over({ lookup, resolve4: failing("ECONNREFUSED"), resolve6: failing("ECONNREFUSED") }).resolve("b.example:1");
    expect(asked).toEqual(["localhost", "b.example"]);
  });

  it.each(["ETIMEOUT", "ESERVFAIL"])(
    "is not asked where DNS failed with %s (bug: it held a thread of the process for a minute)",
    async (code) => {
      const resolver = over({ lookup, resolve4: failing(code), resolve6: failing(code) });
      await expect(resolver.resolve("a.example:1")).rejects.toMatchObject({ code: "ERR_RESOLVE" });
      expect(asked).toEqual([]);
    },
  );

  it("is not asked of hosts that a stranger's SRV records name", async () => {
    const records = Array.from({ length: 16 }, (_, at) => ({
      name: `h${at}.evil.example`,
      port: 1,
      priority: 1,
      weight: 1,
    }));
    const resolver = over({ lookup, resolveSrv: async () => records });
    await expect(resolver.resolve("a.example")).rejects.toMatchObject({ code: "ERR_RESOLVE" });
    expect(asked).toEqual(["a.example"]);
  });
});

describe("many hosts with many addresses", () => {
  it("leave a few addresses of each: every host is tried, and little is remembered (bug: 57 KB a name)", async () => {
    const records = Array.from({ length: 16 }, (_, at) => ({
      name: `h${at}.example`,
      port: 1,
      priority: 1,
      weight: 1,
    }));
    const resolver = over({
      resolveSrv: async () => records,
      resolve4: async () => Array.from({ length: 8 }, (_, at) => ({ address: `192.0.2.${at}`, ttl: 3600 })),
      resolve6: async () => Array.from({ length: 8 }, (_, at) => ({ address: `2001:db8::${at}`, ttl: 3600 })),
    });
    const resolved = await resolver.resolve("a.example");
    expect(resolved.targets.map(({ addresses }) => addresses.map(({ family }) => family))).toEqual(
      Array(16).fill([6, 4]),
    );
    expect(JSON.stringify(resolved).length).toBeLessThan(10_000);
  });
});

it("a function among the options that changes its argument changes nothing (bug: the address policy was not asked)", async () => {
  const world = new World();
  let seen = 0;
  const port = await world.serve("192.0.2.1", 8448, "a.example", (_, response) => {
    seen += 1;
    response.end("{}");
  });
  const dns = { resolve4: async () => [{ address: "127.0.0.1", ttl: 60 }], resolve6: none, resolveSrv: none };
  const connectTo = (to: object): undefined => {
    Object.assign(to, { address: "9.9.9.9" });
  };
  await using client = createClient({ dns, connectTo, ca: (await world.authority).ca, proxy: false });
  expect(await client.safe.version(`a.example:${port}`)).toMatchObject({ error: { code: "ERR_ADDRESS_REFUSED" } });
  expect(seen).toBe(0);
  await world.close();
});
