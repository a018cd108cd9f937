import { once } from "node:events";
import { createServer } from "node:http";
import { crc32, deflateSync } from "node:zlib";
import { SigningKey, signJson } from "matrix-federation-sdk";
import { countersignEvent } from "matrix-federation-sdk/crypto";
import { reply } from "matrix-federation-sdk/testing";

/** Makes what every endpoint can be asked about: rooms, an alias, a file, keys, a token, an invite by email. */
export async function furnish(world, client) {
  const { sam, ours } = world;
  const [synapse] = world.synapses;
  const create = async (options) => (await sam.call("POST", "/createRoom", { room_version: "10", ...options })).room_id;
  const roomId = await create({ preset: "public_chat", visibility: "public", name: "Every", room_alias_name: "every" });
  const space = await create({
    preset: "public_chat",
    creation_content: { type: "m.space" },
    initial_state: [{ type: "m.space.child", state_key: roomId, content: { via: [synapse.name] } }],
  });
  const knockRoom = await create({
    initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
  });
  for (const each of [roomId, space]) {
    await world.joinOurselves(client, each, [synapse.name], { localpart: "every", omitMembers: true });
  }
  const userPath = encodeURIComponent(sam.userId);
  await sam.call("PUT", `/profile/${userPath}/displayname`, { displayname: "Sam" });
  const { access_token: openIdToken } = await sam.call("POST", `/user/${userPath}/openid/request_token`, {});
  const eventId = await sam.send(roomId, "hello");
  const file = await synapse.api("POST", "/_matrix/media/v3/upload?filename=square.png", png(64), sam.token);
  await uploadKeys(sam);
  const invite = await inviteByEmail(sam, roomId, world.user(ours, "emailed"));
  // The invited user's server signs the invite that Synapse then makes.
  ours.on("invite", async (exchange) => {
    const { event, room_version } = exchange.request.json;
    await reply.json({ event: countersignEvent(event, room_version, ours.name, ours.signingKey) })(exchange);
  });
  return {
    roomId,
    space,
    knockRoom,
    alias: `#every:${synapse.name}`,
    eventId,
    mediaId: file.content_uri.slice(file.content_uri.lastIndexOf("/") + 1),
    openIdToken,
    signedInvite: invite.signed,
    clear: async () => {
      ours.reset();
      await invite.close();
    },
  };
}

/** Keys of a user's device, as a client uploads them. */
async function uploadKeys(account) {
  const { userId, deviceId } = account;
  const key = SigningKey.generate(deviceId);
  const signed = (object) => signJson(object, userId, key);
  const randomKey = () => SigningKey.generate().publicKey;
  const oneTimeKeys = Array.from({ length: 10 }, (_, index) => [
    `signed_curve25519:AAAA${index}`,
    signed({ key: randomKey() }),
  ]);
  await account.call("POST", "/keys/upload", {
    device_keys: signed({
      user_id: userId,
      device_id: deviceId,
      algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
      keys: { [`curve25519:${deviceId}`]: randomKey(), [key.keyId]: key.publicKey },
    }),
    one_time_keys: Object.fromEntries(oneTimeKeys),
    fallback_keys: { "signed_curve25519:BBBB": signed({ key: randomKey(), fallback: true }) },
  });
}

/** A user is invited by email, and an identity server of our own says who that is. */
async function inviteByEmail(account, roomId, mxid) {
  const key = SigningKey.generate("0");
  const identityServer = createServer((_, response) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify({ valid: true }));
  });
  identityServer.listen(0, "127.0.0.1");
  await once(identityServer, "listening");
  const token = "everytoken";
  const publicKey = {
    public_key: key.publicKey,
    key_validity_url: `http://127.0.0.1:${identityServer.address().port}/isvalid`,
  };
  await account.call("PUT", `/rooms/${encodeURIComponent(roomId)}/state/m.room.third_party_invite/${token}`, {
    display_name: "e...@example.org",
    ...publicKey,
    public_keys: [publicKey],
  });
  return {
    signed: signJson({ mxid, token }, "id.example", key),
    close: async () => {
      identityServer.closeAllConnections();
      await once(identityServer.close(), "close");
    },
  };
}

/** A grey square as a PNG file: https://www.w3.org/TR/png-3/#11Chunks */
function png(size) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const parts = [Buffer.alloc(4), body, Buffer.alloc(4)];
    parts[0].writeUInt32BE(data.length);
    parts[2].writeUInt32BE(crc32(body));
    return Buffer.concat(parts);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header[8] = 8;
  const pixels = Buffer.alloc((size + 1) * size, 0x80);
  for (let row = 0; row < size; row++) pixels[row * (size + 1)] = 0;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(pixels)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
