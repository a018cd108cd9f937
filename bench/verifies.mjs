/** The bare verifies, on all cores: threads that do nothing but verify what events of a kilobyte sign, with one engine. */
import { createPublicKey, verify } from "node:crypto";
import { createRequire } from "node:module";
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
    const at = n % imported.length;
    return { signedBytes, signature: signatures[0].signature, key: imported[at], publicKey: keys[at].publicKey };
  });
  const sodium = workerData === "sodium-native" && createRequire(import.meta.url)("sodium-native");
  const isRight = sodium
    ? ({ signedBytes, signature, publicKey }) => sodium.crypto_sign_verify_detached(signature, signedBytes, publicKey)
    : ({ signedBytes, signature, key }) => verify(null, signedBytes, key, signature);
  parentPort.on("message", (count) => {
    for (let at = 0; at < count; at++) {
      if (!isRight(signed[at % KEPT])) throw new Error("a signature is wrong");
    }
    parentPort.postMessage("done");
  });
  parentPort.postMessage("ready");
}

/** Starts the threads, for an engine; the function that is returned tells how many seconds so many verifies take. */
export async function startVerifies(engine) {
  const start = () => new Worker(new URL(import.meta.url), { workerData: engine });
  const threads = Array.from({ length: availableParallelism() }, start);
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
