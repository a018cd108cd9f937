// Looks up a room alias at its server, then fetches an event of the room from the servers which that one names.
import { createClient, isServerName, SigningKey } from "matrix-federation-sdk";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
await using federation = await createTestFederation({ servers: ["alias.example", "busy.example", "cats.example"] });
federation
  .server("alias.example")
  .on("query_directory", reply.json({ room_id: "!cats:cats.example", servers: ["busy.example", "cats.example"] }));
federation.server("busy.example").on("event", reply.partialState());
federation
  .server("cats.example")
  .on("event", reply.json({ pdus: [{ type: "m.room.message", content: { body: "Miaow" } }] }));

// The example.
await using client = createClient({
  serverName: "me.example",
  signingKey: SigningKey.generate(),
  ...federation.clientOptions,
});

const { room_id, servers } = await client.queryDirectory("alias.example", { roomAlias: "#cats:alias.example" });
console.log(`#cats:alias.example is ${room_id}; in the room are ${servers.join(" and ")}.`);

// What a server says are names need not be any.
const room = client.room(room_id, { residents: servers.filter(isServerName) });
const { value, via, attempts } = await room.event({ eventId: "$KgUnf_Lh8NtLuNgmuAqtQmzLBVKpiTCzZHUTLZTz1TU" });
for (const { server, verdict } of attempts) console.log(`${server} was asked for the event: ${verdict}.`);
console.log(`The event of ${via}:`, value.pdus[0]);
