import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MissingError } from "./install-synapse.mjs";

/**
 * Keeps a second run off the folder, until the end of this process: both would use the same files.
 *
 * @param {string} folder - The folder for what is installed and what runs.
 */
export function lock(folder) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "lock");
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    const holder = Number(readFileSync(file, "utf8"));
    if (isRunning(holder)) {
      throw new MissingError(`Another run, the process ${holder}, is under way. If it is not, delete ${file}.`);
    }
    // It was killed.
    writeFileSync(file, String(process.pid));
  }
  process.once("exit", () => rmSync(file, { force: true }));
}

function isRunning(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}
