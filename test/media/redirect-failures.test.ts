import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import type { Media } from "../../src/index.js";
import { type ClientOptions, isFederationError, type MediaOptions, type SafeAnswer } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, rejection } from "../client/world.js";

const world = createWorld("a.example", "cdn.example", "cdn2.example:4443", {
  name: "wrong.example",
  certificateFor: "other.example",
});
const onHost = (behaviour: Behaviour, host = "cdn.example"): void =>
  void world.server(host).on({ method: "GET", path: /^/ }, behaviour);

const from = (location: string, options?: MediaOptions, made?: ClientOptions): Promise<SafeAnswer<Media>> => {
  world.on("a.example", reply.mediaRedirect(location), "media_download");
  return world.client(made).safe.media.download("a.example", { mediaId: "abc" }, options);
};

interface Failure {
  readonly host: string;
  readonly verdict: string;
  readonly code: string;
  readonly status?: number;
}

/** The call failed at this host, and says so in its error and in its last attempt. */
function expectFailure(result: SafeAnswer<Media>, { host, verdict, code, status }: Failure): void {
  expect(result.ok).toBe(false);
  if (result.ok) return;
  expect(result.error).toMatchObject({ code, server: "a.example", endpoint: "media_download" });
  expect(result.error.message).toContain(`\nHost: ${host}\n`);
  expect(result.attempts).toMatchObject([
    { server: "a.example", verdict: "answered", status: 200, error: undefined },
    { server: host, verdict, status, error: result.error, round: 1, hedge: false, errcode: undefined },
  ]);
  const [first, second] = result.attempts;
  expect(second?.startMs).toBeGreaterThanOrEqual(first?.startMs ?? Number.NaN);
  expect(second?.ms).toBeGreaterThanOrEqual(0);
}

describe("where the host that a server redirects to fails, the error and the last attempt name it:", () => {
  test("HTTP errors", async () => {
    for (const [status, verdict] of [
      [403, "unavailable"],
      [404, "unavailable"],
      [429, "rateLimited"],
      [503, "unavailable"],
      [204, "unavailable"],
      [206, "unavailable"],
    ] as const) {
      onHost(reply.raw({ status }));
      expectFailure(await from("https://cdn.example/"), {
        host: "cdn.example",
        verdict,
        code: "ERR_NOT_MATRIX",
        status,
      });
    }
  });

  test("a Matrix error is none there", async () => {
    onHost(reply.matrixError(404, "M_NOT_FOUND"));
    const failure = { host: "cdn.example", verdict: "unavailable", code: "ERR_NOT_MATRIX", status: 404 };
    expectFailure(await from("https://cdn.example/"), failure);
  });

  test("the last of several", async () => {
    onHost(reply.redirect("https://cdn2.example:4443/x"));
    onHost(reply.htmlError(502), "cdn2.example:4443");
    const failure = { host: "cdn2.example:4443", verdict: "unavailable", code: "ERR_NOT_MATRIX", status: 502 };
    expectFailure(await from("https://cdn.example/"), failure);
  });

  test("a name without an address, a certificate of another, a host that is down, and one that hangs up", async () => {
    const verdict = "unavailable";
    expectFailure(await from("https://nowhere.example/"), { host: "nowhere.example", verdict, code: "ERR_CONNECT" });
    expectFailure(await from("https://wrong.example/"), { host: "wrong.example", verdict, code: "ERR_TLS" });
    onHost(reply.reset());
    expectFailure(await from("https://cdn.example/"), { host: "cdn.example", verdict, code: "ERR_CONNECTION_LOST" });
    await world.server("cdn.example").stop();
    expectFailure(await from("https://cdn.example/"), { host: "cdn.example", verdict, code: "ERR_CONNECT" });
  });

  test("one that says nothing", async () => {
    onHost(reply.stallBeforeHeaders());
    const result = await from("https://cdn.example/", { timeout: 400 });
    expectFailure(result, { host: "cdn.example", verdict: "unavailable", code: "ERR_TIMEOUT" });
    expect(!result.ok && result.error).toMatchObject({ requestSent: true });
  });

  test("a file that is too large", async () => {
    onHost(reply.raw({ body: "file" }));
    const failure = { host: "cdn.example", verdict: "invalid", code: "ERR_RESPONSE_TOO_LARGE", status: 200 };
    expectFailure(await from("https://cdn.example/", { maxBytes: 3 }), failure);
  });

  test.each([
    ["10.0.0.1", "https://10.0.0.1/latest/meta-data"],
    ["169.254.169.254", "https://169.254.169.254/"],
    ["192.168.1.1:8443", "https://192.168.1.1:8443/"],
    ["10.0.0.1", "https://167772161/"],
    ["10.0.0.1", "https://0x0a.1/"],
    ["10.0.0.1", "https://012.0.0.1/"],
    ["[::ffff:a00:1]", "https://[::ffff:10.0.0.1]/"],
    ["[fe80::1]", "https://[fe80::1]/"],
    ["[64:ff9b::a00:1]", "https://[64:ff9b::10.0.0.1]/"],
    ["0.0.0.0", "https://0/"],
  ])("an address that is not public, %s, as %s", async (host, location) => {
    expectFailure(await from(location), { host, verdict: "notAllowed", code: "ERR_ADDRESS_REFUSED" });
  });
});

describe("where a server names a place that may not be asked,", () => {
  test.each(["http://cdn.example/", "nothing of the sort", "https://cdn.example:99999/", "/relative"])(
    "such as %j, its own attempt is invalid",
    async (location) => {
      const result = await from(location);
      expect(result).toMatchObject({
        ok: false,
        error: { code: "ERR_RESPONSE_INVALID", server: "a.example" },
        attempts: [{ server: "a.example", verdict: "invalid", status: 200, round: 1 }],
      });
      expect(!result.ok && result.attempts[0]?.error).toBe(!result.ok && result.error);
      expect(result.attempts).toHaveLength(1);
    },
  );

  test.each([
    ["from https to http", "http://cdn.example/"],
    ["to itself", "https://cdn.example/"],
    ["to itself in other words", "HTTPS://CDN.example:443/x/..#fragment"],
    ["nowhere", undefined],
    ["to a URL with a password in it", "https://user:password@cdn.example/"],
  ])("a host that redirects %s is the one to fail", async (_what, location) => {
    onHost(location === undefined ? reply.raw({ status: 302 }) : reply.redirect(location));
    const result = await from("https://cdn.example/");
    const failure = { host: "cdn.example", verdict: "invalid", code: "ERR_RESPONSE_INVALID", status: 200 };
    expectFailure(result, failure);
    expect(!result.ok && result.error.message).not.toContain("password");
    expect(world.server("cdn.example").requests).toHaveLength(1);
  });

  test("a password is not shown, whatever the scheme", async () => {
    const result = await from("http://user:password@cdn.example/");
    expect(!result.ok && result.error.message).not.toContain("password");
  });
});

test("what fails in the middle of a file says from which host it came", async () => {
  onHost(reply.reset({ when: "midBody" }));
  const cut = await from("https://cdn.example/");
  const error = cut.ok ? await rejection(text(cut.value.body)) : undefined;
  expect(error).toMatchObject({ code: "ERR_CONNECTION_LOST", server: "a.example" });
  expect(error?.message).toContain("\nHost: cdn.example\n");
  onHost(reply.endless());
  const large = await from("https://cdn.example/", { maxBytes: 1_000 });
  const tooLarge = large.ok ? await rejection(text(large.value.body)) : undefined;
  expect(tooLarge).toMatchObject({ code: "ERR_RESPONSE_TOO_LARGE" });
  expect(tooLarge?.message).toContain("\nHost: cdn.example\n");
});

test("a call that ends while a host is asked says so in the last attempt", async () => {
  const held = reply.held(reply.raw({ body: "file" }));
  onHost(held);
  world.on("a.example", reply.mediaRedirect("https://cdn.example/"), "media_download");
  const client = world.client();
  const asking = client.safe.media.download("a.example", { mediaId: "abc" });
  await held.requested;
  await client.close();
  const result = await asking;
  expect(result).toMatchObject({
    ok: false,
    error: { code: "ERR_CLOSED" },
    attempts: [{ verdict: "answered" }, { server: "cdn.example", verdict: "aborted", error: undefined }],
  });
  expect(!result.ok && isFederationError(result.error)).toBe(true);
  held.release();
});
