import { expect, test } from "vitest";

import { createWorld } from "../client/world.js";
import { sendMultipart } from "./multipart-replies.js";

const world = createWorld("a.example");

test("a file", async () => {
  world.on("a.example", sendMultipart(), "media_download");
  const media = await world.client().media.download("a.example", { mediaId: "abc" });
  expect(media).toMatchObject({ metadata: {}, contentType: "image/png", filename: "a.png", redirect: false });
  const chunks = [];
  for await (const c of media.body) chunks.push(c);
  expect(Buffer.concat(chunks).toString()).toBe("file");
});
