import { expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { signEvent } from "../../src/events/sign-event.js";
import type { FailoverError } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { alice, bob, createVerifyWorld, json, rejection, stateAnswer, type VerifyWorld } from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const hi = { body: "hi" };

test("a room whose creator's server is gone can be read: the ids of its events prove its version (bug: nothing could be)", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  await world.server("a.example").stop();
  const client = world.client();
  const view = client.room(room.roomId, { residents: ["b.example", "c.example"] });
  const one = await view.event({ eventId });
  expect(one.value.pdus).toEqual([event]);
  expect(one.roomVersion).toBe("10");
  const { value, dropped } = await view.eventAuth({ eventId }, { roomVersion: "10" });
  expect(value.auth_chain.map(({ sender }) => sender)).not.toContain(alice);
  expect(dropped.map(({ reason }) => reason).join()).toContain("of a.example");
  expect(client.backoff.list().filter(({ server }) => server !== "a.example")).toEqual([]);
});

test("an event whose key cannot be had is no server's fault: nobody is held to misbehave (bug: all residents were)", async () => {
  const room = world.room();
  const { eventId } = room.send(alice, "m.room.message", hi);
  await world.server("a.example").stop();
  const client = world.client();
  const view = client.room(room.roomId, { residents: ["b.example", "c.example"], roomVersion: "10" });
  const error = (await rejection(view.event({ eventId }))) as FailoverError;
  expect(error.attempts.map(({ verdict }) => verdict)).toEqual(["unableHere", "unableHere"]);
  expect(error).toMatchObject({ summary: "allUnproved", cause: { unproved: "keysMissing" } });
  expect(String(error.cause)).toContain("keys are missing");
  expect(error.message).toMatch(/^No answer could be verified here\..*\nNext: .*`notaries`/s);
  expect(client.backoff.list().filter(({ server }) => server !== "a.example")).toEqual([]);
});

test("of many events that were redacted for good, only a few are asked of others (bug: up to six hundred requests)", async () => {
  const room = world.room();
  const sent = Array.from({ length: 20 }, () => room.send(bob, "m.room.message", hi));
  for (const { eventId } of sent) room.redact(alice, eventId);
  const last = room.send(bob, "m.room.message", hi);
  const { redacted } = await world.view(room, world.client(), "10").backfill({ from: [last.eventId], limit: 100 });
  expect([...redacted].sort()).toEqual(sent.map(({ eventId }) => eventId).sort());
  expect(world.askedInAll("event")).toBeLessThanOrEqual(16);
});

test("of many events that are withheld, all are had from others", async () => {
  const room = world.room();
  const sent = Array.from({ length: 20 }, () => room.send(bob, "m.room.message", hi));
  const last = room.send(bob, "m.room.message", hi);
  room.partial("a.example");
  const view = world.view(room, world.client(), "10");
  const { value, redacted } = await view.backfill({ from: [last.eventId], limit: 100 }, { prefer: ["a.example"] });
  expect(redacted).toEqual([]);
  for (const { event } of sent) expect(value.pdus).toContainEqual(event);
});

test("a wrong version of the room, given by the caller, is named where the answer tells (bug: the signatures were blamed)", async () => {
  const room = world.room("11");
  const { eventId } = room.send(bob, "m.room.message", hi);
  const client = world.client();
  const view = client.room(room.roomId, { residents: ["a.example", "b.example"], roomVersion: "10" });
  const error = (await rejection(view.eventAuth({ eventId }))) as FailoverError;
  expect(String(error.cause)).toContain("the room is of version 11, not 10");
  expect(client.backoff.list()).toEqual([]);
});

test.each(["1", "3", "10", "12"] as const)(
  "that version %s was given for a room of version 11 is told by its state, and held against no server (bug: an honest one was said to have forged)",
  async (roomVersion) => {
    const room = world.room("11");
    const { eventId } = room.send(bob, "m.room.message", hi);
    const client = world.client();
    const view = client.room(room.roomId, { residents: ["a.example", "b.example"], roomVersion });
    const error = (await rejection(view.state({ eventId }))) as FailoverError;
    expect(error).toMatchObject({ summary: "allUnproved", cause: { unproved: "otherVersion" } });
    expect(String(error.cause)).toContain(`the room is of version 11, not ${roomVersion}`);
    expect(error.message).toContain("\nNext: no server is at fault; leave `roomVersion` out");
    expect(client.backoff.list()).toEqual([]);
  },
);

test("an event that makes the room in another version does no harm beside the right one (bug: the state was not taken)", async () => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  const answer = stateAnswer(room, eventId) as { pdus: JsonObject[] };
  const [create] = answer.pdus.filter(({ type }) => type === "m.room.create") as [JsonObject];
  const server = world.server("a.example");
  const older = { ...create, content: { ...(create.content as JsonObject), room_version: "9" }, signatures: {} };
  const signed = signEvent(older, "9", server.name, server.signingKey);
  world.on("a.example", "state", json({ ...answer, pdus: [signed, ...answer.pdus] }));
  const view = world.client().room(room.roomId, { residents: ["a.example"], roomVersion: "10" });
  expect((await view.state({ eventId })).value.pdus.length).toBeGreaterThanOrEqual(answer.pdus.length);
});

test("when the room's version cannot be had, the error is about the call that was made, and says what to do (bug: it was about event_auth)", async () => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  for (const server of ["a.example", "b.example", "c.example"]) {
    world.on(server, "event_auth", reply.matrixError(403, "M_FORBIDDEN"));
  }
  const error = (await rejection(world.view(room).event({ eventId }))) as FailoverError;
  expect(error).toMatchObject({ code: "ERR_ALL_FAILED", endpoint: "event" });
  expect(error.message).toContain("Pass `roomVersion`");
  expect(error.attempts).toHaveLength(3);
});

test("what a handler throws in a later round ends the call at once, whatever it is (bug: the round was tried again)", async () => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  const partial = reply.matrixError(403, "M_UNABLE_DUE_TO_PARTIAL_STATE");
  world.on("a.example", "state", reply.sequence(partial, json(stateAnswer(room, eventId))));
  const view = world.client().room(room.roomId, { residents: ["a.example"], roomVersion: "10" });
  let times = 0;
  const thrown = await rejection(
    view.state(
      { eventId },
      {
        onEvent: () => {
          times += 1;
          throw "enough";
        },
      },
    ),
  );
  expect({ thrown, times }).toEqual({ thrown: "enough", times: 1 });
});
