import { parentPort } from "node:worker_threads";
import { lowerPriority } from "./lower-priority.js";
import type { PoolAnswer, PoolRequest } from "./pool.js";

// First of all, and what else a thread needs is read afterwards: the main thread is at work meanwhile.
lowerPriority();
const { nativeEngine: engine } = await import("../sign/ed25519-native.js");
const { isRightAt } = await import("./signature-batch.js");
// In plain JavaScript a thread would not be worth its start.
if (!engine) throw new Error("This runtime has no Ed25519 of its own.");

parentPort?.on("message", (request: PoolRequest) => {
  const wrong = [...request.ends.keys()].filter((at) => !isRightAt(request, at, engine));
  const answer: PoolAnswer = { id: request.id, wrong };
  parentPort?.postMessage(answer);
});
