import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Cancellation } from "../../src/cancellation.js";
import type { JsonObject } from "../../src/endpoint.js";
import { signJson } from "../../src/index.js";
import { createKeyring } from "../../src/keyring/create-keyring.js";
import type { Keyring } from "../../src/keyring/keyring.js";
import { VerifyPool } from "../../src/verify/pool.js";
import { Verifier } from "../../src/verify/verifier.js";
import { createVerifyWorld, poisons, type VerifyWorld } from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const built = new URL("../../dist/", import.meta.url);
const worker = new URL("verify/worker.js", built);
const rules = { version: "10", roomId: undefined } as const;
const mayLowerPriority =
  process.platform === "linux" && /^Seccomp:\s*0$/m.test(readFileSync("/proc/self/status", "utf8"));
const pools: VerifyPool[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "verify-"));
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  rmSync(folder, { recursive: true });
});

function poolOf(file: URL | undefined, size = 2): VerifyPool {
  const pool = new VerifyPool(file, size);
  pools.push(pool);
  return pool;
}

/** What threads run instead: a script of the test's. */
function script(source: string): URL {
  const file = join(folder, "worker.mjs");
  writeFileSync(file, `import { parentPort } from "node:worker_threads";\n${source}`);
  return pathToFileURL(file);
}

function keyring(): Keyring {
  return createKeyring({
    ownServerName: undefined,
    ownKeys: [],
    notaries: [],
    queryNotary: () => Promise.reject(new Error("no")),
    fetchKeys: async (server) => {
      const { signingKey } = world.server(server);
      const { keyId, publicKey: key } = signingKey;
      const document = { server_name: server, verify_keys: { [keyId]: { key } }, old_verify_keys: {} };
      return signJson({ ...document, valid_until_ts: Date.now() + 86_400_000 }, server, signingKey);
    },
  });
}

/** Some hundred events, of which one is poisoned. */
function events(count = 700): JsonObject[] {
  const room = world.room();
  room.addMembers(count, { servers: ["a.example", "b.example", "c.example"] });
  const all = room.events.map(({ event }) => event);
  return all.with(99, poisons.content(all[99] as JsonObject));
}

async function kindsBy(pool: VerifyPool, all: readonly JsonObject[]): Promise<string[]> {
  const checked = await new Verifier(keyring(), pool).check(all, rules, new Cancellation());
  return checked.map(({ kind }) => kind);
}

const expected = (all: readonly JsonObject[]): string[] => all.map((_, at) => (at === 99 ? "redacted" : "valid"));

describe("threads", () => {
  test("verify many events, no more of them than were allowed", async () => {
    const all = events();
    const pool = poolOf(worker);
    const checking = kindsBy(pool, all);
    expect(await checking).toEqual(expected(all));
    expect(pool.isBroken).toBe(false);
    expect(pool.threads).toBe(2);
  });

  test.runIf(mayLowerPriority)("leave the main thread the first turn", async () => {
    const pool = poolOf(worker, 1);
    await kindsBy(pool, events(100));
    // See proc_pid_stat(5): what comes after the name begins with the third field, and the nineteenth is the nice value.
    const niceValues = readdirSync("/proc/self/task").map((thread) => {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
    });
    expect(niceValues.filter((nice) => nice === getPriority() + 10)).toHaveLength(1);
  });

  test("end when there has been no work for a while, and start again when there is", async () => {
    const all = events(100);
    const pool = poolOf(worker, 1);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    expect(await kindsBy(pool, all)).toEqual(expected(all));
    vi.advanceTimersByTime(5_000);
    expect(pool.threads).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(pool.threads).toBe(0);
    expect(await kindsBy(pool, all)).toEqual(expected(all));
  });

  test("that are closed in the middle of their work fail it, and start no more", async () => {
    const pool = poolOf(script("setInterval(() => {}, 1000);"));
    const none = { bytes: new Uint8Array(), ends: [] };
    const checks = Array.from({ length: 9 }, () => pool.verify(none));
    const failed = Promise.allSettled(checks);
    await pool.close();
    expect((await failed).every(({ status }) => status === "rejected")).toBe(true);
    expect(pool.threads).toBe(0);
    await expect(pool.verify(none)).rejects.toThrow("closed");
    expect(pool.threads).toBe(0);
  });

  test.each([
    ["ends", "process.exit(0);"],
    ["throws", 'throw new Error("dead");'],
    ["runs out of memory", "const all = []; for (;;) all.push(new Array(1e6).fill(all.length));"],
  ])("of which one %s in the middle of its work do not cost the answer", async (_, dying) => {
    const all = events(100);
    const pool = poolOf(script(`parentPort.on("message", () => { ${dying} });`), 1);
    expect(await kindsBy(pool, all)).toEqual(expected(all));
  });
});

describe("where threads cannot be started", () => {
  test.each([
    ["since their file is missing", new URL("verify/none.js", built)],
    ["since their file is none", new URL("https://bundle.example/worker.js")],
  ])("%s, the events are verified here", async (_, file) => {
    const warned: unknown[] = [];
    const onWarning = (warning: Error): void => void warned.push(warning);
    process.on("warning", onWarning);
    const all = events(100);
    const pool = poolOf(file);
    expect(await kindsBy(pool, all)).toEqual(expected(all));
    expect(pool.isBroken).toBe(true);
    expect(pool.threads).toBe(0);
    expect(await kindsBy(pool, all)).toEqual(expected(all));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", onWarning);
    expect(warned).toEqual([]);
  });

  test("they are verified in slices, so that others have their turn and the call can be called off", async () => {
    const all = events(500);
    const pool = poolOf(new URL("verify/none.js", built));
    await kindsBy(pool, all.slice(0, 100));
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await kindsBy(pool, all);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    const cancellation = new Cancellation();
    const reason = new Error("enough");
    const checking = new Verifier(keyring(), pool).check(all, rules, cancellation);
    cancellation.abort(reason);
    await expect(checking).rejects.toBe(reason);
  });
});

test.each([5, 15, 30])(
  "a check that is called off after %d ms leaves no rejection behind (bug: it ended the process)",
  async (ms) => {
    const all = events(700);
    const reason = new Error("enough");
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    for (const pool of [poolOf(new URL("verify/none.js", built)), poolOf(worker)]) {
      await kindsBy(pool, all.slice(0, 100));
      const cancellation = new Cancellation();
      setTimeout(() => {
        cancellation.abort(reason);
        void pool.close();
      }, ms);
      await new Verifier(keyring(), pool).check(all, rules, cancellation).catch((error) => expect(error).toBe(reason));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    process.off("unhandledRejection", onUnhandled);
    expect(unhandled).toEqual([]);
  },
);

describe("a process with threads", () => {
  const source = (pool: string): string => `
    import { VerifyPool } from ${JSON.stringify(new URL("verify/pool.js", built).href)};
    const pool = new VerifyPool(${pool});
    const wrong = await pool.verify({ bytes: new Uint8Array(96), ends: [96] }).catch(() => "failed");
    process.stdout.write(String(wrong));
  `;

  async function run(text: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const file = join(folder, "main.mjs");
    writeFileSync(file, text);
    const child = spawn(process.execPath, [file]);
    const out = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => (out.stdout += chunk));
    child.stderr.on("data", (chunk) => (out.stderr += chunk));
    const [code] = await once(child, "close");
    return { code, ...out };
  }

  test("ends by itself, without anybody closing the pool", async () => {
    expect(await run(source(""))).toEqual({ code: 0, stdout: "0", stderr: "" });
  });

  test("prints nothing where the threads' file is missing", async () => {
    const file = 'new URL("file:///nowhere/worker.js")';
    expect(await run(source(file))).toEqual({ code: 0, stdout: "failed", stderr: "" });
  });
});

test("the threads' file works where the package is installed", async () => {
  cpSync(fileURLToPath(built), join(folder, "dist"), { recursive: true });
  symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const all = events(100);
  const pool = poolOf(pathToFileURL(join(folder, "dist/verify/worker.js")));
  expect(await kindsBy(pool, all)).toEqual(expected(all));
  expect(pool.isBroken).toBe(false);
});

test("threads start one by one, then as many as there are (bug: starting all at once kept the main thread off the cores)", async () => {
  const pool = poolOf(script(`parentPort.on("message", () => {});`), 7);
  const batch = { bytes: new Uint8Array(), ends: [] };
  const verifying = Array.from({ length: 14 }, () => pool.verify(batch).catch(() => {}));
  expect(pool.threads).toBe(1);
  await expect.poll(() => pool.threads).toBe(7);
  await pool.close();
  await Promise.all(verifying);
});
