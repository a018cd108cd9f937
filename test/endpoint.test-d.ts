/** What an endpoint and its inputs may look like, by their types. */
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";

import { type HierarchyResponse, makeJoin, publicRooms } from "../src/endpoints.js";
import { type Client, defineEndpoint, type Endpoint, type JsonObject, type Media, type Room } from "../src/index.js";

declare const client: Client;
declare const room: Room;
const a = "a.example";
const eventId = "$event";
const roomId = "!room:a.example";
const userId = "@me:me.example";

interface Input {
  roomId: string;
  userId: string;
  kinds?: readonly string[] | undefined;
}
const anything = { response: z.looseObject({ id: z.string() }), spec: "https://example.org" };
interface Output {
  id: string;
}

describe("an endpoint compiles", () => {
  test("with places that the input has fields for", () => {
    const one: Endpoint<Input, Output, "resident"> = defineEndpoint({
      ...anything,
      name: "x",
      path: "/_matrix/x/{roomId}/y/{userId}",
      query: { kind: "kinds" },
      audience: "resident",
    });
    void room.request(one, { userId });
    void defineEndpoint({ ...one, timeoutMs: 1_000 });
  });

  test("not with a place that is misspelt", () => {
    const misspelt = "/_matrix/x/{roomId}/{usreId}";
    const one: Endpoint<Input, Output, "resident"> = defineEndpoint({
      ...anything,
      name: "x",
      // @ts-expect-error the input has no field usreId
      path: misspelt,
      audience: "resident",
    });
    void one;
  });

  test("not with a parameter, a form or a secret of a field that there is not", () => {
    const some = { ...anything, name: "x", path: "/_matrix/x", audience: "server" } as const;
    // @ts-expect-error no such field
    const one: Endpoint<Input, Output, "server"> = defineEndpoint({ ...some, query: { kind: "kind" } });
    // @ts-expect-error no such field
    const two: Endpoint<Input, Output, "server"> = defineEndpoint({ ...some, forms: { kind: "texts" } });
    // @ts-expect-error no such field
    const three: Endpoint<Input, Output, "server"> = defineEndpoint({ ...some, secrets: ["token"] });
    void [one, two, three];
  });

  test("with a file for its answer only where that is what comes back", () => {
    const some = { ...anything, name: "x", path: "/_matrix/x", audience: "server", answer: "multipart" } as const;
    const file: Endpoint<Input, Media, "server"> = defineEndpoint({
      ...some,
      response: {} as Endpoint<Input, Media>["response"],
    });
    // @ts-expect-error a file is no such object
    const wrong: Endpoint<Input, Output, "server"> = defineEndpoint(some);
    void [file, wrong];
  });

  test("with a fault that sees the input", () => {
    const one: Endpoint<Input, Output, "server"> = defineEndpoint({
      ...anything,
      name: "x",
      path: "/_matrix/x",
      audience: "server",
      fault: (answer: Output, server, input) => {
        expectTypeOf(server).toBeString();
        expectTypeOf(input).toEqualTypeOf<Input | undefined>();
        return answer.id === input?.userId ? undefined : { message: "no" };
      },
    });
    void one;
  });
});

interface MyEvent {
  readonly type: string;
  readonly room_id: string;
  readonly content: MyContent;
  readonly depth: number;
}
interface MyContent {
  membership: "join";
  reasons?: readonly string[];
}
declare const mine: MyEvent;
declare const template: JsonObject;

describe("an input compiles", () => {
  test("with events of interfaces of one's own, and with those of an answer", () => {
    for (const event of [mine, template]) {
      void room.sendJoin({ eventId, event });
      void room.sendLeave({ eventId, event });
      void room.sendKnock({ eventId, event });
      void client.policySign(a, { event });
      void client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: [event], edus: [event] });
      void client.invite(a, { roomId, eventId, roomVersion: "12", event, inviteRoomState: [event] });
    }
    const frozen: readonly MyEvent[] = Object.freeze([mine]);
    void client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: frozen });
  });

  test("not with what can be no event", () => {
    // @ts-expect-error a text
    void room.sendJoin({ eventId, event: "event" });
    // @ts-expect-error a number for the type
    void room.sendJoin({ eventId, event: { type: 5 } });
    // @ts-expect-error a time that is no number
    void room.sendJoin({ eventId, event: { type: "m.x", origin_server_ts: new Date() } });
    // @ts-expect-error a text
    void client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: ["event"] });
  });

  test("with a third-party invite of an interface of one's own", () => {
    interface MySigned {
      mxid: string;
      token: string;
      signatures: { [name: string]: { [key: string]: string } };
    }
    void room.exchangeThirdPartyInvite({ sender: userId, userId, signed: {} as MySigned });
  });

  test("with undefined for what may be absent", () => {
    void client.queryProfile(a, { userId, field: undefined });
    void client.query(a, { queryType: "x", parameters: { one: undefined } });
    void client.publicRooms(a, { limit: undefined, since: undefined, includeAllNetworks: undefined });
    void client.searchPublicRooms(a, { filter: { genericSearchTerm: undefined, roomTypes: undefined } });
    void client.queryServerKeys(a, { serverName: a, minimumValidUntilTs: undefined });
    void client.queryKeys(a, { serverKeys: { [a]: { "ed25519:1": { minimumValidUntilTs: undefined } } } });
    void client.invite(a, { roomId, eventId, roomVersion: "10", event: mine, inviteRoomState: undefined });
    void client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: [], edus: undefined });
    void room.sendJoin({ eventId, event: mine, omitMembers: undefined });
    void room.getMissingEvents({ earliestEvents: [], latestEvents: [], limit: undefined, minDepth: undefined });
    void room.hierarchy({ suggestedOnly: undefined });
  });

  test("with the next_batch of a page, which may be null", async () => {
    const { next_batch } = await client.publicRooms(a, {});
    void client.publicRooms(a, { since: next_batch });
    void client.request(a, publicRooms, { since: null });
  });

  test("with lists that cannot be changed", () => {
    const versions = ["1", "2"] as const;
    void room.makeJoin({ userId, ver: versions });
    void room.request(makeJoin, { userId, ver: versions });
  });
});

test("a room of a hierarchy has its fields, and those that nobody knows", () => {
  const { children } = {} as HierarchyResponse;
  const [child] = children as [HierarchyResponse["room"]];
  expectTypeOf(child.room_id).toBeString();
  expectTypeOf(child.name).toEqualTypeOf<string | null | undefined>();
  expectTypeOf(child.num_joined_members).toEqualTypeOf<number | null | undefined>();
  expectTypeOf(child).toExtend<JsonObject>();
  expectTypeOf(child["org.example.more"]).toExtend<JsonObject[string] | undefined>();
});
