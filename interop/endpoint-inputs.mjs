import { randomUUID } from "node:crypto";
import { eventIdOf, signEvent } from "matrix-federation-sdk/crypto";
import { versions } from "./world.mjs";

const POLICY = "Synapse is no policy server";

/** What a version of Synapse does not serve, with the reason: it has to say so in a way that is understood. */
export function notServedBy(version) {
  return {
    policy_sign: POLICY,
    policy_sign_unstable: POLICY,
    policy_check: POLICY,
    event_relationships: "MSC2836 was taken out of Synapse",
    ...(version === "1.136.0" && { extremities: "MSC4370 came later" }),
  };
}

/** By endpoint: what makes an input that Synapse has an answer for. They are called in the table's order. */
export function inputsOf(world, client, place) {
  const { first, ours, sam } = world;
  const [synapse] = world.synapses;
  const { roomId, space, knockRoom, alias, eventId, mediaId } = place;
  const room = client.room(roomId, { residents: [synapse.name] });
  const user = (localpart) => world.user(ours, localpart);

  /** A membership event of a user of ours, from Synapse's template. */
  const signed = ({ event, room_version: version = "10" }, inRoom = roomId) => {
    const membership = signEvent(event, version, ours.name, ours.signingKey);
    return { roomId: inRoom, eventId: eventIdOf(membership, version), event: membership };
  };
  const joined = async (userId) => signed((await room.makeJoin({ userId, ver: versions })).value);
  const left = async (userId) => signed((await room.makeLeave({ userId })).value);

  /** An invite of ours to a user of Synapse. */
  const invited = (version) => {
    const hosted = world.createRoom({ version });
    const { event, eventId } = hosted.invite(world.user(ours), sam.userId);
    const shown = new Set(["m.room.create", "m.room.join_rules", "m.room.name"]);
    const inviteRoomState = hosted.state().flatMap(({ event }) => (shown.has(event.type) ? [event] : []));
    return { roomId: hosted.roomId, eventId, event, roomVersion: version, inviteRoomState };
  };

  const oneTimeKeys = (algorithm) => ({ oneTimeKeys: { [sam.userId]: { [sam.deviceId]: algorithm } } });
  const binding = { medium: "email", address: "sam@example.org", mxid: sam.userId, invites: [] };
  const anEvent = () => world.createRoom().createEvent.event;

  return {
    version: () => ({}),
    server_keys: () => ({}),
    // Where no key is named, Synapse tells what it has already: it fetches nothing.
    query_server_keys: () => ({ serverName: ours.name }),
    query_keys: () => ({ serverKeys: { [first.name]: { [first.signingKey.keyId]: {} } } }),
    query_directory: () => ({ roomAlias: alias }),
    query_profile: () => ({ userId: sam.userId }),
    query: () => ({ queryType: "profile", parameters: { user_id: sam.userId, field: "displayname" } }),
    openid_userinfo: () => ({ accessToken: place.openIdToken }),
    public_rooms: () => ({ limit: 10 }),
    search_public_rooms: () => ({ limit: 10, filter: { genericSearchTerm: "Every" } }),
    user_devices: () => ({ userId: sam.userId }),
    claim_user_keys: () => oneTimeKeys("signed_curve25519"),
    query_user_keys: () => ({ deviceKeys: { [sam.userId]: [] } }),
    policy_sign: () => ({ event: anEvent() }),
    media_download: () => ({ mediaId }),
    media_thumbnail: () => ({ mediaId, width: 32, height: 32 }),
    send: async () => {
      const hosted = world.createRoom();
      await sam.join(hosted.roomId, first.name);
      const { event } = hosted.send(world.user(ours), "m.room.message", { msgtype: "m.text", body: "hello" });
      return { txnId: randomUUID(), originServerTs: Date.now(), pdus: [event] };
    },
    state_ids: () => ({ roomId, eventId }),
    state: () => ({ roomId, eventId }),
    event: () => ({ eventId }),
    event_auth: () => ({ roomId, eventId }),
    backfill: () => ({ roomId, from: [eventId], limit: 10 }),
    get_missing_events: async () => {
      const latest = await sam.send(roomId, "latest");
      return { roomId, earliestEvents: [], latestEvents: [latest], limit: 5 };
    },
    timestamp_to_event: () => ({ roomId, ts: Date.now(), dir: "b" }),
    hierarchy: () => ({ roomId: space }),
    make_join: () => ({ roomId, userId: user("maker"), ver: versions }),
    send_join: () => joined(user("joiner")),
    send_join_v1: () => joined(user("older")),
    make_knock: () => ({ roomId: knockRoom, userId: user("knocker"), ver: versions }),
    send_knock: async () => {
      const knocking = client.room(knockRoom, { residents: [synapse.name] });
      const { value } = await knocking.makeKnock({ userId: user("knocker"), ver: versions });
      return signed(value, knockRoom);
    },
    invite: () => invited("10"),
    invite_v1: () => invited("1"),
    make_leave: () => ({ roomId, userId: user("joiner") }),
    send_leave: () => left(user("joiner")),
    send_leave_v1: () => left(user("older")),
    exchange_third_party_invite: () => ({
      roomId,
      sender: sam.userId,
      userId: user("emailed"),
      displayName: "e...@example.org",
      signed: place.signedInvite,
    }),
    "3pid_onbind": () => binding,
    "3pid_onbind_by_post": () => binding,
    extremities: () => ({ roomId }),
    room_complexity: () => ({ roomId }),
    event_relationships: () => ({ roomId, eventId }),
    claim_many_user_keys: () => oneTimeKeys(["signed_curve25519", "signed_curve25519"]),
    policy_sign_unstable: () => ({ event: anEvent() }),
    policy_check: () => ({ eventId, event: anEvent() }),
  };
}
