/** Events that are fully verified with their keys at hand, in a process of its own; tells how many a second. */
import { Cancellation } from "../dist/cancellation.js";
import { VerifyPool } from "../dist/verify/pool.js";
import { Verifier } from "../dist/verify/verifier.js";
import { eventOf, keys, ROOM, VERSION } from "./events.mjs";

const COUNT = 16_384;
const events = Array.from({ length: COUNT }, (_, n) => eventOf(n));
const byName = new Map(keys.map((key) => [`${key.server} ${key.keyId}`, key]));
const keyring = { peek: (server, keyId) => byName.get(`${server} ${keyId}`) };
const pool = new VerifyPool();
const verifier = new Verifier(keyring, pool);

async function perSecond() {
  const startedAt = performance.now();
  const checked = await verifier.check(events, { version: VERSION, roomId: ROOM }, new Cancellation());
  const seconds = (performance.now() - startedAt) / 1000;
  if (checked.some(({ kind }) => kind !== "valid")) throw new Error("an event is not valid");
  return COUNT / seconds;
}

process.on("message", async () => process.send(await perSecond()));
process.once("disconnect", () => pool.close());
await perSecond();
process.send("ready");
