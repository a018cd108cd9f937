/** Threads that fully verify events whose keys are at hand, in a process of its own; tells how many a second. */
import { BatchBuilder } from "../dist/verify/batch-builder.js";
import { VerifyPool } from "../dist/verify/pool.js";
import { eventOf, keys, ROOM, VERSION } from "./events.mjs";

const COUNT = 16_384;
const events = Array.from({ length: COUNT }, (_, n) => Buffer.from(JSON.stringify(eventOf(n))));
const pool = new VerifyPool();

async function perSecond(newKeys) {
  const builder = new BatchBuilder();
  const batches = events.flatMap((event, index) => builder.add(event, { field: "state", index }) ?? []);
  batches.push(...[builder.flush() ?? []].flat());
  const startedAt = performance.now();
  const checked = await Promise.all(
    batches.map(({ bytes, ends }) =>
      pool.check({ bytes, ends, version: VERSION, roomId: ROOM, session: 1, keys: newKeys }),
    ),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  // The first round's threads ask for keys, and get them with the next.
  if (newKeys.length === 0 && checked.flat().some(({ kind }) => kind !== "valid")) {
    throw new Error("an event is not valid");
  }
  return COUNT / seconds;
}

process.on("message", async () => process.send(await perSecond([])));
process.once("disconnect", () => pool.close());
await perSecond(keys);
process.send("ready");
