/**
 * What verification costs. Events a second, everything but their reading off the wire, over the verifies a second that
 * `openssl speed` does on one core; and a send_join of 95 MB over TLS, over the time that its verifies alone take on all
 * cores. Ratios within one run: what is compared takes turns.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { BatchBuilder } from "../dist/verify/batch-builder.js";
import { VerifyPool } from "../dist/verify/pool.js";
import { eventOf, keys, ROOM, VERSION } from "./events.mjs";
import { startVerifies } from "./verifies.mjs";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const POOL_EVENTS = 16_384;
const ANSWER_EVENTS = 90_000;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rounded = (value, digits = 2) => Number(value.toFixed(digits));

function opensslVerifies() {
  const { stdout } = spawnSync("openssl", ["speed", "-seconds", "1", "ed25519"], { encoding: "utf8" });
  return Number(/([\d.]+)\s*$/.exec(stdout ?? "")?.[1]);
}

/** Full verification of events whose keys are at hand, over `openssl speed`. */
export async function benchPool() {
  const events = Array.from({ length: POOL_EVENTS }, (_, n) => Buffer.from(JSON.stringify(eventOf(n))));
  const pool = new VerifyPool();
  const ratios = [];
  const rates = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const openssl = opensslVerifies();
    const builder = new BatchBuilder();
    const batches = events.flatMap((event, index) => builder.add(event, { field: "state", index }) ?? []);
    batches.push(...[builder.flush() ?? []].flat());
    const startedAt = performance.now();
    const checked = await Promise.all(
      batches.map(({ bytes, ends }) =>
        pool.check({ bytes, ends, version: VERSION, roomId: ROOM, session: 1, keys: round === 0 ? keys : [] }),
      ),
    );
    const perSecond = POOL_EVENTS / ((performance.now() - startedAt) / 1000);
    if (checked.flat().some(({ kind }) => kind !== "valid") && round > 0) throw new Error("an event is not valid");
    if (round === 0) continue;
    ratios.push(perSecond / openssl);
    rates.push(perSecond);
  }
  await pool.close();
  return { eventsPerSecond: Math.round(median(rates)), overOpenssl: rounded(median(ratios)) };
}

/** A send_join of 90,000 events, over their bare verifies on all cores. */
export async function benchLargeAnswer(start, authority, caFile) {
  const server = start("./large-server.mjs", String(ANSWER_EVENTS));
  server.send(await authority.issue("*.bench.example"));
  const [{ port, bytes }] = await once(server, "message");
  const verifies = await startVerifies();
  const runs = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = await verifies.secondsFor(ANSWER_EVENTS);
    // A process for each, so that its peak is its own.
    const client = start("./large-client.mjs", String(port), caFile);
    await once(client, "message");
    client.send("go");
    const [run] = await once(client, "message");
    client.disconnect();
    const after = await verifies.secondsFor(ANSWER_EVENTS);
    if (run.events !== ANSWER_EVENTS || run.lost > 0) throw new Error(`${run.events} events, ${run.lost} lost`);
    runs.push({ ...run, overVerifies: run.seconds / ((before + after) / 2) });
  }
  server.disconnect();
  await verifies.end();
  const of = (name) => median(runs.map((run) => run[name]));
  return {
    events: ANSWER_EVENTS,
    megabytes: Math.round(bytes / 1e6),
    seconds: rounded(of("seconds")),
    overVerifies: rounded(of("overVerifies")),
    longestBlockMs: of("longestBlockMs"),
    peakRssMb: of("peakRssMb"),
  };
}
