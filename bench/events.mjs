/** Events as rooms have them: signed by many servers, about a kilobyte each, with keys in the order they were written in. */
import { signEvent } from "../dist/events/sign-event.js";
import { signJson } from "../dist/sign/signed-json.js";
import { SigningKey } from "../dist/sign/signing-key.js";

export const VERSION = "10";
export const ROOM = "!bench:server0.bench.example";
const SERVERS = 64;
const hash = (n) => `$${Buffer.alloc(32, n * 2654435761 + 7).toString("base64url")}`;

export const signers = Array.from({ length: SERVERS }, (_, n) => ({
  name: `server${n}.bench.example`,
  key: SigningKey.fromSeed(new Uint8Array(32).fill(n + 1), "a_bench"),
}));

/** The keys of the signers, as a key ring knows them. */
export const keys = signers.map(({ name, key }) => ({
  server: name,
  keyId: key.keyId,
  publicKey: new Uint8Array(Buffer.from(key.publicKey, "base64")),
  validUntilTs: Date.now() + 7 * 86_400_000,
  source: "direct",
  fetchedAt: Date.now(),
}));

/** The n-th event: a member's join, as most of a large room's state is. */
export function eventOf(n) {
  const { name, key } = signers[n % SERVERS];
  const user = `@user${n}:${name}`;
  const event = {
    type: "m.room.member",
    sender: user,
    room_id: ROOM,
    state_key: user,
    content: {
      membership: "join",
      displayname: `User number ${n} of the bench`,
      avatar_url: `mxc://${name}/${String(n).padStart(24, "A")}`,
      "org.example.note": "What clients and bridges add to their membership events, some more than others.",
    },
    origin_server_ts: Date.now() - n * 1000,
    depth: 100 + n,
    prev_events: [hash(n), hash(n + 1)],
    auth_events: [hash(1), hash(2), hash(3), hash(4)],
    unsigned: { age: 1234, replaces_state: hash(n + 5) },
  };
  return signEvent(event, VERSION, name, key);
}

/** The key documents of the signers. */
export const keyDocuments = () =>
  signers.map(({ name, key }) =>
    signJson(
      {
        server_name: name,
        verify_keys: { [key.keyId]: { key: key.publicKey } },
        old_verify_keys: {},
        valid_until_ts: Date.now() + 7 * 86_400_000,
      },
      name,
      key,
    ),
  );
