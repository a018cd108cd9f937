import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import type { RoomVersion } from "../../src/events/room-versions.js";
import { signEvent } from "../../src/events/sign-event.js";
import { type Client, type ClientOptions, createClient, type Room } from "../../src/index.js";
import {
  type Behaviour,
  createTestFederation,
  type RecordedRequest,
  reply,
  type TestFederation,
  type TestRoom,
  type TestServer,
} from "../../src/testing.js";

export const ourName = "me.example";
export const me = "@me:me.example";
export const alice = "@alice:a.example";
export const bob = "@bob:b.example";
export const carol = "@carol:c.example";
const servers = ["a.example", "b.example", "c.example", ourName];

/** A real federation, its rooms and a client that verifies what it is told. All of it lasts for one test. */
export interface VerifyWorld {
  readonly federation: TestFederation;
  /** A room of four: of a, b and c, and of us. */
  readonly room: (version?: RoomVersion) => TestRoom;
  /** A client that speaks for us, closed after the test. */
  readonly client: (options?: ClientOptions) => Client;
  /** Our view of a room: a.example is asked first, then b, then c. */
  readonly view: (room: TestRoom, client?: Client, roomVersion?: RoomVersion) => Room;
  readonly server: (name: string) => TestServer;
  readonly on: (server: string, endpoint: string, behaviour: Behaviour) => void;
  /** What a server was asked of an endpoint. */
  readonly asked: (server: string, endpoint: string) => RecordedRequest[];
  /** How often the federation was asked of an endpoint. */
  readonly askedInAll: (endpoint: string) => number;
}

/** Makes a world before each test of the file, and cleans up after it. */
export function createVerifyWorld(): VerifyWorld {
  let federation: TestFederation;
  const clients: Client[] = [];
  beforeEach(async () => {
    federation = await createTestFederation({ servers });
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await federation.close();
  });
  const client: VerifyWorld["client"] = (options = {}) => {
    const { signingKey } = federation.server(ourName);
    const made = createClient({ serverName: ourName, signingKey, ...federation.clientOptions, ...options });
    clients.push(made);
    return made;
  };
  const asked: VerifyWorld["asked"] = (server, endpoint) =>
    federation.server(server).requests.filter((request) => request.endpoint === endpoint);
  return {
    get federation() {
      return federation;
    },
    room: (version = "10") => {
      const room = federation.createRoom({ version, creator: alice });
      for (const user of [bob, carol, me]) room.join(user);
      return room;
    },
    client,
    view: (room, by = client(), roomVersion = undefined) =>
      by.room(room.roomId, { residents: ["a.example", "b.example", "c.example"], roomVersion }),
    server: (name) => federation.server(name),
    on: (server, endpoint, behaviour) => void federation.server(server).on(endpoint, behaviour),
    asked,
    askedInAll: (endpoint) => servers.reduce((sum, name) => sum + asked(name, endpoint).length, 0),
  };
}

/** What an honest resident answers to `state` before the last event, which is no state: a copy, to be changed. */
export function stateAnswer(room: TestRoom, eventId: string): { pdus: JsonObject[]; auth_chain: JsonObject[] } {
  const copy = (all: readonly { readonly event: JsonObject }[]): JsonObject[] =>
    all.map(({ event }) => structuredClone(event));
  return { pdus: copy(room.state(eventId)), auth_chain: copy(room.authChain()) };
}

/** What an honest resident answers to `event`, and to `backfill`. */
export const transactionOf = (...pdus: readonly object[]): JsonObject => ({
  origin: "a.example",
  origin_server_ts: 1,
  pdus: pdus as readonly JsonObject[] as JsonObject[],
});

/** The ways to poison an event. */
export const poisons = {
  /** Its hash no longer holds, but its signature does. */
  content: (event: JsonObject): JsonObject => ({ ...event, content: { ...(event.content as object), poison: true } }),
  /** The id is the same, the signature is not. */
  signature: (event: JsonObject): JsonObject => ({ ...event, signatures: flipped(event.signatures as JsonObject) }),
  /** Signed and part of the id. */
  protectedField: (event: JsonObject): JsonObject => ({ ...event, depth: Number(event.depth) + 1 }),
  /** Nothing is left of who made it. */
  forgery: (event: JsonObject): JsonObject => ({
    ...event,
    sender: bob,
    type: "m.room.topic",
    content: { topic: "x" },
  }),
};

function flipped(signatures: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(signatures).map(([server, keys]) => [
      server,
      Object.fromEntries(
        Object.entries(keys as JsonObject).map(([id, text]) => {
          const bytes = Buffer.from(String(text), "base64");
          bytes[5] = (bytes[5] ?? 0) ^ 1;
          return [id, bytes.toString("base64").replace(/=+$/, "")];
        }),
      ),
    ]),
  );
}

/** An event signed by one of the servers, whatever the room thinks of it. */
export function signedBy(world: VerifyWorld, server: string, event: JsonObject, version: RoomVersion): JsonObject {
  const { hashes: _hashes, signatures: _signatures, ...rest } = event;
  return signEvent(rest, version, server, world.server(server).signingKey) as unknown as JsonObject;
}

/** A JSON body in pieces, each sent once the one before has left; then what `then` does. */
export function inPieces(
  body: string,
  size: number,
  then: "end" | "reset" | "stall" = "end",
  resetAfter: () => Promise<unknown> = () => sleep(100),
): Behaviour {
  return async ({ response, reset, signal }) => {
    const bytes = Buffer.from(body);
    response.writeHead(200, { "content-type": "application/json" });
    for (let at = 0; at < bytes.length && !signal.aborted; at += size) {
      await new Promise<void>((resolve) => response.write(bytes.subarray(at, at + size), () => resolve()));
    }
    if (then === "end") response.end();
    if (then === "reset") {
      await resetAfter();
      reset();
    }
    if (then === "stall") await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  };
}

export const json = (body: unknown): Behaviour => reply.json(body as JsonObject);

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("It was fulfilled");
}
