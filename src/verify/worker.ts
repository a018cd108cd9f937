import { parentPort } from "node:worker_threads";
import { LRUCache } from "lru-cache";
import type { BatchAnswer, BatchRequest } from "./batch.js";
import { checkTexts } from "./check-event.js";
import { KeysAtHand } from "./keys-at-hand.js";
import { lowerPriority } from "./lower-priority.js";

/** Calls that are verified at the same time; the keys of an older one are asked for again. */
const MAX_SESSIONS = 16;

lowerPriority();

const sessions = new LRUCache<number, KeysAtHand>({ max: MAX_SESSIONS });

parentPort?.on("message", (request: BatchRequest) => {
  const keys = sessions.get(request.session) ?? new KeysAtHand();
  sessions.set(request.session, keys);
  for (const key of request.keys) keys.add(key);
  const answer: BatchAnswer = { id: request.id, events: checkTexts(request, keys.keyOf) };
  parentPort?.postMessage(answer);
});
