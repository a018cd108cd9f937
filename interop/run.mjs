/**
 * Runs the library against real Synapse homeservers: `npm run interop`, or `npm run interop -- --synapse 1.163.2`.
 * It installs them once, starts two beside a test federation, plays the scenarios and stops what it started.
 */
import { readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installSynapse, MissingError } from "./install-synapse.mjs";
import { lock } from "./lock.mjs";
import * as allPartial from "./scenarios/all-partial.mjs";
import * as everyEndpoint from "./scenarios/every-endpoint.mjs";
import * as joiningSynapse from "./scenarios/joining-synapse.mjs";
import * as outages from "./scenarios/outages.mjs";
import * as partialHistory from "./scenarios/partial-history.mjs";
import * as partialJoins from "./scenarios/partial-joins.mjs";
import * as partialReads from "./scenarios/partial-reads.mjs";
import * as testRooms from "./scenarios/test-rooms.mjs";
import { World } from "./world.mjs";

const SCENARIO_TIMEOUT_MS = 60_000;
/** With the installation; less than the five minutes that CI has for it. */
const RUN_TIMEOUT_MS = 280_000;

const scenarios = [
  partialReads,
  partialJoins,
  partialHistory,
  allPartial,
  joiningSynapse,
  everyEndpoint,
  outages,
  testRooms,
];
const cache = fileURLToPath(new URL("../.cache/interop", import.meta.url));
const versions = readdirSync(new URL("./synapse", import.meta.url)).map((file) => file.slice(0, -".txt".length));

const numbers = scenarios.map((_, index) => String(index + 1));
const options = readOptions();
const isWanted = (number) => options.only.includes(String(number));

/** By Synapse's version: what came of each scenario. */
const table = new Map();
let world;

const tooLong = () => {
  console.error(`The run was not over after ${RUN_TIMEOUT_MS / 1000} s.`);
  process.exit(1);
};
setTimeout(tooLong, RUN_TIMEOUT_MS).unref();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  // The homeservers are ended at the exit of this process.
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

try {
  lock(cache);
  const pythons = new Map();
  for (const version of options.synapse) pythons.set(version, await installSynapse(version, cache));
  for (const [version, python] of pythons) table.set(version, await runAll(version, python));
} catch (error) {
  console.error(error instanceof MissingError ? `The interop tests cannot run here. ${error.message}` : error);
  process.exitCode = 1;
}
if (process.exitCode === undefined) report();

/** What was asked for on the command line; everything where nothing was. */
function readOptions() {
  try {
    const list = { type: "string", multiple: true };
    const { synapse = versions, only = numbers } = parseArgs({ options: { synapse: list, only: list } }).values;
    const known = { synapse: versions, only: numbers };
    for (const [name, values] of Object.entries({ synapse, only })) {
      const unknown = values.find((value) => !known[name].includes(value));
      if (unknown !== undefined)
        throw new Error(`There is no --${name} ${unknown}; there are ${known[name].join(", ")}.`);
    }
    return { synapse, only };
  } catch (error) {
    console.error(error.message);
    process.exit(2);
  }
}

async function runAll(version, python) {
  const started = performance.now();
  try {
    world = await World.start({ version, python, folder: join(cache, `run-${version}`) });
  } catch (error) {
    console.log(`FAIL  No homeserver with Synapse ${version} can be started.\n${error.message}`);
    return numbers.map((number) => (isWanted(number) ? "FAILED" : "-"));
  }
  console.log(`Two homeservers with Synapse ${version} are up (${seconds(started)} s).`);
  try {
    const results = [];
    for (const [index, scenario] of scenarios.entries()) {
      const number = index + 1;
      results.push(isWanted(number) ? await play(number, scenario) : "-");
    }
    return results;
  } finally {
    await world.stop();
  }
}

async function play(number, { title, run }) {
  const started = performance.now();
  let late;
  try {
    const notes = await Promise.race([
      run(world),
      new Promise((_, reject) => {
        const why = new Error(`It was not over after ${SCENARIO_TIMEOUT_MS / 1000} s.`);
        late = setTimeout(reject, SCENARIO_TIMEOUT_MS, why);
      }),
    ]);
    console.log(`ok    ${number}. ${title} (${seconds(started)} s)`);
    for (const note of notes ?? []) console.log(`      ${note}`);
    return "ok";
  } catch (error) {
    console.log(`FAIL  ${number}. ${title} (${seconds(started)} s)`);
    console.log(String(error?.stack ?? error).replace(/^/gm, "      "));
    return "FAILED";
  } finally {
    clearTimeout(late);
    await world.closeClients();
  }
}

function report() {
  const names = [...table.keys()].map((version) => `Synapse ${version}`);
  const rows = scenarios.map(({ title }, index) => [
    `${index + 1}. ${title}`,
    ...[...table.values()].map((all) => all[index]),
  ]);
  const widest = Math.max(...rows.map(([name]) => name.length));
  const line = ([name, ...cells]) =>
    `| ${name.padEnd(widest)} | ${cells.map((cell, index) => cell.padEnd(names[index].length)).join(" | ")} |`;
  console.log(`\n${line(["Scenario", ...names])}`);
  console.log(line(["-".repeat(widest), ...names.map((name) => "-".repeat(name.length))]));
  for (const row of rows) console.log(line(row));
  const results = [...table.values()].flat();
  const failed = results.filter((result) => result === "FAILED").length;
  console.log(`\n${results.filter((result) => result === "ok").length} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function seconds(started) {
  return ((performance.now() - started) / 1000).toFixed(1);
}
