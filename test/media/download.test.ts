import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

import { mediaDownload } from "../../src/endpoints.js";
import { defineEndpoint, MatrixError, ResponseError } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, ourName, rejection } from "../client/world.js";
import { boundary, multipart, sendChunks, sendMultipart } from "./multipart-replies.js";

const world = createWorld("a.example");
const input = { mediaId: "abc" };
const onDownload = (behaviour: Parameters<typeof world.on>[1]): void =>
  world.on("a.example", behaviour, "media_download");
const download = () => world.client().media.download("a.example", input);

describe("a file comes", () => {
  test("as Synapse sends it", async () => {
    onDownload(sendMultipart());
    const media = await download();
    expect(media).toMatchObject({
      metadata: {},
      contentType: "image/png",
      contentDisposition: "inline; filename=a.png",
      filename: "a.png",
      contentLength: undefined,
      redirect: false,
    });
    expect(await text(media.body)).toBe("file");
  });

  test("as Dendrite sends it: no preamble, no Content-Disposition, a short boundary of hexadecimal digits", async () => {
    const by = "d3f2ab0f8a5b4d7795f9a6cf2c6de7f53a0b3cfb8a1f9e6c1c3b7d5e9f20";
    const pieces = { preamble: "", second: "Content-Type: text/plain\r\n\r\n", end: `\r\n--${by}--\r\n`, by };
    onDownload(sendMultipart(pieces));
    const media = await download();
    expect(media).toMatchObject({ contentType: "text/plain", contentDisposition: undefined, filename: undefined });
    expect(await text(media.body)).toBe("file");
  });

  test("as the servers of the Conduit family send it: names in lower case, and no -- after the last boundary", async () => {
    const first = "content-type: application/json\r\n\r\n{}";
    const second = 'content-type: image/webp\r\ncontent-disposition: inline; filename="a b.webp"\r\n\r\n';
    onDownload(sendMultipart({ first, second, end: `\r\n--${boundary}` }));
    const media = await download();
    expect(media).toMatchObject({ contentType: "image/webp", filename: "a b.webp" });
    expect(await text(media.body)).toBe("file");
  });

  test("cut at any byte on its way", async () => {
    const whole = multipart({ file: "\r\n--c8f3\r\n" });
    const client = world.client();
    for (let at = 1; at < whole.length; at++) {
      onDownload(sendChunks([whole.subarray(0, at), whole.subarray(at)]));
      const media = await client.media.download("a.example", input);
      expect(await text(media.body), `cut at ${at}`).toBe("\r\n--c8f3\r\n");
    }
  });

  test("compressed, though nobody asked for that", async () => {
    const headers = { "content-type": `multipart/mixed; boundary=${boundary}` };
    const whole = multipart({ file: "x".repeat(100_000) });
    for (const [encoding, bytes] of [
      ["gzip", gzipSync(whole)],
      ["br", brotliCompressSync(whole)],
    ] as const) {
      onDownload(sendChunks([bytes], { ...headers, "content-encoding": encoding }));
      expect((await text((await download()).body)).length).toBe(100_000);
    }
    // Cut off before anything of it can be read.
    onDownload(sendChunks([gzipSync(whole).subarray(0, 15)], { ...headers, "content-encoding": "gzip" }));
    expect(await rejection(download())).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
    onDownload(sendChunks([Buffer.from("no gzip")], { ...headers, "content-encoding": "gzip" }));
    expect(await rejection(download())).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
  });

  test("as a web stream", async () => {
    onDownload(sendMultipart());
    const stream = Readable.toWeb((await download()).body) as unknown as ReadableStream<Uint8Array>;
    expect(await new Response(stream).text()).toBe("file");
  });

  test("through the safe twin, and through request", async () => {
    onDownload(sendMultipart());
    const client = world.client();
    const result = await client.safe.media.download("a.example", input);
    expect(result).toMatchObject({ ok: true, via: "a.example", attempts: [{ verdict: "answered", status: 200 }] });
    expect(result.ok && (await text(result.value.body))).toBe("file");
    const media = await client.request("a.example", mediaDownload, input);
    expect(await text(media.body)).toBe("file");
  });

  test("to each who asks at the same time", async () => {
    onDownload(sendMultipart());
    const client = world.client();
    const all = await Promise.all([1, 2, 3].map(() => client.media.download("a.example", input)));
    expect(await Promise.all(all.map(({ body }) => text(body)))).toEqual(["file", "file", "file"]);
    expect(world.requests("a.example")).toHaveLength(3);
    await client.request("a.example", mediaDownload, input).then(({ cancel }) => cancel());
  });
});

describe("the request", () => {
  test("is signed, and says what is wanted", async () => {
    world.on("a.example", sendMultipart(), "media_thumbnail");
    onDownload(sendMultipart());
    const client = world.client();
    const wanted = { mediaId: "a-b_C9", width: 32, height: 16, method: "crop", animated: false, timeoutMs: 5 } as const;
    (await client.media.thumbnail("a.example", wanted)).cancel();
    (await client.media.download("a.example", { mediaId: "abc", timeoutMs: 1_000 })).cancel();
    expect(world.requests("a.example")).toMatchObject([
      {
        uri: "/_matrix/federation/v1/media/thumbnail/a-b_C9?width=32&height=16&method=crop&animated=false&timeout_ms=5",
        signedBy: ourName,
      },
      { uri: "/_matrix/federation/v1/media/download/abc?timeout_ms=1000", signedBy: ourName },
    ]);
  });

  test.each([
    ["maxBytes", { maxBytes: 0 }],
    ["maxBytes", { maxBytes: 1.5 }],
    ["idleTimeout", { idleTimeout: -1 }],
    ["idleTimeout", { idleTimeout: Number.POSITIVE_INFINITY }],
    ["timeout", { timeout: 0 }],
  ])("is not made with a wrong %s", async (option, options) => {
    const { media, safe } = world.client();
    expect(await rejection(media.download("a.example", input, options))).toMatchObject({ code: "ERR_OPTION" });
    const result = await safe.media.download("a.example", input, options);
    expect(result).toMatchObject({ ok: false, attempts: [], error: { code: "ERR_OPTION" } });
    expect(result.ok || result.error.message).toContain(option);
    expect(world.requestCount()).toBe(0);
  });

  test("is not made without a key, or without a size", async () => {
    const unsigned = world.client({ serverName: undefined, signingKey: undefined });
    expect(await rejection(unsigned.media.download("a.example", input))).toMatchObject({ code: "ERR_NO_SIGNING_KEY" });
    const half = { mediaId: "abc", width: 1 } as never;
    expect(await rejection(world.client().media.thumbnail("a.example", half))).toMatchObject({ code: "ERR_INPUT" });
    expect(world.requestCount()).toBe(0);
  });
});

test("only a GET of one named server can answer with a file", () => {
  expect(() => defineEndpoint({ ...mediaDownload, audience: "resident" })).toThrow("a GET for one server");
  expect(() => defineEndpoint({ ...mediaDownload, method: "POST" })).toThrow("a GET for one server");
});

test("a server that is asked to wait longer has the time for it", async () => {
  const endpoint = defineEndpoint({ ...mediaDownload, timeoutMs: 100 });
  onDownload(reply.delay(400, sendMultipart()));
  const client = world.client();
  const once = { rounds: 1, timeout: 10_000 };
  expect(await rejection(client.request("a.example", endpoint, input, once))).toMatchObject({ code: "ERR_TIMEOUT" });
  const media = await client.request("a.example", endpoint, { ...input, timeoutMs: 300 }, once);
  expect(await text(media.body)).toBe("file");
});

describe("no file:", () => {
  test.each([
    [404, "M_NOT_FOUND", "refused"],
    [404, "M_UNRECOGNIZED", "unsupported"],
    [400, "M_UNKNOWN", "refused"],
    [413, "M_TOO_LARGE", "unableHere"],
    [502, "M_TOO_LARGE", "unableHere"],
    [504, "M_NOT_YET_UPLOADED", "unableHere"],
  ])("%d %s is the error, and no failure of the server", async (status, errcode, verdict) => {
    world.on("a.example", reply.matrixError(status, errcode, "No."), "media_thumbnail");
    const client = world.client({ backoff: { threshold: 1 } });
    const wanted = { mediaId: "abc", width: 32, height: 32 };
    const result = await client.safe.media.thumbnail("a.example", wanted);
    expect(result).toMatchObject({ ok: false, attempts: [{ verdict, status, errcode }] });
    expect(!result.ok && result.error).toBeInstanceOf(MatrixError);
    expect(!result.ok && result.error).toMatchObject({ status, errcode, endpoint: "media_thumbnail" });
    expect(world.requests("a.example")).toHaveLength(1);
    expect(await client.backoff.get("a.example")).toMatchObject({ failures: 0 });
  });

  test("a gateway's error counts, and the server is asked again", async () => {
    onDownload(reply.sequence(reply.htmlError(502), sendMultipart()));
    const result = await world.client().safe.media.download("a.example", input);
    expect(result.attempts.map(({ verdict }) => verdict)).toEqual(["unavailable", "answered"]);
    expect(result.ok && (await text(result.value.body))).toBe("file");
  });

  test("a limit of our rate is waited out", async () => {
    onDownload(reply.sequence(reply.rateLimited({ retryAfterMs: 50 }), sendMultipart()));
    const result = await world.client().safe.media.download("a.example", input);
    expect(result.attempts.map(({ verdict }) => verdict)).toEqual(["rateLimited", "answered"]);
    if (result.ok) result.value.cancel();
  });

  test.each([
    ["JSON", reply.json({})],
    ["a file without multipart", reply.raw({ headers: { "content-type": "image/png" }, body: "file" })],
    ["nothing", reply.raw({ status: 204 })],
    ["a body that ends too soon", sendChunks([multipart().subarray(0, 60)])],
    ["a JSON part that is none", sendMultipart({ first: "Content-Type: application/json\r\n\r\nfile" })],
  ])("%s is invalid", async (_what, behaviour) => {
    onDownload(behaviour);
    const result = await world.client().safe.media.download("a.example", input);
    expect(result).toMatchObject({ ok: false, attempts: [{ verdict: "invalid" }] });
    expect(!result.ok && result.error).toBeInstanceOf(ResponseError);
    expect(!result.ok && result.error).toMatchObject({ code: "ERR_RESPONSE_INVALID", server: "a.example" });
  });

  test("a connection that breaks, or a server that says nothing, before the file", async () => {
    onDownload(reply.reset());
    expect(await rejection(download())).toMatchObject({ code: "ERR_CONNECTION_LOST", requestSent: true });
    onDownload(reply.stallBeforeHeaders());
    const client = world.client();
    const late = await rejection(client.media.download("a.example", input, { timeout: 200 }));
    expect(late).toMatchObject({ code: "ERR_TIMEOUT", server: "a.example" });
    onDownload(async ({ response }) => {
      response.writeHead(200, { "content-type": `multipart/mixed; boundary=${boundary}` });
      response.write(multipart().subarray(0, 50));
    });
    const silent = await rejection(client.media.download("a.example", input, { timeout: 200 }));
    expect(silent).toMatchObject({ code: "ERR_TIMEOUT", server: "a.example" });
  });
});
