import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const WAIT_MS = 5_000;
/** A line of Synapse's access log: who asked, by the signature; the status; the method; the path with its query. */
const ANSWERED = /synapse\.access\.https\..* - \{([^}]*)\} Processed request: .* (\d{3})!? "(\w+) (\/\S*) HTTP/;

/**
 * Watches what reaches the servers from now on, as they tell it themselves and not the client: Synapse in its access log,
 * test servers in their records. Only requests that our server signed.
 */
export async function watchWire(world) {
  const { ours, synapses } = world;
  const before = new Map();
  for (const server of [world.first, world.second]) before.set(server, server.requests.length);
  for (const synapse of synapses) before.set(synapse, (await answeredBy(synapse)).length);

  /** The requests to a server, in the order in which it told them: of test servers, without the status. */
  const requestsTo = async (server) => {
    const all = synapses.includes(server) ? await answeredBy(server) : server.requests;
    return all.slice(before.get(server)).filter(({ signedBy }) => signedBy === ours.name);
  };
  return {
    requestsTo,
    /** Asserts what a server was asked, as in `["state_ids 403"]` of Synapse and `["state_ids"]` of a test server. */
    assertAsked: async (server, expected) => {
      // Synapse writes the line after the answer.
      const asked = await until(
        async () => (await requestsTo(server)).map(inShort),
        ({ length }) => length >= expected.length,
      );
      assert.deepEqual(asked, expected, `what ${server.name} was asked`);
    },
    /** Asserts that Synapse gave a good answer to a request like this. */
    assertAnswered: async (synapse, { method, path, name }) => {
      const pattern = new RegExp(`^${path.replace(/\{[^}]*\}/g, "[^/]+")}$`);
      const isOne = (request) =>
        request.status === 200 && request.method === method && pattern.test(request.uri.split("?", 1)[0]);
      const isThere = await until(
        async () => (await requestsTo(synapse)).some(isOne),
        (found) => found,
      );
      assert.ok(isThere, `${name} did not reach ${synapse.name} signed.`);
    },
  };
}

async function answeredBy(synapse) {
  const lines = (await readFile(synapse.logFile, "utf8")).split("\n");
  return lines.flatMap((line) => {
    const [, signedBy, status, method, uri] = ANSWERED.exec(line) ?? [];
    return uri?.startsWith("/_matrix/") ? [{ signedBy, status: Number(status), method, uri }] : [];
  });
}

async function until(read, isEnough) {
  const ends = performance.now() + WAIT_MS;
  for (;;) {
    const value = await read();
    if (isEnough(value) || performance.now() > ends) return value;
    await sleep(20);
  }
}

/** The endpoint's name in the path, and the status where it is known. */
const inShort = ({ uri, status }) => [uri.split("/")[4]?.split("?")[0], status].filter(Boolean).join(" ");
