/**
 * The README's code: every `ts` block is type checked, and those that say so are run against a test federation.
 *
 * A block that starts with ```ts stands for itself unless HTML comments, which no reader sees, stand on the lines
 * directly before it:
 *
 *     <!-- run                      The block is run, in a process of its own. Code in this comment comes before it,
 *     federation.server("a.org")    with `federation` and `reply` in scope: it tells the servers what to answer. The
 *       .on("state_ids", ...)       federation has a server for every quoted server name in the block and here. What
 *     -->                           createClient makes connects to it; all else is the library itself. `<!-- run -->`
 *                                   does when `version` and `server_keys` are all that is asked for.
 *     <!-- given                    Code that the block takes for granted, such as `const text = "...";`. It is put
 *     code -->                      before the block, for the type check and for the run.
 *     <!-- continues -->            The block goes on where the block before it ended: that one's code comes first.
 *
 * A run must end by itself with exit code 0 within 15 seconds. Its working directory is .cache/readme, which is where
 * the blocks are written to.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = `${root}.cache/readme/`;
const library = /(["'])matrix-federation-sdk\1/g;
const runLimitMs = 15_000;

interface Line {
  readonly text: string;
  /** Its number in the README, from 1. */
  readonly number: number;
}

interface Block {
  /** The line of the opening fence, from 1. */
  readonly line: number;
  /** What the reader sees. */
  readonly shown: readonly Line[];
  /** What is checked: with what is given, and with what it continues. */
  readonly code: readonly Line[];
  /** What prepares the federation; undefined when the block is not run. */
  readonly setup: readonly Line[] | undefined;
}

const blocks = readBlocks(readFileSync(`${root}README.md`, "utf8"));

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const block of blocks) {
    const code = `${textOf(block.code)}\nexport {};\n`;
    writeFileSync(checkedFile(block), code);
    if (!block.setup) continue;
    writeFileSync(runFile(block), code.replace(library, JSON.stringify("../../test/readme-shim.js")));
    // One line before the setup's first, so that line numbers can be told from the README's.
    writeFileSync(setupFile(block), `${setupHead}\n${textOf(block.setup)}\n};\n`);
  }
});

const setupHead = [
  'import { reply, type TestFederation } from "matrix-federation-sdk/testing";',
  "void reply;",
  "export default async (federation: TestFederation): Promise<void> => { void federation;",
].join(" ");

describe("the README", () => {
  it("opens with code that runs and has at most 10 lines", () => {
    const [first] = blocks;
    expect(first, "a block that starts with ```ts").toBeDefined();
    expect(first?.shown.length).toBeLessThanOrEqual(10);
    expect(first?.setup, `<!-- run --> before line ${first?.line}`).toBeDefined();
  });

  it("has only code that passes the type check", { timeout: 60_000 }, () => {
    expect(typeErrors()).toEqual([]);
  });

  for (const block of blocks.filter(({ setup }) => setup)) {
    it(`has code at line ${block.line} that runs`, { timeout: runLimitMs + 5000 }, () => {
      const names = serverNames(block);
      const shim = `${root}test/readme-shim.ts`;
      const { status, signal, stdout, stderr } = spawnSync(
        process.execPath,
        ["--import", import.meta.resolve("tsx"), shim, setupFile(block), runFile(block), ...names],
        {
          cwd: folder,
          encoding: "utf8",
          env: { ...process.env, TSX_TSCONFIG_PATH: `${root}tsconfig.json` },
          timeout: runLimitMs,
          killSignal: "SIGKILL",
        },
      );
      const output = `${stdout}${stderr}`;
      expect({ status, signal }, output).toEqual({ status: 0, signal: null });
    });
  }
});

function typeErrors(): string[] {
  const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  // An excerpt may leave a name unused; the library's own files are checked by `npm run types`.
  const relaxed = { noUnusedLocals: false, noUnusedParameters: false, isolatedDeclarations: false, declaration: false };
  const files = blocks.flatMap((block) => [
    { file: checkedFile(block), lines: block.code, before: 0 },
    ...(block.setup ? [{ file: setupFile(block), lines: block.setup, before: 1 }] : []),
  ]);
  const names = files.map(({ file }) => file);
  const program = ts.createProgram(names, { ...options, ...relaxed, noEmit: true, skipLibCheck: true });
  return files.flatMap(({ file, lines, before }) => {
    const source = program.getSourceFile(file);
    if (!source) return [`${file} was not read`];
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start = 0, messageText }) => {
        const line = lines[source.getLineAndCharacterOfPosition(start).line - before];
        return `README.md:${line?.number ?? "?"} ${line?.text.trim()}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
      },
    );
  });
}

/** Every quoted text that looks like a server name with a domain. */
function serverNames({ code, setup = [] }: Block): string[] {
  const names = textOf([...code, ...setup]).matchAll(/(["'`])([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?::\d+)?)\1/g);
  return [...new Set([...names].map(([, , name = ""]) => name))];
}

function readBlocks(markdown: string): Block[] {
  const lines = markdown.split("\n").map((text, at) => ({ text, number: at + 1 }));
  const found: Block[] = [];
  let comments: Line[][] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const text = lines[at]?.text ?? "";
    if (text.startsWith("<!--")) {
      const end = lines.findIndex((line, index) => index >= at && line.text.includes("-->"));
      if (end === -1) throw new Error(`README.md:${at + 1}: this comment does not end.`);
      comments.push(lines.slice(at, end + 1));
      at = end;
    } else if (/^```/.test(text)) {
      const end = lines.findIndex((line, index) => index > at && line.text.startsWith("```"));
      if (end === -1) throw new Error(`README.md:${at + 1}: this code block does not end.`);
      if (/^```(?:ts|typescript)\b/.test(text)) found.push(readBlock(lines.slice(at, end), comments, found.at(-1)));
      comments = [];
      at = end;
    } else comments = [];
  }
  return found;
}

function readBlock(
  [fence, ...shown]: readonly Line[],
  comments: readonly Line[][],
  previous: Block | undefined,
): Block {
  const line = fence?.number ?? 0;
  let setup: Line[] | undefined;
  const given: Line[] = [];
  const before: Line[] = [];
  for (const comment of comments) {
    const word = /^<!--\s*([\w-]*)/.exec(comment[0]?.text ?? "")?.[1] ?? "";
    const body = comment.map(({ text, number }, index) => ({
      text: text.replace(/\s*-->\s*$/, "").replace(index === 0 ? /^<!--\s*[\w-]*\s?/ : /^$/, ""),
      number,
    }));
    if (word === "run") setup = body;
    else if (word === "given") given.push(...body);
    else if (word === "continues" && previous) before.push(...previous.code);
    else
      throw new Error(`README.md:${comment[0]?.number}: "${word}" before a code block is not run, given or continues.`);
  }
  return { line, shown, code: [...before, ...given, ...shown], setup };
}

function textOf(lines: readonly Line[]): string {
  return lines.map(({ text }) => text).join("\n");
}

function checkedFile({ line }: Block): string {
  return `${folder}line-${line}.ts`;
}

function runFile({ line }: Block): string {
  return `${folder}line-${line}.run.ts`;
}

function setupFile({ line }: Block): string {
  return `${folder}line-${line}.setup.ts`;
}
