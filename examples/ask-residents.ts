// Asks the residents of a room: one that is still joining it does not matter while another one can answer.
import { createClient, FailoverError, SigningKey } from "matrix-federation-sdk";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
await using federation = await createTestFederation({ servers: ["joining.example", "late.example", "member.example"] });
for (const name of ["joining.example", "late.example"]) federation.server(name).on("*", reply.partialState());
federation
  .server("member.example")
  .on("state_ids", reply.json({ pdu_ids: ["$create", "$join"], auth_chain_ids: ["$create"] }));

// The example.
await using client = createClient({
  serverName: "me.example",
  signingKey: SigningKey.generate(),
  ...federation.clientOptions,
});
const eventId = "$KgUnf_Lh8NtLuNgmuAqtQmzLBVKpiTCzZHUTLZTz1TU";

// Another resident answers; the caller need not know.
const room = client.room("!cats:member.example", { residents: ["joining.example", "member.example"] });
const { value, via, attempts } = await room.stateIds({ eventId });
console.log(`${via} says that the state has ${value.pdu_ids.length} events.`);
for (const { server, verdict, errcode = "" } of attempts) console.log(`  ${server}: ${verdict} ${errcode}`);

// Being in partial state is no failure: the server is remembered as joining, and is not in backoff.
console.log(
  "Joining the room:",
  (await client.partialState.list(room.roomId)).map(({ server }) => server),
);
console.log("In backoff:", client.backoff.list());

// When nobody can answer, the safe twin returns an error that says why, server by server.
const other = client.room("!dogs:member.example", { residents: ["joining.example", "late.example"] });
const result = await other.safe.stateIds({ eventId }, { rounds: 1, timeout: 5_000 });
if (!result.ok && result.error instanceof FailoverError) {
  console.log(`${result.error.summary}, because: ${result.error.message}`);
}
