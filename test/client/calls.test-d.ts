/** What can be asked of whom: every call by its type, and what of it compiles. */
import { describe, expectTypeOf, test } from "vitest";

import type {
  BackfillResponse,
  ClaimUserKeysResponse,
  EmptyResponse,
  EventResponse,
  MakeMembershipResponse,
  QueryKeysResponse,
  SendResponse,
  StateIdsResponse,
  StateResponse,
} from "../../src/endpoints.js";
import type {
  Answer,
  Client,
  DirectRoomCalls,
  MediaCalls,
  Room,
  RoomCalls,
  RoomOptions,
  SafeAnswer,
  ServerCalls,
} from "../../src/index.js";

declare const client: Client;
declare const room: Room;
declare const residents: RoomOptions["residents"];
const a = "a.example";
const roomId = "!room:a.example";
const eventId = "$event";
const userId = "@alice:a.example";
const event = { type: "m.room.member" };

type AnyCall = (...args: never[]) => Promise<unknown>;
/** The calls among the properties, and not what groups of calls there are. */
type CallsOf<All> = { [Name in keyof All as All[Name] extends AnyCall ? Name : never]: All[Name] };
type Of<Calls> = CallsOf<Calls>[keyof CallsOf<Calls>];
type First<Call> = Call extends (first: infer Input, ...rest: never[]) => unknown ? Input : never;
type Keys<Input> = Input extends unknown ? keyof Input : never;
type Result<Call> = Call extends (...args: never[]) => Promise<infer Output> ? Output : never;

describe("every call", () => {
  test("to one server takes that server's name first", () => {
    expectTypeOf<First<Of<ServerCalls>>>().toEqualTypeOf<string>();
    expectTypeOf<First<Of<DirectRoomCalls>>>().toEqualTypeOf<string>();
    expectTypeOf<First<Of<MediaCalls>>>().toEqualTypeOf<string>();
    expectTypeOf<First<Of<Client["openid"]>>>().toEqualTypeOf<string>();
  });

  test("about a room takes no room id, for the handle has it, and says who answered", () => {
    expectTypeOf<keyof CallsOf<RoomCalls>>().toEqualTypeOf<keyof RoomCalls>();
    expectTypeOf<Extract<Keys<First<Of<RoomCalls>>>, "roomId" | "eventId">>().toEqualTypeOf<"eventId">();
    expectTypeOf<Exclude<Result<Of<RoomCalls>>, Answer<unknown>>>().toEqualTypeOf<never>();
    expectTypeOf<keyof DirectRoomCalls>().toEqualTypeOf<keyof RoomCalls>();
  });

  test("has a twin that returns its errors", () => {
    type Twins = CallsOf<Client["safe"]>;
    expectTypeOf<Exclude<keyof CallsOf<ServerCalls & DirectRoomCalls>, keyof Twins>>().toEqualTypeOf<never>();
    expectTypeOf<Exclude<keyof CallsOf<RoomCalls>, keyof CallsOf<Room["safe"]>>>().toEqualTypeOf<never>();
    expectTypeOf<Exclude<Result<Of<Client["safe"]>>, SafeAnswer<unknown>>>().toEqualTypeOf<never>();
    expectTypeOf<Exclude<Result<Of<Room["safe"]>>, SafeAnswer<unknown>>>().toEqualTypeOf<never>();
  });
});

describe("does not compile:", () => {
  test("a list of servers where one is asked", () => {
    // @ts-expect-error one server
    void client.sendTransaction([a], { txnId: "1", originServerTs: 1, pdus: [] });
    // @ts-expect-error one server
    void client.queryDirectory([a, "b.example"], { roomAlias: "#a:a.example" });
    // @ts-expect-error one server
    void client.publicRooms([a], {});
    // @ts-expect-error one server
    void client.queryServerKeys([a], { serverName: a });
    // @ts-expect-error one server
    void client.policySign([a], { event });
    // @ts-expect-error one server; `client.room` takes many
    void client.stateIds([a, "b.example"], { roomId, eventId });
    // @ts-expect-error one server
    void client.openid.userinfo([a], "token");
    // @ts-expect-error one server
    void client.media.download([a], { mediaId: "abc" });
    // @ts-expect-error one server
    void client.safe.sendTransaction([a], { txnId: "1", originServerTs: 1, pdus: [] });
  });

  test("a room's call with a list of servers, which the handle has", () => {
    // @ts-expect-error the residents are the handle's
    void room.stateIds([a], { eventId });
    // @ts-expect-error and so they are here
    void room.stateIds({ eventId }, { residents: [a] });
    // @ts-expect-error a handle has residents
    client.room(roomId, {});
    // @ts-expect-error a handle of one room
    client.room([roomId], { residents });
  });

  test("a call on the wrong handle", () => {
    // @ts-expect-error nobody but the user's server can tell
    void room.queryProfile({ userId });
    // @ts-expect-error a transaction goes to one server
    void room.sendTransaction({ txnId: "1", originServerTs: 1, pdus: [] });
    // @ts-expect-error a file is at one server
    void room.media;
    // @ts-expect-error the room goes into the input
    void client.stateIds(a, { eventId });
    // @ts-expect-error there is nobody to prefer
    void client.stateIds(a, { roomId, eventId }, { prefer: [a] });
  });

  test("a call to one server without a field", () => {
    // @ts-expect-error no alias
    void client.queryDirectory(a, {});
    // @ts-expect-error no user
    void client.queryProfile(a, { field: "displayname" });
    // @ts-expect-error no type
    void client.query(a, { parameters: {} });
    // @ts-expect-error no time
    void client.sendTransaction(a, { txnId: "1", pdus: [] });
    // @ts-expect-error no events
    void client.sendTransaction(a, { txnId: "1", originServerTs: 1 });
    // @ts-expect-error no keys
    void client.queryKeys(a, {});
    // @ts-expect-error no devices
    void client.claimUserKeys(a, {});
    // @ts-expect-error no devices
    void client.queryUserKeys(a, {});
    // @ts-expect-error no event
    void client.policySign(a, {});
    // @ts-expect-error no input
    void client.publicRooms(a);
    // @ts-expect-error no token
    void client.openid.userinfo(a);
    // @ts-expect-error no file
    void client.media.download(a, {});
    // @ts-expect-error no height
    void client.media.thumbnail(a, { mediaId: "abc", width: 32 });
  });

  test("a room's call without a field", () => {
    // @ts-expect-error no event
    void room.state({});
    // @ts-expect-error no event
    void room.event({});
    // @ts-expect-error no event
    void room.eventAuth({});
    // @ts-expect-error no limit
    void room.backfill({ from: [eventId] });
    // @ts-expect-error no events
    void room.getMissingEvents({ earliestEvents: [] });
    // @ts-expect-error no direction
    void room.timestampToEvent({ ts: 1 });
    // @ts-expect-error no room versions
    void room.makeJoin({ userId });
    // @ts-expect-error no event
    void room.sendJoin({ eventId });
  });

  test("a field that there is not", () => {
    // @ts-expect-error its name as on the wire
    void client.queryProfile(a, { userId, user_id: userId });
    // @ts-expect-error edus are called edus
    void client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: [], ephemeral: [] });
    // @ts-expect-error its name as on the wire
    void client.publicRooms(a, { include_all_networks: true });
    // @ts-expect-error no such field
    void client.invite(a, { roomId, eventId, roomVersion: "10", event, state: [] });
    // @ts-expect-error its name as on the wire
    void client.media.download(a, { mediaId: "abc", timeout_ms: 1 });
    // @ts-expect-error only backfill has a limit
    void room.stateIds({ eventId, limit: 1 });
    // @ts-expect-error its name as on the wire
    void room.sendJoin({ eventId, event, omit_members: true });
    // @ts-expect-error only joins and knocks have versions
    void room.makeLeave({ userId, ver: ["10"] });
  });

  test("a field of the wrong type", () => {
    // @ts-expect-error milliseconds
    void client.sendTransaction(a, { txnId: "1", originServerTs: new Date(), pdus: [] });
    // @ts-expect-error a list of events
    void client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: event });
    // @ts-expect-error a list of ids
    void room.backfill({ from: eventId, limit: 1 });
    // @ts-expect-error a list of versions
    void room.makeJoin({ userId, ver: "10" });
    // @ts-expect-error an event can be JSON only
    void room.sendJoin({ eventId, event: { type: "m.room.member", origin_server_ts: new Date() } });
    // @ts-expect-error yes or no
    void room.hierarchy({ suggestedOnly: "true" });
    // @ts-expect-error there is no such method
    void client.media.thumbnail(a, { mediaId: "abc", width: 1, height: 1, method: "fit" });
  });

  test("an invite in the form of another room version", () => {
    // @ts-expect-error rooms of version 2 have event ids in their events
    void client.invite(a, { roomId, eventId, roomVersion: "2", event });
    // @ts-expect-error rooms of version 12 need the state
    void client.invite(a, { roomId, eventId, roomVersion: "12", event });
    // @ts-expect-error there is no version 0
    void client.invite(a, { roomId, eventId, roomVersion: "0", event, inviteRoomState: [] });
  });
});

describe("compiles:", () => {
  test("each call with what it needs, and with what it may have", () => {
    void client.sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: [event], edus: [{}] });
    void client.queryProfile(a, { userId, field: "displayname" }, { timeout: 1_000, rounds: 1 });
    void client.publicRooms(a, {});
    void client.query(a, { queryType: "x", parameters: { one: "1", two: 2, more: ["3"] } });
    void client.stateIds(a, { roomId, eventId });
    void client.event(a, { eventId });
    // Bug: it did not compile.
    void client.eventAuth(a, { roomId, eventId }, { sentBy: [a] });
    void client.safe.eventAuth(a, { roomId, eventId }, { sentBy: [a], joinedVia: a });
    void client.openid.userinfo(a, "token");
    void client.media.thumbnail(a, { mediaId: "abc", width: 32, height: 32, method: "crop" }, { maxBytes: 1_000 });
    void room.sendJoin({ eventId, event, omitMembers: true }, { sentBy: [a], prefer: [a] });
    void room.getMissingEvents({ earliestEvents: [], latestEvents: [eventId], limit: 5, minDepth: 1 });
    void room.hierarchy({});
  });
});

describe("answers have their types:", () => {
  test("of calls to one server", () => {
    expectTypeOf(client.sendTransaction).returns.resolves.toEqualTypeOf<SendResponse>();
    expectTypeOf(client.queryKeys).returns.resolves.toEqualTypeOf<QueryKeysResponse>();
    expectTypeOf(client.claimUserKeys).returns.resolves.toEqualTypeOf<ClaimUserKeysResponse>();
    expectTypeOf(client.onBindThirdPartyIdentifier).returns.resolves.toEqualTypeOf<EmptyResponse>();
    expectTypeOf(client.safe.sendTransaction).returns.resolves.toEqualTypeOf<SafeAnswer<SendResponse>>();
    expectTypeOf(client.safe.stateIds).returns.resolves.toEqualTypeOf<SafeAnswer<StateIdsResponse>>();
  });

  test("of calls about a room", () => {
    expectTypeOf(client.stateIds).returns.resolves.toEqualTypeOf<Answer<StateIdsResponse>>();
    expectTypeOf(room.state).returns.resolves.toEqualTypeOf<Answer<StateResponse>>();
    expectTypeOf(room.event).returns.resolves.toEqualTypeOf<Answer<EventResponse>>();
    expectTypeOf(room.backfill).returns.resolves.toEqualTypeOf<Answer<BackfillResponse>>();
    expectTypeOf(room.makeJoin).returns.resolves.toEqualTypeOf<Answer<MakeMembershipResponse>>();
    expectTypeOf(room.safe.event).returns.resolves.toEqualTypeOf<SafeAnswer<EventResponse>>();
    expectTypeOf(room.event({ eventId })).resolves.toHaveProperty("value").toHaveProperty("pdus").items.toBeObject();
  });
});
