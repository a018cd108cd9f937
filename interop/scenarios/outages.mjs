import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { relayTo } from "../relay.mjs";
import { answeredBy, trailOf } from "../trail.mjs";

export const title =
  "Synapse killed in mid-answer, stopped, started again and frozen is judged and left alone as it should";

/** More than the buffers on the way take, so that Synapse has to be there until the end of its answer. */
const LARGE_EVENTS = 300;
const LARGE_BYTES = 60_000;
const KILL_AFTER_BYTES = 500_000;
const DAY_MS = 24 * 60 * 60_000;

export async function run(world) {
  const { first, second, sam, ours } = world;
  const [synapse] = world.synapses;
  const room = world.createRoom();
  const body = "x".repeat(LARGE_BYTES);
  for (let index = 0; index < LARGE_EVENTS; index++) {
    room.sendState(world.user(first), "org.example.large", String(index), { body });
  }
  await sam.join(room.roomId, first.name);
  await sam.call("GET", `/rooms/${encodeURIComponent(room.roomId)}/members`);
  const { eventId } = room.events.at(-1);

  const relay = await relayTo(synapse.port, { after: KILL_AFTER_BYTES, cut: () => synapse.kill() });
  const connectTo = ({ port }) => (port === synapse.port ? { address: "127.0.0.1", port: relay.port } : undefined);
  const relayed = world.client({ connectTo });
  const client = world.client({ backoff: { threshold: 2 } });
  const ask = (who, residents, options) =>
    who.room(room.roomId, { residents, roomVersion: room.version }).state({ eventId }, options);
  const backoffOf = async (who) => {
    const { failures, retryAt } = await who.backoff.get(synapse.name);
    return { failures, isOpen: retryAt !== undefined };
  };
  const wordOf = ({ server, verdict, error }) => ({ server, verdict, code: error?.code });

  // In mid-answer: another resident gives it, whole.
  const cut = await ask(relayed, [synapse.name, second.name], { prefer: [synapse.name] });
  await relayed.close();
  await relay.close();
  assert.deepEqual(wordOf(cut.attempts[0]), {
    server: synapse.name,
    verdict: "unavailable",
    code: "ERR_CONNECTION_LOST",
  });
  assert.deepEqual(trailOf(cut.attempts.slice(1)), [answeredBy(second)]);
  assert.equal(cut.value.pdus.length, room.state(eventId).length);
  assert.deepEqual(await backoffOf(relayed), { failures: 1, isOpen: false });

  // Gone: it counts, until it is left alone.
  const ids = ({ residents = [synapse.name], ...options } = {}) =>
    client.room(room.roomId, { residents }).safe.stateIds({ eventId }, { rounds: 1, ...options });
  for (const failures of [1, 2]) {
    // What fails at one moment counts once.
    await sleep(20);
    const gone = await ids();
    assert.deepEqual(gone.attempts.map(wordOf), [
      { server: synapse.name, verdict: "unavailable", code: "ERR_CONNECT" },
    ]);
    assert.equal(gone.error?.summary, "allUnavailable");
    assert.deepEqual(await backoffOf(client), { failures, isOpen: failures === 2 });
  }
  const leftAlone = await ids();
  assert.equal(leftAlone.error?.code, "ERR_IN_BACKOFF");
  assert.deepEqual(leftAlone.attempts, []);
  const { attempts: others } = await ids({ residents: [synapse.name, second.name] });
  assert.deepEqual(trailOf(others), [answeredBy(second)]);

  // There again: one answer is enough.
  await synapse.start();
  const back = await ids({ ignoreBackoff: true });
  assert.deepEqual(trailOf(back.attempts), [answeredBy(synapse)]);
  assert.deepEqual(await backoffOf(client), { failures: 0, isOpen: false });

  // Frozen: another resident is asked meanwhile, and nothing counts. A change that was sent and has no answer is unknown.
  synapse.signal("SIGSTOP");
  const frozen = await ids({ residents: [synapse.name, second.name], prefer: [synapse.name] });
  assert.equal(frozen.via, second.name);
  assert.deepEqual(
    frozen.attempts.map(({ server, verdict, hedge }) => ({ server, verdict, hedge })),
    [
      { server: synapse.name, verdict: "aborted", hedge: false },
      { server: second.name, verdict: "answered", hedge: true },
    ],
  );
  assert.deepEqual(await backoffOf(client), { failures: 0, isOpen: false });

  const { event, eventId: said } = room.send(world.user(ours), "m.room.message", { msgtype: "m.text", body: "hi" });
  const transaction = { txnId: randomUUID(), originServerTs: Date.now(), pdus: [event] };
  const sent = await client.safe.sendTransaction(synapse.name, transaction, { rounds: 1, timeout: 1_000 });
  assert.equal(sent.error?.code, "ERR_OUTCOME_UNKNOWN");
  synapse.signal("SIGCONT");
  assert.deepEqual(await client.sendTransaction(synapse.name, transaction), { pdus: { [said]: {} } });

  // Stopped in good order, while a question is open: the keys that it is asked for do not come.
  const hold = second.hold("server_keys");
  const criteria = { [second.signingKey.keyId]: { minimumValidUntilTs: Date.now() + 3 * DAY_MS } };
  const open = client.safe.queryKeys(synapse.name, { serverKeys: { [second.name]: criteria } }, { rounds: 1 });
  await hold.requested;
  await synapse.stop();
  const stopped = await open;
  hold.release();
  assert.deepEqual(stopped.attempts.map(wordOf), [
    { server: synapse.name, verdict: "unavailable", code: "ERR_CONNECTION_LOST" },
  ]);
  assert.deepEqual(await backoffOf(client), { failures: 1, isOpen: false });
}
