/**
 * Signed GETs a second through the client, over the same work done with barer means, as ratios within one run; then
 * what many destinations leave behind, and what it costs to verify events.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createAuthority } from "../dist/testing/authority.js";
import { benchCanonicalJson } from "./canonical-json.mjs";
import { benchLargeAnswer, benchPool } from "./verification.mjs";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 9);
const authority = await createAuthority();
const folder = await mkdtemp(join(tmpdir(), "matrix-federation-sdk-bench-"));
const caFile = join(folder, "ca.pem");
await writeFile(caFile, authority.ca);

const start = (file, args = [], ownEnv = {}) => {
  // Global fetch takes further certificates from the environment only.
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: caFile, ...ownEnv };
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { env, execArgv: ["--expose-gc"] });
  child.once("exit", (code) => code && process.exit(code));
  return child;
};
const serve = async (host) => {
  const server = start("./server.mjs");
  server.send(await authority.issue(host));
  const [port] = await once(server, "message");
  return { server, port };
};
const { server, port } = await serve("127.0.0.1");

const names = ["client", "undici.request", "fetch", "ky"];
const children = new Map(names.map((name) => [name, start("./contender.mjs", [name, String(port), caFile])]));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const figures = [];
for (const concurrency of [1, 32, 256]) {
  const requests = concurrency === 1 ? 500 : 4_000;
  const rates = Object.fromEntries(names.map((name) => [name, []]));
  // Contenders take turns, so that whatever else the machine does falls on all alike; the first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, child] of children) {
      child.send({ concurrency, requests });
      const [perSecond] = await once(child, "message");
      if (round > 0) rates[name].push(perSecond);
    }
  }
  const perSecond = Object.fromEntries(names.map((name) => [name, Math.round(median(rates[name]))]));
  const ratio = (name) => Number(median(rates.client.map((ours, at) => ours / rates[name][at])).toFixed(2));
  const ratios = Object.fromEntries(names.slice(1).map((name) => [name, ratio(name)]));
  figures.push({ concurrency, perSecond, ratios });
}
for (const child of [server, ...children.values()]) child.disconnect();

const many = await serve("*.bench.example");
const [destinations] = await once(start("./destinations.mjs", [String(many.port), caFile, "10000", "100"]), "message");
many.server.disconnect();

const canonicalJson = benchCanonicalJson();
const pool = await benchPool(start);
const large = await benchLargeAnswer(start, authority, caFile);
await rm(folder, { recursive: true });

if (process.argv.includes("--json")) {
  console.log(
    JSON.stringify({ throughput: figures, pools: destinations, canonicalJson, verification: { pool, large } }, null, 2),
  );
} else {
  console.log("Signed GETs a second through the client, over the same work done unsigned (medians of one run):");
  for (const { concurrency, ratios, perSecond } of figures) {
    const columns = Object.entries(ratios).map(([name, value]) => `${value.toFixed(2)} x ${name}`);
    console.log(`  concurrency ${String(concurrency).padStart(3)}: ${columns.join(", ")}   (${perSecond.client}/s)`);
  }
  const { openSocketsAfterIdle, idleSeconds, heapMb, mostOpenSockets, concurrency } = destinations;
  console.log(`${destinations.destinations} destinations talked to once each, ${concurrency} at a time:`);
  console.log(
    `  ${mostOpenSockets} sockets open at most, ${openSocketsAfterIdle} left after ${idleSeconds} idle seconds`,
  );
  console.log(
    `  heap: ${heapMb.before} MB before, ${heapMb.busy} MB at the end of it, ${heapMb.afterIdle} MB after idle`,
  );
  const { canonicalJsonOverStringify } = canonicalJson.ratios;
  console.log(`Canonical JSON of a 1 KB event: ${canonicalJsonOverStringify} x JSON.stringify of it`);
  for (const engine of ["sodium-native", "node:crypto"]) {
    const { overOpenssl, eventsPerSecond } = pool[engine];
    const { seconds, overVerifies, laterOverVerifies, longestBlockMs, peakRssMb } = large[engine];
    console.log(`Ed25519 by ${engine}:`);
    console.log(
      `  full verification: ${overOpenssl} x the verifies of openssl speed on one core (${eventsPerSecond} events/s)`,
    );
    console.log(`  a send_join of ${large.events} events, ${large.megabytes} MB, read and verified: ${seconds} s,`);
    console.log(
      `  ${overVerifies} x its verifies alone on all cores (${laterOverVerifies} x as a process's second); longest block ${longestBlockMs} ms; peak RSS ${peakRssMb} MB`,
    );
  }
}
