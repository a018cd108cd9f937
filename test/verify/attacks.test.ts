import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import type { FailoverError } from "../../src/index.js";
import { reply } from "../../src/testing.js";
import {
  alice,
  bob,
  createVerifyWorld,
  json,
  rejection,
  signedBy,
  stateAnswer,
  transactionOf,
  type VerifyWorld,
} from "./world.js";

const world: VerifyWorld = createVerifyWorld();
const hi = { body: "hi" };

test("a create event that nobody can verify sets the version of no room, for nobody (bug: one resident could, for ten minutes)", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  const { hashes: _hashes, signatures: _signatures, ...create } = room.createEvent.event as JsonObject;
  const forged = {
    ...create,
    event_id: "$made:a.example",
    content: { creator: alice, room_version: "1" },
    hashes: { sha256: "" },
    signatures: { "a.example": { "ed25519:none": "" } },
  };
  const own = signedBy(
    world,
    "c.example",
    {
      ...(event as JsonObject),
      sender: "@eve:c.example",
      event_id: "$own:c.example",
      auth_events: [],
      prev_events: [],
    },
    "1",
  );
  world.on("a.example", "event_auth", json({ auth_chain: [forged, own] }));
  const client = world.client();
  const view = client.room(room.roomId, { residents: ["a.example", "b.example"] });
  await view.safe.event({ eventId }, { prefer: ["a.example"] });
  const { value, roomVersion } = await client.room(room.roomId, { residents: ["b.example"] }).event({ eventId });
  expect({ pdus: value.pdus, roomVersion }).toEqual({ pdus: [event], roomVersion: "10" });
  expect(client.backoff.list().filter(({ server }) => server === "b.example")).toEqual([]);
});

test("of a room without a grammatical id no event holds, and that is the server's error (bug: it was an error of the caller's input)", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  for (const room_id of ["garbage", "", "!../..", `!${"x".repeat(60_000)}`]) {
    world.on("a.example", "event", json(transactionOf({ ...(event as JsonObject), room_id })));
    const error = await rejection(world.client().event("a.example", { eventId }));
    expect(error).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
  }
});

test("an onProgress that rejects ends the call with what it rejects with (bug: it ended the process)", async () => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  const onProgress = async (): Promise<void> => {
    await sleep(1);
    throw new RangeError("no more");
  };
  expect(await rejection(world.view(room, world.client(), "10").state({ eventId }, { onProgress }))).toEqual(
    new RangeError("no more"),
  );
});

test("names of keys reach reasons cleaned and capped (bug: line breaks and escape codes came through)", async () => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  const answer = stateAnswer(room, eventId);
  const keyId = `ed25519:a\n\u001b[31m\u202e${"x".repeat(5_000)}`;
  answer.pdus[0] = { ...(answer.pdus[0] as JsonObject), signatures: { "a.example": { [keyId]: "A".repeat(86) } } };
  world.on("a.example", "state", json(answer));
  const view = world.client().room(room.roomId, { residents: ["a.example"], roomVersion: "10" });
  const { dropped } = await view.state({ eventId });
  expect(dropped).toHaveLength(1);
  expect(dropped[0]?.reason).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(dropped[0]?.reason.length).toBeLessThan(300);
});

test("a call whose client is closed while the version is asked for ends with ERR_CLOSED and blames nobody (bug: backoffs were saved)", async () => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  const client = world.client();
  const residents = async (): Promise<string[]> => {
    await sleep(50);
    return ["a.example"];
  };
  const answer = rejection(client.room(room.roomId, { residents, roomVersion: "10" }).event({ eventId }));
  await client.close();
  expect(await answer).toMatchObject({ code: "ERR_CLOSED" });
  expect(client.backoff.list()).toEqual([]);
});

test("a signature that a server repeats in its error does not reach ours (bug: Authorization was in messages)", async () => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  for (const status of [502, 403]) {
    world.on("a.example", "event", async (exchange) => {
      const { authorization = "" } = exchange.request.headers;
      const body = status === 403 ? { errcode: "M_FORBIDDEN", error: `you said ${authorization}` } : authorization;
      await reply.json(body, status)(exchange);
    });
    const view = world.client().room(room.roomId, { residents: ["a.example"], roomVersion: "10" });
    const error = (await rejection(view.event({ eventId }, { rounds: 1 }))) as FailoverError;
    expect(inspect(error, { depth: 10 })).not.toMatch(/X-Matrix|sig=/);
  }
});

test.each<[string, (signature: string) => string]>([
  ["a part of it", (signature) => signature.slice(20, 60)],
  ["all but its ends", (signature) => signature.slice(1, -1)],
  ["its characters apart", (signature) => signature.replace(/.{5}/g, "$& - ")],
  ["it in the URL-safe alphabet", (signature) => signature.replaceAll("+", "-").replaceAll("/", "_")],
])("a signature of which a server repeats %s does not reach our error (bug: it did)", async (_, repeat) => {
  const room = world.room();
  const { eventId } = room.send(bob, "m.room.message", hi);
  world.on("a.example", "event", async (exchange) => {
    const [, signature = ""] = /sig="([^"]*)"/.exec(exchange.request.headers.authorization ?? "") ?? [];
    await reply.matrixError(403, "M_FORBIDDEN", `You said: ${repeat(signature)}.`)(exchange);
  });
  const view = world.client().room(room.roomId, { residents: ["a.example"], roomVersion: "10" });
  const error = (await rejection(view.event({ eventId }, { rounds: 1 }))) as FailoverError;
  expect(error.message).toContain("M_FORBIDDEN");
  expect(inspect(error, { depth: 10 })).not.toContain("You said");
});

test("an event that is far too large costs no other event of the answer", async () => {
  const room = world.room();
  const { eventId, event } = room.send(bob, "m.room.message", hi);
  const large = { ...(event as JsonObject), content: { body: Array.from({ length: 100_000 }, () => "x") } };
  world.on("a.example", "backfill", json(transactionOf(event as JsonObject, large)));
  const view = world.client().room(room.roomId, { residents: ["a.example"], roomVersion: "10" });
  const { value, dropped } = await view.backfill({ from: [eventId], limit: 10 });
  expect(value.pdus).toEqual([event]);
  expect(dropped).toEqual([{ path: "$.pdus[1]", reason: "it has more than 65536 bytes" }]);
});
