import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { redactEvent } from "../../src/events/redact-event.js";
import { countersignEvent, signEvent } from "../../src/events/sign-event.js";
import type { Room } from "../../src/index.js";
import { reply, type TestRoom } from "../../src/testing.js";
import type { CallProgress, VerifiedEvent } from "../../src/verify/verify-answer.js";
import { createVerifyWorld, json, me, ourName, poisons, stateAnswer, type VerifyWorld } from "./world.js";

const world: VerifyWorld = createVerifyWorld();

interface Join {
  readonly room: TestRoom;
  readonly view: Room;
  readonly eventId: string;
  readonly event: JsonObject;
  /** What an honest resident answers. */
  readonly answer: JsonObject & { state: JsonObject[]; auth_chain: JsonObject[] };
}

/** We have left a room of some hundred members, and have our join signed. */
async function joining(members = 300): Promise<Join> {
  const room = world.room();
  room.addMembers(members, { servers: ["a.example", "b.example", "c.example"] });
  const { eventId: leave } = room.leave(me);
  const view = world.client().room(room.roomId, { residents: ["a.example", "b.example"] });
  const { value: template } = await view.makeJoin({ userId: me, ver: ["10"] });
  const { signingKey } = world.server(ourName);
  const event: JsonObject = { ...signEvent({ ...template.event }, "10", ourName, signingKey) };
  const { pdus, auth_chain } = stateAnswer(room, leave);
  const answer = { origin: "a.example", event, state: pdus, auth_chain, members_omitted: false };
  return { room, view, eventId: eventIdOf(event, "10"), event, answer };
}

const older = (answer: JsonObject): void => {
  world.on("a.example", "send_join", reply.matrixError(404, "M_UNRECOGNIZED"));
  world.on("a.example", "send_join_v1", json([200, answer]));
};
const newer = (answer: JsonObject): void => void world.on("a.example", "send_join", json(answer));

describe.each([
  ["the second version of send_join", newer],
  ["the first version, where a server has no other", older],
] as const)("%s", (_, answers) => {
  test("is verified as it comes: progress, events, and what became of them", async () => {
    const join = await joining();
    answers(join.answer);
    const told: CallProgress[] = [];
    const got: VerifiedEvent[] = [];
    const { value, roomVersion, dropped } = await join.view.sendJoin(
      { eventId: join.eventId, event: join.event },
      { onProgress: (progress) => void told.push(progress), onEvent: (event) => void got.push(event) },
    );
    expect({ roomVersion, dropped }).toEqual({ roomVersion: "10", dropped: [] });
    expect(value).toEqual({ ...join.answer, state: [], auth_chain: [] });
    const all = join.answer.state.length + join.answer.auth_chain.length;
    expect(got.length).toBe(all);
    expect(told.at(-1)).toMatchObject({ events: all, verified: all, via: "a.example" });
  });

  test("with a poisoned event, takes it whole from another resident, or tells that it is redacted", async () => {
    const join = await joining(100);
    const state = join.answer.state.map((event, at) => (at === 50 || at === 60 ? poisons.content(event) : event));
    answers({ ...join.answer, state });
    // Whoever is not in the room is told nothing.
    join.room.accept(join.event);
    const lost = join.answer.state[60] as JsonObject;
    const lostId = eventIdOf(lost, "10");
    const path = `/_matrix/federation/v1/event/${encodeURIComponent(lostId)}`;
    world
      .server("b.example")
      .on({ method: "GET", path: new RegExp(path.replace("$", "\\$")) }, reply.matrixError(404, "M_NOT_FOUND"));
    const { value, redacted, roomVersion } = await join.view.sendJoin({ eventId: join.eventId, event: join.event });
    expect({ redacted, roomVersion }).toEqual({ redacted: [lostId], roomVersion: "10" });
    expect(value.state).toEqual(join.answer.state.with(60, redactEvent(lost, "10")));
  });

  test("does not come with another event than ours", async () => {
    const join = await joining(3);
    const { event: other } = join.room.send("@alice:a.example", "m.room.message", { body: "hi" });
    for (const event of [other, poisons.signature(join.event), { ...join.event, depth: 99 }]) {
      answers({ ...join.answer, event });
      const input = { eventId: join.eventId, event: join.event };
      const { value, dropped } = await join.view.sendJoin(input, { prefer: ["a.example"] });
      expect(value.event).toBeUndefined();
      expect(dropped).toEqual([{ path: expect.stringContaining("event"), reason: expect.any(String) }]);
      expect(value.state).toEqual(join.answer.state);
    }
  });

  test("comes with our event, countersigned", async () => {
    const join = await joining(3);
    const event = { ...countersignEvent(join.event, "10", "a.example", world.server("a.example").signingKey) };
    answers({ ...join.answer, event });
    const { value, redacted } = await join.view.sendJoin({ eventId: join.eventId, event: join.event });
    expect({ event: value.event, redacted }).toEqual({ event, redacted: [] });
  });

  test("is a join, though none of its events holds: that is told, and no second join is made", async () => {
    const join = await joining(3);
    answers({ ...join.answer, state: join.answer.state.map(poisons.forgery), auth_chain: [] });
    const known = join.view;
    const { value, dropped, via } = await known.sendJoin(
      { eventId: join.eventId, event: join.event },
      { roomVersion: "10" },
    );
    expect({ state: value.state, via }).toEqual({ state: [], via: "a.example" });
    expect(dropped.length).toBe(join.answer.state.length);
    expect(world.asked("b.example", "send_join")).toEqual([]);
  });
});

test("a partial-state join is verified: the members that it leaves out are not missed", async () => {
  const join = await joining(50);
  const { value, dropped, roomVersion } = await join.view.sendJoin({
    eventId: join.eventId,
    event: join.event,
    omitMembers: true,
  });
  expect({ dropped, roomVersion, omitted: value.members_omitted }).toEqual({
    dropped: [],
    roomVersion: "10",
    omitted: true,
  });
  expect(value.state.length).toBeLessThan(20);
});

test("an answer that breaks off leaves the fate of the join open, and it is not made elsewhere", async () => {
  const join = await joining(50);
  world.on("a.example", "send_join", reply.stall({ body: JSON.stringify(join.answer), afterBytes: 5_000 }));
  const input = { eventId: join.eventId, event: join.event };
  const answer = await join.view.safe.sendJoin(input, { timeout: 600 });
  expect(answer.ok).toBe(false);
  expect(world.asked("b.example", "send_join")).toEqual([]);
});
