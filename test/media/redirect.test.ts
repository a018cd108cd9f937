import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

import type { Client, Media, MediaOptions } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, rejection } from "../client/world.js";
import { boundary, multipart, sendMultipart } from "./multipart-replies.js";

const world = createWorld("a.example", "cdn.example", "cdn2.example:4443", {
  name: "wrong.example",
  certificateFor: "other.example",
});

/** Redirects to a place, and asks for the file. */
const from = (location: string, options?: MediaOptions, client: Client = world.client()): Promise<Media> => {
  world.on("a.example", sendMultipart({ second: `Location: ${location}\r\n\r\n`, file: "" }), "media_download");
  return client.media.download("a.example", { mediaId: "abc" }, options);
};
const onCdn = (path: string | RegExp, behaviour: Behaviour, server = "cdn.example"): void =>
  void world.server(server).on({ method: "GET", path }, behaviour);
const everything = /^/;
const file = reply.raw({
  headers: { "content-type": "image/png", "content-disposition": 'attachment; filename="b.png"' },
  body: "file",
});

describe("a file that is elsewhere", () => {
  test("comes from there, with the headers from there, and nobody there learns who asks", async () => {
    onCdn(everything, file);
    const media = await from("https://cdn.example/x/y.png?signature=a%2Fb");
    expect(media).toMatchObject({
      metadata: {},
      contentType: "image/png",
      contentDisposition: 'attachment; filename="b.png"',
      filename: "b.png",
      contentLength: 4,
      redirect: true,
    });
    expect(await text(media.body)).toBe("file");
    const [request] = world.server("cdn.example").requests;
    expect(request).toMatchObject({ method: "GET", uri: "/x/y.png?signature=a%2Fb", authorization: [] });
    expect(request?.headers).toMatchObject({ host: "cdn.example", "user-agent": "matrix-federation-sdk" });
  });

  test("as the servers of the Conduit family say it", async () => {
    onCdn(everything, file);
    const second = "location: https://cdn.example/\r\n\r\n";
    world.on("a.example", sendMultipart({ second, file: "", end: `\r\n--${boundary}` }), "media_download");
    const result = await world.client().safe.media.download("a.example", { mediaId: "abc" });
    expect(result).toMatchObject({ ok: true, via: "a.example", value: { redirect: true } });
    if (result.ok) expect(await text(result.value.body)).toBe("file");
  });

  test("comes though what should be empty goes on for ever, which nobody reads", async () => {
    onCdn(everything, file);
    let sent = 0;
    let gone = false;
    world.on(
      "a.example",
      async ({ response, signal }) => {
        response.writeHead(200, { "content-type": `multipart/mixed; boundary=${boundary}` });
        response.write(multipart({ second: "Location: https://cdn.example/\r\n\r\n", file: "", end: "" }));
        while (!signal.aborted) {
          sent += 10_000;
          if (!response.write(Buffer.alloc(10_000))) await once(response, "drain", { signal }).catch(() => undefined);
        }
        gone = true;
      },
      "media_download",
    );
    const media = await world.client().media.download("a.example", { mediaId: "abc" });
    expect(await text(media.body)).toBe("file");
    await expect.poll(() => gone).toBe(true);
    expect(sent).toBeLessThan(16_000_000);
  });

  test("may come compressed, its length then being another", async () => {
    const body = gzipSync("x".repeat(10_000));
    onCdn(everything, reply.raw({ headers: { "content-encoding": "gzip" }, body }));
    const media = await from("https://cdn.example/");
    expect(media).toMatchObject({ contentLength: undefined, contentType: "application/octet-stream" });
    expect((await text(media.body)).length).toBe(10_000);
    const small = await from("https://cdn.example/", { maxBytes: 1_000 });
    expect(await rejection(text(small.body))).toMatchObject({ code: "ERR_RESPONSE_TOO_LARGE" });
    onCdn(everything, reply.raw({ headers: { "content-encoding": "gzip" }, body: body.subarray(0, 30) }));
    const cut = await from("https://cdn.example/");
    expect(await rejection(text(cut.body))).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
  });

  test("comes over some more redirects, relative ones too", async () => {
    onCdn("/1", reply.redirect("/2?x=1", 307));
    onCdn("/2", reply.redirect("https://cdn2.example:4443/3"));
    onCdn("/3", file, "cdn2.example:4443");
    expect(await text((await from("https://cdn.example/1")).body)).toBe("file");
    expect(world.server("cdn2.example:4443").requests[0]?.headers.host).toBe("cdn2.example:4443");
  });

  test("is held to the same limits, before its first byte where its length is known", async () => {
    onCdn(everything, file);
    expect(await rejection(from("https://cdn.example/", { maxBytes: 3 }))).toMatchObject({
      code: "ERR_RESPONSE_TOO_LARGE",
      server: "a.example",
    });
    onCdn(everything, reply.endless());
    const media = await from("https://cdn.example/", { maxBytes: 100_000 });
    expect(await rejection(text(media.body))).toMatchObject({ code: "ERR_RESPONSE_TOO_LARGE" });
    onCdn(everything, reply.stall({ afterBytes: 10 }));
    const silent = await from("https://cdn.example/", { idleTimeout: 100 });
    expect(await rejection(text(silent.body))).toMatchObject({ code: "ERR_TIMEOUT", server: "a.example" });
  });

  test("and is cut off fails, as one that is given up or whose client is closed", async () => {
    onCdn(everything, reply.reset({ when: "midBody" }));
    expect(await rejection(text((await from("https://cdn.example/")).body))).toMatchObject({
      code: "ERR_CONNECTION_LOST",
    });
    onCdn(everything, reply.endless());
    const controller = new AbortController();
    const media = await from("https://cdn.example/", { signal: controller.signal });
    controller.abort();
    expect(await rejection(text(media.body))).toBe(controller.signal.reason);
    const client = world.client();
    const other = await from("https://cdn.example/", {}, client);
    await client.close();
    expect(await rejection(text(other.body))).toMatchObject({ code: "ERR_CLOSED" });
  });
});

describe("a file is not fetched", () => {
  test.each([
    "http://cdn.example/",
    "ftp://cdn.example/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "//cdn.example/",
    "/relative",
    "nothing of the sort",
    "https://",
    "",
    "https://user:password@cdn.example/",
    "mxc://cdn.example/abc",
  ])("from %j", async (location) => {
    onCdn(everything, file);
    const error = await rejection(from(location));
    expect(error).toMatchObject({ code: "ERR_RESPONSE_INVALID", server: "a.example", endpoint: "media_download" });
    expect(error.message).not.toContain("password");
    expect(world.server("cdn.example").requests).toEqual([]);
  });

  test("by http after a redirect, in a circle, or over many redirects", async () => {
    onCdn("/1", reply.redirect("http://cdn.example/2"));
    expect((await rejection(from("https://cdn.example/1"))).message).toContain("not https");
    onCdn("/1", reply.redirect("/2"));
    onCdn("/2", reply.redirect("/1#again"));
    expect((await rejection(from("https://cdn.example/1"))).message).toContain("a circle");
    onCdn(everything, ({ request, response }) => {
      response.writeHead(302, { location: `${request.uri}x` }).end();
    });
    world.server("cdn.example").reset();
    onCdn(everything, ({ request, response }) => {
      response.writeHead(302, { location: `${request.uri}x` }).end();
    });
    expect((await rejection(from("https://cdn.example/1"))).message).toContain("more than 5 redirects");
    expect(world.server("cdn.example").requests).toHaveLength(6);
    onCdn(everything, reply.raw({ status: 302 }));
    expect((await rejection(from("https://cdn.example/1"))).message).toContain("no URL");
  });

  test("from an address that may not be connected to, and nothing is connected", async () => {
    let connections = 0;
    const listener = createServer((socket) => {
      connections += 1;
      socket.destroy();
    }).listen(0, "127.0.0.2");
    await once(listener, "listening");
    const { port } = listener.address() as AddressInfo;
    const { dns } = world.federation.clientOptions;
    const client = world.client({
      dns: {
        resolve4: async (hostname, options) =>
          hostname === "inside.example" ? [{ address: "127.0.0.2", ttl: 60 }] : await dns.resolve4(hostname, options),
        resolve6: (hostname, options) => dns.resolve6(hostname, options),
        resolveSrv: (hostname) => dns.resolveSrv(hostname),
      },
    });
    try {
      for (const host of [`127.0.0.2:${port}`, `2130706434:${port}`, `inside.example:${port}`, "10.0.0.1", "[::1]"]) {
        const error = await rejection(from(`https://${host}/`, {}, client));
        expect(error, host).toMatchObject({ code: "ERR_ADDRESS_REFUSED", server: "a.example", requestSent: false });
        onCdn(everything, reply.redirect(`https://${host}/`));
        const later = await rejection(from("https://cdn.example/", {}, client));
        expect(later, host).toMatchObject({ code: "ERR_ADDRESS_REFUSED" });
      }
      expect(connections).toBe(0);
    } finally {
      listener.close();
    }
  });

  test("from a host that has no file, no address, or not the right certificate", async () => {
    onCdn(everything, reply.htmlError(403));
    const none = await rejection(from("https://cdn.example/"));
    expect(none).toMatchObject({ code: "ERR_NOT_MATRIX", status: 403, server: "a.example" });
    expect(none.message).toContain("Host: cdn.example");
    expect(await rejection(from("https://nowhere.example/"))).toMatchObject({ code: "ERR_CONNECT" });
    expect(await rejection(from("https://wrong.example/"))).toMatchObject({ code: "ERR_TLS" });
    await world.server("cdn.example").stop();
    const client = world.client();
    expect(await rejection(from("https://cdn.example/", {}, client))).toMatchObject({ code: "ERR_CONNECT" });
    // That is not the server's own failure.
    expect(await client.backoff.get("a.example")).toMatchObject({ failures: 0 });
  });

  test("by a call whose time is over, or that is aborted", async () => {
    onCdn(everything, reply.stallBeforeHeaders());
    expect(await rejection(from("https://cdn.example/", { timeout: 300 }))).toMatchObject({
      code: "ERR_TIMEOUT",
      server: "a.example",
    });
    const controller = new AbortController();
    const asking = rejection(from("https://cdn.example/", { signal: controller.signal }));
    await expect.poll(() => world.server("cdn.example").requests.length).toBe(2);
    controller.abort();
    expect(await asking).toBe(controller.signal.reason);
    const client = world.client();
    const closed = rejection(from("https://cdn.example/", {}, client));
    await expect.poll(() => world.server("cdn.example").requests.length).toBe(3);
    await client.close();
    expect(await closed).toMatchObject({ code: "ERR_CLOSED" });
    await sleep(1);
  });
});
