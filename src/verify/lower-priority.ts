import { readFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/** How much lower the priority is, as a nice value. */
const LOWER_BY = 10;
const LOWEST = 19;

/**
 * Lets the process's other threads go before this one: the main thread has all else to do. Elsewhere than on Linux this
 * would slow all of the process, so nothing is done. Neither is it under a seccomp filter, which may kill the process for
 * asking: services of systemd are often forbidden to change priorities.
 */
export function lowerPriority(): void {
  if (process.platform !== "linux") return;
  try {
    const isFree = /^Seccomp:\s*0$/m.test(readFileSync("/proc/thread-self/status", "utf8"));
    if (isFree) setPriority(Math.min(getPriority() + LOWER_BY, LOWEST));
  } catch {
    // What cannot be lowered works all the same.
  }
}
