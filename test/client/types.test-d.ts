import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";

import { queryProfile, type StateIdsResponse, stateIds, type VersionResponse, version } from "../../src/endpoints.js";
import {
  type Answer,
  type AnyFederationError,
  type Client,
  createClient,
  defineEndpoint,
  type Endpoint,
  type Room,
  type SafeAnswer,
} from "../../src/index.js";

declare const client: Client;
declare const room: Room;
const eventId = "$event";

describe("does not compile:", () => {
  test("a list where one server is expected", () => {
    // @ts-expect-error one server is asked
    void client.version(["a.example", "b.example"]);
    // @ts-expect-error one server is asked
    void client.queryProfile(["a.example"], { userId: "@a:a.example" });
    // @ts-expect-error one server is asked
    void client.request(["a.example"], version, {});
  });

  test("one server where the residents are expected", () => {
    // @ts-expect-error a room has many
    client.room("!room:a.example", { residents: 5 });
    // @ts-expect-error a room has residents
    client.room("!room:a.example");
  });

  test("an input that lacks a field, or has one of the wrong type", () => {
    // @ts-expect-error no event id
    void room.stateIds({});
    // @ts-expect-error no event id
    void room.safe.stateIds({});
    // @ts-expect-error no input
    void room.stateIds();
    // @ts-expect-error an event id is a text
    void room.event({ eventId: 5 });
    // @ts-expect-error no room id
    void client.request("a.example", stateIds, { eventId });
    // @ts-expect-error there is no such direction
    void room.timestampToEvent({ ts: 1, dir: "x" });
  });

  test("a room's own id said again with something else", () => {
    // @ts-expect-error the handle knows the room
    void room.stateIds({ eventId, roomId: "!other:a.example" });
  });

  test("an endpoint of one server asked of residents", () => {
    // @ts-expect-error nobody can answer for another server's users
    void room.request(queryProfile, { userId: "@a:a.example" });
    // @ts-expect-error nobody can answer for another server
    void room.safe.request(version, {});
  });

  test("an option that there is not, or of the wrong type", () => {
    // @ts-expect-error milliseconds
    void room.stateIds({ eventId }, { timeout: "20s" });
    // @ts-expect-error for rooms only
    void client.version("a.example", { sentBy: ["b.example"] });
    // @ts-expect-error a key is a SigningKey
    createClient({ serverName: "me.example", signingKey: "ed25519 a seed" });
    // @ts-expect-error there is no such option
    createClient({ server: "me.example" });
  });

  test("an answer used before it is known to be one", () => {
    const use = (result: SafeAnswer<StateIdsResponse>): void => {
      // @ts-expect-error there may be none
      void result.value;
      if (result.ok) expectTypeOf(result.value).toEqualTypeOf<StateIdsResponse>();
      else expectTypeOf(result.error).toEqualTypeOf<AnyFederationError>();
    };
    expectTypeOf(use).toBeFunction();
  });
});

describe("results have their types:", () => {
  test("of a room's calls", () => {
    expectTypeOf(room.stateIds).returns.resolves.toEqualTypeOf<Answer<StateIdsResponse>>();
    expectTypeOf(room.safe.stateIds).returns.resolves.toEqualTypeOf<SafeAnswer<StateIdsResponse>>();
    const answer = room.stateIds({ eventId });
    expectTypeOf(answer).resolves.toHaveProperty("via").toEqualTypeOf<string>();
    expectTypeOf(answer).resolves.toHaveProperty("value").toHaveProperty("pdu_ids").toEqualTypeOf<string[]>();
  });

  test("of a client's calls", () => {
    expectTypeOf(client.version).returns.resolves.toEqualTypeOf<VersionResponse>();
    expectTypeOf(client.safe.version).returns.resolves.toEqualTypeOf<SafeAnswer<VersionResponse>>();
  });

  test("of an endpoint of one's own with limits of its lists (bug: the limits were taken for the whole input)", () => {
    interface Input {
      userId: string;
      names: string[];
    }
    const own: Endpoint<Input, unknown, "server"> = defineEndpoint({
      name: "own",
      method: "POST",
      path: "/_matrix/own",
      body: ({ userId }) => ({ userId }),
      required: ["userId", "names"],
      maxItems: { names: 10 },
      authentication: "signature",
      audience: "server",
      repeatable: "anyServer",
      timeoutMs: 1,
      maxResponseBytes: 1,
      partialState: "illegal",
      response: z.unknown(),
      spec: "",
    });
    expectTypeOf(client.request<Input, unknown>)
      .parameter(1)
      .toEqualTypeOf<Endpoint<Input, unknown>>();
    expectTypeOf(own.audience).toEqualTypeOf<"server">();
  });

  test("of an endpoint of one's own, by its zod schema", () => {
    const own = defineEndpoint({
      ...stateIds,
      response: z.looseObject({ next: z.string().optional() }),
    });
    expectTypeOf(room.request(own, { eventId })).resolves.toHaveProperty("value").toHaveProperty("next");
    expectTypeOf(room.request(stateIds, { eventId })).resolves.toEqualTypeOf<Answer<StateIdsResponse>>();
    expectTypeOf(client.request("a", version, {})).resolves.toEqualTypeOf<VersionResponse>();
  });
});
