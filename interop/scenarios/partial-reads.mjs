import assert from "node:assert/strict";
import { UNSTABLE_PARTIAL_STATE_ERRCODE } from "matrix-federation-sdk";
import { answeredBy, oneByOne, partialAt, trailOf } from "../trail.mjs";
import { watchWire } from "../wire.mjs";

export const title = "What Synapse cannot read to us in partial state, another resident does";

export async function run(world) {
  const { first, second, sam } = world;
  const [synapse] = world.synapses;
  const room = world.createRoom();
  const { joinId: eventId, release } = await world.joinPartially(sam, room, first);
  const residents = [synapse.name, second.name];

  const inputs = { stateIds: { eventId }, state: { eventId }, event: { eventId }, eventAuth: { eventId } };
  for (const [call, input] of Object.entries(inputs)) {
    const client = world.client();
    const wire = await watchWire(world);
    const name = call.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
    // Without the room's version, the client would first ask for that.
    const asked = () => client.room(room.roomId, { residents, roomVersion: room.version })[call](input, oneByOne);
    const { via, attempts } = await asked();
    assert.deepEqual(trailOf(attempts), [partialAt(synapse, 403, UNSTABLE_PARTIAL_STATE_ERRCODE), answeredBy(second)]);
    assert.equal(via, second.name);
    const { failures, retryAt, misbehaviours } = await client.backoff.get(synapse.name);
    assert.deepEqual({ failures, retryAt, misbehaviours }, { failures: 0, retryAt: undefined, misbehaviours: 0 });
    const [entry, ...more] = await client.partialState.list(room.roomId);
    assert.equal(entry?.server, synapse.name);
    assert.equal(entry?.times, 1);
    assert.deepEqual(more, []);
    // What is remembered spares Synapse the next question.
    const again = await asked();
    assert.deepEqual(
      again.attempts.map(({ server }) => server),
      [second.name],
    );
    await wire.assertAsked(synapse, [`${name} 403`]);
    await wire.assertAsked(second, [name, name]);
    await wire.assertAsked(first, []);
  }

  // MSC3895: a server must answer for events that it sent. Synapse does not.
  const client = world.client();
  const about = client.room(room.roomId, { residents, roomVersion: room.version });
  const { attempts } = await about.eventAuth({ eventId }, { ...oneByOne, sentBy: [synapse.name] });
  assert.deepEqual(
    attempts.map(({ verdict }) => verdict),
    ["obligationBroken", "answered"],
  );

  await release();
  const wire = await watchWire(world);
  for (const [call, input] of Object.entries(inputs)) {
    const { via, attempts, dropped } = await client.room(room.roomId, { residents: [synapse.name] })[call](input);
    assert.equal(via, synapse.name);
    assert.equal(attempts.length, 1);
    assert.deepEqual(dropped, []);
  }
  assert.deepEqual(await client.partialState.list(room.roomId), []);
  await wire.assertAsked(synapse, ["state_ids 200", "state 200", "event 200", "event_auth 200"]);
}
