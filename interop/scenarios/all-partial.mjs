import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FailoverError, UNSTABLE_PARTIAL_STATE_ERRCODE } from "matrix-federation-sdk";
import { oneByOne, partialAt, trailOf } from "../trail.mjs";
import { watchWire } from "../wire.mjs";

export const title =
  "When both Synapses are in partial state, the call waits for one of them, and ends as allPartial else";

const RELEASE_AFTER_MS = 1_500;
const TIMEOUT_MS = 25_000;

export async function run(world) {
  const { first, second, sam, sue } = world;
  const [one, two] = world.synapses;
  const room = world.createRoom();
  const { release: releaseOne } = await world.joinPartially(sam, room, first);
  const { joinId: eventId, release: releaseTwo } = await world.joinPartially(sue, room, second);
  const residents = [one.name, two.name];
  const ask = (client, options) =>
    client
      .room(room.roomId, { residents, roomVersion: room.version })
      .stateIds({ eventId }, { ...oneByOne, ...options });

  const lost = world.client();
  const wire = await watchWire(world);
  const error = await ask(lost, { timeout: TIMEOUT_MS, rounds: 2 }).then(
    () => assert.fail("Nobody could answer."),
    (reason) => reason,
  );
  assert.ok(error instanceof FailoverError);
  assert.equal(error.code, "ERR_ALL_FAILED");
  assert.equal(error.summary, "allPartial");
  assert.equal(error.outcome, "notDone");
  const said = [one, two].map((synapse) => partialAt(synapse, 403, UNSTABLE_PARTIAL_STATE_ERRCODE));
  assert.deepEqual(trailOf(error.attempts.filter(({ round }) => round === 1)), said);
  assert.equal(error.attempts.length, 4);
  for (const synapse of [one, two]) await wire.assertAsked(synapse, ["state_ids 403", "state_ids 403"]);

  const client = world.client();
  const later = await watchWire(world);
  const [{ via, attempts }] = await Promise.all([
    ask(client, { timeout: TIMEOUT_MS, rounds: 6 }),
    // Only one of them.
    sleep(RELEASE_AFTER_MS).then(releaseTwo),
  ]);
  assert.equal(via, two.name);
  const { round, server, verdict } = attempts.at(-1);
  assert.deepEqual({ server, verdict }, { server: two.name, verdict: "answered" });
  assert.ok(round > 1);
  assert.ok(attempts.slice(0, -1).every((attempt) => attempt.verdict === "partialState"));
  for (const synapse of [one, two]) assert.equal((await client.backoff.get(synapse.name)).failures, 0);
  assert.deepEqual(
    (await client.partialState.list(room.roomId)).map((entry) => entry.server),
    [one.name],
  );
  const refusals = ({ name }) =>
    attempts.slice(0, -1).flatMap(({ server }) => (server === name ? ["state_ids 403"] : []));
  await later.assertAsked(one, refusals(one));
  await later.assertAsked(two, [...refusals(two), "state_ids 200"]);
  await releaseOne();
  return [`Answered in round ${round}, ${Math.round(attempts.at(-1).startMs)} ms after the call began.`];
}
