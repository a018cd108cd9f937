/**
 * Stands in for "matrix-federation-sdk" when test/readme.test.ts runs a code block of the README: everything is the
 * library's own, only that createClient is led to a test federation on loopback instead of the public one.
 *
 * As a program: readme-shim.ts SETUP BLOCK NAME… starts a federation with these server names, calls SETUP's default
 * export with it, runs BLOCK, and closes the federation.
 */
import { pathToFileURL } from "node:url";

import { createClient as createRealClient } from "../src/index.js";
import { createTestFederation, type TestFederation } from "../src/testing.js";

export * from "../src/index.js";

let federation: TestFederation | undefined;

export const createClient: typeof createRealClient = (options) => {
  if (!federation) throw new Error("The README's code ran before its federation was up.");
  return createRealClient({ ...options, ...federation.clientOptions });
};

const [, program, setup, block, ...names] = process.argv;

// Not awaited at the top level: the block imports this module, and would wait for it to end.
if (setup && block && program && import.meta.url === pathToFileURL(program).href) void run(setup, block);

async function run(setupFile: string, blockFile: string): Promise<void> {
  federation = await createTestFederation({ servers: names });
  try {
    const { default: prepare } = await import(pathToFileURL(setupFile).href);
    await prepare(federation);
    await import(pathToFileURL(blockFile).href);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await federation.close();
  }
}
