import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { createVerifyWorld } from "../verify/world.js";

const world = createVerifyWorld();
/** Longer than Node's timers can count, and than `AbortSignal.timeout` takes. */
const timeout = 2 ** 40;

test("residents that are told after a moment are waited for (bug: such a timeout was over at once)", async () => {
  const room = world.room("10");
  const residents = async (): Promise<string[]> => {
    await sleep(50);
    return ["a.example"];
  };
  const { eventId } = room.createEvent;
  const answer = await world.client().room(room.roomId, { residents }).stateIds({ eventId }, { timeout });
  expect(answer.via).toBe("a.example");
});

test("a room's first event is verified (bug: the call ended with an error of Node's)", async () => {
  const room = world.room("1");
  const { eventId, event } = room.createEvent;
  const { value } = await world.view(room).event({ eventId }, { timeout });
  expect(value.pdus).toEqual([event]);
});
