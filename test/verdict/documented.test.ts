/** A status of 5xx says that the server is not well, unless the endpoint documents it as an answer. */
import { expect, test } from "vitest";

import { allEndpoints, queryProfile, stateIds } from "../../src/endpoints.js";
import { defineEndpoint, judge, type Outcome } from "../../src/index.js";

const server = "a.example";
const error = (status: number, errcode?: string): Outcome => ({
  kind: "error",
  status,
  text: "",
  ...(errcode !== undefined && { errcode }),
});

test("no error that the specification documents counts against the server", () => {
  const documented = allEndpoints.flatMap((endpoint) =>
    (endpoint.errors ?? []).map(({ status, errcode }) => ({ endpoint, status, errcode })),
  );
  expect(documented.filter(({ status }) => status >= 500).length).toBeGreaterThan(0);
  for (const { endpoint, status, errcode } of documented) {
    const { backoff } = judge(error(status, errcode), endpoint, { server });
    expect(backoff, `${endpoint.name}: ${status} ${errcode}`).toBe(errcode === "M_LIMIT_EXCEEDED" ? "pause" : "none");
  }
});

test("a documented error is an answer with its own status only (bug: each 5xx counted as an outage)", () => {
  const endpoint = defineEndpoint({
    ...queryProfile,
    errors: [
      { status: 503, errcode: "ORG.EXAMPLE.CLOSED" },
      { status: 401, errcode: "ORG.EXAMPLE.WHO" },
      { status: 500 },
    ],
  });
  const verdicts = (...errors: [status: number, errcode?: string][]) =>
    errors.map(([status, errcode]) => judge(error(status, errcode), endpoint, { server }).name);
  expect(verdicts([503, "ORG.EXAMPLE.CLOSED"], [401, "ORG.EXAMPLE.WHO"])).toEqual(["refused", "refused"]);
  expect(
    verdicts(
      [502, "ORG.EXAMPLE.CLOSED"],
      [503, "M_UNKNOWN"],
      [503],
      [500],
      [500, "M_UNKNOWN"],
      [401, "M_UNAUTHORIZED"],
    ),
  ).toEqual(Array(6).fill("unavailable"));
  expect(judge(error(503, "ORG.EXAMPLE.CLOSED"), endpoint, { server }).mayHaveTakenEffect).toBe(false);
  expect(judge(error(503, "ORG.EXAMPLE.CLOSED"), stateIds, { server }).name).toBe("unavailable");
});
