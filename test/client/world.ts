import { afterAll, afterEach, beforeAll } from "vitest";

import { type Client, type ClientOptions, createClient, type Room, SigningKey } from "../../src/index.js";
import {
  type Behaviour,
  createTestFederation,
  type RecordedRequest,
  type TestFederation,
  type TestServer,
  type TestServerOptions,
} from "../../src/testing.js";

export const roomId = "!room:a.example";
export const eventId = "$KgUnf_Lh8NtLuNgmuAqtQmzLBVKpiTCzZHUTLZTz1TU";
export const stateIdsAnswer: { pdu_ids: string[]; auth_chain_ids: string[] } = {
  pdu_ids: [eventId],
  auth_chain_ids: [],
};
export const ourName = "me.example";
export const ourKey: SigningKey = SigningKey.generate("a_test");

/** A federation for one test file. Behaviours, requests and clients last for one test. */
export interface World {
  readonly federation: TestFederation;
  /** A client of the federation, closed after the test. */
  readonly client: (options?: ClientOptions) => Client;
  /** A handle for {@link roomId} with these residents, of a new client when none is given. */
  readonly room: (residents: readonly string[], client?: Client) => Room;
  /**
   * A client that has connections to these servers already, for tests with short timeouts. What the servers were told
   * to do before is forgotten.
   */
  readonly connectedClient: (...servers: readonly string[]) => Promise<Client>;
  readonly server: (name: string) => TestServer;
  /** Sets how a server answers `state_ids`, or another endpoint. */
  readonly on: (server: string, behaviour: Behaviour, endpoint?: string) => void;
  /** The requests that a server saw, `.well-known` left out. */
  readonly requests: (server: string) => RecordedRequest[];
  /** How many requests the whole federation saw, `.well-known` left out. */
  readonly requestCount: () => number;
}

/** Makes the federation before the file's tests, and cleans up after each of them. */
export function createWorld(...servers: readonly (string | TestServerOptions)[]): World {
  let federation: TestFederation;
  const clients: Client[] = [];
  const dead = new Set(servers.filter((server) => typeof server !== "string" && server.dead).map(nameOf));
  beforeAll(async () => {
    federation = await createTestFederation({ servers });
    federation.trust(ourName, ourKey.keyId, ourKey.publicKey);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    for (const server of federation.servers) {
      if (!dead.has(server.name)) await server.start();
      server.reset();
    }
  });
  afterAll(() => federation.close());

  const client: World["client"] = (options = {}) => {
    const made = createClient({
      serverName: ourName,
      signingKey: ourKey,
      // The events of these tests are made up. Those of test/verify/ are real.
      verify: "none",
      ...federation.clientOptions,
      ...options,
    });
    clients.push(made);
    return made;
  };
  const requests: World["requests"] = (server) =>
    federation.server(server).requests.filter(({ uri }) => uri.startsWith("/_matrix/"));
  return {
    get federation() {
      return federation;
    },
    client,
    connectedClient: async (...names) => {
      const made = client();
      await Promise.all(names.map((name) => made.version(name)));
      for (const name of names) federation.server(name).reset();
      return made;
    },
    room: (residents, by = client()) => by.room(roomId, { residents }),
    server: (name) => federation.server(name),
    on: (server, behaviour, endpoint = "state_ids") => void federation.server(server).on(endpoint, behaviour),
    requests,
    requestCount: () => federation.servers.reduce((sum, { name }) => sum + requests(name).length, 0),
  };
}

const nameOf = (server: string | TestServerOptions): string => (typeof server === "string" ? server : server.name);

/** What a promise rejects with. */
export async function rejection<Type = Error>(promise: Promise<unknown>): Promise<Type> {
  try {
    await promise;
  } catch (error) {
    return error as Type;
  }
  throw new Error("It was fulfilled");
}
