import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

// Data walks one way. A room may use the rooms to its left, never one to its right.
const rooms = [
  "name",
  "connect",
  "resolve",
  "sign",
  "events",
  "keyring",
  "send",
  "validate",
  "media",
  "verify",
  "verdict",
  "failover",
] as const;
const base = ["cancellation", "error-codes", "errors", "endpoint", "options", "observe", "store"];
const doors = ["index", "endpoints", "crypto", "testing"].map((name) => `${name}.ts`);
const seeEverything = ["flow.ts", "client.ts", "client", "diagnose", ...doors];
const folders = [...rooms, "store", "endpoints", "testing", "client", "diagnose"];

const root = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"))
  .sort()
  .map(readSource);
const imports = files.flatMap((file) => file.imports);

describe("the rooms", () => {
  it("are all the folders there are: a new folder gets its place in this test", () => {
    const unknown = files.filter(({ path, place }) =>
      path.includes("/")
        ? !folders.includes(place)
        : ![...seeEverything, ...base.map((name) => `${name}.ts`)].includes(path),
    );
    expect(unknown.map(({ path }) => path)).toEqual([]);
  });

  for (const [index, room] of rooms.entries()) {
    const right: string[] = rooms.slice(index + 1);
    const what = right.length ? ` (${right.join(", ")})` : "";
    it(`${room}/ imports no room to its right${what}, and neither endpoints/, testing/, the client nor a door`, () => {
      const forbidden = [...right, "endpoints", "testing", ...seeEverything];
      expect(violations(({ from, to }) => from === room && forbidden.includes(to))).toEqual([]);
    });
  }

  it("are not imported by the base files, except that options.ts, endpoint.ts, errors.ts and observe.ts may import their types", () => {
    const allowed = (edge: Import): boolean =>
      edge.typeOnly && ["options.ts", "endpoint.ts", "errors.ts", "observe.ts"].includes(edge.file);
    const above: string[] = [...rooms, "endpoints", "testing", ...seeEverything];
    expect(
      violations((edge) => base.includes(baseName(edge.from)) && above.includes(edge.to) && !allowed(edge)),
    ).toEqual([]);
  });

  it("are not known to endpoints/, which imports only endpoint.ts, errors.ts, validate/, verdict/ and types of media/", () => {
    const allowed = ["endpoints", "endpoint.ts", "errors.ts", "validate", "verdict"];
    const isType = ({ to, typeOnly }: Import): boolean => to === "media" && typeOnly;
    expect(
      violations((edge) => edge.from === "endpoints" && edge.local && !allowed.includes(edge.to) && !isType(edge)),
    ).toEqual([]);
  });

  it("import nothing that sees everything: only flow.ts, client.ts, diagnose/, the doors and testing/ do", () => {
    const free = [...seeEverything, "testing"];
    expect(violations((edge) => free.includes(edge.to) && !free.includes(edge.from))).toEqual([]);
  });

  it("remember nothing for diagnose/, which is known to the client alone and knows nothing of failover/ or the client", () => {
    const forbidden = ["verdict", "failover", "store", "testing", "flow.ts", "client.ts", "client", ...doors];
    expect(violations(({ from, to }) => from === "diagnose" && forbidden.includes(to))).toEqual([]);
    const knowing = ["client.ts", "client", "diagnose", ...doors];
    expect(violations(({ from, to }) => to === "diagnose" && !knowing.includes(from))).toEqual([]);
  });

  it("are seen through no door: only a door imports a door", () => {
    expect(violations((edge) => doors.includes(edge.to) && !doors.includes(edge.from))).toEqual([]);
  });
});

describe("a dependency is known to one place only:", () => {
  const owners: Record<string, readonly string[]> = {
    "node:dns": ["resolve"],
    tweetnacl: ["sign", "testing"],
    "@noble/hashes": ["sign"],
    "canonical-json": ["sign"],
    "p-retry": ["failover"],
    undici: ["connect", "resolve", "send"],
    "ipaddr.js": ["connect"],
    "proxy-from-env": ["connect"],
    "node:net": ["connect", "media", "name", "resolve", "send", "testing"],
    "node:tls": ["connect", "testing"],
    "@fastify/busboy": ["media"],
    ky: ["send"],
    zod: ["endpoints", "validate"],
  };
  for (const [name, places] of Object.entries(owners)) {
    it(`only ${places.map((place) => `${place}/`).join(" and ")} import${places.length > 1 ? "" : "s"} ${name}`, () => {
      expect(violations((edge) => edge.to === name && !places.includes(edge.from))).toEqual([]);
    });
  }

  it("only connect/, resolve/, media/, verify/, failover/ and testing/ use setTimeout", () => {
    const allowed = ["connect", "resolve", "media", "verify", "failover", "testing"];
    const lines = files
      .filter(({ place }) => !allowed.includes(place))
      .flatMap(({ path, code }) =>
        code.flatMap((line, at) => (/\bsetTimeout\b/.test(line) ? [`${path}:${at + 1} ${line.trim()}`] : [])),
      );
    expect(lines).toEqual([]);
  });
});

describe("every file of src/", () => {
  it("has fewer than 300 lines", () => {
    expect(files.filter(({ lines }) => lines >= 300).map(({ path, lines }) => `${path}: ${lines} lines`)).toEqual([]);
  });

  it("has a kebab-case name that says what is in it: none is utils, helpers, common, manager or service", () => {
    const vague = /(?:^|[/-])(?:util|helper|common|manager|service)s?(?=[-./]|$)/;
    const wrong = files.filter(({ path }) => vague.test(path) || !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it("has no default export", () => {
    expect(files.filter(({ hasDefaultExport }) => hasDefaultExport).map(({ path }) => path)).toEqual([]);
  });

  it("imports relative files with their .js ending, and Node's modules with node:", () => {
    const wrong = ({ specifier }: Import): boolean =>
      specifier.startsWith(".") ? !specifier.endsWith(".js") : isBuiltin(specifier) && !specifier.startsWith("node:");
    expect(violations(wrong)).toEqual([]);
  });
});

interface Import {
  /** The file that imports, below src/. */
  readonly file: string;
  /** Its place: a folder of src/, or a file that lies in src/ itself. */
  readonly from: string;
  /** The place that is imported, or the package's name. */
  readonly to: string;
  readonly specifier: string;
  readonly local: boolean;
  /** Nothing is left of it at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

interface Source {
  readonly path: string;
  readonly place: string;
  readonly lines: number;
  /** The lines without their comments. */
  readonly code: readonly string[];
  readonly imports: readonly Import[];
  readonly hasDefaultExport: boolean;
}

function violations(wrong: (edge: Import) => boolean): string[] {
  return imports
    .filter(wrong)
    .map(({ file, line, specifier, typeOnly }) => `${file}:${line} imports ${typeOnly ? "type " : ""}"${specifier}"`);
}

function placeOf(path: string): string {
  return path.split("/", 1)[0] ?? path;
}

function baseName(place: string): string {
  return place.replace(/\.ts$/, "");
}

function targetOf(file: string, specifier: string): string {
  if (specifier.startsWith(".")) return placeOf(posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts"));
  const bare = isBuiltin(specifier) ? `node:${specifier.replace(/^node:/, "")}` : specifier;
  return /^(?:@[^/]+\/)?[^/]+/.exec(bare)?.[0] ?? bare;
}

function readSource(path: string): Source {
  const text = readFileSync(root + path, "utf8");
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  let hasDefaultExport = false;
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return;
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    const to = targetOf(path, specifier.text);
    const local = specifier.text.startsWith(".");
    found.push({ file: path, from: placeOf(path), to, specifier: specifier.text, local, typeOnly, line });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnlyImport(node));
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false);
    }
    hasDefaultExport ||= ts.isExportAssignment(node) || (ts.isExportSpecifier(node) && node.name.text === "default");
    hasDefaultExport ||= node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return { path, place: placeOf(path), lines, code: withoutComments(text), imports: found, hasDefaultExport };
}

/** `import type …`, or an import whose every name is a type. */
function isTypeOnlyImport({ importClause }: ts.ImportDeclaration): boolean {
  if (!importClause) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = importClause.namedBindings;
  const allTypes = !!names && ts.isNamedImports(names) && names.elements.every(({ isTypeOnly }) => isTypeOnly);
  return !importClause.name && allTypes && names.elements.length > 0;
}

/** The text's lines, with comments blanked: what a comment says of setTimeout is no use of it. */
function withoutComments(text: string): string[] {
  const blank = (comment: string): string => comment.replace(/[^\n]/g, " ");
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g, blank).split("\n");
}
