// Watches what the client does and learns, through the diagnostics channels of Node.
import { createClient, observe, SigningKey } from "matrix-federation-sdk";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
await using federation = await createTestFederation({
  servers: ["joining.example", { name: "dead.example", dead: true }, "member.example"],
});
federation.server("joining.example").on("state_ids", reply.partialState());
federation.server("member.example").on("state_ids", reply.json({ pdu_ids: [], auth_chain_ids: [] }));

// The example.
observe("matrix-federation-sdk:verdict", ({ server, endpoint, verdict, rule, ms }) => {
  console.log(`${endpoint} at ${server}: ${verdict} after ${Math.round(ms)} ms (${rule})`);
});
observe("matrix-federation-sdk:partial-state", ({ server, roomId, times }) => {
  console.log(`  ${server} is still joining ${roomId}; it has said so ${times} time(s)`);
});
observe("matrix-federation-sdk:backoff:open", ({ server, failures, retryAt }) => {
  console.log(`  ${server} failed ${failures} time(s); left alone until ${new Date(retryAt ?? 0).toISOString()}`);
});
observe("matrix-federation-sdk:backoff:close", ({ server }) => {
  console.log(`  ${server} may be asked again`);
});

await using client = createClient({
  serverName: "me.example",
  signingKey: SigningKey.generate(),
  backoff: { threshold: 1 },
  ...federation.clientOptions,
});
const room = client.room("!cats:member.example", { residents: ["joining.example", "dead.example", "member.example"] });
await room.stateIds({ eventId: "$KgUnf_Lh8NtLuNgmuAqtQmzLBVKpiTCzZHUTLZTz1TU" });
await client.markAlive("dead.example");
