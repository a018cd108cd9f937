import type { Readable } from "node:stream";
import { expectTypeOf, test } from "vitest";

import type { AnyFederationError, Client, Media, SafeAnswer } from "../../src/index.js";

declare const client: Client;

test("what a file is", () => {
  expectTypeOf(client.media.download("a.example", { mediaId: "abc" })).resolves.toEqualTypeOf<Media>();
  expectTypeOf<Media["body"]>().toEqualTypeOf<Readable>();
  const safe = client.safe.media.thumbnail("a.example", { mediaId: "abc", width: 1, height: 1 });
  expectTypeOf(safe).resolves.toEqualTypeOf<SafeAnswer<Media>>();
  expectTypeOf<Extract<Awaited<typeof safe>, { ok: false }>["error"]>().toEqualTypeOf<AnyFederationError>();
});

test("what a call needs", () => {
  void client.media.download(
    "a.example",
    { mediaId: "abc", timeoutMs: 1 },
    { maxBytes: 1, idleTimeout: 1, minBytesPerSecond: 1, timeout: 1 },
  );
  // @ts-expect-error a list of servers: a file is at one
  void client.media.download(["a.example"], { mediaId: "abc" });
  // @ts-expect-error no media id
  void client.media.download("a.example", {});
  // @ts-expect-error no height
  void client.media.thumbnail("a.example", { mediaId: "abc", width: 1 });
  // @ts-expect-error another method
  void client.media.thumbnail("a.example", { mediaId: "abc", width: 1, height: 1, method: "fit" });
});
