import assert from "node:assert/strict";
import { allEndpoints } from "matrix-federation-sdk/endpoints";
import { inputsOf, notServedBy } from "../endpoint-inputs.mjs";
import { furnish } from "../furnish.mjs";
import { watchWire } from "../wire.mjs";

export const title = "Every endpoint that Synapse serves is called, signed, and its answer is valid";

export async function run(world) {
  const [synapse] = world.synapses;
  const client = world.client();
  const place = await furnish(world, client);
  const inputs = inputsOf(world, client, place);
  const notServed = notServedBy(world.version);
  const wire = await watchWire(world);
  try {
    for (const endpoint of allEndpoints) {
      const { name } = endpoint;
      assert.ok(Object.hasOwn(inputs, name), `There is no input for ${name}.`);
      const result = await client.safe.request(synapse.name, endpoint, await inputs[name](), { rounds: 1 });
      const { verdict } = result.attempts.at(-1) ?? {};
      if (Object.hasOwn(notServed, name)) {
        // What Synapse does not have is known by its verdict, not by an accident.
        assert.equal(verdict, "unsupported", name);
        continue;
      }
      if (!result.ok) throw new Error(`${name}: ${result.error.message}`);
      assert.equal(verdict, "answered", name);
      assert.deepEqual(result.dropped ?? [], [], name);
      const lists = Object.values(result.value).filter(Array.isArray);
      assert.ok(lists.length === 0 || lists.some(({ length }) => length > 0), `${name} answers with nothing.`);
      // A file has to be read.
      await result.value.body?.resume?.();
      // Synapse says so too, and whose signature it found.
      if (endpoint.authentication === "signature") await wire.assertAnswered(synapse, endpoint);
    }
  } finally {
    await place.clear();
  }
  const { failures, misbehaviours } = await client.backoff.get(synapse.name);
  assert.deepEqual({ failures, misbehaviours }, { failures: 0, misbehaviours: 0 });
  await askNotary(world);
  const missing = Object.entries(notServed).map(([name, reason]) => `${name}: ${reason}.`);
  const count = allEndpoints.length - missing.length;
  return [
    `${count} of ${allEndpoints.length} endpoints are served, and every answer is valid. Not served:`,
    ...missing,
  ];
}

/** Of a server that is gone, Synapse tells the key as a notary. */
async function askNotary(world) {
  const { first } = world;
  const [synapse] = world.synapses;
  const client = world.client({ notaries: [synapse.name] });
  const request = {
    server: first.name,
    keyId: first.signingKey.keyId,
    at: Date.now(),
    use: "event",
    enforceValidity: true,
  };
  const { keyId, publicKey } = first.signingKey;
  await first.stop();
  try {
    const keys = await client.keyring.keys([request]);
    assert.deepEqual(keys.missing, []);
    const key = keys.get(first.name, keyId);
    assert.equal(Buffer.from(key.publicKey).toString("base64").replace(/=+$/, ""), publicKey);
  } finally {
    await first.start();
  }
}
