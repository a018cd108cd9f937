import { LRUCache } from "lru-cache";
import { buildConnector, Pool } from "undici";
import type { ResolvedServer } from "../resolve/resolved-server.js";
import { checkServerIdentity } from "../resolve/server-identity.js";

/** How connections are made and kept. */
export interface PoolOptions {
  /** Certificates of CAs to trust instead of the usual ones: PEM. */
  readonly ca?: string | readonly string[] | undefined;
  /** How many connections there may be to one destination; 32 when absent. */
  readonly maxConnectionsPerServer?: number | undefined;
  /** How many destinations may have connections; 1,000 when absent. */
  readonly maxServers?: number | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_MS = 10_000;

/** One pool of connections for each resolved destination: never shared by two names, closed when idle or too many. */
export class Pools {
  readonly #pools: LRUCache<string, Pool>;
  readonly #keys = new WeakMap<ResolvedServer, string>();
  readonly #connections: number;
  readonly #connector: buildConnector.connector;

  /** With the options' defaults filled in. */
  constructor({ ca, maxConnectionsPerServer = 32, maxServers = 1_000 }: PoolOptions) {
    this.#connections = maxConnectionsPerServer;
    this.#connector = buildConnector({
      ...(ca !== undefined && { ca: typeof ca === "string" ? ca : [...ca] }),
      allowH2: false,
      timeout: CONNECT_TIMEOUT_MS,
      checkServerIdentity,
    });
    this.#pools = new LRUCache({
      max: maxServers,
      // Ends what is under way, then closes.
      dispose: (pool) => void pool.close().catch(() => undefined),
    });
  }

  /** The pool of a destination. */
  of(target: ResolvedServer): Pool {
    let key = this.#keys.get(target);
    if (key === undefined) {
      const addresses = target.addresses.map(({ address, port }) => `${address} ${port}`);
      key = [target.host, target.tlsName, ...addresses].join("\n");
      this.#keys.set(target, key);
    }
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = this.#open(target);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Closes all connections at once; requests under way fail. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    await Promise.all(pools.map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  #open(target: ResolvedServer): Pool {
    // The name and the address are given with each connection and each request; no text of others stands in this URL.
    return new Pool("https://destination.invalid", {
      connect: (options, callback) => this.#connect(target, 0, options, callback),
      connections: this.#connections,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS * 2,
      // The one deadline of the call rules; undici's own clocks would only get in its way.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Connects to the first address that takes the connection, as the name of the certificate demands. */
  #connect(
    target: ResolvedServer,
    index: number,
    options: buildConnector.Options,
    callback: buildConnector.Callback,
  ): void {
    const { address, port } = target.addresses[index] as ResolvedServer["addresses"][number];
    const isLiteral = target.tlsName === address;
    const { servername: _, ...rest } = options;
    this.#connector(
      {
        ...rest,
        host: address,
        hostname: address,
        port: String(port),
        ...(!isLiteral && { servername: target.tlsName }),
      },
      (...[error, socket]) => {
        if (error && index + 1 < target.addresses.length) this.#connect(target, index + 1, options, callback);
        else if (error) callback(error, null);
        else callback(null, socket);
      },
    );
  }
}
