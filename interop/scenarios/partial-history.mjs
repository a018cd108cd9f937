import assert from "node:assert/strict";
import { eventIdOf } from "matrix-federation-sdk/crypto";
import { answeredBy, oneByOne, partialAt, trailOf } from "../trail.mjs";
import { watchWire } from "../wire.mjs";

export const title = "What Synapse in partial state tells of a room's history is made whole by another resident";

export async function run(world) {
  await redactedCopies(world);
  await approximatedMembership(world);
}

/** Synapse hands the events of other servers out in redacted form, for it cannot tell who may see them. */
async function redactedCopies(world) {
  const { first, second, sam } = world;
  const [synapse] = world.synapses;
  const room = world.createRoom();
  const { joinId, release } = await world.joinPartially(sam, room, first);
  const one = await world.say(room, first, "one", sam);
  const two = await world.say(room, first, "two", sam);
  const latest = await world.say(room, first, "three", sam);
  const said = { [one.eventId]: "one", [two.eventId]: "two", [latest.eventId]: "three" };
  const asks = {
    backfill: [{ from: [latest.eventId], limit: 3 }, "pdus", [latest, two, one]],
    getMissingEvents: [{ earliestEvents: [joinId], latestEvents: [latest.eventId], limit: 10 }, "events", [one, two]],
  };
  for (const [call, [input, field, wanted]] of Object.entries(asks)) {
    const of = (client, residents) =>
      client.room(room.roomId, { residents, roomVersion: room.version })[call](input, oneByOne);
    const expected = wanted.map(({ eventId }) => eventId);
    const ids = ({ value }) => value[field].map((event) => eventIdOf(event, room.version));
    const bodies = ({ value }) => value[field].map((event) => event.content.body);

    // With nobody else to ask, the answer says which events are not whole.
    const alone = await of(world.client(), [synapse.name]);
    assert.deepEqual(trailOf(alone.attempts), [answeredBy(synapse)]);
    assert.deepEqual(ids(alone), expected);
    assert.deepEqual(alone.redacted.toSorted(), expected.toSorted());
    assert.deepEqual(
      bodies(alone),
      expected.map(() => undefined),
    );

    const client = world.client();
    const before = eventRequests(second);
    const whole = await of(client, [synapse.name, second.name]);
    assert.deepEqual(ids(whole), expected);
    assert.deepEqual(whole.redacted, []);
    assert.deepEqual(whole.dropped, []);
    assert.deepEqual(
      bodies(whole),
      expected.map((eventId) => said[eventId]),
    );
    // The page is Synapse's, its events are those of the other resident.
    assert.equal(whole.via, synapse.name);
    assert.deepEqual(eventRequests(second).slice(before.length).toSorted(), expected.toSorted());
    const [entry] = await client.partialState.list(room.roomId);
    assert.equal(entry?.server, synapse.name);
    assert.equal((await client.backoff.get(synapse.name)).failures, 0);
  }
  await release();
}

/** Who joined after Synapse did is not among the servers that it takes for residents. */
async function approximatedMembership(world) {
  const { first, second, ours, sam } = world;
  const [synapse] = world.synapses;
  const room = world.createRoom({ isOursIn: false });
  const { joinId, release } = await world.joinPartially(sam, room, first);
  room.join(world.user(ours));
  const asks = {
    backfill: { from: [joinId], limit: 3 },
    getMissingEvents: { earliestEvents: [room.createEvent.eventId], latestEvents: [joinId], limit: 3 },
  };
  const wire = await watchWire(world);
  for (const [call, input] of Object.entries(asks)) {
    const calls = world
      .client()
      .room(room.roomId, { residents: [synapse.name, second.name], roomVersion: room.version });
    const { attempts, dropped, redacted } = await calls[call](input, oneByOne);
    assert.deepEqual(trailOf(attempts), [partialAt(synapse, 403, "M_FORBIDDEN"), answeredBy(second)]);
    assert.deepEqual([...dropped, ...redacted], []);
  }
  await wire.assertAsked(synapse, ["backfill 403", "get_missing_events 403"]);
  await wire.assertAsked(second, ["backfill", "get_missing_events"]);
  await release();
}

/** The ids of the events that a server was asked for, one by one. */
const eventRequests = ({ requests }) =>
  requests.filter(({ endpoint }) => endpoint === "event").map(({ uri }) => decodeURIComponent(uri.split("/").at(-1)));
