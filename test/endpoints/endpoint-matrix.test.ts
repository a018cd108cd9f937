/** The reference's page about endpoints and outcomes says what the code does. */
import { expect, test } from "vitest";

import { endpointMatrix } from "../../scripts/endpoint-matrix.js";
import { allEndpoints } from "../../src/endpoints/index.js";

const page = endpointMatrix();

/** The rows of the table below a heading: the cells, without their code font. */
function tableBelow(heading: string): string[][] {
  const [, section = ""] = page.split(`## ${heading}\n`);
  const lines = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("|"));
  return lines.map((line) => line.split(" | ").map((cell) => cell.replaceAll(/^\| | \|$|`/g, "").trim()));
}

test("the page is up to date; with -u, this test writes it anew", async () => {
  await expect(page).toMatchFileSnapshot("../../reference/endpoints-and-outcomes.md");
});

test("it has every endpoint, with what it says of itself", () => {
  const [, , ...rows] = tableBelow("Endpoints");
  expect(rows.map(([name]) => /\[(.*)\]/.exec(name ?? "")?.[1])).toEqual(allEndpoints.map(({ name }) => name));
  expect(rows.find(([name]) => name?.startsWith("[send_join]"))?.slice(1)).toEqual([
    "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}",
    "yes",
    "any resident",
    "same server",
    "10 min",
    "500 MiB",
    "possible",
  ]);
});

test("it says what each outcome means at each endpoint", () => {
  const [head = [], , ...rows] = tableBelow("Outcomes that depend on the endpoint");
  const cell = (name: string, outcome: string): string | undefined =>
    rows.find(([endpoint]) => endpoint === name)?.[head.indexOf(outcome)];
  expect(rows).toHaveLength(allEndpoints.length);
  expect(cell("state_ids", "M_UNABLE_DUE_TO_PARTIAL_STATE")).toBe("partialState");
  expect(cell("query_profile", "M_UNABLE_DUE_TO_PARTIAL_STATE")).toBe("obligationBroken");
  expect(cell("event_auth", "M_UNABLE_DUE_TO_PARTIAL_STATE about an event that this server sent us")).toBe(
    "obligationBroken",
  );
  expect(cell("backfill", "403 M_FORBIDDEN")).toBe("notResident");
  expect(cell("make_join", "403 M_FORBIDDEN")).toBe("refused");
  expect(cell("send", "404 without a body")).toBe("unavailable");
  // Silence and garbled answers are never among them.
  expect(head.filter((outcome) => /no response|5\d\d|valid/.test(outcome))).toEqual([]);

  const same = tableBelow("Outcomes that mean the same at every endpoint");
  expect(same).toContainEqual(["429 M_LIMIT_EXCEEDED", "rateLimited", "no"]);
  expect(same).toContainEqual(["a success that is no valid answer", "invalid", "yes"]);
});

test("it says what the errors of single endpoints mean", () => {
  const rows = tableBelow("Errors of single endpoints");
  expect(rows).toContainEqual([
    "make_join",
    "400 M_UNABLE_TO_AUTHORISE_JOIN<br>400 M_UNABLE_TO_GRANT_JOIN",
    "unableHere",
  ]);
  expect(rows).toContainEqual(["backfill", "403 M_FORBIDDEN “… (partial-state approx)” \\*", "partialState"]);
});
