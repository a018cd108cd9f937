import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { type Behaviour, createTestFederation, reply, type TestFederation } from "../../src/testing.js";
import { type Answer, ask } from "./ask.js";

let federation: TestFederation;
beforeAll(async () => {
  federation = await createTestFederation({ servers: ["a.test"] });
});
beforeEach(() => federation.server("a.test").reset());
afterAll(() => federation.close());

const answerOf = (behaviour: Behaviour): Promise<Answer> => {
  federation.server("a.test").on("version", behaviour);
  return ask(federation, "a.test");
};
const errorOf = async (behaviour: Behaviour): Promise<readonly unknown[]> => {
  const answer = await answerOf(behaviour);
  expect(answer.headers["content-type"]).toBe("application/json");
  return [answer.status, answer.json().errcode, answer.json().error];
};
const text = expect.any(String);

test("json and raw", async () => {
  const plain = await answerOf(reply.json({ a: ["é"] }, 201));
  expect([plain.status, plain.json()]).toEqual([201, { a: ["é"] }]);
  const bytes = await answerOf(
    reply.raw({ status: 418, headers: { "set-cookie": ["a", "b"] }, body: Uint8Array.of(0, 255) }),
  );
  expect([bytes.status, bytes.headers["set-cookie"], [...bytes.bytes]]).toEqual([418, ["a", "b"], [0, 255]]);
  expect(bytes.headers["content-length"]).toBe("2");
  expect((await answerOf(reply.raw({}))).status).toBe(200);
});

test("gzip", async () => {
  const answer = await answerOf(reply.gzip({ a: 1 }));
  expect([answer.headers["content-encoding"], answer.json()]).toEqual(["gzip", { a: 1 }]);
});

test("redirect, htmlError and garbage", async () => {
  const redirect = await answerOf(reply.redirect("https://x.test/", 308));
  expect([redirect.status, redirect.headers.location]).toEqual([308, "https://x.test/"]);
  expect((await answerOf(reply.redirect("/"))).status).toBe(302);
  const html = await answerOf(reply.htmlError());
  expect([html.status, html.headers["content-type"]]).toEqual([502, "text/html"]);
  expect((await answerOf(reply.htmlError(504))).text).toContain("504");
  const garbage = await answerOf(reply.garbage());
  expect([garbage.status, garbage.headers["content-type"]]).toEqual([200, "application/json"]);
  expect(garbage.json).toThrow(SyntaxError);
});

test("Matrix errors", async () => {
  expect(await errorOf(reply.matrixError(400, "M_X"))).toEqual([400, "M_X", text]);
  const extra = await answerOf(reply.matrixError(400, "M_INCOMPATIBLE_ROOM_VERSION", "no", { room_version: "9" }));
  expect(extra.json()).toEqual({ errcode: "M_INCOMPATIBLE_ROOM_VERSION", error: "no", room_version: "9" });
});

test("partial state and its disguises", async () => {
  expect(await errorOf(reply.partialState())).toEqual([403, "ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE", text]);
  const stable = reply.partialState({ errcode: "M_UNABLE_DUE_TO_PARTIAL_STATE", status: 400 });
  expect(await errorOf(stable)).toEqual([400, "M_UNABLE_DUE_TO_PARTIAL_STATE", text]);
  const message = (action: string): string => `Unable to handle /${action} right now; this server is not fully joined.`;
  expect(await errorOf(reply.notFullyJoined())).toEqual([404, "M_NOT_FOUND", message("make_join")]);
  expect(await errorOf(reply.notFullyJoined("send_leave"))).toEqual([404, "M_NOT_FOUND", message("send_leave")]);
  const approximate = [403, "M_FORBIDDEN", "Host not in room (partial-state approx)."];
  expect(await errorOf(reply.approximateMembership())).toEqual(approximate);
});

test("rateLimited, with and without hints", async () => {
  const bare = await answerOf(reply.rateLimited());
  expect([bare.status, bare.json().errcode, bare.json().retry_after_ms]).toEqual([429, "M_LIMIT_EXCEEDED", undefined]);
  expect(bare.headers["retry-after"]).toBeUndefined();
  const hinted = await answerOf(reply.rateLimited({ retryAfterMs: 1500, retryAfterHeader: "2" }));
  expect([hinted.json().retry_after_ms, hinted.headers["retry-after"]]).toEqual([1500, "2"]);
});

test("delay and sequence", async () => {
  const start = performance.now();
  expect((await answerOf(reply.delay(50, reply.json("late")))).json()).toBe("late");
  expect(performance.now() - start).toBeGreaterThanOrEqual(45);
  federation.server("a.test").on("version", reply.sequence(reply.htmlError(), reply.json(1), reply.json(2)));
  const starts: string[] = [];
  for (let turn = 0; turn < 4; turn++) starts.push((await ask(federation, "a.test")).text.slice(0, 1));
  expect(starts).toEqual(["<", "1", "2", "2"]);
});

test("held: the test sees the request and lets the answer go", async () => {
  const held = reply.held(reply.json("now"));
  let answered = false;
  const answer = answerOf(held).finally(() => {
    answered = true;
  });
  await held.requested;
  await ask(federation, "a.test", { path: "/another" });
  expect(answered).toBe(false);
  held.release();
  expect((await answer).json()).toBe("now");
  expect((await ask(federation, "a.test")).json()).toBe("now");
});
