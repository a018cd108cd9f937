import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/**
 * What this process holds once its garbage is gone, in bytes: objects, and the buffers that they hold. Buffers are freed
 * beside the program after a collection, and counted until then; the next collection waits for that.
 */
export function heldBytes(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
