import { expect, test } from "vitest";
import { event } from "../../src/endpoints.js";
import { outcomeError } from "../../src/failover/outcome-error.js";
import type { Outcome } from "../../src/index.js";
import { judge } from "../../src/index.js";

const { name, spec, maxResponseBytes } = event;
const about = { server: "a.example", endpoint: name, spec, maxResponseBytes };
const told = (outcome: Outcome, of = about) =>
  outcomeError(outcome, judge(outcome, event, { server: "a.example" }), of, undefined);

test("a response that is too large is told with the limit in bytes", () => {
  const outcome: Outcome = { kind: "malformed", status: 200, issues: [], tooLarge: true };
  expect(told(outcome)?.message).toBe(
    `The response is larger than the 1048576 bytes that the endpoint allows.\nServer: a.example\nEndpoint: event\nDocs: ${spec}`,
  );
});

test("a response that is no answer, and a Matrix error, link the endpoint's section", () => {
  expect(told({ kind: "malformed", status: 200, issues: [] })?.docsUrl).toBe(spec);
  expect(told({ kind: "error", status: 403, errcode: "M_FORBIDDEN", text: "" })?.docsUrl).toBe(spec);
  expect(told({ kind: "error", status: 502, text: "<html>" })?.docsUrl).toMatch(/#api-standards$/);
});

test("a partial-state error links MSC3895, whatever the endpoint", () => {
  const outcome: Outcome = { kind: "error", status: 403, errcode: "M_UNABLE_DUE_TO_PARTIAL_STATE", text: "" };
  expect(told(outcome)).toMatchObject({ code: "ERR_PARTIAL_STATE", docsUrl: expect.stringMatching(/3895$/) });
});
