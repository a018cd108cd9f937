import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { version } from "../../src/endpoints.js";
import { OptionError, SigningKey } from "../../src/index.js";
import { createTestFederation } from "../../src/testing.js";
import { findingOf, homeserver, told, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

/** Waits until the servers see no connection any more. */
async function untilNoSockets(): Promise<number> {
  for (let tries = 0; tries < 100 && world.sockets.size > 0; tries += 1) await sleep(10);
  return world.sockets.size;
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "It was fulfilled",
    (error: unknown) => error,
  );

const thrower = (reason: unknown) => (): never => {
  throw reason;
};

describe("a call that fails on its way", () => {
  const failureOf = async (timeoutMs = 10_000): Promise<unknown> => {
    world.dns.set("a.example", "A", ["192.0.2.1"]);
    const client = await world.client();
    // However busy the machine is, the call's time is not spent on DNS.
    await client.resolver.resolve("a.example:8448");
    return await rejection(client.request("a.example:8448", { ...version, timeoutMs }, {}, { rounds: 1 }));
  };

  it("names what to do next where nobody listens", async () => {
    expect(await failureOf()).toMatchObject({
      code: "ERR_CONNECT",
      message: expect.stringContaining("client.diagnose(server)"),
    });
  });

  it("names what to do next where the certificate is refused", async () => {
    await world.serve("192.0.2.1", 8448, { names: ["a.example"], selfSigned: true }, homeserver({ name: "a.example" }));
    expect(await failureOf()).toMatchObject({
      code: "ERR_TLS",
      message: expect.stringMatching(/client\.diagnose\(server\).* option ca or tlsExceptions\./),
    });
  });

  it("names the address where the handshake hangs", async () => {
    await world.serveTcp("192.0.2.1", 8448, () => {});
    expect(await failureOf(300)).toMatchObject({
      code: "ERR_TIMEOUT",
      message: expect.stringContaining("Cause: no connection to 192.0.2.1:8448 was ready"),
    });
  });
});

describe("a working server", () => {
  it("has neither errors nor warnings, and leaves no connection", async () => {
    await world.healthy("a.example", "192.0.2.1");
    const before = Date.now();
    const diagnosis = await world.diagnose("a.example");

    expect(diagnosis.findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect(diagnosis).toMatchObject({ server: "a.example", ok: true, addresses: [{ ok: true, finished: true }] });
    expect(diagnosis.checkedAt).toBeGreaterThanOrEqual(before);
    expect(diagnosis.ms).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(diagnosis))).toMatchObject({ ok: true });
    expect(await untilNoSockets()).toBe(0);
  });

  it("of a test federation is in order, and one whose certificate is another's is not", async () => {
    await using federation = await createTestFederation({
      servers: ["a.example", { name: "b.example", certificateFor: "c.example" }],
    });
    const client = await world.client(federation.clientOptions);

    expect(told(await client.diagnose("a.example"))).toEqual([]);
    const { ok, findings } = await client.diagnose("b.example");
    expect(ok).toBe(false);
    expect(findings).toContainEqual(expect.objectContaining({ code: "certificateName" }));
  });
});

describe("an examination", () => {
  it("asks everything afresh, and neither uses nor changes what the client remembers", async () => {
    await world.healthy("a.example", "192.0.2.1");
    const client = await world.client({ backoff: { threshold: 1 } });
    await client.version("a.example");
    const known = client.resolver.inspect("a.example");
    world.dns.set("a.example", "A", ["192.0.2.7"]);
    const diagnosis = await client.diagnose("a.example");

    expect(diagnosis.addresses).toMatchObject([{ address: "192.0.2.7", ok: false }]);
    expect(client.resolver.inspect("a.example")).toBe(known);
    expect(client.backoff.list()).toEqual([]);
    await client.version("a.example");
  });

  it("examines a server that is in backoff", async () => {
    const client = await world.client({ backoff: { threshold: 1 } });
    world.dns.set("a.example", "A", ["192.0.2.1"]);
    await rejection(client.version("a.example", { rounds: 1 }));
    const state = await client.backoff.get("a.example");
    await world.serve("192.0.2.1", 8448, "a.example", homeserver({ name: "a.example" }));

    expect(told(await client.diagnose("a.example"))).toEqual(["note wellKnownUnreachable"]);
    expect(await client.backoff.get("a.example")).toEqual(state);
  });

  it("has at most four addresses under way at once", async () => {
    let now = 0;
    let most = 0;
    const addresses = Array.from({ length: 8 }, (_, at) => `192.0.2.${at + 1}`);
    world.dns.set("a.example", "A", addresses);
    for (const address of addresses) {
      await world.serve(
        address,
        8448,
        "a.example",
        homeserver({
          name: "a.example",
          version: async (_, response) => {
            most = Math.max(most, ++now);
            await sleep(50);
            now -= 1;
            response.end("{}");
          },
        }),
      );
    }
    const diagnosis = await world.diagnose("a.example:8448");

    expect(diagnosis.addresses).toHaveLength(8);
    expect(most).toBe(4);
  });

  it("keeps two hosts with one address apart", async () => {
    world.dns.set("_matrix-fed._tcp.a.example", "SRV", [
      { target: "m1.example", port: 443 },
      { target: "m2.example", port: 443 },
    ]);
    for (const host of ["m1.example", "m2.example"]) world.dns.set(host, "A", ["192.0.2.1"]);
    await world.serve("192.0.2.1", 443, "a.example", homeserver({ name: "a.example" }));
    const seen: string[] = [];
    const connectTo: World["connectTo"] = (to) => {
      seen.push(to.hostname);
      return world.connectTo(to);
    };
    const { addresses } = await world.diagnose("a.example", { connectTo });

    expect(addresses.map(({ hostname, version }) => `${hostname} ${version?.name}`).sort()).toEqual([
      "m1.example Test",
      "m2.example Test",
    ]);
    // Each once for the handshake, and once for the requests.
    expect(seen.filter((host) => host !== "a.example").sort()).toEqual([
      "m1.example",
      "m1.example",
      "m2.example",
      "m2.example",
    ]);
  });

  it("says what was not finished when its time is over, and leaves no connection", async () => {
    const hanging = Array.from({ length: 8 }, (_, at) => [`192.0.2.${at}`, `2001:db8:0:0:0:0:0:${at + 1}`]).flat();
    world.dns.set(
      "m.example",
      "A",
      hanging.filter((each) => each.includes(".")),
    );
    world.dns.set(
      "m.example",
      "AAAA",
      hanging.filter((each) => each.includes(":")),
    );
    for (const address of hanging) await world.serveTcp(address.replace(":0:0:0:0:0:", "::"), 8448, () => {});
    const startedAt = performance.now();
    const diagnosis = await world.diagnose("m.example:8448", {}, 400);

    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(diagnosis.ok).toBe(false);
    const unfinished = diagnosis.addresses.filter(({ finished }) => !finished);
    expect(unfinished.length).toBeGreaterThan(0);
    expect(diagnosis.findings.filter(({ code }) => code === "timeout")).toHaveLength(unfinished.length);
    expect(findingOf(diagnosis, "timeout")).toMatchObject({
      severity: "warning",
      about: expect.stringContaining(":8448"),
    });
    expect(await untilNoSockets()).toBe(0);
  });

  it("says so when not even the name was resolved, with the steps that were", async () => {
    world.dns.set("_matrix-fed._tcp.a.example", "SRV", "silence");
    await world.wellKnown("a.example", "192.0.2.1");
    const diagnosis = await world.diagnose("a.example", {}, 300);

    expect(told(diagnosis)).toEqual(["error timeout"]);
    expect(findingOf(diagnosis, "timeout")).toMatchObject({ about: "a.example" });
    expect(diagnosis.resolution.steps).toMatchObject([
      { step: "wellKnown", outcome: "absent", result: "answered 404" },
    ]);
  });

  it.each([0, 20, 60, 120, 200])(
    "that is aborted after %i ms rejects with the reason and leaves no connection",
    async (ms) => {
      await world.healthy("a.example", "192.0.2.1", { version: () => {} });
      world.dns.set("a.example", "A", ["192.0.2.1", "192.0.2.2"]);
      await world.serveTcp("192.0.2.2", 8448, () => {});
      const client = await world.client();
      const controller = new AbortController();
      const reason = new Error("enough");
      const failed = rejection(client.diagnose("a.example", { signal: controller.signal }));
      await sleep(ms);
      controller.abort(reason);

      expect(await failed).toBe(reason);
      expect(await untilNoSockets()).toBe(0);
    },
  );

  it("ends with the client, and is refused by one that is closed", async () => {
    await world.healthy("a.example", "192.0.2.1", { version: () => {} });
    const client = await world.client();
    const failed = rejection(client.diagnose("a.example"));
    await sleep(50);
    await client.close();

    expect(await failed).toMatchObject({ code: "ERR_CLOSED" });
    expect(await rejection(client.diagnose("a.example"))).toMatchObject({ code: "ERR_CLOSED" });
    expect(await untilNoSockets()).toBe(0);
  });

  it("is refused before anything is asked for a wrong name, wrong options or an aborted signal", async () => {
    const client = await world.client();
    const reason = new Error("before");
    expect(await rejection(client.diagnose("https://a.example"))).toMatchObject({ code: "ERR_SERVER_NAME" });
    expect(await rejection(client.diagnose("a.example", { timeout: -1 }))).toMatchObject({ code: "ERR_OPTION" });
    expect(await rejection(client.diagnose("a.example", null as never))).toMatchObject({ code: "ERR_OPTION" });
    expect(await rejection(client.diagnose("a.example", { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(world.dns.asked).toEqual([]);
  });

  it.each([
    ["connectTo that returns a host name", { connectTo: () => ({ address: "localhost", port: 1 }) }],
    ["connectTo that throws an error", { connectTo: thrower(new RangeError("a bug")) }],
    ["allowAddress that throws a text", { allowAddress: thrower("a text"), connectTo: undefined }],
    ["allowAddress that throws undefined", { allowAddress: thrower(undefined), connectTo: undefined }],
    ["proxy that throws an error with a code", { proxy: thrower(Object.assign(new Error(), { code: "ERR_PROXY_X" })) }],
  ])("passes on what is wrong with %s, as calls do", async (_, options) => {
    world.dns.set("a.example", "A", ["192.0.2.1"]);
    const client = await world.client(options);
    const [diagnosed, called] = await Promise.all([
      rejection(client.diagnose("a.example:1")),
      rejection(client.version("a.example:1")),
    ]);

    expect(diagnosed).toBeInstanceOf(OptionError);
    expect(called).toBeInstanceOf(OptionError);
    expect((diagnosed as OptionError).message).toBe((called as OptionError).message);
    expect((diagnosed as OptionError).cause).toBe((called as OptionError).cause);
  });

  it("signs nothing, and shows no secret", async () => {
    const authorizations: unknown[] = [];
    await world.healthy("a.example", "192.0.2.1", {
      version: (request, response) => {
        authorizations.push(request.headers.authorization);
        response.end("{}");
      },
    });
    const signingKey = SigningKey.generate("secret");
    const diagnosis = await world.diagnose("a.example", { serverName: "me.example", signingKey });

    expect(authorizations).toEqual([undefined]);
    expect(inspect(diagnosis, { depth: 20 })).not.toContain(signingKey.toKeyFile().split(" ")[2]?.trim());
  });
});
