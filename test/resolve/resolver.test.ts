import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NameError, OptionError, ResolveError } from "../../src/errors.js";
import { createClient } from "../../src/index.js";
import { createResolver } from "../../src/resolve/resolver.js";
import { fakeClock, World } from "./world.js";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => ({ unexpected: value }),
    (error: unknown) => error,
  );

describe("one resolution for many callers", () => {
  it("shares a flight and remembers its result", async () => {
    let requests = 0;
    await world.wellKnown("a.example", "192.0.2.1", (_: unknown, response: { end(text: string): void }) => {
      requests += 1;
      response.end('{"m.server":"192.0.2.7"}');
    });
    const resolver = await world.resolver();
    const [one, two] = await Promise.all([resolver.resolve("a.example"), resolver.resolve("a.example")]);
    expect(one).toBe(two);
    expect(await resolver.resolve("a.example")).toBe(one);
    expect(requests).toBe(1);
    expect(one.expiresAt).toBeGreaterThan(Date.now() + 3_500_000);
  });

  it("lets the others wait on when one aborts", async () => {
    let answer: (() => void) | undefined;
    await world.wellKnown("a.example", "192.0.2.1", (_: unknown, response: { end(text: string): void }) => {
      answer = () => response.end('{"m.server":"192.0.2.7"}');
    });
    const resolver = await world.resolver();
    const controller = new AbortController();
    const first = failure(resolver.resolve("a.example", { signal: controller.signal }));
    const second = resolver.resolve("a.example");
    await vi.waitFor(() => expect(answer).toBeDefined());
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await first).toBe(reason);
    answer?.();
    expect((await second).host).toBe("192.0.2.7");
  });

  it("asks nobody when the signal is aborted already", async () => {
    const resolver = await world.resolver();
    const signal = AbortSignal.abort("why");
    expect(await failure(resolver.resolve("a.example", { signal }))).toBe("why");
    expect(world.dns.asked).toEqual([]);
  });
});

describe("failures", () => {
  it("names the step, the query, the DNS code and what to check", async () => {
    const resolver = await world.resolver();
    const error = await failure(resolver.resolve("nope.example"));
    expect(error).toBeInstanceOf(ResolveError);
    expect(error).toMatchObject({ code: "ERR_RESOLVE", server: "nope.example", cause: expect.any(AggregateError) });
    const [first, ...lines] = String((error as Error).message)
      .replace(/\d+ ms/g, "0 ms")
      .split("\n");
    expect(first).toBe(
      'Cannot resolve "nope.example": step address found no address for "nope.example" (A ENOTFOUND, AAAA ENOTFOUND). ' +
        "Check the spelling, and that the name has an A or AAAA record.",
    );
    expect(lines).toEqual([
      "Server: nope.example",
      'Step: wellKnown https://nope.example/.well-known/matrix/server -> "nope.example" has no address (A ENOTFOUND, AAAA ENOTFOUND) [0 ms]',
      "Step: srv _matrix-fed._tcp.nope.example -> ENOTFOUND [0 ms]",
      "Step: srv _matrix._tcp.nope.example -> ENOTFOUND [0 ms]",
      "Step: address nope.example -> A ENOTFOUND, AAAA ENOTFOUND [0 ms]",
      "Docs: https://spec.matrix.org/latest/server-server-api/#resolving-server-names",
    ]);
  });

  it("says so when DNS is what is broken", async () => {
    world.names["a.example"] = { a: "ESERVFAIL", aaaa: "ETIMEOUT" };
    const error = await failure((await world.resolver()).resolve("a.example:1"));
    expect(String(error)).toContain("Check that the DNS server can be reached");
  });

  it("remembers a failure for half a minute", async () => {
    fakeClock();
    const resolver = await world.resolver();
    const error = await failure(resolver.resolve("a.example:1"));
    world.names["a.example"] = { a: ["192.0.2.1"] };
    vi.advanceTimersByTime(29_000);
    expect(await failure(resolver.resolve("a.example:1"))).toBe(error);
    vi.advanceTimersByTime(2_000);
    expect((await resolver.resolve("a.example:1")).host).toBe("a.example:1");
  });

  it("refuses a name that is none, and options that are none", async () => {
    const resolver = await world.resolver();
    expect(await failure(resolver.resolve("https://a.example"))).toBeInstanceOf(NameError);
    expect(() => createResolver({ wellKnownTimeoutMs: Number.NaN })).toThrow(OptionError);
  });
});

describe("memory", () => {
  it("is looked into without asking anybody", async () => {
    const resolver = await world.resolver();
    expect(resolver.inspect("192.0.2.1")).toBeUndefined();
    const resolved = await resolver.resolve("192.0.2.1");
    expect(resolver.inspect("192.0.2.1")).toBe(resolved);
    expect(resolver.inspect("192.0.2.1:8448")).toBeUndefined();
  });

  it("ends with the records' TTL", async () => {
    fakeClock();
    world.names["a.example"] = { a: ["192.0.2.1"], ttl: 60 };
    const resolver = await world.resolver();
    const { expiresAt } = await resolver.resolve("a.example:1");
    expect(expiresAt).toBe(Date.now() + 60_000);
    vi.advanceTimersByTime(61_000);
    expect(resolver.inspect("a.example:1")).toBeUndefined();
    world.names["a.example"] = { a: ["192.0.2.2"] };
    expect((await resolver.resolve("a.example:1")).targets[0]?.addresses[0]?.address).toBe("192.0.2.2");
  });

  it("is cleared name by name, .well-known included, or as a whole", async () => {
    let port = 0;
    await world.wellKnown("a.example", "192.0.2.1", (_: unknown, response: { end(text: string): void }) =>
      response.end(`{"m.server":"192.0.2.7:${++port}"}`),
    );
    const resolver = await world.resolver();
    const other = await resolver.resolve("192.0.2.1");
    expect((await resolver.resolve("a.example")).host).toBe("192.0.2.7:1");
    resolver.clear("a.example");
    expect((await resolver.resolve("a.example")).host).toBe("192.0.2.7:2");
    expect(resolver.inspect("192.0.2.1")).toBe(other);
    resolver.clear();
    expect(resolver.inspect("192.0.2.1")).toBeUndefined();
    expect((await resolver.resolve("a.example")).host).toBe("192.0.2.7:3");
  });

  it("is not filled by a resolution that was cleared while it ran", async () => {
    const answers: ((address: string) => void)[] = [];
    const dns = {
      ...world.dns,
      resolve4: () =>
        new Promise<{ address: string; ttl: number }[]>((resolve) => {
          answers.push((address) => resolve([{ address, ttl: 60 }]));
        }),
      resolve6: async () => [],
    };
    const resolver = await world.resolver({ dns });
    const before = resolver.resolve("a.example:1");
    resolver.clear("a.example:1");
    const after = resolver.resolve("a.example:1");
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    answers[1]?.("192.0.2.2");
    await after;
    answers[0]?.("192.0.2.1");
    expect((await before).targets[0]?.addresses[0]?.address).toBe("192.0.2.1");
    expect(resolver.inspect("a.example:1")?.targets[0]?.addresses[0]?.address).toBe("192.0.2.2");
  });

  it("keeps a delegation while its host is down", async () => {
    fakeClock();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    let up = true;
    await world.wellKnown("a.example", "192.0.2.1", (_: unknown, response: import("node:http").ServerResponse) =>
      up ? response.end('{"m.server":"192.0.2.7"}') : response.writeHead(502).end(),
    );
    const resolver = await world.resolver();
    await resolver.resolve("a.example");
    up = false;
    vi.advanceTimersByTime(25 * 3_600_000);
    const { host, steps, expiresAt } = await resolver.resolve("a.example");
    expect(host).toBe("192.0.2.7");
    expect(steps[0]?.result).toBe("answered 502; still using 192.0.2.7");
    // Four fifths of the two minutes after which the host is asked again.
    expect(expiresAt - Date.now()).toBe(96_000);
    up = true;
    vi.advanceTimersByTime(133_000);
    expect((await resolver.resolve("a.example")).steps[0]?.result).toBe("192.0.2.7");
  });
});

it("ends what is going on when it is closed", async () => {
  await world.wellKnown("a.example", "192.0.2.1", () => {});
  const resolver = await world.resolver();
  const pending = failure(resolver.resolve("a.example"));
  await vi.waitFor(() => expect(world.dialled).toHaveLength(1));
  await resolver.close();
  expect(await pending).toMatchObject({ code: "ERR_RESOLVE" });
  expect(await failure(resolver.resolve("192.0.2.1"))).toMatchObject({ code: "ERR_RESOLVE" });
});

describe("what is wrong", () => {
  const method = () => Promise.resolve([]);
  it.each([
    null,
    {},
    "1.1.1.1",
    5,
    { resolve4: method, resolve6: method },
    { resolve4: method, resolve6: method, resolveSrv: method, lookup: "system" },
  ])("with the option dns is named before anything is asked: %j", (dns) => {
    for (const create of [createResolver, createClient]) {
      const error = expect.objectContaining({
        code: "ERR_OPTION",
        message: expect.stringMatching(/^The option `dns` is .+; it must be .+ resolve4, resolve6 and resolveSrv/),
      });
      expect(() => create({ dns: dns as never })).toThrow(error);
    }
  });

  it.each([null, { signal: 1 }, { signal: null }, { signal: {} }])(
    "with the options of resolve is named: %j",
    async (options) => {
      const resolver = await world.resolver();
      await using client = createClient({ dns: world.dns });
      for (const { resolve } of [resolver, client.resolver]) {
        expect(await failure(resolve("a.example", options as never))).toMatchObject({
          code: "ERR_OPTION",
          message: expect.stringMatching(/^The option `signal` is .+; it must be an AbortSignal\.$/),
        });
      }
    },
  );
});
