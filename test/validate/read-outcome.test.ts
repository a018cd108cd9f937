import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";

import { stateIds } from "../../src/endpoints.js";
import { type HttpResponse, type Outcome, type ResponseSchema, readOutcome } from "../../src/index.js";

const valid = '{"pdu_ids":["$a"],"auth_chain_ids":[]}';
const read = (response: HttpResponse): Promise<Outcome> => readOutcome(response, stateIds);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const malformed = (message: string, path = "$"): object => ({
  kind: "malformed",
  status: 200,
  issues: [{ path, message }],
});

describe("a success", () => {
  test("with a valid body is an answer: the parsed JSON", async () => {
    for (const body of [valid, utf8(valid), ` \n${valid}\t`]) {
      expect(await read({ status: 200, body })).toEqual({ kind: "answer", status: 200, value: JSON.parse(valid) });
    }
  });

  test("may have any 2xx status", async () => {
    expect(await Promise.all([201, 299].map(async (status) => (await read({ status, body: valid })).kind))).toEqual([
      "answer",
      "answer",
    ]);
  });

  test.each([
    ["nothing", "", "not JSON"],
    ["half of it", valid.slice(0, -1), "not JSON"],
    ["two values", `${valid}${valid}`, "not JSON"],
    ["a page", "<html>", "not JSON"],
    ["a byte order mark", utf8(`\ufeff${valid}`), "not JSON"],
    ["bytes that are no UTF-8", Uint8Array.of(0x22, 0xff, 0x22), "not UTF-8, or too long to read as one text"],
    ["513 arrays in one another", `${"[".repeat(513)}${"]".repeat(513)}`, "nested deeper than 512 levels"],
    ["a million brackets", "[".repeat(1_000_000), "nested deeper than 512 levels"],
  ])("that holds %s is malformed", async (_, body, message) => {
    expect(await read({ status: 200, body })).toEqual(malformed(message));
  });

  test("may be nested 512 levels deep, and brackets in texts do not count", async () => {
    const anything: Pick<typeof stateIds, "response"> = { response: z.any() as ResponseSchema<never> };
    for (const body of [`${"[".repeat(512)}${"]".repeat(512)}`, JSON.stringify('[\\"['.repeat(1_000))]) {
      expect((await readOutcome({ status: 200, body }, anything)).kind).toBe("answer");
    }
  });

  test("that was cut off because of its size is too large, whatever is in it", async () => {
    expect(await read({ status: 200, body: valid, tooLarge: true })).toMatchObject({
      ...malformed("larger than the endpoint allows"),
      tooLarge: true,
    });
  });

  test("of another form says where it is wrong, ten times at most", async () => {
    const outcome = await read({ status: 200, body: '{"pdu_ids":[5]}' });
    expect(outcome).toMatchObject({
      issues: [{ path: "$.pdu_ids" }, { path: "$.auth_chain_ids" }],
    });
    const many = { response: z.array(z.string()) as unknown as ResponseSchema<string[]> };
    const body = JSON.stringify(Array(50).fill(5));
    const long = await readOutcome({ status: 200, body }, many);
    const issues = long.kind === "malformed" ? long.issues : [];
    expect([issues.length, issues[9]?.path]).toEqual([10, "$[9]"]);
  });

  test("with a million wrong elements is judged with one issue", async () => {
    const body = `{"auth_chain_ids":[],"pdu_ids":[${"500000000,".repeat(999_999)}5]}`;
    expect(await read({ status: 200, body })).toMatchObject({ issues: [{ path: "$.pdu_ids" }] });
  });
});

describe("an error", () => {
  const error = (body: string, more: Partial<HttpResponse> = {}): Promise<Outcome> =>
    read({ status: 400, body, ...more });

  test("with a Matrix error code has it, and its text", async () => {
    expect(await error('{"errcode":"M_X","error":"no"}')).toEqual({
      kind: "error",
      status: 400,
      errcode: "M_X",
      text: "no",
    });
  });

  test("without a text, or with one that is no text, has an empty one", async () => {
    expect(await error('{"errcode":"M_X"}')).toMatchObject({ errcode: "M_X", text: "" });
    expect(await error('{"errcode":"M_X","error":{"toString":1}}')).toMatchObject({ errcode: "M_X", text: "" });
  });

  test.each([
    '{"errcode":5}',
    '{"errcode":""}',
    '{"errcode":"a b"}',
    '{"errcode":"é"}',
    '{"errcode":"\\n"}',
    "[]",
    "null",
    '"M_X"',
    `{"errcode":"${"M".repeat(256)}"}`,
  ])("with the body %j has no error code, and the beginning of the body for a text", async (body) => {
    const outcome = await error(body);
    expect(outcome).toEqual({ kind: "error", status: 400, text: expect.stringContaining(body.slice(0, 100)) });
  });

  test("that is no UTF-8 has a text that can be read", async () => {
    expect(await read({ status: 500, body: Uint8Array.of(0x61, 0xff, 0x62) })).toMatchObject({ text: "a\ufffdb" });
  });

  test("of a status that is none, such as 302, 199 and 0, is an error", async () => {
    for (const status of [302, 304, 199, 0, 999]) expect((await read({ status, body: valid })).kind).toBe("error");
  });

  test("tells how long to wait: Retry-After before retry_after_ms, neither below nought nor without end", async () => {
    const cases: readonly [header: string | undefined, field: unknown, ms: number | undefined][] = [
      ["2", 500, 2_000],
      [" 2 ", undefined, 2_000],
      ["0", 500, 0],
      [undefined, 500, 500],
      [undefined, -5, 0],
      [undefined, "500", undefined],
      [undefined, null, undefined],
      ["later", 500, 500],
      ["-2", 500, 500],
      ["1.5", 500, 500],
      ["2, 3", 500, 500],
      ["2026-01-01", 500, 500],
      ["Thu, 01 Jan 1970 00:00:00 GMT", 500, 0],
      ["Thu, 99 Foo 1970 00:00:00 GMT", 500, 500],
    ];
    for (const [header, field, ms] of cases) {
      const body = JSON.stringify({ errcode: "M_LIMIT_EXCEEDED", retry_after_ms: field });
      const outcome = await read({ status: 429, headers: { "retry-after": header }, body });
      expect(outcome, `${header} ${field}`).toMatchObject({ kind: "error", errcode: "M_LIMIT_EXCEEDED" });
      expect((outcome as { retryAfterMs?: number }).retryAfterMs, `${header} ${field}`).toBe(ms);
    }
  });
});

test("whatever a server sends, there is an outcome, and reading it throws nothing", async () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.constant(valid),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 999 }),
      body,
      fc.option(fc.string()),
      fc.boolean(),
      async (status, bytes, header, tooLarge) => {
        const outcome = await read({ status, body: bytes, tooLarge, headers: { "retry-after": header ?? undefined } });
        const kinds = status >= 200 && status < 300 ? ["answer", "malformed"] : ["error"];
        expect(kinds).toContain(outcome.kind);
        if (outcome.kind === "error") expect(outcome.retryAfterMs ?? 0).toBeGreaterThanOrEqual(0);
      },
    ),
    { numRuns: 500 },
  );
});

describe("the events of an answer", () => {
  const endpoint = {
    response: z.looseObject({ pdus: z.array(z.unknown()), auth_chain: z.array(z.unknown()) }),
    events: ["pdus", "auth_chain"],
  };
  const read = (pdus: unknown[], auth_chain: unknown[], more = {}) =>
    readOutcome({ status: 200, body: JSON.stringify({ pdus, auth_chain }) }, { ...endpoint, ...more });
  const good = { type: "m.x" };

  test("are judged one by one: a bad one costs none of the others (bug: a field of bad ones alone cost all)", async () => {
    expect(await read([good, null, good], [{ type: 1 }])).toMatchObject({
      kind: "answer",
      value: { pdus: [good, good], auth_chain: [] },
      dropped: [
        { path: "$.pdus[1]", reason: "expected an object" },
        { path: "$.auth_chain[0]", reason: "expected a string in type" },
      ],
    });
  });

  test("make no answer where none of them is one, unless the answer is to something that has taken effect", async () => {
    expect(await read([1], [2])).toMatchObject({ kind: "malformed" });
    expect(await read([], [])).toMatchObject({ kind: "answer" });
    expect(await read([1], [2], { repeatable: "sameServer" })).toMatchObject({ kind: "answer", dropped: [{}, {}] });
  });
});
