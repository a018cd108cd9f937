import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

import { describe, expect, test } from "vitest";
import { stateIds } from "../../src/endpoints.js";
import { type Attempt, defineEndpoint } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, stateIdsAnswer } from "../client/world.js";

const a = "a.example";
const world = createWorld(a);
const text = JSON.stringify(stateIdsAnswer);
const limited = defineEndpoint({ ...stateIds, maxResponseBytes: text.length });

async function attempt(behaviour: Behaviour, endpoint = stateIds): Promise<Attempt | undefined> {
  world.on(a, behaviour);
  const { attempts } = await world.room([a]).safe.request(endpoint, { eventId }, { rounds: 1, timeout: 5_000 });
  return attempts[0];
}
const encoded = (encoding: string, body: Uint8Array, status = 200): Behaviour =>
  reply.raw({ status, headers: { "content-type": "application/json", "content-encoding": encoding }, body });

describe("a compressed body", () => {
  test.each([
    ["gzip", gzipSync(text)],
    ["GZIP", gzipSync(text)],
    ["x-gzip", gzipSync(text)],
    ["br", brotliCompressSync(text)],
    ["deflate", deflateSync(text)],
  ])("in %s is read", async (encoding, body) => {
    expect(await attempt(encoded(encoding, body))).toMatchObject({ verdict: "answered" });
  });

  test("of an error is read too", async () => {
    const body = gzipSync('{"errcode":"M_UNABLE_DUE_TO_PARTIAL_STATE","error":"joining"}');
    expect(await attempt(encoded("gzip", body, 403))).toMatchObject({ verdict: "partialState", status: 403 });
  });

  test("that comes in many small pieces is read", async () => {
    const pieces = async ({ response }: Parameters<Behaviour>[0]): Promise<void> => {
      response.writeHead(200, { "content-encoding": "gzip" });
      for (const byte of gzipSync(text)) {
        response.write(Uint8Array.of(byte));
        await new Promise(setImmediate);
      }
      response.end();
    };
    expect(await attempt(pieces)).toMatchObject({ verdict: "answered" });
  });

  test("in an encoding that nobody asked for is not understood: the answer is invalid", async () => {
    expect(await attempt(encoded("zstd", Buffer.from("????")))).toMatchObject({ verdict: "invalid" });
  });

  test("that is empty is an invalid answer, and the call ends", async () => {
    expect(await attempt(encoded("gzip", Buffer.alloc(0)))).toMatchObject({ verdict: "invalid" });
    expect(await attempt(encoded("gzip", Buffer.alloc(0), 204))).toMatchObject({ verdict: "invalid" });
  });

  test.each([
    ["gzip", Buffer.from("this is not compressed")],
    ["gzip", Buffer.concat([gzipSync(text).subarray(0, 20), Buffer.from("xxxxxxxxxxxxxxxxxxxxxxxx")])],
    ["br", Buffer.from("this is not compressed")],
  ])("in %s that cannot be decompressed is an invalid answer", async (encoding, body) => {
    expect(await attempt(encoded(encoding, body))).toMatchObject({ verdict: "invalid", status: 200 });
  });
});

describe("the limit of an answer's size", () => {
  test("counts after decompression, and includes the last byte", async () => {
    for (const one of [reply.raw({ body: text }), encoded("gzip", gzipSync(text))]) {
      expect(await attempt(one, limited)).toMatchObject({ verdict: "answered" });
    }
    for (const one of [reply.raw({ body: `${text} ` }), encoded("gzip", gzipSync(`${text} `))]) {
      expect(await attempt(one, limited)).toMatchObject({
        verdict: "invalid",
        error: { code: "ERR_RESPONSE_TOO_LARGE" },
      });
    }
  });

  test("does not bound an error more loosely than an answer", async () => {
    const error = reply.matrixError(400, "M_BAD_JSON", "x".repeat(1_000));
    expect(await attempt(error, limited)).toMatchObject({ verdict: "unavailable", status: 400, errcode: undefined });
    expect(await attempt(error)).toMatchObject({ verdict: "refused", errcode: "M_BAD_JSON" });
  });

  test("leaves the connection to nobody else: the next request gets its own answer", async () => {
    const client = world.client();
    const room = world.room([a], client);
    for (const _ of [1, 2, 3]) {
      world.on(a, reply.raw({ body: " ".repeat(1_000_000) + text }));
      const cut = await room.safe.request(limited, { eventId }, { rounds: 1 });
      expect(cut.attempts[0]).toMatchObject({ error: { code: "ERR_RESPONSE_TOO_LARGE" } });
      world.on(a, reply.raw({ body: text }));
      expect((await room.request(limited, { eventId })).value).toEqual(stateIdsAnswer);
    }
  });
});

test("informational responses before the answer are passed over", async () => {
  const early = ({ response }: Parameters<Behaviour>[0]): void => {
    response.writeProcessing();
    response.writeEarlyHints({ link: "</x>; rel=preload" });
    response.end(text);
  };
  expect(await attempt(early)).toMatchObject({ verdict: "answered", status: 200 });
});

test("a connection that the server closed while it was idle costs no answer", async () => {
  world.on(a, reply.raw({ body: text }));
  const room = world.room([a]);
  await room.stateIds({ eventId });
  await world.server(a).stop();
  await world.server(a).start();
  expect((await room.stateIds({ eventId })).value).toEqual(stateIdsAnswer);
});

test("at most as many connections are open to a server as the options say, and every request is made", async () => {
  let open = 0;
  let most = 0;
  let allOpen = (): void => {};
  const three = new Promise<void>((resolve) => {
    allOpen = resolve;
  });
  world.on(a, async (exchange) => {
    open += 1;
    most = Math.max(most, open);
    if (open === 3) allOpen();
    await three;
    await reply.delay(20, reply.raw({ body: text }))(exchange);
    open -= 1;
  });
  const room = world.room([a], world.client({ maxConnectionsPerServer: 3 }));
  await Promise.all(Array.from({ length: 12 }, (_, index) => room.stateIds({ eventId: `$${index}` })));
  expect(most).toBe(3);
});
