import { describe, expect, test } from "vitest";

import { exchangeThirdPartyInvite, invite, sendKnock, sendLeave } from "../../src/endpoints.js";
import { type Client, defineEndpoint, type FailoverError, type RoomCallOptions } from "../../src/index.js";
import { type Behaviour, reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const timeoutMs = 2_000;
const rounds = 1;

const event = { type: "m.room.member", content: {} };
const signed = { mxid: "@me:me.example", token: "t", signatures: {} };
const exchange = { sender: "@s:a.example", userId: "@me:me.example", signed };

const calls: Record<string, (client: Client, options: RoomCallOptions) => Promise<unknown>> = {
  send_leave: (client, options) =>
    world.room([a, b], client).request(defineEndpoint({ ...sendLeave, timeoutMs }), { eventId, event }, options),
  send_knock: (client, options) =>
    world.room([a, b], client).request(defineEndpoint({ ...sendKnock, timeoutMs }), { eventId, event }, options),
  exchange_third_party_invite: (client, options) =>
    world.room([a, b], client).request(defineEndpoint({ ...exchangeThirdPartyInvite, timeoutMs }), exchange, options),
  invite: (client, options) =>
    client.request(a, defineEndpoint({ ...invite, timeoutMs }), { roomId, eventId, roomVersion: "10", event }, options),
};

const answers: Record<string, Behaviour> = {
  send_leave: reply.json({}),
  send_knock: reply.json({ knock_room_state: [] }),
  exchange_third_party_invite: reply.json({}),
  invite: reply.json({ event }),
};

describe.each(Object.entries(calls))("%s", (name, call) => {
  test.each([
    ["a timeout", reply.stallBeforeHeaders()],
    ["a reset", reply.reset()],
    ["a reset in the middle of the answer", reply.reset({ when: "midBody" })],
    ["a gateway's error", reply.htmlError(504)],
    ["an error of the server itself", reply.matrixError(500, "M_UNKNOWN")],
    ["an answer that cannot be read", reply.garbage()],
  ])("goes to no other server after %s: the outcome is unknown", async (_, behaviour) => {
    const client = await world.connectedClient(a);
    world.on(a, behaviour, name);
    world.on(b, answers[name] as Behaviour, name);
    const error = await rejection<FailoverError>(call(client, { rounds }));
    expect(error).toMatchObject({ name: "FailoverError", code: "ERR_OUTCOME_UNKNOWN", outcome: "unknown" });
    expect(error.attempts).toMatchObject([{ server: a, mayHaveTakenEffect: true }]);
    expect(world.requests(b)).toEqual([]);
  });

  test("is made again at the same server, byte for byte", async () => {
    world.on(a, reply.sequence(reply.htmlError(504), answers[name] as Behaviour), name);
    await call(world.client(), { rounds: 2, timeout: 10_000 });
    const [first, second] = world.requests(a);
    expect([second?.uri, second?.body]).toEqual([first?.uri, first?.body]);
    expect(world.requests(b)).toEqual([]);
  });
});
