/** The README's verdict table says what the code does: its rows are made from the code here and compared. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { backoffs } from "../scripts/endpoint-matrix.js";
import { type Consequence, consequences, type VerdictName, verdictRules } from "../src/verdict/judge.js";

const heads = ["Verdict", "When", "The server's backoff", "Asked next"] as const;
type Row = Record<(typeof heads)[number], string>;

function asked({ next, laterRound }: Consequence): string {
  if (next === "return") return "nobody: the answer is returned";
  if (next === "stop") return "nobody: the call ends with the error";
  return laterRound ? "another resident; this one again in a later round" : "another resident";
}

const expected = (Object.keys(consequences) as VerdictName[]).map((verdict): Row => {
  const rules = verdictRules.filter((row) => row.verdict === verdict).map(({ rule }) => rule);
  return {
    Verdict: verdict,
    When: rules.join("<br>"),
    "The server's backoff": backoffs[consequences[verdict].backoff],
    "Asked next": asked(consequences[verdict]),
  };
});

const cellsOf = (line: string): string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The rows below the table's head. Code font is the README's own matter. */
function readTable(markdown: string): Row[] {
  const lines = markdown.replaceAll("`", "").split("\n");
  const head = lines.findIndex((line) => cellsOf(line).join() === heads.join());
  if (head === -1) return [];
  const end = lines.findIndex((line, at) => at > head && !line.startsWith("|"));
  return lines.slice(head + 2, end).map((line) => {
    const cells = cellsOf(line);
    return Object.fromEntries(heads.map((name, at) => [name, cells[at] ?? ""])) as Row;
  });
}

describe("the README's verdict table", () => {
  const rows = readTable(readFileSync(new URL("../README.md", import.meta.url), "utf8"));

  it("has every verdict once, in the order of `consequences`", () => {
    expect(rows.map(({ Verdict }) => Verdict)).toEqual(Object.keys(consequences));
  });

  for (const row of expected) {
    it(`says of ${row.Verdict} what leads to it and what follows from it`, () => {
      expect(rows.find(({ Verdict }) => Verdict === row.Verdict)).toEqual(row);
    });
  }
});
