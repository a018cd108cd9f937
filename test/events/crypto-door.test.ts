import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import * as door from "../../src/crypto.js";
import { aMessage } from "./some-events.js";

const source = new URL("../../src/crypto.ts", import.meta.url);
/** As it is installed: what compiles TypeScript needs what is Node's own. */
const built = new URL("../../dist/crypto.js", import.meta.url);

/** The static imports of a module that are there at run time. */
function importsOf(url: URL): string[] {
  const file = ts.createSourceFile(url.pathname, readFileSync(url, "utf8"), ts.ScriptTarget.Latest);
  return file.statements.flatMap((node) => {
    if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return [];
    const isType = ts.isImportDeclaration(node)
      ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : node.isTypeOnly;
    const specifier = node.moduleSpecifier;
    return specifier && !isType && ts.isStringLiteral(specifier) ? [specifier.text] : [];
  });
}

/** Everything that is loaded with a module: our files, and the names of packages and built-in modules. */
function graphOf(entry: URL): { files: Set<string>; others: Set<string> } {
  const files = new Set<string>();
  const others = new Set<string>();
  const visit = (url: URL): void => {
    if (files.has(url.href)) return;
    files.add(url.href);
    for (const specifier of importsOf(url)) {
      if (specifier.startsWith(".")) visit(new URL(specifier.replace(/\.js$/, ".ts"), url));
      else others.add(specifier);
    }
  };
  visit(entry);
  return { files, others };
}

describe("the door matrix-federation-sdk/crypto", () => {
  it("loads three packages and no module of Node's, and nothing that knows the network", () => {
    const { files, others } = graphOf(source);
    expect([...others].sort()).toEqual(["@noble/hashes/sha2.js", "canonical-json", "tweetnacl"]);
    const folders = [...files].map((file) => /src\/(.*)\.ts$/.exec(file)?.[1]?.split("/")[0]);
    expect(new Set(folders)).toEqual(new Set(["crypto", "errors", "error-codes", "events", "name", "sign"]));
  });

  it("works in a runtime that has none of what is Node's own, with the same results", () => {
    const event = aMessage("10");
    const seed = new Uint8Array(32).fill(1);
    const script = `
      for (const name of ["Buffer", "process"]) Object.defineProperty(globalThis, name, { value: undefined });
      const door = await import(${JSON.stringify(built.href)});
      const { engine, portableEngine } = await import(${JSON.stringify(new URL("sign/ed25519.js", built).href)});
      const key = door.SigningKey.fromSeed(new Uint8Array(32).fill(1), "a");
      const signed = door.signEvent(${JSON.stringify(event)}, "10", "domain", key);
      const publicKey = Uint8Array.from(atob(key.publicKey + "="), (char) => char.charCodeAt(0));
      const verdict = (it) => door.verifyEvent(it, "10", () => ({ publicKey })).kind;
      const kinds = [signed, door.redactEvent(signed, "10"), { ...signed, depth: 13 }].map(verdict);
      const read = door.readEvent(signed, "10");
      const later = await door.verifyReadEventAsync(read, () => ({ publicKey }));
      console.log(JSON.stringify({ isPortable: engine === portableEngine, signed, kinds: [...kinds, later.kind], id: door.eventIdOf(signed, "10") }));
    `;
    const text = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    const signed = door.signEvent(event, "10", "domain", door.SigningKey.fromSeed(seed, "a"));
    expect(JSON.parse(text)).toEqual({
      isPortable: true,
      signed,
      kinds: ["valid", "redacted", "invalid", "valid"],
      id: door.eventIdOf(signed, "10"),
    });
  });
});
