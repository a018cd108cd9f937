// Reads events that are verified: from a resident that lies, from one that is still joining, and one by one as they come.
import { createClient } from "matrix-federation-sdk";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
const servers = ["me.example", "lying.example", "joining.example", "member.example"];
await using federation = await createTestFederation({ servers });
const cats = federation.createRoom({ creator: "@alice:member.example", version: "11", name: "Cats" });
for (const name of ["me", "lying", "joining"]) cats.join(`@${name}:${name}.example`);
const { eventId } = cats.addMembers(40);
const [, forged, ...rest] = cats.state(eventId).map(({ event }) => event);
const pdus = [{ ...forged, signatures: {} }, ...rest];
federation.server("lying.example").on("state", reply.json({ pdus, auth_chain: [cats.createEvent.event] }));
cats.partial("joining.example");

// The example.
const { signingKey } = federation.server("me.example");
await using client = createClient({ serverName: "me.example", signingKey, ...federation.clientOptions });

const { roomId } = cats;
const roomVersion = "11";

// What does not hold is left out of the answer of the one server that was asked.
const alone = await client.state("lying.example", { roomId, eventId }, { roomVersion });
console.log(`${alone.via} alone: ${alone.value.pdus.length} events of the state hold.`);
for (const { path, reason } of alone.dropped) console.log(`  ${path} was left out: ${reason}.`);

// Another resident has it. And what one has only in redacted form, another one has whole.
const residents = ["lying.example", "joining.example", "member.example"];
const room = client.room(roomId, { residents, roomVersion });
const together = await room.state({ eventId }, { prefer: ["lying.example"] });
console.log(`${together.via}, with the others' help: ${together.value.pdus.length} events.`);

const { eventId: said } = cats.send("@alice:member.example", "m.room.message", { body: "Miaow" });
const partly = await client.backfill("joining.example", { roomId, from: [said], limit: 1 }, { roomVersion });
console.log(`${partly.via} alone:`, partly.value.pdus[0]?.content, `${partly.redacted.length} event is redacted.`);
const whole = await room.backfill({ from: [said], limit: 1 }, { prefer: ["joining.example"] });
console.log(`${whole.via}, with the others' help:`, whole.value.pdus[0]?.content);

// A large room needs little memory, when each event is taken as soon as it is verified.
const members = new Map<string, Set<string>>();
const { via } = await room.state(
  { eventId },
  {
    prefer: ["member.example"],
    onEvent: ({ event, eventId, via }) => {
      if (event.type === "m.room.member") members.set(via, (members.get(via) ?? new Set()).add(eventId));
    },
    onProgress: ({ events, verified }) => console.log(`  ${verified} of ${events} events are verified`),
  },
);
console.log(`${via}: ${members.get(via)?.size} members.`);

for (const { server, source } of client.keyring.inspect().keys) console.log(`The key of ${server}: ${source}`);
