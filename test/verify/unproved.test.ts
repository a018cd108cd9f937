import { afterEach, describe, expect, test, vi } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { redactEvent } from "../../src/events/redact-event.js";
import { signEvent } from "../../src/events/sign-event.js";
import { type Client, type FailoverError, type Room, SigningKey, signJson, type Unproved } from "../../src/index.js";
import { reply, type TestRoom } from "../../src/testing.js";
import {
  alice,
  bob,
  createVerifyWorld,
  json,
  me,
  ourName,
  poisons,
  rejection,
  signedBy,
  stateAnswer,
  type VerifyWorld,
} from "./world.js";

const world: VerifyWorld = createVerifyWorld();
afterEach(() => void vi.useRealTimers());
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
  expect(String(error.cause)).toContain("The response's events cannot be verified here.");
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
    expect(error.message).toMatch(/\nNext: give as `roomVersion` the version that the room has/);
    expect(client.backoff.list()).toEqual([]);
  },
);

describe("without a key of the server that made the room, and its version", () => {
  const others = ["b.example", "c.example"];
  const unproved = (why: Unproved) => ({ summary: "allUnproved", cause: { unproved: why, status: 200 } });
  const nobodyMisbehaves = (client: Client): void =>
    expect(client.backoff.list().filter(({ server }) => server !== "a.example")).toEqual([]);

  /** Joins as {@link me}, who is not in the room yet; of what version it is tells the template. */
  async function join(room: Room): Promise<unknown> {
    const { value } = await room.makeJoin({ userId: me, ver: ["10", "11"] });
    const { signingKey } = world.server(ourName);
    const version = value.room_version as "10" | "11";
    const event = signEvent({ ...value.event, origin_server_ts: 1 }, version, ourName, signingKey);
    return room.sendJoin({ eventId: eventIdOf(event, version), event });
  }

  test("told by make_join, a join is held against nobody (bug: the honest server was said to misbehave)", async () => {
    const room = world.federation.createRoom({ version: "11", creator: alice });
    room.join(bob);
    await world.server("a.example").stop();
    const client = world.client();
    const error = (await rejection(join(client.room(room.roomId, { residents: others })))) as FailoverError;
    expect(error).toMatchObject({ code: "ERR_OUTCOME_UNKNOWN", ...unproved("keysMissing") });
    expect(error.message).toMatch(/\nNext: .*`notaries`.*\nThen: put the same to that server alone/s);
    expect(error.message).toContain("sent, and answered, but the answer cannot be verified");
    expect(error.message).toContain("the m.room.create event does not hold: keys are missing: ");
    nobodyMisbehaves(client);
  });

  test("told wrongly by make_join, it is not said that the caller gave a wrong one (bug: it was)", async () => {
    const room = world.federation.createRoom({ version: "11", creator: alice });
    const { eventId } = room.join(bob);
    const event = { type: "m.room.member", sender: me, state_key: me, content: { membership: "join" } };
    const template = { ...event, room_id: room.roomId, depth: 9, auth_events: [], prev_events: [] };
    world.on("b.example", "make_join", reply.json({ room_version: "10", event: template }));
    world.on("b.example", "send_join", reply.partialState());
    const { pdus: state, auth_chain } = stateAnswer(room, eventId);
    world.on("c.example", "send_join", json({ state, auth_chain }));
    const client = world.client();
    const error = (await rejection(join(client.room(room.roomId, { residents: others })))) as FailoverError;
    expect(error).toMatchObject({ summary: "mixed", cause: { unproved: "otherVersion" } });
    expect(error.message).toMatch(/\nNext: give as `roomVersion` .* or that another server told, may be wrong\.\n/);
    nobodyMisbehaves(client);
  });

  test.each(["1", "3", "10", "12"] as const)(
    "given as %s where it is 11, it is told by the state, and held against no server (bug: it was)",
    async (roomVersion) => {
      const room = world.room("11");
      const { eventId } = room.send(bob, "m.room.message", hi);
      await world.server("a.example").stop();
      const client = world.client();
      const view = client.room(room.roomId, { residents: others, roomVersion });
      const error = (await rejection(view.state({ eventId }))) as FailoverError;
      expect(error).toMatchObject(unproved("otherVersion"));
      expect(error.message).toContain(`the room is of version 11, not ${roomVersion}`);
      nobodyMisbehaves(client);
    },
  );

  test("an event that forges the making of the room is the server's fault", async () => {
    const room = world.room("10");
    const { eventId } = room.send(bob, "m.room.message", hi);
    const chain = room.authChain().map(({ event }) => event);
    const forged = chain.map((event) => (event.type === "m.room.create" ? { ...event, depth: 77 } : event));
    world.on("b.example", "event_auth", json({ auth_chain: forged }));
    const client = world.client();
    const error = await rejection(client.room(room.roomId, { residents: ["b.example"] }).eventAuth({ eventId }));
    expect(error).toMatchObject({ summary: "allUnavailable", cause: { unproved: undefined } });
    expect(await client.backoff.get("b.example")).toMatchObject({ misbehaviours: 1 });
  });
});

describe("of a room whose version is known", () => {
  const versionsOf = (room: TestRoom, version: string, keyId?: string): JsonObject => {
    const [create] = room.authChain().map(({ event }) => event) as [JsonObject];
    expect(create.type).toBe("m.room.create");
    const content = { ...(create.content as JsonObject), room_version: version };
    const { signatures, ...event } = signedBy(
      world,
      "a.example",
      { ...create, content, event_id: "$x:a.example" },
      "2",
    );
    const [signature] = Object.values((signatures as Record<string, Record<string, string>>)["a.example"] ?? {});
    return keyId
      ? { ...event, signatures: { "a.example": { [keyId]: signature ?? "" } } }
      : { ...event, signatures: signatures as JsonObject };
  };

  test.each([
    ["the server that made it", "a.example", undefined],
    ["another, with a key that nobody knows,", "b.example", "ed25519:none"],
  ])("%s cannot make another version of it be believed, nor blamed for the old one", async (_, liar, keyId) => {
    const room = world.room("10");
    const { eventId } = room.send(bob, "m.room.message", hi);
    const client = world.client();
    const honest = client.room(room.roomId, { residents: ["c.example"] });
    expect((await honest.event({ eventId })).roomVersion).toBe("10");
    for (const endpoint of ["event_auth", "state", "backfill"]) {
      const all = [versionsOf(room, "2", keyId)];
      const body = { auth_chain: all, pdus: all, origin: liar, origin_server_ts: 1 };
      world.on(liar, endpoint, json(body));
    }
    const view = client.room(room.roomId, { residents: [liar] });
    for (const ask of [
      () => view.eventAuth({ eventId }, { roomVersion: "10" }),
      () => view.state({ eventId }),
      () => view.backfill({ from: [eventId], limit: 1 }),
    ]) {
      expect(await rejection(ask())).toMatchObject({ summary: "allUnproved", cause: { unproved: "otherVersion" } });
    }
    expect((await honest.event({ eventId })).roomVersion).toBe("10");
    expect((await honest.state({ eventId })).roomVersion).toBe("10");
    expect(client.backoff.list()).toEqual([]);
  });

  test("the first one that is proved counts for a day", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    // What is kept since 0 is kept for good.
    vi.advanceTimersByTime(1);
    const room = world.room("10");
    const { eventId } = room.send(bob, "m.room.message", hi);
    world.on("a.example", "event_auth", json({ auth_chain: [versionsOf(room, "2")] }));
    const client = world.client();
    const answer = await client.room(room.roomId, { residents: ["a.example"] }).eventAuth({ eventId });
    expect(answer.roomVersion).toBe("2");
    const honest = client.room(room.roomId, { residents: ["c.example"] });
    expect(await rejection(honest.state({ eventId }))).toMatchObject({ cause: { unproved: "otherVersion" } });
    vi.advanceTimersByTime(24 * 3_600_000 + 1);
    expect((await honest.state({ eventId })).roomVersion).toBe("10");
  });

  test("another one is not learnt from a create event whose key nobody knows", async () => {
    const room = world.room("10");
    const { eventId } = room.send(bob, "m.room.message", hi);
    world.on("b.example", "event_auth", json({ auth_chain: [versionsOf(room, "2", "ed25519:none")] }));
    const client = world.client();
    const error = await rejection(client.room(room.roomId, { residents: ["b.example"] }).eventAuth({ eventId }));
    expect(error).toMatchObject({ summary: "allUnproved", cause: { unproved: "keysMissing" } });
    const honest = client.room(room.roomId, { residents: ["c.example"] });
    expect((await honest.event({ eventId })).roomVersion).toBe("10");
  });

  test("what makes another room does not hide what makes this one", async () => {
    const [room, other] = [world.room("11"), world.room("10")];
    const { eventId } = room.send(bob, "m.room.message", hi);
    const answer = stateAnswer(room, eventId);
    world.on("b.example", "state", json({ ...answer, pdus: [other.createEvent.event, ...answer.pdus] }));
    const client = world.client();
    const view = client.room(room.roomId, { residents: ["b.example"], roomVersion: "1" });
    expect(await rejection(view.state({ eventId }))).toMatchObject({ cause: { unproved: "otherVersion" } });
    expect(client.backoff.list()).toEqual([]);
  });

  test("the version of a redacted create event is not believed: redaction removes it (bug: the room could not be read)", async () => {
    const room = world.room("2");
    const { eventId } = room.send(bob, "m.room.message", hi);
    const redacted = (all: JsonObject[]): JsonObject[] =>
      all.map((event) => (event.type === "m.room.create" ? redactEvent(event, "2") : event));
    const { pdus, auth_chain } = stateAnswer(room, eventId);
    world.on("b.example", "state", json({ pdus: redacted(pdus), auth_chain: redacted(auth_chain) }));
    await world.server("a.example").stop();
    const view = world.client().room(room.roomId, { residents: ["b.example"], roomVersion: "2" });
    expect((await view.state({ eventId })).value.pdus.length).toBeGreaterThan(0);
  });
});

test("of a room of a version that is not known here, nobody is at fault (bug: all residents were said to misbehave)", async () => {
  const room = world.room("11");
  const { eventId } = room.send(bob, "m.room.message", hi);
  const newer = (all: JsonObject[]): JsonObject[] =>
    all.map((event) => (event.type === "m.room.create" ? { ...event, content: { room_version: "77" } } : event));
  for (const server of ["b.example", "c.example"]) {
    const { pdus, auth_chain } = stateAnswer(room, eventId);
    world.on(server, "event_auth", json({ auth_chain: newer(auth_chain) }));
    world.on(server, "state", json({ pdus: newer(pdus), auth_chain: newer(auth_chain) }));
  }
  const client = world.client();
  const view = client.room(room.roomId, { residents: ["b.example", "c.example"] });
  const error = (await rejection(view.eventAuth({ eventId }))) as FailoverError;
  expect(error).toMatchObject({ summary: "allUnproved", cause: { unproved: "unknownVersion" } });
  expect(error.message).toMatch(/\nNext: .*`verify: "none"`/);
  expect(await rejection(view.state({ eventId }))).toMatchObject({ summary: "allUnproved" });
  expect(client.backoff.list()).toEqual([]);
  expect(world.askedInAll("event")).toBe(0);
  expect((await view.state({ eventId }, { verify: "none" })).value.pdus.length).toBeGreaterThan(0);
});

test("who passes on events whose keys are said to have expired since is not at fault, nor are others asked for them (bug: residents were said to misbehave by their creator's word)", async () => {
  const room = world.room("11");
  const { eventId } = room.send(alice, "m.room.message", hi);
  const last = room.send(bob, "m.room.message", hi);
  const { signingKey } = world.server("a.example");
  const newKey = SigningKey.generate("new");
  const keys = {
    server_name: "a.example",
    valid_until_ts: Date.now() + 86_400_000,
    verify_keys: { [newKey.keyId]: { key: newKey.publicKey } },
    old_verify_keys: { [signingKey.keyId]: { key: signingKey.publicKey, expired_ts: 1 } },
  };
  world.on("a.example", "server_keys", json(signJson(keys, "a.example", newKey)));
  const client = world.client();
  const view = client.room(room.roomId, { residents: ["b.example", "c.example"], roomVersion: "11" });
  const error = (await rejection(view.event({ eventId }))) as FailoverError;
  expect(error).toMatchObject({ summary: "allUnproved", cause: { unproved: "keysMissing" } });
  expect(error.message).toContain('the keys of "a.example" had expired');
  const { dropped } = await view.state({ eventId: last.eventId });
  expect(dropped.map(({ reason }) => reason)).toContain('the keys of "a.example" had expired');
  expect(world.askedInAll("event")).toBe(2);
  expect(client.backoff.list()).toEqual([]);
});

test.each(["backfill", "state"] as const)(
  "of %s, of which one event has no key and another none that could hold, the latter is the server's fault, and named (bug: the former was, or what is no event made no difference)",
  async (endpoint) => {
    const room = world.room("11");
    const keyless = room.send(alice, "m.room.message", hi);
    const { event, eventId } = room.send(bob, "m.room.message", hi);
    await world.server("a.example").stop();
    const client = world.client();
    const view = client.room(room.roomId, { residents: ["b.example"], roomVersion: "11" });
    const ask = (): Promise<unknown> =>
      endpoint === "state" ? view.state({ eventId }) : view.backfill({ from: [eventId], limit: 10 });
    const tooLarge = { ...event, content: { body: "x".repeat(300_000) } };
    for (const bad of [poisons.signature(event), "no event", tooLarge]) {
      const pdus = [keyless.event, bad, bad];
      world.on("b.example", endpoint, json({ origin: "b.example", origin_server_ts: 1, pdus, auth_chain: [] }));
      const error = (await rejection(ask())) as FailoverError;
      expect(error).toMatchObject({
        summary: "allUnavailable",
        cause: { unproved: undefined, issues: [{ path: "$.pdus[1]" }] },
      });
      expect(error.message).not.toContain("notaries");
    }
    expect(await client.backoff.get("b.example")).toMatchObject({ misbehaviours: 3 });
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
