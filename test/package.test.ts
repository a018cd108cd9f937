import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(root + path, "utf8");
const manifest = JSON.parse(read("package.json"));
const lock = JSON.parse(read("package-lock.json"));

const dependencies = [
  "@fastify/busboy",
  "@noble/hashes",
  "canonical-json",
  "ipaddr.js",
  "ky",
  "lru-cache",
  "p-retry",
  "proxy-from-env",
  "tweetnacl",
  "undici",
  "zod",
];

describe("package.json", () => {
  it("is a package of ES modules for Node 20.19 and later, free of side effects", () => {
    expect(manifest).toMatchObject({ type: "module", sideEffects: false, engines: { node: ">=20.19" } });
    expect(manifest).not.toHaveProperty("main");
  });

  it("gives every door its types first and then its default, and nothing else", () => {
    const { "./package.json": itself, ...opened } = manifest.exports;
    expect(itself).toBe("./package.json");
    for (const [door, conditions] of Object.entries<Record<string, string>>(opened)) {
      const name = door === "." ? "index" : door.slice(2);
      expect(Object.entries(conditions), door).toEqual([
        ["types", `./dist/${name}.d.ts`],
        ["default", `./dist/${name}.js`],
      ]);
      expect(readdirSync(`${root}src`), `the source of ${door}`).toContain(`${name}.ts`);
    }
  });

  it("ships what was built, its source for the source maps, and the changelog", () => {
    expect(manifest.files).toEqual(["dist", "src", "CHANGELOG.md"]);
  });

  it("has exactly the eleven dependencies", () => {
    expect(Object.keys(manifest.dependencies)).toEqual(dependencies);
  });

  it("pins exactly what decides signed bytes and signatures", () => {
    for (const name of ["@noble/hashes", "canonical-json", "tweetnacl"]) {
      expect(manifest.dependencies[name], name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`].version, name).toBe(manifest.dependencies[name]);
    }
  });

  it("names no dependency that src/ does not import, and src/ imports none that is not named", () => {
    const files = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".ts"),
    );
    const specifiers = files.flatMap((file) => ts.preProcessFile(read(`src/${file}`)).importedFiles);
    const packages = specifiers
      .map(({ fileName }) => fileName)
      .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
      .map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0]);
    expect([...new Set(packages)].sort()).toEqual(dependencies);
  });

  it("has a changelog entry for its version", () => {
    expect(read("CHANGELOG.md")).toContain(`## [${manifest.version}]`);
  });
});

describe("package-lock.json", () => {
  it("is the lock of this package.json", () => {
    const { name, version, dependencies, devDependencies, peerDependencies, engines } = manifest;
    expect(lock.packages[""]).toMatchObject({
      name,
      version,
      dependencies,
      devDependencies,
      peerDependencies,
      engines,
    });
  });

  it("says nothing of where a package was downloaded", () => {
    const resolved = Object.entries<{ resolved?: string }>(lock.packages).filter(([, entry]) => entry.resolved);
    expect(resolved.map(([path]) => path)).toEqual([]);
  });

  it("has every optional package, those for other platforms too: npm ci refuses it otherwise", () => {
    const missing = Object.entries<{ optionalDependencies?: Record<string, string> }>(lock.packages).flatMap(
      ([path, entry]) =>
        Object.keys(entry.optionalDependencies ?? {}).filter(
          (name) => !(`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages),
        ),
    );
    expect(missing).toEqual([]);
  });
});

describe("the repository", () => {
  it("names no registry host and no path of a machine", () => {
    // Put together here, so that this file does not name them either.
    const hosts = [
      ["npmjs", "org"],
      ["npmjs", "com"],
      ["pypi", "org"],
      ["crates", "io"],
      ["proxy.golang", "org"],
      ["deb.debian", "org"],
    ];
    const folders = ["root", "work", "home", "Users"].map((folder) => `/${folder}/`);
    const forbidden = new RegExp(
      [
        ...hosts.map((parts) => parts.join("\\.")),
        ...folders.map((folder) => `(?<![\\w.}~*)/-])${folder}[\\w.-]`),
      ].join("|"),
    );
    const tracked = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      encoding: "utf8",
    });
    const found = tracked
      .split("\0")
      .filter((path) => path !== "" && ts.sys.fileExists(root + path))
      .flatMap((path) =>
        read(path)
          .split("\n")
          .flatMap((line, at) => (forbidden.test(line) ? [`${path}:${at + 1} ${line.trim()}`] : [])),
      );
    expect(found).toEqual([]);
  });
});
