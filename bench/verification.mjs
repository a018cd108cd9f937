/**
 * What verification costs, with both engines of Ed25519: libsodium's, where `sodium-native` is installed, and
 * `node:crypto`'s. Events a second, everything but their reading off the wire, over the verifies a second that
 * `openssl speed` does on one core; and a send_join of 95 MB over TLS, over the time that `node:crypto` takes on all
 * cores for its verifies alone. Ratios within one run: what is compared takes turns.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startVerifies } from "./verifies.mjs";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const ANSWER_EVENTS = 90_000;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rounded = (value, digits = 2) => Number(value.toFixed(digits));

const withoutSodium = JSON.stringify(fileURLToPath(new URL("./without-sodium.cjs", import.meta.url)));
const engines = { "sodium-native": {}, "node:crypto": { NODE_OPTIONS: `--require ${withoutSodium}` } };
/** What `measure` finds out of each engine, which take turns. */
async function ofEachEngine(measure, summarize) {
  const runs = Object.fromEntries(Object.keys(engines).map((engine) => [engine, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [engine, env] of Object.entries(engines)) runs[engine].push(await measure(engine, env));
  }
  const of = (engine) => (name) => median(runs[engine].map((run) => run[name]));
  return Object.fromEntries(Object.keys(engines).map((engine) => [engine, summarize(of(engine))]));
}

function opensslVerifies() {
  const { stdout } = spawnSync("openssl", ["speed", "-seconds", "1", "ed25519"], { encoding: "utf8" });
  return Number(/([\d.]+)\s*$/.exec(stdout ?? "")?.[1]);
}

/** Full verification of events whose keys are at hand, over `openssl speed`. */
export async function benchPool(start) {
  const pools = Object.fromEntries(Object.entries(engines).map(([name, env]) => [name, start("./pool.mjs", [], env)]));
  for (const pool of Object.values(pools)) await once(pool, "message");
  const figures = await ofEachEngine(
    async (engine) => {
      const openssl = opensslVerifies();
      pools[engine].send("go");
      const [perSecond] = await once(pools[engine], "message");
      return { perSecond, overOpenssl: perSecond / openssl };
    },
    (of) => ({ eventsPerSecond: Math.round(of("perSecond")), overOpenssl: rounded(of("overOpenssl")) }),
  );
  for (const pool of Object.values(pools)) pool.disconnect();
  return figures;
}

/** A send_join of 90,000 events, over their bare verifies on all cores. */
export async function benchLargeAnswer(start, authority, caFile) {
  const server = start("./large-server.mjs", [String(ANSWER_EVENTS)]);
  server.send(await authority.issue("*.bench.example"));
  const [{ port, bytes }] = await once(server, "message");
  const verifies = await startVerifies();
  const figures = await ofEachEngine(
    async (_, env) => {
      const before = await verifies.secondsFor(ANSWER_EVENTS);
      // A process for each, so that its peak is its own.
      const client = start("./large-client.mjs", [String(port), caFile], env);
      await once(client, "message");
      client.send("go");
      const [run] = await once(client, "message");
      client.disconnect();
      const after = await verifies.secondsFor(ANSWER_EVENTS);
      if (run.events !== ANSWER_EVENTS || run.lost > 0) throw new Error(`${run.events} events, ${run.lost} lost`);
      return { ...run, overVerifies: run.seconds / ((before + after) / 2) };
    },
    (of) => ({
      seconds: rounded(of("seconds")),
      overVerifies: rounded(of("overVerifies")),
      longestBlockMs: of("longestBlockMs"),
      peakRssMb: of("peakRssMb"),
    }),
  );
  server.disconnect();
  await verifies.end();
  return { events: ANSWER_EVENTS, megabytes: Math.round(bytes / 1e6), ...figures };
}
