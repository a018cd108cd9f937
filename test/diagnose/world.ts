import { webcrypto } from "node:crypto";
import type { RequestListener } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import { type AddressInfo, createServer as createTcpServer, isIP, type Server, type Socket } from "node:net";
import type { ConnectTo } from "../../src/connect/target.js";
import type { Diagnosis, Finding } from "../../src/diagnose/report.js";
import { type Client, type ClientOptions, createClient } from "../../src/index.js";
import { signJson } from "../../src/sign/signed-json.js";
import { SigningKey } from "../../src/sign/signing-key.js";
import { loadX509 } from "../../src/testing/x509.js";
import { createDnsServer, type DnsServer } from "../resolve/dns-server.js";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

/** Somebody who can issue certificates. */
export interface Issuer {
  name: string;
  cert: string;
  keys: webcrypto.CryptoKeyPair;
}

export interface CertificateOptions {
  names: readonly string[];
  issuer?: Issuer | undefined;
  selfSigned?: boolean;
  /** In days from now. */
  from?: number;
  to?: number;
}

async function makeIssuer(name: string, by?: Issuer): Promise<Issuer> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const fields = {
    notBefore: new Date(Date.now() - 1000 * DAY_MS),
    notAfter: new Date(Date.now() + 1000 * DAY_MS),
    serialNumber: `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString("hex")}`,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  };
  const generator = x509.X509CertificateGenerator;
  const made = by
    ? await generator.create({
        ...fields,
        subject: name,
        issuer: by.name,
        publicKey: keys.publicKey,
        signingKey: by.keys.privateKey,
      })
    : await generator.createSelfSigned({ ...fields, name, keys });
  return { name, keys, cert: `${made.toString("pem")}\n` };
}

let root: Promise<Issuer> | undefined;
let intermediate: Promise<Issuer> | undefined;
let stranger: Promise<Issuer> | undefined;
export const issuers = {
  root: (): Promise<Issuer> => (root ??= makeIssuer("CN=root")),
  intermediate: async (): Promise<Issuer> => (intermediate ??= makeIssuer("CN=intermediate", await issuers.root())),
  stranger: (): Promise<Issuer> => (stranger ??= makeIssuer("CN=stranger")),
};

export async function certify(options: CertificateOptions): Promise<{ cert: string; key: string }> {
  const x509 = await loadX509();
  const { names, selfSigned = false, from = -30, to = 60 } = options;
  const issuer = options.issuer ?? (await issuers.root());
  const keys = await generateKeys();
  const fields = {
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + to * DAY_MS + 60_000),
    serialNumber: `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString("hex")}`,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? "ip" : "dns", value }))),
    ],
  };
  const generator = x509.X509CertificateGenerator;
  const made = selfSigned
    ? await generator.createSelfSigned({ ...fields, name: "CN=own", keys })
    : await generator.create({
        ...fields,
        subject: "CN=server",
        issuer: issuer.name,
        publicKey: keys.publicKey,
        signingKey: issuer.keys.privateKey,
      });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { cert: `${made.toString("pem")}\n`, key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` };
}

/** What a homeserver answers. */
export interface HomeserverOptions {
  name: string;
  key?: SigningKey;
  validForMs?: number;
  version?: RequestListener;
  keys?: RequestListener | object;
  date?: string;
}

export function keyDocument(name: string, key: SigningKey, validForMs: number = DAY_MS): object {
  const verify_keys = { [key.keyId]: { key: key.publicKey } };
  const document = { server_name: name, verify_keys, old_verify_keys: {}, valid_until_ts: Date.now() + validForMs };
  return signJson(document, name, key);
}

export function homeserver(options: HomeserverOptions): RequestListener {
  const { name, key = SigningKey.generate(), validForMs, date } = options;
  const {
    version = (_, response) => response.end('{"server":{"name":"Test","version":"1"}}'),
    keys = keyDocument(name, key, validForMs),
  } = options;
  return (request, response) => {
    if (date !== undefined) response.setHeader("date", date);
    if (request.url === "/_matrix/federation/v1/version") return version(request, response);
    if (request.url !== "/_matrix/key/v2/server") return response.writeHead(404).end();
    return typeof keys === "function"
      ? (keys as RequestListener)(request, response)
      : response.end(JSON.stringify(keys));
  };
}

/** Servers on loopback that stand for public addresses, a DNS server that names them, and clients that find them. */
export class World {
  readonly sockets: Set<Socket> = new Set();
  /** The addresses in use, as `address port`, with the port of loopback or another address that they lead to. */
  readonly ports: Map<string, number> = new Map();
  dns!: DnsServer;
  readonly #servers: Server[] = [];
  readonly #clients: Client[] = [];

  static async create(): Promise<World> {
    const world = new World();
    world.dns = await createDnsServer();
    return world;
  }

  readonly connectTo: ConnectTo = ({ address, port }) => {
    const mapped = this.ports.get(`${address} ${port}`);
    // Nobody listens on port 1.
    return address.startsWith("127.") ? undefined : { address: "127.0.0.1", port: mapped ?? 1 };
  };

  async listen(address: string, port: number, server: Server): Promise<number> {
    server.on("connection", (socket: Socket) => {
      this.sockets.add(socket.on("error", () => {}).once("close", () => this.sockets.delete(socket)));
    });
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#servers.push(server);
    const local = (server.address() as AddressInfo).port;
    this.ports.set(`${address} ${port}`, local);
    return local;
  }

  /** Serves an address over TLS. */
  async serve(
    address: string,
    port: number,
    certificate: CertificateOptions | string,
    listener: RequestListener,
    options: ServerOptions = {},
  ): Promise<void> {
    const made = await certify(typeof certificate === "string" ? { names: [certificate] } : certificate);
    await this.listen(address, port, createServer({ ...made, ...options }, listener));
  }

  /** Serves an address with bytes. */
  async serveTcp(address: string, port: number, listener: (socket: Socket) => void): Promise<number> {
    const serve = (socket: Socket): void => {
      listener(socket);
      // Who does not read does not see the end.
      socket.resume();
    };
    return await this.listen(address, port, createTcpServer(serve));
  }

  /** What a host answers to requests for `.well-known`: the status 404 where nothing is given. */
  async wellKnown(name: string, address: string, answer: RequestListener | object | 404 = 404): Promise<void> {
    this.dns.set(name, "A", [address]);
    await this.serve(address, 443, name, (request, response) => {
      if (typeof answer === "function") return (answer as RequestListener)(request, response);
      response.writeHead(answer === 404 ? 404 : 200).end(JSON.stringify(answer));
    });
  }

  /** A homeserver that works at a name's only address, and delegates to nobody. */
  async healthy(name: string, address: string, options: Partial<HomeserverOptions> = {}): Promise<void> {
    await this.wellKnown(name, address);
    await this.serve(address, 8448, name, homeserver({ name, ...options }));
  }

  async client(options: ClientOptions = {}): Promise<Client> {
    const { connectTo } = this;
    const ca = (await issuers.root()).cert;
    const client = createClient({ dns: this.dns.dns, connectTo, ca, proxy: false, ...options });
    this.#clients.push(client);
    return client;
  }

  async diagnose(server: string, options?: ClientOptions, timeout = 15_000): Promise<Diagnosis> {
    return await (await this.client(options)).diagnose(server, { timeout });
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
    await this.dns.close();
  }
}

/** Severity and code of every finding, notes about IP versions left out: nearly every test has one of them. */
export const told = ({ findings }: Diagnosis): string[] =>
  findings.filter(({ code }) => code !== "noIpv6").map(({ severity, code }) => `${severity} ${code}`);

export function findingOf({ findings }: Diagnosis, code: Finding["code"]): Finding {
  const found = findings.find((each) => each.code === code);
  if (!found) throw new Error(`No finding ${code} among ${findings.map((each) => each.code).join(", ")}`);
  return found;
}
