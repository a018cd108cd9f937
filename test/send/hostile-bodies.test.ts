import { brotliCompressSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";

import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, stateIdsAnswer } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);

test("a small body that unpacks into millions of tiny objects is invalid (bug: to parse it took half a minute)", async () => {
  const body = gzipSync(`{"pdus":[${"{},".repeat(3_000_000)}{}],"auth_chain":[]}`);
  world.on(a, reply.raw({ headers: { "content-encoding": "gzip" }, body }), "state");
  const { attempts } = await world.room([a]).safe.state({ eventId }, { rounds: 1 });
  expect(attempts).toMatchObject([
    { verdict: "invalid", error: { issues: [{ message: expect.stringMatching(/more (objects|values) than/) }] } },
  ]);
});

test("what follows a compressed body costs its connection, not the next request's (bug: the pool was used up)", async () => {
  const body = Buffer.concat([brotliCompressSync(JSON.stringify(stateIdsAnswer)), Buffer.from("x")]);
  const endless: Behaviour = ({ response }) => {
    response.writeHead(200, { "content-encoding": "br", "content-length": "9999999" }).write(body);
  };
  world.on(a, endless);
  const client = world.client({ maxConnectionsPerServer: 2 });
  for (let call = 0; call < 5; call++) {
    const { attempts } = await world.room([a], client).safe.stateIds({ eventId }, { rounds: 1, timeout: 5_000 });
    expect(attempts.map(({ verdict }) => verdict)).not.toContain("aborted");
  }
});

test("a body in thousands of pieces comes out whole", async () => {
  const text = JSON.stringify({ ...stateIdsAnswer, padding: "p".repeat(200_000) });
  const pieces: Behaviour = async ({ response }) => {
    response.writeHead(200, { "content-type": "application/json" });
    for (let at = 0; at < text.length; at += 50) {
      response.write(text.slice(at, at + 50));
      if (at % 5_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  };
  world.on(a, pieces);
  expect((await world.room([a]).stateIds({ eventId })).value).toEqual(JSON.parse(text));
});

test("a .well-known file that delegates to no possible host costs the others nothing (bug: a TypeError ended the call)", async () => {
  world.on(a, reply.json({ "m.server": "xn--a.b.example:8448" }), "well_known");
  world.on(b, reply.json(stateIdsAnswer));
  expect((await world.room([a, b]).stateIds({ eventId })).via).toBe(b);
});
