import { spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SigningKey } from "matrix-federation-sdk";
import { synapseConfig } from "./synapse-config.mjs";

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const API_TIMEOUT_MS = 30_000;

const running = new Set();
// Whatever ends this process, no homeserver outlives it.
process.once("exit", () => {
  for (const synapse of running) synapse.signal("SIGKILL");
});

/** A real Synapse homeserver on 127.0.0.1, in a process group of its own. */
export class Synapse {
  /** The signing key, so that the test federation's servers know who asks. */
  signingKey = SigningKey.generate("synapse");
  #parts;
  #secret = randomBytes(16).toString("hex");
  #child;

  /**
   * @param {object} parts
   * @param {string} parts.name - The server name, with its port.
   * @param {number} parts.clientPort - Where the Client-Server API is, without TLS.
   * @param {string} parts.folder - Where everything is that it writes.
   * @param {string} parts.python - The Python that has Synapse.
   * @param {string} parts.ca - The authority to trust, as PEM text.
   * @param {{ cert: string, key: string }} parts.certificate - Its own.
   */
  constructor(parts) {
    this.#parts = parts;
    this.name = parts.name;
    this.port = Number(parts.name.slice(parts.name.lastIndexOf(":") + 1));
  }

  /** Where it logs, every request that it answered among other things. */
  get logFile() {
    return join(this.#parts.folder, "homeserver.log");
  }

  /** Writes its configuration. */
  async prepare() {
    const { folder, ca, certificate } = this.#parts;
    await mkdir(folder, { recursive: true });
    const write = (name, text) => writeFile(join(folder, name), text, { mode: 0o600 });
    await write("ca.pem", ca);
    await write("tls.crt", certificate.cert);
    await write("tls.key", certificate.key);
    await write("signing.key", this.signingKey.toKeyFile());
    // JSON is YAML.
    await write(
      "homeserver.yaml",
      JSON.stringify(synapseConfig({ ...this.#parts, secret: this.#secret }), undefined, 2),
    );
    const log = {
      version: 1,
      formatters: { plain: { format: "%(asctime)s %(name)s %(levelname)s %(request)s %(message)s" } },
      filters: { context: { "()": "synapse.logging.context.LoggingContextFilter", request: "" } },
      handlers: {
        file: {
          class: "logging.FileHandler",
          filename: this.logFile,
          formatter: "plain",
          filters: ["context"],
        },
      },
      root: { level: "INFO", handlers: ["file"] },
    };
    await write("log.yaml", JSON.stringify(log));
  }

  /** Starts it and waits until it answers. */
  async start() {
    const { python, folder } = this.#parts;
    const child = spawn(python, ["-m", "synapse.app.homeserver", "--config-path", join(folder, "homeserver.yaml")], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own: signals reach what it starts, and Ctrl-C does not come before ours.
      detached: true,
    });
    this.#child = child;
    running.add(this);
    const output = createWriteStream(join(folder, "output.log"), { flags: "a" });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    // It could not be started at all; its exit code says that too.
    child.once("error", (error) => output.write(`${error.message}\n`));
    child.once("close", () => {
      running.delete(this);
      output.end();
    });
    const ends = performance.now() + START_TIMEOUT_MS;
    while (!(await this.#isUp())) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > ends) {
        await this.kill();
        const said = await readFile(join(folder, "output.log"), "utf8").catch(() => "");
        throw new Error(`Synapse ${this.name} did not start; its logs are in ${folder}.\n${said.slice(-1_500)}`);
      }
      await sleep(150);
    }
  }

  /** Ends it as an administrator does. */
  async stop() {
    await this.#end("SIGTERM");
  }

  /** Ends it as a crash does. */
  async kill() {
    await this.#end("SIGKILL");
  }

  /** Sends a signal to its process group. */
  signal(name) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, name);
    } catch {
      // It has just ended.
    }
  }

  /** Makes a user. */
  async register(localpart) {
    const { nonce } = await this.api("GET", "/_synapse/admin/v1/register");
    const password = randomBytes(16).toString("hex");
    const mac = createHmac("sha1", this.#secret).update(`${nonce}\0${localpart}\0${password}\0notadmin`).digest("hex");
    const body = { nonce, username: localpart, password, admin: false, mac };
    const { user_id, access_token, device_id } = await this.api("POST", "/_synapse/admin/v1/register", body);
    return new Account(this, user_id, device_id, access_token);
  }

  /**
   * One request to the Client-Server API or the admin API.
   *
   * @returns {Promise<any>} The answer's JSON.
   */
  async api(method, path, body, token) {
    const isJson = body !== undefined && !(body instanceof Uint8Array);
    const response = await fetch(`http://127.0.0.1:${this.#parts.clientPort}${path}`, {
      method,
      headers: {
        ...(body !== undefined && { "content-type": isJson ? "application/json" : "image/png" }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: isJson ? JSON.stringify(body) : body }),
      signal: AbortSignal.timeout(API_TIMEOUT_MS),
    });
    const answer = await response.json();
    if (!response.ok)
      throw new Error(`${method} ${path} at ${this.name}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  async #isUp() {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#parts.clientPort}/health`, {
        signal: AbortSignal.timeout(2_000),
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  async #end(signal) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    this.signal(signal);
    const late = setTimeout(() => this.signal("SIGKILL"), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(late);
  }
}

/** A user of a Synapse homeserver. */
export class Account {
  constructor(synapse, userId, deviceId, token) {
    this.synapse = synapse;
    this.userId = userId;
    this.deviceId = deviceId;
    this.token = token;
  }

  /** One request to the Client-Server API as this user. */
  async call(method, path, body) {
    return await this.synapse.api(method, `/_matrix/client/v3${path}`, body, this.token);
  }

  /** Joins a room through a server. Where that omits members, the answer comes before Synapse has the room's state. */
  async join(roomId, through) {
    return await this.call(
      "POST",
      `/join/${encodeURIComponent(roomId)}?server_name=${encodeURIComponent(through)}`,
      {},
    );
  }

  /** Settles when the homeserver has an event and the user may see it. */
  async has(roomId, eventId) {
    const path = `/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(eventId)}`;
    const ends = performance.now() + API_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.call("GET", path);
      } catch (error) {
        if (performance.now() > ends) throw error;
        await sleep(50);
      }
    }
  }

  /** Sends a message. */
  async send(roomId, body) {
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${randomBytes(8).toString("hex")}`;
    const { event_id } = await this.call("PUT", path, { msgtype: "m.text", body });
    return event_id;
  }
}
