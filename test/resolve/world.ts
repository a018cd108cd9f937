import { type RequestListener, request, type Server } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { vi } from "vitest";
import { createConnector } from "../../src/connect/connector.js";
import type { ConnectTo } from "../../src/connect/target.js";
import { type Client, type ClientOptions, createClient } from "../../src/index.js";
import type { Dns } from "../../src/resolve/dns.js";
import type { ResolvedServer } from "../../src/resolve/resolved-server.js";
import { createResolver, type OwnedResolver as Resolver, type ResolverOptions } from "../../src/resolve/resolver.js";
import { type Authority, createAuthority } from "../../src/testing/authority.js";
import { createDnsServer, type DnsScript, type DnsServer, type RecordType } from "./dns-server.js";

/** What DNS holds of a name: addresses, or the code of the error that the query ends in. */
export interface Records {
  a?: string[] | string;
  aaaa?: string[] | string;
  ttl?: number;
}

/** A DNS that answers from a script, and keeps what it was asked. */
export function scriptedDns(names: Record<string, Records>): Dns & { asked: string[] } {
  const asked: string[] = [];
  const answer = async (type: string, hostname: string, records: string[] | string | undefined, ttl = 300) => {
    asked.push(`${type} ${hostname}`);
    const code = typeof records === "string" ? records : hostname in names ? "ENODATA" : "ENOTFOUND";
    if (!Array.isArray(records)) throw Object.assign(new Error(`query${type} ${code} ${hostname}`), { code });
    return records.map((address) => ({ address, ttl }));
  };
  return {
    asked,
    resolve4: (name) => answer("A", name, names[name]?.a, names[name]?.ttl),
    resolve6: (name) => answer("AAAA", name, names[name]?.aaaa, names[name]?.ttl),
    resolveSrv: async (name) => {
      throw Object.assign(new Error(`querySrv ENOTFOUND ${name}`), { code: "ENOTFOUND" });
    },
  };
}

let authority: Promise<Authority> | undefined;

/** TLS servers on loopback that stand for public addresses, and a resolver that finds them. */
export class World {
  readonly names: Record<string, Records> = {};
  readonly dns: ReturnType<typeof scriptedDns> = scriptedDns(this.names);
  readonly dialled: string[] = [];
  /** How many TCP connections came to each port of this machine. */
  readonly connections: Map<number, number> = new Map();
  readonly #servers: Server[] = [];
  readonly #resolvers: Resolver[] = [];
  readonly #ports = new Map<string, number>();

  /** One authority for the whole file: making one takes a while. */
  get authority(): Promise<Authority> {
    authority ??= createAuthority();
    return authority;
  }

  readonly connectTo: ConnectTo = ({ hostname, address, port }) => {
    this.dialled.push(`${hostname} ${address} ${port}`);
    const mapped = this.#ports.get(`${address} ${port}`);
    return mapped === undefined ? undefined : { address: "127.0.0.1", port: mapped };
  };

  /** Serves `address` and `port` with a certificate for `certificateName`. */
  async serve(address: string, port: number, certificateName: string, listener: RequestListener): Promise<number> {
    const server = createServer(await (await this.authority).issue(certificateName), listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const local = (server.address() as AddressInfo).port;
    server.on("connection", () => this.connections.set(local, (this.connections.get(local) ?? 0) + 1));
    this.#servers.push(server);
    this.lead(address, port, local);
    return local;
  }

  /** Has connections to `address` and `port` lead to a port of this machine. Nobody listens on the one that is absent. */
  lead(address: string, port: number, local = 1): void {
    this.#ports.set(`${address} ${port}`, local);
  }

  /** Serves `.well-known` of a host at its only address. */
  async wellKnown(hostname: string, address: string, listener: RequestListener | object): Promise<void> {
    this.names[hostname] ??= { a: [address] };
    const handler: RequestListener =
      typeof listener === "function"
        ? (listener as RequestListener)
        : (_, response) => response.setHeader("content-type", "text/plain").end(JSON.stringify(listener));
    await this.serve(address, 443, hostname, handler);
  }

  async resolver(options: ResolverOptions = {}): Promise<Resolver> {
    const { dns, connectTo } = this;
    const resolver = createResolver({ dns, connectTo, ca: (await this.authority).ca, ...options });
    this.#resolvers.push(resolver);
    return resolver;
  }

  /** A request as a federation client makes it: what the server saw, once its certificate was found right. */
  async visit(resolved: ResolvedServer): Promise<unknown> {
    const { connectTo } = this;
    const connector = createConnector({ connectTo, ca: (await this.authority).ca });
    const socket = await connector.connect(resolved, new AbortController().signal);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { headers: { host: resolved.host }, createConnection: () => socket },
        async (response) => {
          let text = "";
          for await (const chunk of response) text += chunk;
          socket.destroy();
          resolve(JSON.parse(text));
        },
      );
      outgoing.on("error", reject).end();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#resolvers.map((resolver) => resolver.close()));
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

/** Time stands still until it is advanced. lru-cache takes an entry of time 0 for one without a TTL, so 0 is left out. */
export function fakeClock(): void {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
  vi.advanceTimersByTime(1);
}

/** Answers with the Host header and the TLS server name of the request. */
export const mirror: RequestListener = (request, response) => {
  const { servername } = request.socket as TLSSocket & { servername: string | false };
  response.end(JSON.stringify({ host: request.headers.host, servername: servername || "" }));
};

/** A request as the server saw it. */
export interface Seen {
  /** The address and port that the server stands for. */
  readonly at: string;
  readonly path: string;
  readonly host: string;
  /** The TLS server name; empty where the client said none. */
  readonly sni: string;
  /** The client's port: the same for requests on one connection. */
  readonly connection: number;
}

/** Records by type and name, such as `A a.example`. */
export type Zone = Readonly<Record<string, DnsScript<RecordType>>>;

/** The same with a real DNS server, servers that keep what they saw, and clients. */
export class DnsWorld extends World {
  readonly zone: DnsServer;
  /** What the servers of {@link homeserver} saw, in order. */
  readonly seen: Seen[] = [];
  readonly #clients: Client[] = [];

  private constructor(zone: DnsServer) {
    super();
    this.zone = zone;
  }

  /** Queries are not repeated, so that each one that is seen was meant. */
  static async create(timeoutMs = 5_000): Promise<DnsWorld> {
    return new DnsWorld(await createDnsServer({ timeoutMs, tries: 1 }));
  }

  records(zone: Zone): void {
    for (const [key, script] of Object.entries(zone)) {
      const [type, name] = key.split(" ") as [RecordType, string];
      this.zone.set(name, type, script as DnsScript<typeof type>);
    }
  }

  /** The queries that DNS saw, in order. The two for the addresses of a name go out together, and are told as one. */
  get asked(): string[] {
    const queries = this.zone.asked;
    return queries.flatMap((query) => {
      const [type, name] = query.split(" ");
      if (type !== "A" && type !== "AAAA") return [query];
      if (!queries.includes(`${type === "A" ? "AAAA" : "A"} ${name}`)) return [query];
      return type === "A" ? [`addresses ${name}`] : [];
    });
  }

  /** Serves every federation request, and `.well-known` where it delegates. */
  async homeserver(address: string, port: number, certificateName: string, delegatesTo?: string): Promise<number> {
    return await this.serve(address, port, certificateName, (request, response) => {
      const { servername, remotePort = 0 } = request.socket as TLSSocket & { servername: string | false };
      const { url: path = "", headers } = request;
      const at = `${address} ${port}`;
      this.seen.push({ at, path, host: headers.host ?? "", sni: servername || "", connection: remotePort });
      if (!path.startsWith("/.well-known/")) response.end('{"server":{"name":"test"}}');
      else if (delegatesTo === undefined) response.writeHead(404).end();
      else response.end(JSON.stringify({ "m.server": delegatesTo }));
    });
  }

  /** Where the federation requests came to. */
  get reached(): string[] {
    return this.seen.filter(({ path }) => path.startsWith("/_matrix/")).map(({ at }) => at);
  }

  override async wellKnown(hostname: string, address: string, listener: RequestListener | object): Promise<void> {
    this.records({ [`A ${hostname}`]: [address] });
    await super.wellKnown(hostname, address, listener);
  }

  override resolver(options: ResolverOptions = {}): Promise<Resolver> {
    return super.resolver({ dns: this.zone.dns, ...options });
  }

  async client(options: ClientOptions = {}): Promise<Client> {
    const { connectTo, zone } = this;
    const client = createClient({ dns: zone.dns, connectTo, ca: (await this.authority).ca, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Asks a server for its version, once, and tells what the client knows of it then. */
  async ask(serverName: string, client?: Client): Promise<ResolvedServer> {
    const asker = client ?? (await this.client());
    await asker.version(serverName, { rounds: 1 });
    return asker.resolver.inspect(serverName) as ResolvedServer;
  }

  override async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await super.close();
    await this.zone.close();
  }
}
