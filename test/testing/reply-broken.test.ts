import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { createGunzip } from "node:zlib";

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { createTestFederation, reply, type TestFederation } from "../../src/testing.js";
import { askForHead } from "./ask.js";

let federation: TestFederation;
beforeAll(async () => {
  federation = await createTestFederation({ servers: ["a.test"] });
});
beforeEach(() => federation.server("a.test").reset());
afterAll(() => federation.close());

test("endless goes on while the client reads, and stops when it goes", async () => {
  let over = false;
  federation.server("a.test").on("version", async (exchange) => {
    await Promise.resolve(reply.endless({ chunk: "abc" })(exchange)).finally(() => {
      over = true;
    });
  });
  const response = await askForHead(federation, "a.test");
  let received = 0;
  for await (const chunk of response) {
    received += (chunk as Uint8Array).length;
    if (received > 200_000) break;
  }
  await expect.poll(() => over).toBe(true);
});

test("endless keeps little in memory while nobody reads", async () => {
  let buffered = 0;
  federation.server("a.test").on("version", async (exchange) => {
    const timer = setInterval(() => {
      buffered = Math.max(buffered, exchange.response.writableLength);
    }, 5);
    exchange.signal.addEventListener("abort", () => clearInterval(timer));
    await reply.endless()(exchange);
  });
  const response = await askForHead(federation, "a.test");
  response.pause();
  await sleep(100);
  response.destroy();
  expect(buffered).toBeGreaterThan(0);
  expect(buffered).toBeLessThan(1_000_000);
});

test("endless gzip grows at the client", async () => {
  federation.server("a.test").on("version", reply.endless({ gzip: true }));
  const response = await askForHead(federation, "a.test");
  expect(response.headers["content-encoding"]).toBe("gzip");
  let wire = 0;
  let inflated = 0;
  response.on("data", (chunk) => {
    wire += chunk.length;
  });
  for await (const chunk of response.pipe(createGunzip())) {
    inflated += (chunk as Uint8Array).length;
    if (inflated > 20_000_000) break;
  }
  expect(inflated / wire).toBeGreaterThan(20);
  response.destroy();
});

test("stall: nothing, the headers, or a part of the body, then silence", async () => {
  const server = federation.server("a.test").on("version", reply.stallBeforeHeaders());
  await expect(askForHead(federation, "a.test", { signal: AbortSignal.timeout(80) })).rejects.toThrow();
  for (const [behaviour, expected] of [
    [reply.stall(), ""],
    [reply.stall({ afterBytes: 3, body: '{"a":1}' }), '{"a'],
  ] as const) {
    server.on("version", behaviour);
    const response = await askForHead(federation, "a.test");
    expect(Number(response.headers["content-length"])).toBeGreaterThan(3);
    let text = "";
    response
      .on("error", () => {})
      .on("data", (chunk) => {
        text += chunk;
      });
    await sleep(60);
    expect([text, response.complete]).toEqual([expected, false]);
    response.destroy();
  }
});

test("reset: before the response and in the middle of the body", async () => {
  federation.server("a.test").on("version", reply.reset());
  await expect(askForHead(federation, "a.test")).rejects.toMatchObject({ code: "ECONNRESET" });
  federation.server("a.test").on("version", reply.reset({ when: "midBody" }));
  const response = await askForHead(federation, "a.test");
  expect(response.statusCode).toBe(200);
  let bytes = 0;
  const reading = (async () => {
    for await (const chunk of response) bytes += (chunk as Uint8Array).length;
  })();
  await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(bytes).toBe(512);
});

test("reset is a TCP reset and no orderly end", async () => {
  federation.server("a.test").on("version", reply.reset());
  const { port } = federation.server("a.test");
  const socket = connect({ host: "127.0.0.1", port, ca: federation.clientOptions.ca, servername: "a.test" });
  const ending = new Promise((resolve) => {
    socket.on("error", (error: NodeJS.ErrnoException) => resolve([error.code, error.syscall]));
    socket.on("end", () => resolve("end"));
  });
  socket.write("GET /_matrix/federation/v1/version HTTP/1.1\r\nHost: a.test\r\n\r\n");
  expect(await ending).toEqual(["ECONNRESET", "read"]);
});
