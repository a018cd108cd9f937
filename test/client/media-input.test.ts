import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { mediaDownload } from "../../src/endpoints.js";
import { defineEndpoint } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, rejection } from "./world.js";

const world = createWorld("a.example");
const thumbnail = { mediaId: "abc", width: 32, height: 32 };

describe("the input for a file is refused before anything is asked:", () => {
  test.each([
    "",
    "..",
    "../secret",
    "a/b",
    "a.b",
    "a%2Fb",
    "a b",
    "a?b",
    "é",
    "\ud800",
    "abc\n",
    "mxc://a.example/abc",
    "a".repeat(256),
    7,
    null,
    ["abc"],
    { toString: () => "abc" },
  ])("the media id %j", async (mediaId) => {
    const { media, safe } = world.client();
    const input = { mediaId } as never;
    const error = await rejection(media.download("a.example", input));
    expect(error).toMatchObject({ code: "ERR_INPUT", endpoint: "media_download" });
    expect(error.message).toContain('"mediaId"');
    const result = await safe.media.thumbnail("a.example", { ...thumbnail, ...(input as object) });
    expect(result).toMatchObject({ ok: false, error: { code: "ERR_INPUT" }, attempts: [] });
    expect(world.requestCount()).toBe(0);
  });

  test.each([
    ["width", 0],
    ["width", -1],
    ["width", 1.5],
    ["width", Number.NaN],
    ["width", Number.POSITIVE_INFINITY],
    ["width", 2 ** 53],
    ["width", "32"],
    ["height", 0],
    ["height", null],
    ["method", "fit"],
    ["method", "CROP"],
    ["method", ["crop"]],
    ["animated", "true"],
    ["animated", 1],
    ["timeoutMs", -1],
    ["timeoutMs", 0.5],
    ["timeoutMs", "1000"],
  ])("%s %j", async (field, value) => {
    const input = { ...thumbnail, [field]: value };
    const error = await rejection(world.client().media.thumbnail("a.example", input));
    expect(error).toMatchObject({ code: "ERR_INPUT", endpoint: "media_thumbnail" });
    expect(error.message).toContain(`"${field}"`);
    expect(world.requestCount()).toBe(0);
  });

  test("through request too", async () => {
    const client = world.client();
    const input = { mediaId: "a.b" };
    expect(await rejection(client.request("a.example", mediaDownload, input))).toMatchObject({ code: "ERR_INPUT" });
    const own = defineEndpoint({ ...mediaDownload, name: "own" });
    expect(await rejection(client.request("a.example", own, input))).toMatchObject({ code: "ERR_INPUT" });
    expect(await rejection(client.request("a.example", own, null as never))).toMatchObject({ code: "ERR_INPUT" });
  });

  test("each field as it is at first, and none that cannot be read", async () => {
    world.on("a.example", reply.media({ body: "file" }), "media_download");
    const { media } = world.client();
    const ids = ["abc", "../secret"];
    const changing = {
      get mediaId(): string {
        return ids.shift() ?? "../secret";
      },
    };
    (await media.download("a.example", changing)).cancel();
    expect(world.requests("a.example")[0]?.uri).toBe("/_matrix/federation/v1/media/download/abc");
    const throwing = {
      get mediaId(): string {
        throw new Error("no");
      },
    };
    expect(await rejection(media.download("a.example", throwing))).toMatchObject({ code: "ERR_INPUT" });
    expect(world.requests("a.example")).toHaveLength(1);
  });

  test("not null where a field may be absent: it is absent then", async () => {
    world.on("a.example", reply.media({ body: "file" }), "media_thumbnail");
    const input = { ...thumbnail, method: null, animated: null, timeoutMs: null } as never;
    (await world.client().media.thumbnail("a.example", input)).cancel();
    const uri = "/_matrix/federation/v1/media/thumbnail/abc?width=32&height=32";
    expect(world.requests("a.example")[0]?.uri).toBe(uri);
  });

  test("but the fields of somebody's own endpoint are theirs", async () => {
    const own = defineEndpoint({ ...mediaDownload, path: "/_matrix/federation/unstable/org.example/file/{mediaId}" });
    world.on("a.example", reply.media({ body: "file" }), "*");
    const media = await world.client().request("a.example", own, { mediaId: "a.b" });
    media.cancel();
    expect(world.requests("a.example")[0]?.uri).toBe("/_matrix/federation/unstable/org.example/file/a.b");
  });
});

test("every id of the specification's letters is asked for as it is", async () => {
  world.on("a.example", reply.media({ body: "file" }), "media_download");
  const { media } = world.client();
  const letters = [..."ABCXYZabcxyz0189_-"];
  const ids = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 255 });
  await fc.assert(
    fc.asyncProperty(ids, async (mediaId) => {
      (await media.download("a.example", { mediaId, timeoutMs: 0 })).cancel();
      const uri = `/_matrix/federation/v1/media/download/${mediaId}?timeout_ms=0`;
      expect(world.requests("a.example").at(-1)?.uri).toBe(uri);
    }),
    { numRuns: 20 },
  );
});
