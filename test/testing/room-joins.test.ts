import { afterEach, beforeEach, expect, test } from "vitest";
import { eventIdOf } from "../../src/events/hash-event.js";
import { signEvent } from "../../src/events/sign-event.js";
import { type Client, SigningKey } from "../../src/index.js";
import { createTestFederation, type TestFederation } from "../../src/testing.js";
import { clientOf, idsOf, inRoom, joinAs, verdictOn } from "./room-client.js";

const alice = "@alice:a.example";
const bob = "@bob:b.example";
const carol = "@carol:c.example";

let federation: TestFederation;
let asB: Client;
let asC: Client;

beforeEach(async () => {
  federation = await createTestFederation({ servers: ["a.example", "b.example", "c.example"] });
  asB = clientOf(federation, "b.example");
  asC = clientOf(federation, "c.example");
});
afterEach(async () => {
  await asB.close();
  await asC.close();
  await federation.close();
});

test("a partial join leaves members out and names the servers", async () => {
  const room = federation.createRoom({ creator: alice, name: "Room" });
  room.join(bob);
  const { answer, eventId } = await joinAs(federation, asC, room, carol, { omitMembers: true });
  expect(answer.members_omitted).toBe(true);
  expect(answer.servers_in_room).toEqual(["a.example", "b.example"]);
  expect(answer.state.some(({ type }) => type === "m.room.member")).toBe(false);
  const sent = [...answer.state, ...answer.auth_chain].map((event) => eventIdOf(event, "10"));
  expect(new Set(sent).size).toBe(sent.length);
  // The rest is had from the state before the join.
  const { value } = await inRoom(asC, room).stateIds({ eventId });
  expect(value.pdu_ids).toHaveLength(idsOf(room.state(eventId)).length);
});

test("a partial join of a room without a name has its heroes", async () => {
  const room = federation.createRoom({ creator: alice });
  const { answer } = await joinAs(federation, asC, room, carol, { omitMembers: true });
  expect(answer.state.map(({ state_key }) => state_key)).toContain(alice);
});

test("a join that was sent twice is taken once", async () => {
  const room = federation.createRoom({ creator: alice });
  const { event, eventId } = await joinAs(federation, asC, room, carol);
  const count = room.events.length;
  await inRoom(asC, room).sendJoin({ eventId, event });
  expect(room.events).toHaveLength(count);
});

test("who may not join gets no template, and who lacks the version is told the right one", async () => {
  const room = federation.createRoom({ creator: alice, joinRule: "invite", version: "11" });
  const calls = inRoom(asC, room);
  await expect(calls.makeJoin({ userId: carol, ver: ["11"] })).rejects.toMatchObject({ errcode: "M_FORBIDDEN" });
  await expect(calls.makeJoin({ userId: carol, ver: ["10"] })).rejects.toMatchObject({
    errcode: "M_INCOMPATIBLE_ROOM_VERSION",
  });
  room.invite(alice, carol);
  await joinAs(federation, asC, room, carol);
  expect(room.residents).toContain("c.example");
  expect(() => room.join(bob)).toThrow(/@bob:b.example is not invited/);
});

test("a restricted room lets in who is in an allowed room, with the signature of a server that may invite", async () => {
  const space = federation.createRoom({ creator: alice });
  const room = federation.createRoom({ creator: alice, joinRule: "restricted", allow: [space.roomId] });
  await expect(inRoom(asC, room).makeJoin({ userId: carol, ver: ["10"] })).rejects.toMatchObject({ status: 403 });
  space.join(carol);
  const { answer } = await joinAs(federation, asC, room, carol);
  expect(answer.event?.signatures).toMatchObject({ "a.example": expect.anything(), "c.example": expect.anything() });
  expect(verdictOn(federation, answer.event, "10")).toBe("valid");
  expect(() => room.join(bob)).toThrow(/authorised/);
  space.join(bob);
  expect(verdictOn(federation, room.join(bob).event, "10")).toBe("valid");
});

test("a join with a wrong signature, hash, room or membership is refused", async () => {
  const room = federation.createRoom({ creator: alice });
  const calls = inRoom(asC, room);
  const { value } = await calls.makeJoin({ userId: carol, ver: ["10"] });
  const { signingKey } = federation.server("c.example");
  const send = (event: object) => calls.sendJoin({ eventId: eventIdOf(event, "10"), event });
  const stranger = signEvent(value.event, "10", "c.example", SigningKey.generate());
  const moved = signEvent({ ...value.event, room_id: "!other:a.example" }, "10", "c.example", signingKey);
  const leave = signEvent({ ...value.event, content: { membership: "leave" } }, "10", "c.example", signingKey);
  for (const event of [stranger, moved, leave])
    await expect(send(event)).rejects.toMatchObject({ name: "MatrixError" });
  const right = signEvent(value.event, "10", "c.example", signingKey);
  const lie = { eventId: "$other", event: right };
  await expect(calls.sendJoin(lie)).rejects.toMatchObject({ errcode: "M_INVALID_PARAM" });
  expect(room.residents).toEqual(["a.example"]);
});

test("a user leaves with make_leave and send_leave, and the server is no resident any more", async () => {
  const room = federation.createRoom({ creator: alice });
  await joinAs(federation, asC, room, carol);
  const calls = inRoom(asC, room);
  const { value } = await calls.makeLeave({ userId: carol });
  const event = signEvent(value.event, "10", "c.example", federation.server("c.example").signingKey);
  await calls.sendLeave({ eventId: eventIdOf(event, "10"), event });
  expect(room.residents).toEqual(["a.example"]);
  const { eventId } = room.createEvent;
  await expect(calls.stateIds({ eventId })).rejects.toMatchObject({ code: "ERR_ALL_FAILED" });
});

test("a resident in partial state does not know who is there to leave, as Synapse does not; another one does", async () => {
  const room = federation.createRoom({ creator: alice });
  room.join(bob);
  await joinAs(federation, asC, room, carol);
  room.partial("b.example");
  const { attempts } = await inRoom(asC, room, ["b.example", "a.example"]).makeLeave(
    { userId: carol },
    { prefer: ["b.example"] },
  );
  expect(attempts.map(({ server, verdict, errcode }) => [server, verdict, errcode])).toEqual([
    ["b.example", "notResident", "M_FORBIDDEN"],
    ["a.example", "answered", undefined],
  ]);
});
