/** Runs throughput.mjs in a process whose global fetch trusts the bench server's certificate. */
import { fork } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createAuthority } from "../dist/testing/authority.js";

const authority = await createAuthority();
const folder = await mkdtemp(join(tmpdir(), "matrix-federation-sdk-bench-"));
const caFile = join(folder, "ca.pem");
await writeFile(caFile, authority.ca);

const server = fork(fileURLToPath(new URL("./server.mjs", import.meta.url)));
const port = await new Promise((resolve, reject) => {
  server.once("message", (message) => resolve(message));
  server.once("exit", () => reject(new Error("The bench server did not start")));
  void authority.issue("127.0.0.1").then((certificate) => server.send(certificate));
});

const code = await new Promise((resolve) => {
  const throughput = fileURLToPath(new URL("./throughput.mjs", import.meta.url));
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: caFile };
  fork(throughput, [String(port), caFile, ...process.argv.slice(2)], { env }).once("exit", (exit) =>
    resolve(exit ?? 1),
  );
});
server.kill();
await rm(folder, { recursive: true });
process.exitCode = code;
