import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createClient } from "matrix-federation-sdk";
import { eventIdOf, signEvent } from "matrix-federation-sdk/crypto";
import { createTestFederation } from "matrix-federation-sdk/testing";
import { Synapse } from "./synapse.mjs";

/** The room versions that our users can join. */
export const versions = ["10", "11", "12"];

/**
 * Everything that the scenarios need: a test federation of three servers, one of which is ours, and two homeservers.
 * All find each other as servers do: by the address and the port in their names, over TLS, with keys that they fetch.
 */
export class World {
  #clients = [];

  /** Starts all of it. What it leaves behind is in the folder. */
  static async start({ version, python, folder }) {
    const [first, second, ours, one, oneClient, two, twoClient] = await freePorts(7);
    const servers = [first, second, ours].map((port) => ({ name: `localhost:${port}`, port }));
    const world = new World();
    world.version = version;
    world.federation = await createTestFederation({ servers });
    [world.first, world.second, world.ours] = world.federation.servers;
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      // One is found by a host name, the other by an IP address.
      world.synapses = await Promise.all([
        world.#prepare({ name: `localhost:${one}`, clientPort: oneClient, folder: join(folder, "synapse-1"), python }),
        world.#prepare({ name: `127.0.0.1:${two}`, clientPort: twoClient, folder: join(folder, "synapse-2"), python }),
      ]);
      await Promise.all(world.synapses.map((synapse) => synapse.start()));
      [world.sam, world.sue] = await Promise.all(world.synapses.map((synapse) => synapse.register("user")));
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  /** Ends everything that was started. */
  async stop() {
    await this.closeClients();
    await Promise.all((this.synapses ?? []).map((synapse) => synapse.stop()));
    await this.federation.close();
  }

  /** A client that speaks for our server, or another one of the federation, and has no memory yet. */
  client({ speaksFor = this.ours, ...options } = {}) {
    const { dns, ca, allowAddress, proxy } = this.federation.clientOptions;
    const { name: serverName, signingKey } = speaksFor;
    const client = createClient({ dns, ca, allowAddress, proxy, serverName, signingKey, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Ends the clients of a scenario. */
  async closeClients() {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
  }

  /** A user of one of the federation's servers. */
  user(server, localpart = "user") {
    return `@${localpart}:${server.name}`;
  }

  /** A room of the test federation, with a user of each of its servers, or without us. */
  createRoom({ isOursIn = true, ...options } = {}) {
    const room = this.federation.createRoom({ creator: this.user(this.first), name: "Interop", ...options });
    room.join(this.user(this.second));
    if (isOursIn) room.join(this.user(this.ours));
    return room;
  }

  /** A user of a server of the federation says something, which is sent to another user's homeserver. */
  async say(room, server, body, account) {
    const { eventId, event } = room.send(this.user(server), "m.room.message", { msgtype: "m.text", body });
    const transaction = { txnId: randomUUID(), originServerTs: Date.now(), pdus: [event] };
    const { pdus } = await this.client({ speaksFor: server }).sendTransaction(account.synapse.name, transaction);
    assert.deepEqual(pdus, { [eventId]: {} });
    // Synapse says that it took an event before it has it in the room.
    await account.has(room.roomId, eventId);
    return { eventId, event };
  }

  /**
   * A user of a Synapse joins a room through a server of the federation, which holds the state back that Synapse then asks
   * for: Synapse is in partial state until `release`.
   */
  async joinPartially(account, room, through) {
    const holds = ["state_ids", "state"].map((endpoint) => through.hold(endpoint, { room }));
    const release = async () => {
      for (const hold of holds) hold.release();
      // Synapse answers this when it has all of the state.
      await account.call("GET", `/rooms/${encodeURIComponent(room.roomId)}/members`);
    };
    await account.join(room.roomId, through.name);
    const { eventId } = room.events.findLast(({ event }) => event.sender === account.userId);
    // From now on, Synapse waits for an answer.
    await holds[0].requested;
    return { joinId: eventId, release };
  }

  /** Our user joins a room, as any homeserver would. */
  async joinOurselves(client, roomId, residents, { localpart = "user", omitMembers = false, prefer } = {}) {
    const { name, signingKey } = this.ours;
    const room = client.room(roomId, { residents });
    const template = await room.makeJoin({ userId: this.user(this.ours, localpart), ver: versions }, { prefer });
    const version = template.value.room_version;
    const event = signEvent({ ...template.value.event, origin_server_ts: Date.now() }, version, name, signingKey);
    const eventId = eventIdOf(event, version);
    const joined = await room.sendJoin({ eventId, event, omitMembers }, { prefer });
    return { template, joined, event, eventId, version };
  }

  async #prepare(parts) {
    const host = parts.name.slice(0, parts.name.lastIndexOf(":"));
    const certificate = await this.federation.issueCertificate(host);
    const synapse = new Synapse({ ...parts, certificate, ca: this.federation.clientOptions.ca });
    await synapse.prepare();
    const { keyId, publicKey } = synapse.signingKey;
    this.federation.trust(synapse.name, keyId, publicKey);
    return synapse;
  }
}

/** Ports that nobody listens at now. All are taken at once, so that they differ. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
