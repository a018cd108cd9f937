/**
 * What verification costs, with both engines of Ed25519: libsodium's, where `sodium-native` is installed, and
 * `node:crypto`'s. Events a second, everything but their reading off the wire, over the verifies a second that
 * `openssl speed` does on one core; and a send_join of 95 MB over TLS, over the time that the same engine takes on all
 * cores for its verifies alone, and `node:crypto` for the same. Ratios within one run: what is compared takes turns.
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
  const verifies = {};
  for (const engine of Object.keys(engines)) verifies[engine] = await startVerifies(engine);
  const bareSeconds = async (engine) => [
    await verifies[engine].secondsFor(ANSWER_EVENTS),
    await verifies["node:crypto"].secondsFor(ANSWER_EVENTS),
  ];
  const figures = await ofEachEngine(
    async (engine, env) => {
      const before = await bareSeconds(engine);
      // A process for each, so that its peak is its own: its first answer, as one that joins a room has it, and a later one.
      const client = start("./large-client.mjs", [String(port), caFile], env);
      await once(client, "message");
      const runs = [];
      while (runs.length < 2) {
        client.send("go");
        const [run] = await once(client, "message");
        if (run.events !== ANSWER_EVENTS || run.lost > 0) throw new Error(`${run.events} events, ${run.lost} lost`);
        runs.push(run);
      }
      client.disconnect();
      const after = await bareSeconds(engine);
      const [bare, bareNode] = before.map((seconds, at) => (seconds + after[at]) / 2);
      const [first, second] = runs;
      return {
        ...first,
        peakRssMb: second.peakRssMb,
        longestBlockMs: Math.max(first.longestBlockMs, second.longestBlockMs),
        overVerifies: first.seconds / bare,
        laterOverVerifies: second.seconds / bare,
        overNodeVerifies: first.seconds / bareNode,
      };
    },
    (of) => ({
      seconds: rounded(of("seconds")),
      overVerifies: rounded(of("overVerifies")),
      laterOverVerifies: rounded(of("laterOverVerifies")),
      overNodeVerifies: rounded(of("overNodeVerifies")),
      longestBlockMs: of("longestBlockMs"),
      peakRssMb: of("peakRssMb"),
    }),
  );
  server.disconnect();
  for (const each of Object.values(verifies)) await each.end();
  return { events: ANSWER_EVENTS, megabytes: Math.round(bytes / 1e6), ...figures };
}
