import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";

import type { Client, Media, MediaOptions } from "../../src/index.js";
import type { Behaviour } from "../../src/testing.js";
import { createWorld } from "../client/world.js";
import { boundary, multipart, sendMultipart } from "./multipart-replies.js";

const world = createWorld("a.example", "cdn.example");
const contentType = `multipart/mixed; boundary=${boundary}`;

const download = (client: Client, options?: MediaOptions): Promise<Media> =>
  client.media.download("a.example", { mediaId: "abc" }, options);

/** Counts the requests whose connection is still there. */
interface Open {
  count: number;
  seen: number;
}

/** Sends so much of the answer, then says nothing any more. */
const sendPart =
  (bytes: Uint8Array | undefined, open: Open, then: () => void = () => {}, type = contentType): Behaviour =>
  async ({ response, signal }) => {
    open.count += 1;
    open.seen += 1;
    signal.addEventListener("abort", () => {
      open.count -= 1;
    });
    if (bytes) {
      response.writeHead(200, { "content-type": type });
      response.flushHeaders();
      if (bytes.length > 0) await new Promise<void>((sent) => response.write(bytes, () => sent()));
    }
    then();
  };

/** Aborts so many microtasks after something was published of a request. */
function abortAfter(channel: string, microtasks: number, controller: AbortController): () => void {
  let first = true;
  const listener = (): void => {
    if (!first) return;
    first = false;
    let left = microtasks;
    const step = (): void => {
      left -= 1;
      if (left < 0) controller.abort(new Error("enough"));
      else queueMicrotask(step);
    };
    step();
  };
  subscribe(channel, listener);
  return () => void unsubscribe(channel, listener);
}

/** What a call came to whose signal aborted: it rejects with the reason, or the file does. */
async function outcomeOf(asking: Promise<Media>): Promise<unknown> {
  try {
    const { body } = await asking;
    for await (const _ of body);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("a call that is aborted lets go of the file at once", () => {
  test.each(["undici:request:headers", "matrix-federation-sdk:request:end"])(
    "however few microtasks after %s",
    async (channel) => {
      const client = world.client();
      await client.version("a.example");
      const open: Open = { count: 0, seen: 0 };
      world.on("a.example", sendPart(multipart({ end: "" }), open), "media_download");
      for (let microtasks = 0; microtasks < 40; microtasks++) {
        const controller = new AbortController();
        const stop = abortAfter(channel, microtasks, controller);
        const outcome = await outcomeOf(download(client, { signal: controller.signal }));
        stop();
        expect(outcome, `after ${microtasks}`).toBe(controller.signal.reason);
        await expect.poll(() => open.count, { message: `after ${microtasks}` }).toBe(0);
      }
      expect(open.seen).toBe(40);
    },
  );

  test("when its time is over just then", async () => {
    const client = world.client();
    await client.version("a.example");
    const open: Open = { count: 0, seen: 0 };
    world.on("a.example", sendPart(multipart({ end: "" }), open), "media_download");
    const endings: string[] = [];
    for (let timeout = 1; timeout < 12; timeout++) {
      const result = await client.safe.media.download("a.example", { mediaId: "abc" }, { timeout });
      endings.push(result.ok ? "file" : result.error.code);
      if (result.ok) result.value.cancel();
      await turn();
    }
    expect(endings.every((ending) => ending === "file" || ending === "ERR_TIMEOUT")).toBe(true);
    await expect.poll(() => open.count).toBe(0);
  });

  const whole = multipart({ file: "a file", end: "" });
  const steps: [string, Uint8Array | undefined][] = [
    ["before the headers of the response", undefined],
    ["after them", whole.subarray(0, 0)],
    ["in the preamble", whole.subarray(0, 1)],
    ["in the first part's headers", whole.subarray(0, 50)],
    ["in the metadata", whole.subarray(0, whole.indexOf("{}") + 1)],
    ["after them", whole.subarray(0, whole.indexOf("{}") + 2)],
    ["in the second part's headers", whole.subarray(0, whole.indexOf("image/png") + 3)],
    ["where the file begins", whole.subarray(0, whole.length - 6)],
    ["in the file", whole],
  ];
  test.each(steps)("%s", async (_step, bytes) => {
    const controller = new AbortController();
    const open: Open = { count: 0, seen: 0 };
    const then = (): void => void setTimeout(() => controller.abort(new Error("enough")), 20);
    world.on("a.example", sendPart(bytes, open, then), "media_download");
    const outcome = await outcomeOf(download(world.client(), { signal: controller.signal }));
    expect(outcome).toBe(controller.signal.reason);
    expect(open.seen).toBe(1);
    await expect.poll(() => open.count).toBe(0);
  });

  test.each([
    ["before", undefined],
    ["after", Buffer.alloc(0)],
    ["long after", Buffer.from("fi")],
  ])("%s the headers of the host that the server redirects to", async (_step, bytes) => {
    const controller = new AbortController();
    const open: Open = { count: 0, seen: 0 };
    const then = (): void => void setTimeout(() => controller.abort(new Error("enough")), 20);
    world.server("cdn.example").on({ method: "GET", path: /^/ }, sendPart(bytes, open, then, "image/png"));
    world.on("a.example", sendMultipart({ second: "Location: https://cdn.example/\r\n\r\n" }), "media_download");
    const outcome = await outcomeOf(download(world.client(), { signal: controller.signal }));
    expect(outcome).toBe(controller.signal.reason);
    expect(open.seen).toBe(1);
    await expect.poll(() => open.count).toBe(0);
  });

  test("when the client is closed just after the headers", async () => {
    for (let microtasks = 0; microtasks < 30; microtasks += 3) {
      const client = world.client();
      await client.version("a.example");
      const open: Open = { count: 0, seen: 0 };
      world.on("a.example", sendPart(multipart({ end: "" }), open), "media_download");
      const controller = new AbortController();
      controller.signal.addEventListener("abort", () => void client.close());
      const stop = abortAfter("matrix-federation-sdk:request:end", microtasks, controller);
      const outcome = await outcomeOf(download(client));
      stop();
      expect(outcome).toMatchObject({ code: "ERR_CLOSED" });
      await expect.poll(() => open.count).toBe(0);
    }
  });
});
