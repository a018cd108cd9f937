import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";

import type { Media, MediaOptions } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, rejection } from "../client/world.js";
import { boundary, multipart, sendLarge } from "./multipart-replies.js";

const world = createWorld("a.example", "cdn.example");

const download = (behaviour: Behaviour, options: MediaOptions): Promise<Media> => {
  world.on("a.example", behaviour, "media_download");
  return world.client().media.download("a.example", { mediaId: "abc" }, options);
};

/** Pieces of so many bytes with pauses in between, as many as there may be until the client goes or the time is over. */
const trickle =
  (bytes: number, pauseMs: number, forMs: number, onGone: () => void = () => {}): Behaviour =>
  async ({ response, signal }) => {
    response.writeHead(200, { "content-type": `multipart/mixed; boundary=${boundary}` });
    response.write(multipart({ file: "", end: "" }));
    const until = performance.now() + forMs;
    while (!signal.aborted && performance.now() < until) {
      response.write(Buffer.alloc(bytes, "x"));
      await sleep(pauseMs);
    }
    if (signal.aborted) onGone();
    response.end(`\r\n--${boundary}--\r\n`);
  };

async function read(media: Media): Promise<number> {
  let bytes = 0;
  for await (const chunk of media.body) bytes += (chunk as Buffer).length;
  return bytes;
}

describe("a file that trickles", () => {
  test("one byte at a time, never silent for long, fails all the same, and its connection ends", async () => {
    let gone = false;
    const behaviour = trickle(1, 10, 60_000, () => {
      gone = true;
    });
    const error = await rejection(read(await download(behaviour, { idleTimeout: 300 })));
    expect(error).toMatchObject({ code: "ERR_TIMEOUT", server: "a.example", endpoint: "media_download" });
    expect(error.message).toContain("slower than 4096 bytes a second");
    await expect.poll(() => gone).toBe(true);
  });

  test("comes where that is allowed, and does not where more is wanted", async () => {
    const options = { idleTimeout: 300 };
    const slow = (): Behaviour => trickle(1, 10, 800);
    expect(await read(await download(slow(), { ...options, minBytesPerSecond: 0 }))).toBeGreaterThan(10);
    expect(await read(await download(slow(), { ...options, minBytesPerSecond: 0.5 }))).toBeGreaterThan(10);
    const much = download(trickle(1_000, 10, 60_000), { ...options, minBytesPerSecond: 10_000_000 });
    expect(await rejection(read(await much))).toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("from the host that the server redirected to", async () => {
    const bytes: Behaviour = async ({ response, signal }) => {
      response.writeHead(200);
      while (!signal.aborted) {
        response.write("x");
        await sleep(10);
      }
    };
    world.server("cdn.example").on({ method: "GET", path: /^/ }, bytes);
    const error = await rejection(
      read(await download(reply.mediaRedirect("https://cdn.example/"), { idleTimeout: 300 })),
    );
    expect(error).toMatchObject({ code: "ERR_TIMEOUT", server: "a.example" });
    expect(error.message).toContain("\nHost: cdn.example\n");
  });

  test("before the file has begun has only the time of the attempt", async () => {
    const behaviour: Behaviour = async ({ response, signal }) => {
      response.writeHead(200, { "content-type": `multipart/mixed; boundary=${boundary}` });
      while (!signal.aborted) {
        response.write("x");
        await sleep(10);
      }
    };
    const error = await rejection(download(behaviour, { timeout: 300, rounds: 1 }));
    expect(error).toMatchObject({ code: "ERR_TIMEOUT", server: "a.example" });
  });
});

test("who reads slowly makes no server slow, however much is wanted of it", async () => {
  const media = await download(sendLarge(600_000), { idleTimeout: 300, minBytesPerSecond: 300_000 });
  let bytes = 0;
  for await (const chunk of media.body) {
    bytes += (chunk as Buffer).length;
    await sleep(150);
  }
  expect(bytes).toBe(600_000);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "1", null])("minBytesPerSecond is not %j", async (value) => {
  const options = { minBytesPerSecond: value } as never;
  const error = await rejection(world.client().media.download("a.example", { mediaId: "abc" }, options));
  expect(error).toMatchObject({ code: "ERR_OPTION" });
  expect(error.message).toContain("minBytesPerSecond");
  expect(world.requestCount()).toBe(0);
});
