import type { Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";

import { type Client, type Media, type MediaOptions, TransportError } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, rejection } from "../client/world.js";
import { heldBytes } from "../held-bytes.js";
import { boundary, multipart, sendLarge, sendMultipart } from "./multipart-replies.js";

const world = createWorld("a.example");
const MIB = 1024 * 1024;

const download = (behaviour: Behaviour, options?: MediaOptions, client: Client = world.client()): Promise<Media> => {
  world.on("a.example", behaviour, "media_download");
  return client.media.download("a.example", { mediaId: "abc" }, options);
};

/** The beginning of a file, and then what `then` does. */
const begin =
  (then: Behaviour): Behaviour =>
  async (exchange) => {
    exchange.response.writeHead(200, { "content-type": `multipart/mixed; boundary=${boundary}` });
    await new Promise<void>((sent) => exchange.response.write(multipart({ end: "" }), () => sent()));
    await then(exchange);
  };
/** The same, and tells when the connection is gone. */
const begunAndSilent = (): { behaviour: Behaviour; gone: Promise<void> } => {
  let go = (): void => {};
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  return { behaviour: begin(({ signal }) => signal.addEventListener("abort", () => go())), gone };
};

async function read(media: Media): Promise<number> {
  let bytes = 0;
  for await (const chunk of media.body) bytes += (chunk as Buffer).length;
  return bytes;
}

describe("a large file", () => {
  test("of 200 MB takes some MB of memory, and one that is read slowly comes slowly", async () => {
    const size = 200 * MIB;
    const sent = { bytes: 0 };
    const media = await download(sendLarge(size, sent), { maxBytes: size });
    // The sockets' buffers and ours, and no more.
    await sleep(300);
    expect(sent.bytes).toBeLessThan(16 * MIB);
    const before = heldBytes();
    let most = 0;
    let bytes = 0;
    for await (const chunk of media.body) {
      if (Math.floor(bytes / (20 * MIB)) < Math.floor((bytes + (chunk as Buffer).length) / (20 * MIB))) {
        most = Math.max(most, heldBytes() - before);
      }
      bytes += (chunk as Buffer).length;
    }
    expect(bytes).toBe(size);
    // The server is in this process too.
    expect(most).toBeLessThan(8 * MIB);
  });

  test("that somebody has begun to read waits for who reads on", async () => {
    const sent = { bytes: 0 };
    const media = await download(sendLarge(100 * MIB, sent));
    const chunks = media.body[Symbol.asyncIterator]();
    await chunks.next();
    await sleep(300);
    const before = sent.bytes;
    expect(before).toBeLessThan(16 * MIB);
    expect(media.body.readableLength).toBeLessThan(MIB);
    for (let bytes = 0; bytes < before + MIB; ) bytes += ((await chunks.next()).value as Buffer).length;
    expect(sent.bytes).toBeGreaterThan(before);
    media.cancel();
  });

  test("may have 100 MiB, or what maxBytes says, and not a byte more", async () => {
    expect(await read(await download(sendLarge(MIB), { maxBytes: MIB }))).toBe(MIB);
    const sent = { bytes: 0 };
    const media = await download(sendLarge(400 * MIB, sent), { maxBytes: MIB });
    expect(await rejection(read(media))).toMatchObject({
      code: "ERR_RESPONSE_TOO_LARGE",
      server: "a.example",
      endpoint: "media_download",
    });
    expect(sent.bytes).toBeLessThan(20 * MIB);
    const byDefault = await download(sendLarge(100 * MIB + 1));
    expect(await rejection(read(byDefault))).toMatchObject({ code: "ERR_RESPONSE_TOO_LARGE" });
  });
});

describe("the stream ends with an error", () => {
  test("when the connection breaks", async () => {
    const media = await download(begin(({ reset }) => reset()));
    const error = await rejection(read(media));
    expect(error).toBeInstanceOf(TransportError);
    expect(error).toMatchObject({ code: "ERR_CONNECTION_LOST", server: "a.example", endpoint: "media_download" });
  });

  test("when the response ends before the file, be it by its own length", async () => {
    const media = await download(begin(({ response }) => void response.end()));
    expect(await rejection(read(media))).toMatchObject({ code: "ERR_RESPONSE_INVALID", server: "a.example" });
    const short = multipart({ end: "\r\n--" });
    const headers = { "content-type": `multipart/mixed; boundary=${boundary}` };
    const whole = await download(reply.raw({ headers, body: short }));
    expect(await rejection(read(whole))).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
  });

  test("the signal's reason, when the signal aborts", async () => {
    const { behaviour, gone } = begunAndSilent();
    const controller = new AbortController();
    const media = await download(behaviour, { signal: controller.signal });
    const reading = rejection(read(media));
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await reading).toBe(reason);
    await gone;
  });

  test("when the signal aborts before anybody reads", async () => {
    const { behaviour, gone } = begunAndSilent();
    const controller = new AbortController();
    const media = await download(behaviour, { signal: controller.signal });
    controller.abort();
    await gone;
    expect(await rejection(read(media))).toBe(controller.signal.reason);
  });

  test("when the client is closed", async () => {
    const { behaviour, gone } = begunAndSilent();
    const client = world.client();
    const media = await download(behaviour, {}, client);
    const unread = await download(behaviour, {}, client);
    const reading = rejection(read(media));
    await client.close();
    expect(await reading).toMatchObject({ code: "ERR_CLOSED" });
    expect(await rejection(read(unread))).toMatchObject({ code: "ERR_CLOSED" });
    await gone;
  });

  test("when nothing comes for a while", async () => {
    const { behaviour, gone } = begunAndSilent();
    const media = await download(behaviour, { idleTimeout: 150 });
    expect(await rejection(read(media))).toMatchObject({ code: "ERR_TIMEOUT", server: "a.example" });
    await gone;
  });

  test("when nobody reads for a while", async () => {
    const sent = { bytes: 0 };
    const media = await download(sendLarge(100 * MIB, sent), { idleTimeout: 150 });
    await expect.poll(() => media.body.destroyed).toBe(true);
    expect(await rejection(read(media))).toMatchObject({ code: "ERR_TIMEOUT" });
    expect(sent.bytes).toBeLessThan(16 * MIB);
  });

  test("but not after the call's timeout, nor while somebody reads slowly", async () => {
    const client = world.client();
    const media = await download(sendLarge(600_000), { timeout: 400, idleTimeout: 300 }, client);
    let bytes = 0;
    for await (const chunk of media.body) {
      bytes += (chunk as Buffer).length;
      await sleep(80);
    }
    expect(bytes).toBe(600_000);
  });
});

describe("the connection", () => {
  /** Remembers the connections that requests come over. */
  const over =
    (sockets: Set<Socket>, behaviour: Behaviour): Behaviour =>
    (exchange) => {
      if (exchange.response.socket) sockets.add(exchange.response.socket);
      return behaviour(exchange);
    };

  test("serves one file after the other", async () => {
    const client = world.client();
    const sockets = new Set<Socket>();
    for (let at = 0; at < 5; at++) {
      expect(await text((await download(over(sockets, sendMultipart()), {}, client)).body)).toBe("file");
      await sleep(5);
    }
    expect(sockets.size).toBe(1);
  });

  test("does not outlive the file, however that ended", async () => {
    const client = world.client();
    const sockets = new Set<Socket>();
    const endings: [Behaviour, (media: Media) => unknown][] = [
      [sendMultipart(), ({ body }) => text(body)],
      [sendLarge(20 * MIB), ({ cancel }) => cancel()],
      [sendLarge(20 * MIB), (media) => rejection(read(media))],
      [sendLarge(20 * MIB), ({ body }) => new Promise((closed) => body.on("close", closed))],
      [begin(({ response }) => void response.end()), (media) => rejection(read(media))],
    ];
    for (let at = 0; at < 50; at++) {
      const [behaviour, use] = endings[at % endings.length] ?? [sendMultipart(), () => undefined];
      await use(await download(over(sockets, behaviour), { maxBytes: 10 * MIB, idleTimeout: 50 }, client));
    }
    expect(sockets.size).toBeGreaterThan(1);
    // One may wait for the next file.
    await expect.poll(() => [...sockets].filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(1);
    await client.close();
    await expect.poll(() => [...sockets].filter(({ destroyed }) => !destroyed).length).toBe(0);
  });

  test("is not one of those that requests are made on, so that unread files hold up nothing", async () => {
    const client = world.client({ maxConnectionsPerServer: 1 });
    const media = await download(sendLarge(50 * MIB), {}, client);
    await client.version("a.example");
    media.cancel();
  });

  test("is free when the file is given up, whoever does that and how", async () => {
    const client = world.client({ maxConnectionsPerServer: 1 });
    for (const giveUp of [
      ({ cancel }: Media) => cancel(),
      ({ body }: Media) => body.destroy(),
      async ({ body }: Media) => {
        for await (const _ of body) break;
      },
    ]) {
      const media = await download(sendLarge(50 * MIB), {}, client);
      await giveUp(media);
      // Only one connection may there be: this would wait for ever.
      expect(await text((await download(sendMultipart(), {}, client)).body)).toBe("file");
    }
  });

  test("is free when the file has come, though nobody has read it yet", async () => {
    const client = world.client({ maxConnectionsPerServer: 1 });
    const first = await download(sendMultipart({ file: "x".repeat(30_000) }), {}, client);
    const second = await download(sendMultipart(), {}, client);
    expect((await buffer(first.body)).length).toBe(30_000);
    expect(await text(second.body)).toBe("file");
  });

  test("is given up when something is wrong", async () => {
    let go = (): void => {};
    const gone = new Promise<void>((resolve) => {
      go = resolve;
    });
    const invalid: Behaviour = ({ response, signal }) => {
      response.writeHead(200, { "content-type": "image/png" });
      response.write("file");
      signal.addEventListener("abort", () => go());
    };
    expect(await rejection(download(invalid))).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
    await gone;
  });

  test("that broke while idle is replaced", async () => {
    const client = world.client();
    expect(await text((await download(sendMultipart(), {}, client)).body)).toBe("file");
    await sleep(20);
    // As a server does that closes an idle connection while a request is on its way.
    let first = true;
    const behaviour: Behaviour = (exchange) => {
      if (!first) return sendMultipart()(exchange);
      first = false;
      exchange.reset();
    };
    const media = await download(behaviour, { rounds: 1 }, client);
    expect(await text(media.body)).toBe("file");
  });
});
