/** Signed GETs a second through the client, over the same work done with barer means, as ratios within one run. */
import { readFileSync } from "node:fs";
import ky from "ky";
import { createClient, SigningKey } from "matrix-federation-sdk";
import { event } from "matrix-federation-sdk/endpoints";
import { Bench } from "tinybench";
import { Agent, request } from "undici";

const [port, caFile = "", ...flags] = process.argv.slice(2);
const server = `127.0.0.1:${port}`;
const ca = readFileSync(caFile, "utf8");
const concurrencies = [1, 32, 256];
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 9);

const client = createClient({
  serverName: "me.example",
  signingKey: SigningKey.generate(),
  ca,
});
const agent = new Agent({ connect: { ca } });
let made = 0;
const eventId = () => `$${String(made++).padStart(43, "A")}`;
const url = () => `https://${server}/_matrix/federation/v1/event/${encodeURIComponent(eventId())}`;

const contenders = {
  client: () => client.request(server, event, { eventId: eventId() }),
  "undici.request": async () => (await request(url(), { dispatcher: agent })).body.json(),
  fetch: async () => (await fetch(url())).json(),
  ky: () => ky(url()).json(),
};

/** One sample: enough requests for a steady state, `concurrency` of them under way at any time. */
async function sample(send, concurrency) {
  let left = requestsPerSample(concurrency);
  const worker = async () => {
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

const requestsPerSample = (concurrency) => (concurrency === 1 ? 300 : 2_000);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const figures = [];
for (const concurrency of concurrencies) {
  // Rounds take turns, so that whatever else the machine does falls on all alike; the first round warms up.
  const rates = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    const bench = new Bench({ time: 0, iterations: 1, warmup: false });
    // An async function: tinybench would try out any other one, beside the first that is measured.
    for (const [name, send] of Object.entries(contenders)) bench.add(name, async () => sample(send, concurrency));
    await bench.run();
    for (const { name, result } of bench.tasks) {
      if (result.state !== "completed") throw new Error(`${name} failed`, { cause: "error" in result && result.error });
      if (round > 0) rates[name].push((requestsPerSample(concurrency) * 1000) / result.latency.mean);
    }
  }
  const perSecond = Object.fromEntries(Object.entries(rates).map(([name, all]) => [name, Math.round(median(all))]));
  const ratio = (name) => Number(median(rates.client.map((ours, round) => ours / rates[name][round])).toFixed(2));
  const ratios = { "undici.request": ratio("undici.request"), fetch: ratio("fetch"), ky: ratio("ky") };
  figures.push({ concurrency, perSecond, ratios });
}
await client.close();
await agent.close();

if (flags.includes("--json")) console.log(JSON.stringify({ throughput: figures }, null, 2));
else {
  console.log("Signed GETs a second through the client, over the same work done unsigned (medians of one run):");
  for (const { concurrency, ratios, perSecond } of figures) {
    const columns = Object.entries(ratios).map(([name, value]) => `${value.toFixed(2)} x ${name}`);
    console.log(`  concurrency ${String(concurrency).padStart(3)}: ${columns.join(", ")}   (${perSecond.client}/s)`);
  }
}
process.exit();
