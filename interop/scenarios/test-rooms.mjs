import assert from "node:assert/strict";
import { eventIdOf, signEvent } from "matrix-federation-sdk/crypto";
import { versions } from "../world.mjs";

export const title = "In partial state and after it, a resident of a test room answers as Synapse does";

export async function run(world) {
  const { first, second, ours, sue } = world;
  // The other one was stopped by the scenario before.
  const [, synapse] = world.synapses;
  const room = world.createRoom();
  const { roomId, version } = room;
  const { joinId, release } = await world.joinPartially(sue, room, first);
  const { eventId } = await world.say(room, first, "hello", sue);
  room.partial(second.name);

  const sign = (event) => signEvent(event, version, ours.name, ours.signingKey);
  const residents = [first.name];
  const { value: template } = await world
    .client()
    .room(roomId, { residents })
    .makeJoin({
      userId: world.user(ours, "late"),
      ver: versions,
    });
  const join = sign(template.event);
  const leave = sign({ ...template.event, content: { membership: "leave" } });
  const sent = (event) => ({ roomId, eventId: eventIdOf(event, version), event });
  const asks = {
    stateIds: { roomId, eventId },
    state: { roomId, eventId },
    event: { roomId, eventId },
    eventAuth: { roomId, eventId },
    backfill: { roomId, from: [eventId], limit: 1 },
    getMissingEvents: { roomId, earliestEvents: [joinId], latestEvents: [eventId] },
    makeJoin: { roomId, userId: world.user(ours, "late"), ver: versions },
    sendJoin: sent(join),
    makeLeave: { roomId, userId: world.user(ours) },
    sendLeave: sent(leave),
  };
  const says = async ({ name }, call) => {
    const options = { rounds: 1, roomVersion: version };
    const { error, attempts, value = {}, redacted } = await world.client().safe[call](name, asks[call], options);
    const [{ verdict, status, errcode }] = attempts;
    // The first line is what the server said.
    const text = error?.message.split("\n")[0];
    const sizes = Object.entries(value).map(([field, each]) => [
      field,
      Array.isArray(each) ? each.length : typeof each,
    ]);
    return { verdict, status, errcode, text, sizes: Object.fromEntries(sizes), redacted };
  };
  for (const call of Object.keys(asks)) assert.deepEqual(await says(second, call), await says(synapse, call), call);

  room.completed(second.name);
  await release();
  const repeatable = Object.keys(asks).filter((call) => !call.startsWith("send"));
  for (const call of repeatable) assert.deepEqual(await says(second, call), await says(synapse, call), call);
}
