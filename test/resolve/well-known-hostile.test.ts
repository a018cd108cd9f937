import type { OutgoingHttpHeaders, RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { World } from "./world.js";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

/** What the trace says of the .well-known step; every hostile answer must end in the host's own address. */
async function result(listener: RequestListener | object, wellKnownTimeoutMs = 5_000): Promise<string> {
  await world.wellKnown("a.example", "192.0.2.1", listener);
  const resolver = await world.resolver({ wellKnownTimeoutMs });
  const { host, targets, steps } = await resolver.resolve("a.example");
  expect({ host, targets }).toMatchObject({
    host: "a.example",
    targets: [{ addresses: [{ address: "192.0.2.1", family: 4 }], port: 8448 }],
  });
  return steps[0]?.result ?? "";
}

const to =
  (location: string, status = 302): RequestListener =>
  (_, response) =>
    response.writeHead(status, { location }).end();

const padded = (bytes: number): string => {
  const text = JSON.stringify({ "m.server": "m.example:1" });
  return text + " ".repeat(bytes - text.length);
};

describe("a hostile or broken .well-known", () => {
  it.each([
    ["text", "<html>", "the body is not JSON"],
    ["nothing", "", "the body is not JSON"],
    ["null", "null", "the body is no JSON object"],
    ["an array", "[]", "the body is no JSON object"],
    ["no m.server", "{}", "m.server is missing or no string"],
    ["a number", '{"m.server":1}', "m.server is missing or no string"],
    ["an inherited property", '{"__proto__":{"m.server":"m.example"}}', "m.server is missing or no string"],
    ["a URL", '{"m.server":"https://m.example"}', 'm.server is no server name: "https://m.example"'],
    ["control characters", '{"m.server":"m\\nServer: x"}', 'm.server is no server name: "m Server: x"'],
    ["deep nesting", "[".repeat(50_000), "the body is not JSON"],
    ["50 KiB and a byte", padded(50 * 1024 + 1), "the body is larger than 51200 bytes"],
  ])("%s", async (_name, body, reason) => {
    expect(await result((_, response) => response.end(body))).toBe(reason);
  });

  it("accepts 50 KiB exactly", async () => {
    world.names["m.example"] = { a: ["192.0.2.2"] };
    await world.wellKnown("a.example", "192.0.2.1", (_: unknown, response: { end(text: string): void }) =>
      response.end(padded(50 * 1024)),
    );
    const resolved = await (await world.resolver()).resolve("a.example");
    expect(resolved.host).toBe("m.example:1");
  });

  it("stops reading an endless body", async () => {
    let closed: Promise<void> | undefined;
    let sent = 0;
    const endless: RequestListener = (_, response) => {
      closed = new Promise((resolve) => response.once("close", resolve));
      const write = (): void => {
        while (!response.destroyed && response.write(" ".repeat(16_384))) sent += 16_384;
      };
      response.on("drain", write).on("error", () => {});
      write();
    };
    expect(await result(endless)).toBe("the body is larger than 51200 bytes");
    await closed;
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it("gives up on a server that never answers", async () => {
    expect(await result(() => {}, 100)).toBe("no answer within 100 ms");
  });

  it("gives up on a body that stalls", async () => {
    expect(await result((_, response) => void response.write('{"m.server":'), 100)).toBe("no answer within 100 ms");
  });

  it("gives up on a body that drips", async () => {
    const drip: RequestListener = (_, response) => {
      const timer = setInterval(() => response.write(" "), 10);
      response.once("close", () => clearInterval(timer));
    };
    expect(await result(drip, 100)).toBe("no answer within 100 ms");
  });

  it("gives up when looking up the host takes too long", async () => {
    const dns = { ...world.dns, resolve4: () => sleep(300, []), resolve6: () => sleep(300, []) };
    const resolver = await world.resolver({ dns, wellKnownTimeoutMs: 50 });
    const error = await resolver.resolve("a.example").catch((reason: unknown) => reason);
    expect(String(error)).toContain("wellKnown https://a.example/.well-known/matrix/server -> no answer within 50 ms");
  });

  it("refuses a certificate for another name", async () => {
    world.names["a.example"] = { a: ["192.0.2.1"] };
    await world.serve("192.0.2.1", 443, "b.example", (_, response) => response.end('{"m.server":"m.example"}'));
    const { host, steps } = await (await world.resolver()).resolve("a.example");
    expect(host).toBe("a.example");
    expect(steps[0]?.result).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/);
  });

  it("refuses an authority it does not know", async () => {
    await world.wellKnown("a.example", "192.0.2.1", { "m.server": "m.example" });
    const { steps } = await (await world.resolver({ ca: undefined })).resolve("a.example");
    expect(steps[0]?.result).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE|unable to verify the first certificate/);
  });

  it.each([500, 503, 403, 204, 304])("takes status %i for no answer", async (status) => {
    expect(await result((_, response) => response.writeHead(status).end())).toBe(`answered ${status}`);
  });

  it("takes a broken HTTP answer for no answer", async () => {
    expect(await result((request) => request.socket.end("HTTP/1.1 abc\r\n\r\n"))).toContain(
      "does not match the HTTP/1.1 protocol",
    );
  });
});

describe("the headers of .well-known", () => {
  const minute = 60_000;

  /** Answers with headers, and how long the resolution then holds, in milliseconds; nothing is varied. */
  async function lifetimeMs(headers: OutgoingHttpHeaders): Promise<number> {
    vi.useFakeTimers({ toFake: ["performance", "Date"] });
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    await world.wellKnown("a.example", "192.0.2.1", ((_, response) => {
      response.writeHead(200, headers).end('{"m.server":"192.0.2.7"}');
    }) satisfies RequestListener);
    const { host, expiresAt } = await (await world.resolver()).resolve("a.example");
    expect(host).toBe("192.0.2.7");
    return expiresAt - Date.now();
  }

  it.each<[OutgoingHttpHeaders, number]>([
    [{ "cache-control": "max-age=600" }, 10 * minute],
    [{ "Cache-Control": ["public", 'Max-Age="600"'] }, 10 * minute],
    [{ "cache-control": "max-age=1200", age: "600" }, 10 * minute],
    [{ expires: "Sun, 06 Nov 1994 08:10:00 GMT", date: "Sun, 06 Nov 1994 08:00:00 GMT" }, 10 * minute],
  ])("%j say how long it holds", async (headers, ms) => {
    // Resolved again in the last fifth of that, so that the file is fetched anew ahead of its end.
    expect(await lifetimeMs(headers)).toBe(ms * 0.8);
  });

  it.each(["text/html", "application/octet-stream", "image/png", "nonsense"])("may call it %s", async (type) => {
    expect(await lifetimeMs({ "content-type": type })).toBe(60 * minute);
  });

  it("need no content type", async () => {
    expect(await lifetimeMs({})).toBe(60 * minute);
  });
});

it("keeps a delegation when the host begins to answer nonsense", async () => {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
  let body = '{"m.server":"192.0.2.7"}';
  await world.wellKnown("a.example", "192.0.2.1", ((_, response) => {
    response.writeHead(200, { "cache-control": "max-age=600" }).end(body);
  }) satisfies RequestListener);
  const resolver = await world.resolver();
  // lru-cache takes an entry of time 0 for one without a TTL.
  vi.advanceTimersByTime(1);
  await resolver.resolve("a.example");
  body = "<html>";
  vi.advanceTimersByTime(3_600_000);
  const { host, steps } = await resolver.resolve("a.example");
  expect(host).toBe("192.0.2.7");
  expect(steps[0]?.result).toBe("the body is not JSON; still using 192.0.2.7");
});

describe("redirects of .well-known", () => {
  it.each([301, 302, 303, 307, 308])("follows %i, to another host as well", async (status) => {
    await world.wellKnown("a.example", "192.0.2.1", to("https://b.example/x?y=1", status));
    await world.wellKnown("b.example", "192.0.2.2", ((request, response) => {
      response.end(JSON.stringify({ "m.server": `m.example:${request.url === "/x?y=1" ? 1 : 2}` }));
    }) satisfies RequestListener);
    world.names["m.example"] = { a: ["192.0.2.3"] };
    expect((await (await world.resolver()).resolve("a.example")).host).toBe("m.example:1");
    expect(world.dialled.slice(0, 2)).toEqual(["a.example 192.0.2.1 443", "b.example 192.0.2.2 443"]);
  });

  it("follows one to an IP literal and another port, whose certificate must name it", async () => {
    await world.wellKnown("a.example", "192.0.2.1", to("https://[2001:db8::1]:4443/"));
    await world.serve("2001:db8::1", 4443, "2001:db8::1", (_, response) => response.end('{"m.server":"192.0.2.7"}'));
    expect((await (await world.resolver()).resolve("a.example")).host).toBe("192.0.2.7");
  });

  it("ends a circle", async () => {
    const path = "/.well-known/matrix/server";
    expect(await result(to(path))).toBe(`redirects in a circle at "https://a.example${path}"`);
  });

  it("ends an endless chain", async () => {
    let count = 0;
    expect(await result((_, response) => to(`/${++count}`)(_, response))).toBe("more than 10 redirects");
    expect(count).toBe(11);
  });

  it("stays with https", async () => {
    const reason = 'redirects to something that is not https: "http://b.example/"';
    expect(await result(to("http://b.example/"))).toBe(reason);
    expect(world.dialled).not.toContainEqual(expect.stringContaining("b.example"));
  });

  it.each(["", "https://", "https://[::"])("takes the location %j for no answer", async (location) => {
    const listener: RequestListener = (_, response) => response.writeHead(302, location ? { location } : {}).end();
    expect(await result(listener)).toBe("redirects to no URL");
  });

  it("counts every hop into one budget", async () => {
    let count = 0;
    const slow: RequestListener = (request, response) =>
      void setTimeout(() => to(`/${++count}`)(request as never, response as never), 60);
    expect(await result(slow, 200)).toBe("no answer within 200 ms");
    expect(count).toBeLessThan(4);
  });
});

it("tries the next address when one does not answer", async () => {
  world.names["a.example"] = { aaaa: ["2001:db8::1"], a: ["192.0.2.1"] };
  await world.wellKnown("a.example", "192.0.2.1", { "m.server": "192.0.2.7" });
  const connectTo = (to: { hostname: string; address: string; port: number }) =>
    to.address === "2001:db8::1" ? { address: "127.0.0.1", port: 1 } : world.connectTo(to);
  expect((await (await world.resolver({ connectTo })).resolve("a.example")).host).toBe("192.0.2.7");
});
