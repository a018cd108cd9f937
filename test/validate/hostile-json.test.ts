/** Answers that are JSON, and mean harm. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { allEndpoints, backfill, hierarchy, makeJoin, openIdUserinfo, send, stateIds } from "../../src/endpoints.js";
import { type AnsweredEndpoint, type Outcome, readOutcome } from "../../src/index.js";

const input = { roomId: "!room:a.example", ver: ["1"] };
const read = (body: string, endpoint: AnsweredEndpoint<unknown>, status = 200): Promise<Outcome> =>
  readOutcome({ status, body }, endpoint, "a.example", input);
const kind = async (body: string, endpoint: AnsweredEndpoint<unknown>): Promise<string> =>
  (await read(body, endpoint)).kind;

describe("keys that mean something to JavaScript", () => {
  test("are fields like any other, and stand for no field that is missing", async () => {
    expect(await kind('{"__proto__":{"pdu_ids":[],"auth_chain_ids":[]}}', stateIds)).toBe("malformed");
    expect(await kind('{"__proto__":{"room":{"room_id":"!room:a.example"},"children":[]}}', hierarchy)).toBe(
      "malformed",
    );
    expect(await kind('{"__proto__":{"sub":"@a:a.example"}}', openIdUserinfo)).toBe("malformed");
    expect(await kind('{"event":{},"__proto__":{"room_version":"12"},"constructor":1}', makeJoin)).toBe("answer");
    expect(await read('{"pdus":[{"__proto__":{"type":"m.x"}},{"type":"m.x"}]}', backfill)).toMatchObject({
      value: { pdus: [{ type: "m.x" }] },
      dropped: [{ path: "$.pdus[0]", reason: "expected a string in type" }],
    });
  });

  test("make no error code", async () => {
    expect(await read('{"__proto__":{"errcode":"M_X","retry_after_ms":5}}', stateIds, 400)).toEqual({
      kind: "error",
      status: 400,
      text: expect.stringContaining("__proto__"),
    });
  });

  test("change no object but the answer", async () => {
    for (const endpoint of allEndpoints) {
      await read('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}', endpoint);
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

test("of keys that are there twice the last one counts, for us as for who reads the answer", async () => {
  expect(await kind('{"pdus":{},"pdus":"ok"}', send)).toBe("malformed");
  expect(await read('{"pdus":"ok","pdus":{}}', send)).toMatchObject({ kind: "answer", value: { pdus: {} } });
  expect(await kind('{"sub":"@a:a.example","sub":"@a:b.example"}', openIdUserinfo)).toBe("malformed");
});

describe("numbers", () => {
  test("that are too large for any count make no event (bug: Infinity was taken for a depth)", async () => {
    expect(await read('{"pdus":[{"type":"m.x","depth":1e400},{"type":"m.x","depth":-0}]}', backfill)).toMatchObject({
      value: { pdus: [{ type: "m.x", depth: -0 }] },
      dropped: [{ path: "$.pdus[0]", reason: "expected a number in depth" }],
    });
  });

  test("are no time to wait where they are too large", async () => {
    for (const text of ["1e400", "-1e400", '"1"', "{}"]) {
      const outcome = await read(`{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":${text}}`, stateIds, 429);
      expect(outcome).not.toHaveProperty("retryAfterMs");
    }
  });

  test("with more digits than fit are read as JSON.parse reads them", async () => {
    const body = '{"pdu_ids":[],"auth_chain_ids":[],"n":123456789012345678901234567890}';
    expect(await read(body, stateIds)).toMatchObject({ value: JSON.parse(body) });
  });
});

test("whatever an endpoint is answered, there is an outcome, and what it holds can be walked", async () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const names = [
    "pdus",
    "auth_chain",
    "events",
    "room",
    "children",
    "event",
    "room_version",
    "sub",
    "state",
    "errcode",
  ];
  const key = fc.constantFrom(...names, "__proto__", "constructor", "then", "length", "toJSON", "toString");
  const answer = fc.oneof(
    value,
    fc.dictionary(key, value),
    fc.tuple(fc.constantFrom(200, 403, "x"), fc.dictionary(key, value)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...allEndpoints), answer, async (endpoint, json) => {
      const outcome = await read(JSON.stringify(json), endpoint);
      expect(["answer", "malformed"]).toContain(outcome.kind);
      expect(() => JSON.stringify(outcome)).not.toThrow();
    }),
    { numRuns: 500 },
  );
});
