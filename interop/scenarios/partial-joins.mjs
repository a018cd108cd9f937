import assert from "node:assert/strict";
import { eventIdOf, signEvent } from "matrix-federation-sdk/crypto";
import { answeredBy, oneByOne, partialAt, trailOf } from "../trail.mjs";
import { watchWire } from "../wire.mjs";
import { versions } from "../world.mjs";

export const title = "A join that Synapse in partial state turns away succeeds through another resident";

export async function run(world) {
  const { first, second, ours, sam } = world;
  const [synapse] = world.synapses;
  const room = world.createRoom();
  const { release } = await world.joinPartially(sam, room, first);
  const residents = [synapse.name, second.name];
  // A client without a memory each time, so that Synapse is asked.
  const calls = () => world.client().room(room.roomId, { residents, roomVersion: room.version });
  const trail = [partialAt(synapse, 404, "M_NOT_FOUND"), answeredBy(second)];
  const { name, signingKey } = ours;
  const wire = await watchWire(world);

  const userId = world.user(ours, "late");
  const template = await calls().makeJoin({ userId, ver: versions }, oneByOne);
  assert.deepEqual(trailOf(template.attempts), trail);
  const event = signEvent(template.value.event, room.version, name, signingKey);
  const eventId = eventIdOf(event, room.version);
  const joined = await calls().sendJoin({ eventId, event, omitMembers: true });
  assert.deepEqual(trailOf(joined.attempts), trail);
  assert.deepEqual(joined.dropped, []);
  assert.ok(joined.value.members_omitted);
  assert.ok(room.has(eventId));

  // A template for leaving it would make, but only for those of whom it knows that they are in the room.
  const left = await calls().makeLeave({ userId }, oneByOne);
  assert.deepEqual(trailOf(left.attempts), [
    { ...trail[0], verdict: "notResident", status: 403, errcode: "M_FORBIDDEN" },
    trail[1],
  ]);
  const leave = signEvent(left.value.event, room.version, name, signingKey);
  const leaveId = eventIdOf(leave, room.version);
  const gone = await calls().sendLeave({ eventId: leaveId, event: leave });
  assert.deepEqual(trailOf(gone.attempts), trail);
  assert.ok(room.has(leaveId));
  await wire.assertAsked(synapse, ["make_join 404", "send_join 404", "make_leave 403", "send_leave 404"]);
  await wire.assertAsked(second, ["make_join", "send_join", "make_leave", "send_leave"]);
  await release();
}
