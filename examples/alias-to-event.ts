// Looks up a room alias at its server, then fetches an event of the room from the servers which that one names.
import { createClient, isServerName } from "matrix-federation-sdk";
import { createTestFederation } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
await using federation = await createTestFederation({ servers: ["me.example", "busy.example", "cats.example"] });
const cats = federation.createRoom({ creator: "@alice:cats.example", alias: "#cats:cats.example" });
for (const user of ["@bob:busy.example", "@me:me.example"]) cats.join(user);
const { eventId } = cats.send("@alice:cats.example", "m.room.message", { body: "Miaow" });
cats.partial("busy.example");
const { signingKey } = federation.server("me.example");

// The example.
await using client = createClient({ serverName: "me.example", signingKey, ...federation.clientOptions });

const { room_id, servers } = await client.queryDirectory("cats.example", { roomAlias: "#cats:cats.example" });
console.log(`#cats:cats.example is ${room_id}; in the room are ${servers.join(" and ")}.`);

// What a server says are names need not be any.
// The room's version, for the verification of its events, is asked for when it is not given.
const room = client.room(room_id, { residents: servers.filter(isServerName), roomVersion: "10" });
const { value, via, attempts } = await room.event({ eventId }, { prefer: ["busy.example"] });
for (const { server, verdict } of attempts) console.log(`${server} was asked for the event: ${verdict}.`);
console.log(`The event, verified, from ${via}:`, value.pdus[0]);
