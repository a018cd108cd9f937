import { parentPort } from "node:worker_threads";
import { nativeEngine } from "../sign/ed25519-native.js";
import { lowerPriority } from "./lower-priority.js";
import type { PoolAnswer, PoolRequest } from "./pool.js";
import { isRightAt } from "./signature-batch.js";

const engine = nativeEngine;
// In plain JavaScript a thread would not be worth its start.
if (!engine) throw new Error("This runtime has no Ed25519 of its own.");

lowerPriority();

parentPort?.on("message", (request: PoolRequest) => {
  const answer: PoolAnswer = { id: request.id, isRight: request.ends.map((_, at) => isRightAt(request, at, engine)) };
  parentPort?.postMessage(answer);
});
