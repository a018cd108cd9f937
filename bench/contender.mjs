/** One contender in a process of its own, so that no other's garbage or compiled code is in its way. Samples when told. */
import { readFileSync } from "node:fs";
import ky from "ky";
import { createClient, SigningKey } from "matrix-federation-sdk";
import { event } from "matrix-federation-sdk/endpoints";
import { Bench } from "tinybench";
import { Agent, request } from "undici";

const [name, port, caFile] = process.argv.slice(2);
const server = `127.0.0.1:${port}`;
const ca = readFileSync(caFile, "utf8");

let made = 0;
const eventId = () => `$${String(made++).padStart(43, "A")}`;
const url = () => `https://${server}/_matrix/federation/v1/event/${encodeURIComponent(eventId())}`;

const contenders = {
  client: () => {
    const client = createClient({
      serverName: "me.example",
      signingKey: SigningKey.generate(),
      // As the others: the event is made up.
      verify: "none",
      ca,
      allowAddress: ["127.0.0.1"],
    });
    return () => client.request(server, event, { eventId: eventId() });
  },
  "undici.request": () => {
    const agent = new Agent({ connect: { ca } });
    return async () => (await request(url(), { dispatcher: agent })).body.json();
  },
  fetch: () => async () => (await fetch(url())).json(),
  ky: () => () => ky(url()).json(),
};
const send = contenders[name]();

/** One sample: enough requests for a steady state, `concurrency` of them under way at any time. */
async function sample(concurrency, requests) {
  let left = requests;
  const worker = async () => {
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

process.on("message", async ({ concurrency, requests }) => {
  const bench = new Bench({ time: 0, iterations: 1, warmup: false });
  // An async function: tinybench would try out any other one, beside the first that is measured.
  bench.add(name, async () => sample(concurrency, requests));
  const [{ result }] = await bench.run();
  if (result.state !== "completed") throw new Error(`${name} failed`, { cause: result.error });
  process.send((requests * 1000) / result.latency.mean);
});
process.once("disconnect", () => process.exit());
