import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Synapse's own floor. */
const PYTHON = [3, 10];
const INSTALL_TIMEOUT_MS = 200_000;

/** What is missing on this machine, said so that somebody can do something about it. */
export class MissingError extends Error {}

/**
 * Puts a version of Synapse into a virtual environment of its own, once.
 *
 * @param {string} version - Of those in the folder `synapse`.
 * @param {string} cache - The folder for it.
 * @returns {Promise<string>} The path of the environment's Python.
 */
export async function installSynapse(version, cache) {
  const requirements = fileURLToPath(new URL(`./synapse/${version}.txt`, import.meta.url));
  if (!existsSync(requirements)) throw new MissingError(`There is no interop/synapse/${version}.txt.`);
  const folder = join(cache, `synapse-${version}`);
  const python = join(folder, "bin", "python");
  // Written last, so that an installation that broke off is made anew.
  const done = join(folder, "installed");
  // Without what the environment was made of, such as a Python that was updated, it is made anew too.
  if (existsSync(done) && (await works(python))) return python;

  const system = process.env.PYTHON ?? "python3";
  const needed = `Python ${PYTHON.join(".")} or later is needed`;
  const found = await output(system, ["-c", "import sys; print(*sys.version_info[:2])"]).catch((error) => {
    const why = error.code === "ENOENT" ? "is not here" : `does not work: ${error.message}`;
    throw new MissingError(`${needed}: "${system}" ${why}.`);
  });
  const [major, minor] = found.trim().split(" ").map(Number);
  if (major !== PYTHON[0] || !(minor >= PYTHON[1])) {
    throw new MissingError(`${needed}: "${system}" says that it is ${found.trim().replace(" ", ".")}.`);
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  console.log(`Synapse ${version} is installed into ${folder}, from the Python package index. It is done once.`);
  await output(system, ["-m", "venv", folder]).catch((error) => {
    throw new MissingError(
      `Python's module venv does not work here (Debian: apt install python3-venv).\n${error.message}`,
    );
  });
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"];
  await output(python, [...install, "--no-deps", "--requirement", requirements]).catch((error) => {
    throw new MissingError(`Synapse ${version} could not be installed. Is there a network?\n${error.message}`);
  });
  await writeFile(done, "");
  return python;
}

const works = (python) =>
  output(python, ["-c", "import synapse"]).then(
    () => true,
    () => false,
  );

/** Runs a program to its end and returns what it printed. */
function output(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that what it starts ends with it.
      detached: true,
    });
    const end = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    };
    const late = setTimeout(end, INSTALL_TIMEOUT_MS);
    process.once("exit", end);
    child.once("close", () => {
      clearTimeout(late);
      process.off("exit", end);
    });
    let text = "";
    let errors = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.stderr.on("data", (chunk) => (errors = `${errors}${chunk}`.slice(-2_000)));
    child.on("error", reject);
    child.on("close", (code, signal) =>
      code === 0 ? resolve(text) : reject(new Error(`${command} ended with ${signal ?? code}.\n${errors}`)),
    );
  });
}
