// Joins a room, which a resident may answer with a part of its state, and reads the rest of the state later.
import { createClient, isRoomVersion, isServerName, type JsonObject } from "matrix-federation-sdk";
import { eventIdOf, roomVersions, signEvent } from "matrix-federation-sdk/crypto";
import { createTestFederation } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
await using federation = await createTestFederation({ servers: ["me.example", "joining.example", "member.example"] });
const cats = federation.createRoom({ creator: "@alice:member.example", version: "11", name: "Cats" });
cats.join("@bob:joining.example");
cats.addMembers(40, { servers: ["member.example"] });
cats.partial("joining.example");
const { signingKey } = federation.server("me.example");
const { roomId } = cats;

// The example.
const serverName = "me.example";
const userId = "@me:me.example";
await using client = createClient({ serverName, signingKey, ...federation.clientOptions });

// Who is in the room is known from an alias, an invite or a link.
const known = client.room(roomId, { residents: ["joining.example", "member.example"] });
const { value: template, via, attempts } = await known.makeJoin({ userId, ver: Object.keys(roomVersions) });
for (const { server, verdict } of attempts) console.log(`${server} was asked for a template: ${verdict}.`);

// An answer without a version is of a room of version 1 or 2, which have the same rules.
const roomVersion = template.room_version ?? "1";
if (!isRoomVersion(roomVersion)) throw new Error(`The room's version is ${roomVersion}.`);
if (!isOurJoin(template.event)) throw new Error(`${via} wants us to sign something else than our join.`);

const event = signEvent(
  {
    ...template.event,
    origin_server_ts: Date.now(),
    // In versions 1 and 2, whoever makes an event gives it its id.
    ...(roomVersions[roomVersion].eventIds === "inEvent" && { event_id: `$${crypto.randomUUID()}:${serverName}` }),
  },
  roomVersion,
  serverName,
  signingKey,
);
const eventId = eventIdOf(event, roomVersion);
const joined = await known.sendJoin(
  { eventId, event, omitMembers: true },
  {
    prefer: [via],
    roomVersion,
    onProgress: ({ events, verified }) => console.log(`  ${verified} of ${events} events are verified`),
  },
);
const { state, members_omitted: isPartial = false, servers_in_room: inRoom = [] } = joined.value;
console.log(
  `Joined through ${joined.via}, with ${state.length} events of the state${isPartial ? "" : ", which is all"}.`,
);

// The state is that before the join. The join itself comes back with the authoriser's signature, if there is one.
const ourJoin: JsonObject = joined.value.event ?? { ...event };

// What the answer says of servers is that server's word: names need not be any.
const residents = isPartial ? inRoom.filter(isServerName) : state.flatMap(serverOfMember);
const room = client.room(roomId, { residents, roomVersion });
console.log(`In the room are ${residents.join(" and ")}.`);

// The members that were left out are asked for when there is time: others may not have heard of the join yet.
const whole = isPartial ? (await room.state({ eventId }, { joinedVia: joined.via })).value.pdus : state;
const members = [...whole, ourJoin].filter(({ type }) => type === "m.room.member");
console.log(`The state has ${whole.length} events; with us there are ${members.length} members.`);

function isOurJoin({ room_id, type, sender, state_key, content }: JsonObject): boolean {
  const { membership } = (content ?? {}) as JsonObject;
  const isOurs = room_id === roomId && sender === userId && state_key === userId;
  return isOurs && type === "m.room.member" && membership === "join";
}

function serverOfMember({ type, state_key: user, content }: JsonObject): string[] {
  const { membership } = (content ?? {}) as JsonObject;
  const isIn = type === "m.room.member" && membership === "join" && typeof user === "string";
  return isIn ? [user.slice(user.indexOf(":") + 1)].filter(isServerName) : [];
}
