import { afterEach, beforeEach, expect, test } from "vitest";
import { eventIdOf } from "../../src/events/hash-event.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { signEvent } from "../../src/events/sign-event.js";
import type { Client } from "../../src/index.js";
import { createTestFederation, type TestFederation } from "../../src/testing.js";
import { clientOf, verdictOn, versions } from "./room-client.js";

const alice = "@alice:a.example";
const bob = "@bob:b.example";
const hash = "KgUnf_Lh8NtLuNgmuAqtQmzLBVKpiTCzZHUTLZTz1TU";

let federation: TestFederation;
let asA: Client;

beforeEach(async () => {
  federation = await createTestFederation({ servers: ["a.example", "b.example", "c.example"] });
  asA = clientOf(federation, "a.example");
});
afterEach(async () => {
  await asA.close();
  await federation.close();
});

/** What a homeserver that invites a user asks, of a room that the federation does not know. */
function inviteOf(version: RoomVersion, changes: object = {}) {
  const { eventIds, roomIdIsCreateEventId } = roomVersions[version];
  const roomId = roomIdIsCreateEventId ? `!${hash.toLowerCase()}` : "!room:a.example";
  const links = eventIds === "inEvent" ? [["$last:a.example", { sha256: hash }]] : [`$${hash}`];
  const draft = {
    room_id: roomId,
    type: "m.room.member",
    sender: alice,
    state_key: bob,
    content: { membership: "invite" },
    depth: 2,
    origin_server_ts: 1_700_000_000_000,
    prev_events: links,
    auth_events: links,
    ...(eventIds === "inEvent" && { event_id: "$invite:a.example" }),
    ...changes,
  };
  const event = signEvent(draft, version, "a.example", federation.server("a.example").signingKey);
  const roomVersion = version as "11";
  return { roomId, eventId: eventIdOf(event, version), roomVersion, event, inviteRoomState: [] };
}

test.each(versions)("a server signs invites of its users too, in rooms of version %s", async (version) => {
  const input = inviteOf(version);
  const { event } = await asA.invite("b.example", input);
  expect(Object.keys(event.signatures as object)).toEqual(["a.example", "b.example"]);
  expect({ ...event, signatures: 0 }).toEqual({ ...input.event, signatures: 0 });
  expect(verdictOn(federation, { ...event, sender: bob }, version)).not.toBe("valid");
  expect(verdictOn(federation, event, version)).toBe("valid");
});

test.each([
  ["no invite", { content: { membership: "join" } }, "It is no invite."],
  ["of another server's user", { state_key: "@dan:d.example" }, "The invited user is not of this server."],
  ["of another room", { room_id: "!other:a.example" }, "The room id in the path is not that of the event."],
])("what is %s is not signed", async (_, changes, error) => {
  const failed = asA.invite("b.example", inviteOf("11", changes));
  await expect(failed).rejects.toMatchObject({ errcode: "M_INVALID_PARAM", message: expect.stringContaining(error) });
});

test("an invite without its sender's signature, or under another id, is not signed", async () => {
  const input = inviteOf("11");
  for (const wrong of [
    { ...input, event: { ...input.event, signatures: {} } },
    { ...input, event: { ...input.event, content: { membership: "invite", more: 1 } } },
    { ...input, eventId: `$${hash}` },
  ]) {
    await expect(asA.invite("b.example", wrong)).rejects.toMatchObject({ errcode: "M_INVALID_PARAM" });
  }
  const unknown = { ...input, roomVersion: "org.example.1" as const };
  await expect(asA.invite("b.example", unknown)).rejects.toMatchObject({ errcode: "M_INCOMPATIBLE_ROOM_VERSION" });
});

test("an invite by another server than the sender's is not signed", async () => {
  const asC = clientOf(federation, "c.example");
  await expect(asC.invite("b.example", inviteOf("11"))).rejects.toMatchObject({ errcode: "M_INVALID_PARAM" });
  await asC.close();
});
