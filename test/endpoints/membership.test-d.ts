import { describe, expectTypeOf, test } from "vitest";

import {
  type EmptyResponse,
  type InviteResponse,
  invite,
  type MakeKnockResponse,
  makeKnock,
  onBindThirdPartyIdentifier,
  type SendJoinResponse,
  type SendKnockResponse,
  sendJoin,
  sendJoinV1,
} from "../../src/endpoints.js";
import type { Answer, Client, Room, SafeAnswer } from "../../src/index.js";

declare const client: Client;
declare const room: Room;
const eventId = "$event";
const roomId = "!room:a.example";
const userId = "@me:me.example";
const event = { type: "m.room.member" };
const eventWithId = { ...event, event_id: eventId };
const signed = { mxid: userId, token: "t", signatures: { "id.example": { "ed25519:0": "c2ln" } } };
const a = "a.example";

describe("does not compile:", () => {
  test("a membership request without a field", () => {
    // @ts-expect-error no room versions
    void room.makeKnock({ userId });
    // @ts-expect-error no room versions
    void room.makeJoin({ userId });
    // @ts-expect-error no user
    void room.makeLeave({});
    // @ts-expect-error no event
    void room.sendKnock({ eventId });
    // @ts-expect-error no event id
    void room.sendLeave({ event });
    // @ts-expect-error nothing signed
    void room.exchangeThirdPartyInvite({ sender: userId, userId });
    // @ts-expect-error no token
    void room.exchangeThirdPartyInvite({ sender: userId, userId, signed: { mxid: userId, signatures: {} } });
    // @ts-expect-error no invites
    void client.onBindThirdPartyIdentifier(a, { medium: "email", address: "a@b", mxid: userId });
    const onbind = { medium: "email", address: "a@b", mxid: userId };
    // @ts-expect-error an invite without what was signed
    void client.onBindThirdPartyIdentifier(a, { ...onbind, invites: [{ medium: "x" }] });
  });

  test("an endpoint of one server asked of residents, or a room's endpoint of a list", () => {
    // @ts-expect-error only the user's own server can sign the invite
    void room.request(invite, { eventId, roomVersion: "10", event });
    // @ts-expect-error only the user's own server is told
    void room.request(onBindThirdPartyIdentifier, { medium: "email", address: "a@b", mxid: userId, invites: [] });
    // @ts-expect-error one server is asked
    void client.invite([a], { roomId, eventId, roomVersion: "10", event });
    // @ts-expect-error there is no such call on the room handle
    void room.invite({ eventId, roomVersion: "10", event });
    // @ts-expect-error the handle knows the room
    void room.sendLeave({ eventId, event, roomId });
  });

  test("an invite that its room version does not have", () => {
    // @ts-expect-error no room version
    void client.invite(a, { roomId, eventId, event });
    // @ts-expect-error in version 1, events have their id in them
    void client.invite(a, { roomId, eventId, roomVersion: "1", event });
    // @ts-expect-error in version 12, the state has to be there
    void client.invite(a, { roomId, eventId, roomVersion: "12", event });
    // @ts-expect-error the same of versions that are not in the specification
    void client.invite(a, { roomId, eventId, roomVersion: "org.matrix.msc9999.1", event });
    // @ts-expect-error there is no such version
    void client.invite(a, { roomId, eventId, roomVersion: "99", event, inviteRoomState: [] });
    // @ts-expect-error a version is a text
    void client.invite(a, { roomId, eventId, roomVersion: 10, event });
  });
});

describe("compiles:", () => {
  test("an invite in the form of its room version", () => {
    void client.invite(a, { roomId, eventId, roomVersion: "1", event: eventWithId });
    void client.invite(a, { roomId, eventId, roomVersion: "11", event });
    void client.invite(a, { roomId, eventId, roomVersion: "12", event, inviteRoomState: [event] });
    void client.invite(a, { roomId, eventId, roomVersion: "org.matrix.msc9999.1", event, inviteRoomState: [event] });
  });

  test("a third-party invite, with fields that the specification does not have", () => {
    void room.exchangeThirdPartyInvite({ sender: userId, userId, signed: { ...signed, more: 1 } });
    const pending = { medium: "email", address: "a@b", mxid: userId, room_id: roomId, sender: userId, signed };
    void client.onBindThirdPartyIdentifier(a, { medium: "email", address: "a@b", mxid: userId, invites: [pending] });
  });
});

test("results have their types", () => {
  expectTypeOf(room.makeKnock).returns.resolves.toEqualTypeOf<Answer<MakeKnockResponse>>();
  expectTypeOf(room.sendKnock).returns.resolves.toEqualTypeOf<Answer<SendKnockResponse>>();
  expectTypeOf(room.sendLeave).returns.resolves.toEqualTypeOf<Answer<EmptyResponse>>();
  expectTypeOf(room.safe.sendLeave).returns.resolves.toEqualTypeOf<SafeAnswer<EmptyResponse>>();
  expectTypeOf(client.invite).returns.resolves.toEqualTypeOf<InviteResponse>();
  expectTypeOf(client.safe.invite).returns.resolves.toEqualTypeOf<SafeAnswer<InviteResponse>>();
  expectTypeOf(room.request(makeKnock, { userId, ver: ["7"] })).resolves.toEqualTypeOf<Answer<MakeKnockResponse>>();
  expectTypeOf(client.request(a, sendJoin, { roomId, eventId, event })).resolves.toEqualTypeOf<SendJoinResponse>();
  expectTypeOf(client.request(a, sendJoinV1, { roomId, eventId, event })).resolves.toEqualTypeOf<
    readonly [status: number, answer: SendJoinResponse]
  >();
});
