import type { JsonObject } from "../../src/endpoint.js";
import type { SendJoinResponse } from "../../src/endpoints/joins.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { signEvent } from "../../src/events/sign-event.js";
import { verifyEvent } from "../../src/events/verify-event.js";
import { type Client, type ClientOptions, createClient, type Room } from "../../src/index.js";
import { decodeBase64 } from "../../src/sign/base64.js";
import { authorizationHeaders } from "../../src/sign/sign-request.js";
import type { TestFederation, TestRoom } from "../../src/testing.js";
import { type Answer, ask } from "./ask.js";

/** A client that speaks for one of the federation's servers. */
export function clientOf(federation: TestFederation, serverName: string, options: ClientOptions = {}): Client {
  const { signingKey } = federation.server(serverName);
  return createClient({ ...federation.clientOptions, serverName, signingKey, ...options });
}

/** What a server that got an event makes of it. */
export function verdictOn(federation: TestFederation, event: unknown, version: RoomVersion): string {
  const verified = verifyEvent(event, version, (server, keyId) => {
    const publicKey = decodeBase64(federation.publicKeys.get(server)?.get(keyId));
    return publicKey && { publicKey };
  });
  return verified.kind === "invalid" ? verified.reason : verified.kind;
}

/** One signed request of a server of the federation, whose answer nobody judges. */
export async function askAs(
  federation: TestFederation,
  origin: string,
  destination: string,
  path: string,
): Promise<Answer> {
  const { signingKey } = federation.server(origin);
  const request = { method: "GET", uri: path, destination };
  const [authorization = ""] = await authorizationHeaders(request, origin, [signingKey]);
  return await ask(federation, destination, { path, headers: { authorization } });
}

/** All room versions. */
export const versions = Object.keys(roomVersions) as RoomVersion[];

/** The ids of events. */
export const idsOf = (events: readonly { readonly eventId: string }[]): string[] =>
  events.map(({ eventId }) => eventId);
/** The calls about a room, put to these residents. */
export function inRoom(client: Client, room: TestRoom, residents: readonly string[] = ["a.example"]): Room {
  return client.room(room.roomId, { residents });
}

/** A join that was taken. */
export interface Join {
  readonly eventId: string;
  readonly event: JsonObject;
  readonly version: RoomVersion;
  readonly answer: SendJoinResponse;
}

/** How to join. */
export interface JoinOptions {
  readonly through?: string;
  readonly omitMembers?: boolean;
}

/** Joins as any homeserver does: a template, signed, sent back. */
export async function joinAs(
  federation: TestFederation,
  client: Client,
  room: TestRoom,
  user: string,
  { through = "a.example", omitMembers = false }: JoinOptions = {},
): Promise<Join> {
  const server = user.slice(user.indexOf(":") + 1);
  const calls = inRoom(client, room, [through]);
  const { value: template } = await calls.makeJoin({ userId: user, ver: versions });
  const version = template.room_version as RoomVersion;
  const draft = roomVersions[version].eventIds === "inEvent" ? { event_id: `$own:${server}` } : {};
  const event: JsonObject = {
    ...signEvent({ ...template.event, ...draft }, version, server, federation.server(server).signingKey),
  };
  const eventId = eventIdOf(event, version);
  const { value } = await calls.sendJoin({ eventId, event, omitMembers });
  return { eventId, event, version, answer: value };
}
