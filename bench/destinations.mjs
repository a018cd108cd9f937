/**
 * Many destinations, each talked to once, in a process of its own (with `--expose-gc`): what is left of them when all
 * has been idle for a while. The names lead to one TLS server; for the client each is a destination of its own.
 */
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, SigningKey } from "matrix-federation-sdk";
import { event } from "matrix-federation-sdk/endpoints";

const [port, caFile, count, concurrency] = process.argv.slice(2);
const ca = readFileSync(caFile, "utf8");
const IDLE_LIMIT_MS = 60_000;

const dns = {
  resolve4: async () => [{ address: "127.0.0.1", ttl: 3600 }],
  resolve6: async () => [],
  resolveSrv: async () => [],
};
const client = createClient({
  serverName: "me.example",
  signingKey: SigningKey.generate(),
  // The event is made up: what is measured here are the connections.
  verify: "none",
  ca,
  dns,
  allowAddress: ["127.0.0.1"],
  connectTo: () => ({ address: "127.0.0.1", port: Number(port) }),
});

/** Of the client's connections, as the server counts them: idle ones are none of what keeps a process alive. */
const openSockets = () =>
  new Promise((resolve, reject) => {
    const options = { port, path: "/connections", ca, servername: "count.bench.example", agent: false };
    get(options, async (response) => resolve(Number(Buffer.concat(await response.toArray())))).once("error", reject);
  });
const heapMb = async () => {
  // Twice, for what is only freed when something else is gone.
  globalThis.gc();
  await sleep(100);
  globalThis.gc();
  return Number((process.memoryUsage().heapUsed / 1e6).toFixed(1));
};

const eventId = `$${"A".repeat(43)}`;
const heapBefore = await heapMb();
let next = 0;
let mostSockets = 0;
const startedAt = performance.now();
const worker = async () => {
  while (next < Number(count)) {
    await client.request(`n${next++}.bench.example:8448`, event, { eventId });
  }
};
const sampling = setInterval(async () => {
  mostSockets = Math.max(mostSockets, await openSockets());
}, 500);
await Promise.all(Array.from({ length: Number(concurrency) }, worker));
const seconds = (performance.now() - startedAt) / 1000;
clearInterval(sampling);
const heapBusy = await heapMb();

const idleSince = performance.now();
while ((await openSockets()) > 0 && performance.now() - idleSince < IDLE_LIMIT_MS) await sleep(500);
process.send({
  destinations: Number(count),
  concurrency: Number(concurrency),
  perSecond: Math.round(Number(count) / seconds),
  mostOpenSockets: mostSockets,
  openSocketsAfterIdle: await openSockets(),
  idleSeconds: Math.round((performance.now() - idleSince) / 1000),
  heapMb: { before: heapBefore, busy: heapBusy, afterIdle: await heapMb() },
});
await client.close();
process.disconnect();
