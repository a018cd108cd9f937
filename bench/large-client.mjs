/**
 * A large send_join in a process of its own: read, parsed and fully verified while it comes, its events consumed as they
 * come. Beside the time: the longest block of the main thread, and the most memory that the process ever had.
 */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createClient, SigningKey } from "matrix-federation-sdk";
import { eventOf, keyDocuments, ROOM, VERSION } from "./events.mjs";

const [port, caFile] = process.argv.slice(2);
const dns = {
  resolve4: async () => [{ address: "127.0.0.1", ttl: 3600 }],
  resolve6: async () => [],
  resolveSrv: async () => [],
};
const client = createClient({
  serverName: "me.bench.example",
  signingKey: SigningKey.generate(),
  ca: readFileSync(caFile, "utf8"),
  dns,
  allowAddress: ["127.0.0.1"],
  connectTo: () => ({ address: "127.0.0.1", port: Number(port) }),
});
for (const document of keyDocuments()) {
  const fault = await client.keyring.learn(document, { server: document.server_name });
  if (fault) throw new Error(`the keys of ${document.server_name} are refused: ${fault}`);
}
const room = client.room(ROOM, { residents: ["server0.bench.example:8448"], roomVersion: VERSION });
const event = eventOf(0);

process.on("message", async () => {
  let events = 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedAt = performance.now();
  const { dropped, redacted } = await room.sendJoin(
    { eventId: "$join", event },
    {
      onEvent: () => {
        events += 1;
      },
    },
  );
  const seconds = (performance.now() - startedAt) / 1000;
  delay.disable();
  process.send({
    events,
    lost: dropped.length + redacted.length,
    seconds,
    // The monitor's own period is part of what it says.
    longestBlockMs: Number((delay.max / 1e6 - 1).toFixed(1)),
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  });
});
process.once("disconnect", () => client.close());
process.send("ready");
