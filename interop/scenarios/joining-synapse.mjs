import assert from "node:assert/strict";
import { eventIdOf, verifyEvent } from "matrix-federation-sdk/crypto";
import { versions } from "../world.mjs";

export const title = "Our users join rooms that Synapse made, partially and fully, and every event verifies";

export async function run(world) {
  const counted = { events: 0 };
  for (const version of versions) await joinAndRead(world, version, counted);
  await joinRestricted(world, counted);
  return [`${counted.events} events of Synapse in rooms of the versions ${versions.join(", ")} verified.`];
}

/** A room with users of both Synapses, an alias, a name, a topic, and some history. */
async function createRoom({ sam, sue, synapses: [synapse] }, version) {
  const initial_state = [{ type: "m.room.history_visibility", content: { history_visibility: "shared" } }];
  const { room_id: roomId } = await sam.call("POST", "/createRoom", {
    room_version: version,
    preset: "public_chat",
    name: "Interop",
    topic: "Größe and ünïcode 🙂",
    room_alias_name: `interop-${version}`,
    initial_state,
  });
  await sue.join(roomId, synapse.name);
  const sent = [];
  for (const who of [sam, sue, sam]) {
    sent.push(await who.send(roomId, `from ${who.userId} 🙂`));
    // Else what Synapse hears of late is a branch that our joins join.
    await sam.has(roomId, sent.at(-1));
  }
  const redacted = await sam.send(roomId, "regretted");
  const path = `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(redacted)}/${version}`;
  await sam.call("PUT", path, { reason: "regret" });
  return { roomId, sent, redacted };
}

async function joinAndRead(world, version, counted) {
  const { ours } = world;
  const [synapse, other] = world.synapses;
  const { roomId, redacted } = await createRoom(world, version);
  const client = world.client();
  const residents = [synapse.name];

  const partially = await world.joinOurselves(client, roomId, residents, { localpart: "partial", omitMembers: true });
  assert.equal(partially.version, version);
  const { value: partial } = partially.joined;
  assert.equal(partial.members_omitted, true);
  assert.deepEqual(partial.servers_in_room.toSorted(), [synapse.name, other.name].toSorted());
  assertWhole(partially.joined);

  const fully = await world.joinOurselves(client, roomId, residents, { localpart: "full" });
  const { value: full } = fully.joined;
  assert.equal(full.members_omitted, false);
  assertWhole(fully.joined);
  const members = ({ state }) => state.filter(({ type }) => type === "m.room.member").map((event) => event.state_key);
  assert.ok(members(full).includes(world.sue.userId));
  assert.ok(members(full).includes(world.user(ours, "partial")));
  assert.ok(members(partial).length < members(full).length);

  const room = client.room(roomId, { residents });
  const { eventId } = fully;
  const state = await room.state({ eventId });
  assertWhole(state);
  const idsOf = (events) => events.map((event) => eventIdOf(event, version)).toSorted();
  assert.deepEqual(idsOf(state.value.pdus), idsOf(full.state));
  const ids = await room.stateIds({ eventId });
  assert.deepEqual(ids.value.pdu_ids.toSorted(), idsOf(state.value.pdus));
  assert.deepEqual(ids.value.auth_chain_ids.toSorted(), idsOf(state.value.auth_chain));

  const auth = await room.eventAuth({ eventId });
  assertWhole(auth);
  const one = await room.event({ eventId });
  assertWhole(one);
  // What a user took back comes redacted, which is not told from an event that is hidden from us.
  const history = await room.backfill({ from: [eventId], limit: 100 });
  assert.deepEqual(history.redacted, [redacted]);
  assert.deepEqual(history.dropped, []);
  assert.equal(eventIdOf(history.value.pdus.at(-1), version), eventIdOf(history.value.pdus.find(isCreate), version));
  const { value: missing } = await room.getMissingEvents({
    earliestEvents: [partially.eventId],
    latestEvents: [fully.eventId],
    limit: 20,
  });
  assert.deepEqual(missing.events, []);

  // The library's own word for it, event by event, with the keys that it fetched.
  const all = [full.state, full.auth_chain, state.value.pdus, history.value.pdus].flat();
  const keys = await keysOf(client, [synapse, other]);
  const own = { publicKey: decoded(ours.signingKey.publicKey) };
  keys.set(`${ours.name} ${ours.signingKey.keyId}`, own);
  for (const event of all) {
    const { kind } = verifyEvent(event, version, (server, keyId) => keys.get(`${server} ${keyId}`));
    assert.equal(kind, eventIdOf(event, version) === redacted ? "redacted" : "valid");
  }
  counted.events += all.length;
}

/** Synapse lets our user into a restricted room, and signs the join too. */
async function joinRestricted(world, counted) {
  const { sam } = world;
  const [synapse] = world.synapses;
  const { room_id: club } = await sam.call("POST", "/createRoom", { preset: "public_chat", room_version: "10" });
  const allow = [{ type: "m.room_membership", room_id: club }];
  const content = { join_rule: "restricted", allow };
  const { room_id: roomId } = await sam.call("POST", "/createRoom", {
    room_version: "10",
    initial_state: [{ type: "m.room.join_rules", state_key: "", content }],
  });
  const client = world.client();
  const residents = [synapse.name];
  const outside = await client
    .room(roomId, { residents })
    .safe.makeJoin({ userId: world.user(world.ours, "member"), ver: versions });
  assert.equal(outside.error?.errcode, "M_FORBIDDEN");
  await world.joinOurselves(client, club, residents, { localpart: "member" });
  const { joined, event } = await world.joinOurselves(client, roomId, residents, { localpart: "member" });
  assert.equal(event.content.join_authorised_via_users_server, sam.userId);
  assert.deepEqual(Object.keys(joined.value.event.signatures).toSorted(), [synapse.name, world.ours.name].toSorted());
  assertWhole(joined);
  counted.events += joined.value.state.length;
}

/** Nothing of the answer was left out, and nothing came redacted. */
function assertWhole({ dropped, redacted }) {
  assert.deepEqual({ dropped, redacted }, { dropped: [], redacted: [] });
}

const decoded = (key) => Uint8Array.from(Buffer.from(key, "base64"));
const isCreate = ({ type }) => type === "m.room.create";

async function keysOf(client, servers) {
  const keys = new Map();
  for (const { name } of servers) {
    const { verify_keys } = await client.serverKeys(name);
    for (const [keyId, { key }] of Object.entries(verify_keys)) {
      keys.set(`${name} ${keyId}`, { publicKey: decoded(key) });
    }
  }
  return keys;
}
