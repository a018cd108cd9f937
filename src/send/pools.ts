import { setMaxListeners } from "node:events";
import { LRUCache } from "lru-cache";
import { type buildConnector, Client, type Dispatcher, Pool } from "undici";
import { type ConnectOptions, type Connector, createConnector } from "../connect/connector.js";
import { type Destination, destinationKey } from "../connect/target.js";
import type { ResolvedServer } from "../resolve/resolved-server.js";
import type { Collector } from "./collect.js";

/** How connections are made and kept. */
export interface PoolOptions extends ConnectOptions {
  /** How many connections there may be to one destination; 32 when absent. */
  readonly maxConnectionsPerServer?: number | undefined;
  /** How many destinations may have connections; 1,000 when absent. */
  readonly maxServers?: number | undefined;
}

const IDLE_MS = 10_000;
/** The name and the address are given with each connection and each request; no text of others stands in this URL. */
const ORIGIN = "https://destination.invalid";
const clientOptions = {
  pipelining: 1,
  keepAliveTimeout: IDLE_MS,
  keepAliveMaxTimeout: IDLE_MS * 2,
  // The one deadline of the call rules; undici's own clocks would only get in its way.
  headersTimeout: 0,
  bodyTimeout: 0,
} as const;

/** A request with the one who reads its answer; the handler that a connection is given is undici's wrapping of it. */
export interface SendOptions extends Dispatcher.DispatchOptions {
  /** Is told which connection the request is made on. */
  readonly collector: Pick<Collector, "connection">;
}

/** One connection at a time to one destination. */
class Connection extends Client {
  #socket: { readonly bytesRead: number } | undefined;

  constructor(origin: string | URL, options: Client.Options, connect: buildConnector.connector) {
    const keepSocket = (socket: { readonly bytesRead: number } | null): void => {
      this.#socket = socket ?? undefined;
    };
    super(origin, {
      ...options,
      connect: (to, callback) =>
        connect(to, (...made) => {
          keepSocket(made[1]);
          callback(...made);
        }),
    });
  }

  /** How many bytes have come over the present connection, or over the last one where there is none. */
  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  override dispatch(options: SendOptions, handler: Dispatcher.DispatchHandler): boolean {
    options.collector.connection = this;
    return super.dispatch(options, handler);
  }
}

/** One pool of connections for each resolved destination: never shared by two names, closed when idle or too many. */
export class Pools {
  readonly #pools: LRUCache<string, Pool>;
  readonly #connections: number;
  readonly #connector: Connector;
  readonly #single = new Set<Client>();
  /** Pools that were dropped and still have requests under way. */
  readonly #retired = new Set<Pool>();
  readonly #closing = new AbortController();

  /** With the options' defaults filled in. */
  constructor(options: PoolOptions) {
    const { maxConnectionsPerServer = 32, maxServers = 1_000 } = options;
    this.#connections = maxConnectionsPerServer;
    this.#connector = createConnector(options);
    // Every connection that is being made listens, and stops listening when it is made: many at once are no leak.
    setMaxListeners(0, this.#closing.signal);
    this.#pools = new LRUCache({
      max: maxServers,
      // Ends what is under way, then closes.
      dispose: (pool) => this.#retire(pool),
    });
  }

  /** The pool of a destination. Files have one of their own: those that are read slowly must not hold up requests. */
  of(target: ResolvedServer, use: "requests" | "files" = "requests"): Pool {
    const key = `${use} ${target.host}\n${destinationKey(target)}`;
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = this.#open(target, key);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Lends a new connection to a destination, and closes it when `use` has ended. */
  async withNewConnection<T>(target: Destination, use: (connection: Dispatcher) => Promise<T>): Promise<T> {
    const client = new Connection(ORIGIN, clientOptions, this.#connect(target));
    this.#single.add(client);
    try {
      return await use(client);
    } finally {
      this.#single.delete(client);
      await client.destroy();
    }
  }

  /** Closes all connections at once, those being made included; requests under way fail. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("The connections are closed."));
    await Promise.all([...this.#pools.values(), ...this.#retired, ...this.#single].map((each) => each.destroy()));
    this.#pools.clear();
  }

  #open(target: ResolvedServer, key: string): Pool {
    const connect = this.#connect(target);
    const pool = new Pool(ORIGIN, {
      ...clientOptions,
      connections: this.#connections,
      factory: (origin) => new Connection(origin, clientOptions, connect),
    });
    const dropIdle = (): void => {
      const { connected, size } = pool.stats;
      // The pool itself takes memory as well; one that has just been replaced is no longer the one to drop.
      if (connected === 0 && size === 0 && this.#pools.peek(key) === pool) this.#pools.delete(key);
    };
    return pool.on("disconnect", dropIdle).on("connectionError", dropIdle);
  }

  #retire(pool: Pool): void {
    this.#retired.add(pool);
    pool
      .close()
      .catch(() => undefined)
      .finally(() => this.#retired.delete(pool));
  }

  #connect(target: Destination): buildConnector.connector {
    return this.#connector.forUndici(target, this.#closing.signal);
  }
}
