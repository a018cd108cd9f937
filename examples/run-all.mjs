// Runs every example. Against dist/ as a user of the package would (build first), or with --source against src/.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const limitMs = 60_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const fromSource = process.argv.includes("--source");
// tsconfig.json maps the package's own name to src/; without the mapping, Node follows package.json to dist/.
const tsconfig = fromSource ? "tsconfig.json" : "tsconfig.build.json";

if (!fromSource && !existsSync(`${root}dist/index.js`)) {
  console.error("There is no dist/: run `npm run build` first, or pass --source.");
  process.exit(1);
}

let passed = 0;
let failed = 0;
for (const name of readdirSync(new URL(".", import.meta.url)).sort()) {
  if (!name.endsWith(".ts")) continue;
  const started = Date.now();
  const { ok, why, output } = await run(`examples/${name}`);
  if (ok) passed += 1;
  else failed += 1;
  console.log(
    `${ok ? "ok  " : "FAIL"} examples/${name} (${Date.now() - started} ms)${ok ? "" : `: ${why}\n${output}`}`,
  );
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function run(file) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", file], {
      cwd: root,
      env: { ...process.env, TSX_TSCONFIG_PATH: tsconfig },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ ok: false, why: error.message, output }));
    child.on("close", (code, signal) => {
      const why = signal ? `stopped by ${signal}, limit ${limitMs} ms` : `exit code ${code}`;
      resolve({ ok: code === 0, why, output });
    });
  });
}
