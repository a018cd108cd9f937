import { buffer, text } from "node:stream/consumers";
import fc from "fast-check";
import { expect, test } from "vitest";

import { reply } from "../../src/testing.js";
import { createWorld } from "../client/world.js";

const world = createWorld("a.example", "cdn.example");
const input = { mediaId: "abc" };

test("a test server serves a file in one line", async () => {
  world.on("a.example", reply.media({ body: "file", contentType: "image/png", filename: "é a.png" }), "media_download");
  const media = await world.client().media.download("a.example", input);
  expect(media).toMatchObject({ contentType: "image/png", filename: "é a.png", metadata: {}, redirect: false });
  expect(await text(media.body)).toBe("file");
});

test("a test server says in one line that the file is elsewhere, where it is served in another line", async () => {
  world.on("a.example", reply.mediaRedirect("https://cdn.example/x", { a: 1 }), "media_thumbnail");
  const file = reply.raw({ headers: { "content-type": "image/webp" }, body: "small" });
  world.server("cdn.example").on({ method: "GET", path: "/x" }, file);
  const media = await world.client().media.thumbnail("a.example", { ...input, width: 1, height: 1 });
  expect(media).toMatchObject({ contentType: "image/webp", metadata: { a: 1 }, redirect: true });
  expect(await text(media.body)).toBe("small");
});

test("an empty file, one with metadata, and one with other headers", async () => {
  const { media } = world.client();
  world.on("a.example", reply.media(), "media_download");
  const empty = await media.download("a.example", input);
  expect(empty).toMatchObject({ contentType: "application/octet-stream", contentDisposition: undefined });
  expect(await text(empty.body)).toBe("");
  const headers = { "content-disposition": "attachment; filename=CON", "content-length": "1" };
  world.on("a.example", reply.media({ body: "x", metadata: { a: [1] }, headers }), "media_download");
  const other = await media.download("a.example", input);
  expect(other).toMatchObject({ metadata: { a: [1] }, contentDisposition: headers["content-disposition"] });
  expect(other).toMatchObject({ filename: "_CON", contentLength: 1 });
  other.cancel();
});

test("any bytes arrive", async () => {
  const { media } = world.client();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (body) => {
      world.on("a.example", reply.media({ body }), "media_download");
      const found = await media.download("a.example", input);
      expect((await buffer(found.body)).equals(body)).toBe(true);
    }),
    { numRuns: 20 },
  );
});
