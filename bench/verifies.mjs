/** The bare verifies, on all cores: threads that do nothing but `crypto.verify` of what events of a kilobyte sign. */
import { createPublicKey, verify } from "node:crypto";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

if (!isMainThread) {
  const { readEvent } = await import("../dist/events/read-event.js");
  const { eventOf, keys, VERSION } = await import("./events.mjs");
  const KEPT = 2_048;
  const imported = keys.map(({ publicKey }) => {
    const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey).toString("base64url") };
    return createPublicKey({ key: jwk, format: "jwk" });
  });
  const signed = Array.from({ length: KEPT }, (_, n) => {
    const { signedBytes, signatures } = readEvent(eventOf(n), VERSION);
    return { signedBytes, signature: signatures[0].signature, key: imported[n % imported.length] };
  });
  parentPort.on("message", (count) => {
    for (let at = 0; at < count; at++) {
      const { signedBytes, signature, key } = signed[at % KEPT];
      if (!verify(null, signedBytes, key, signature)) throw new Error("a signature is wrong");
    }
    parentPort.postMessage("done");
  });
  parentPort.postMessage(workerData ?? "ready");
}

/** Starts the threads; the function that is returned tells how many seconds so many verifies take. */
export async function startVerifies() {
  const threads = Array.from({ length: availableParallelism() }, () => new Worker(new URL(import.meta.url)));
  const said = (thread) => new Promise((resolve) => thread.once("message", resolve));
  await Promise.all(threads.map(said));
  const secondsFor = async (count) => {
    const startedAt = performance.now();
    await Promise.all(
      threads.map((thread) => {
        thread.postMessage(Math.ceil(count / threads.length));
        return said(thread);
      }),
    );
    return (performance.now() - startedAt) / 1000;
  };
  return { secondsFor, end: () => Promise.all(threads.map((thread) => thread.terminate())) };
}
