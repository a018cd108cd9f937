import { promises } from "node:dns";
import type { Socket } from "node:net";
import { createTCPServer, createUDPServer, type DnsHandler, Packet, type Resource } from "dns2";
import type { Dns } from "../../src/resolve/dns.js";

/** What an SRV record says. The target `.` is the root. */
export interface SrvData {
  target: string;
  port: number;
  priority?: number;
  weight?: number;
}

/** What the records of each type hold. IPv6 addresses are written without dotted numbers. */
export interface RecordData {
  A: string;
  AAAA: string;
  CNAME: string;
  SRV: SrvData;
}

export type RecordType = keyof RecordData;

/** Records (with a TTL of 300 seconds where none is said), an error, or no answer at all. */
export type DnsReply<Type extends RecordType> =
  | readonly RecordData[Type][]
  | { records: readonly RecordData[Type][]; ttl: number }
  | { rcode: number }
  | "silence";

/** A reply, or a function that is called for each query. */
export type DnsScript<Type extends RecordType> = DnsReply<Type> | (() => DnsReply<Type> | Promise<DnsReply<Type>>);

export const SERVFAIL = { rcode: 2 } as const;
export const NXDOMAIN = { rcode: 3 } as const;
export const REFUSED = { rcode: 5 } as const;

/** A DNS server on 127.0.0.1, which answers over UDP, and over TCP where an answer is too long for a datagram. */
export interface DnsServer {
  /** Asks this server and nothing else. It has no `lookup`. */
  readonly dns: Dns;
  /** Every query that arrived, such as `SRV _matrix-fed._tcp.a.example`. A query that got no answer may come again. */
  readonly asked: string[];
  /**
   * Says how a name is answered from now on. A name that nothing was said of gets NXDOMAIN; one that has only other
   * types gets an empty answer; a CNAME is followed.
   */
  set<Type extends RecordType>(name: string, type: Type, script: DnsScript<Type>): void;
  close(): Promise<void>;
}

interface Reply {
  rcode: number;
  answers: Partial<Resource>[];
}

const DEFAULT_TTL = 300;
const MAX_CNAMES = 8;
const IN = 1;

const keyOf = (name: string): string => name.toLowerCase().replace(/\.$/, "");

const typeName = (type: number): string =>
  Object.entries(Packet.TYPE).find(([, value]) => value === type)?.[0] ?? `TYPE${type}`;

function resource(name: string, type: RecordType, ttl: number, data: RecordData[RecordType]): Partial<Resource> {
  const common = { name, type: Packet.TYPE[type], class: IN, ttl };
  if (typeof data === "object") return { ...common, priority: 0, weight: 0, ...data };
  return { ...common, ...(type === "CNAME" ? { domain: data } : { address: data }) };
}

/** A UDP and a TCP port of the same number: a truncated answer is asked for again over TCP. */
async function listenTwice(handler: DnsHandler) {
  for (let tries = 0; ; tries += 1) {
    const udp = createUDPServer(handler);
    const tcp = createTCPServer(handler);
    await udp.listen(0, "127.0.0.1");
    const { port } = udp.address();
    try {
      await new Promise<void>((resolve, reject) => {
        tcp.once("error", reject);
        tcp.listen(port, "127.0.0.1", resolve);
      });
      return { udp, tcp, port };
    } catch (error) {
      udp.close();
      if (tries === 10) throw error;
    }
  }
}

/**
 * Starts a DNS server that knows no name.
 *
 * @param options - The patience of `dns`: how long the first of its tries waits (each further one waits twice as long),
 * and how many there are.
 */
export async function createDnsServer({
  // On a busy machine a datagram and a connection take a while.
  timeoutMs = 1_000,
  tries = 2,
}: {
  timeoutMs?: number;
  tries?: number;
} = {}): Promise<DnsServer> {
  const scripts = new Map<string, Map<string, DnsScript<RecordType>>>();
  const asked: string[] = [];

  async function replyTo(name: string, type: string): Promise<Reply | "silence"> {
    const answers: Partial<Resource>[] = [];
    for (let owner = name; ; ) {
      const types = scripts.get(keyOf(owner));
      if (types === undefined) return { ...NXDOMAIN, answers };
      const found = types.has(type) ? type : "CNAME";
      const script = types.get(found) ?? [];
      const reply = typeof script === "function" ? await script() : script;
      if (reply === "silence") return "silence";
      if ("rcode" in reply) return { rcode: reply.rcode, answers };
      const { records, ttl } = "records" in reply ? reply : { records: reply, ttl: DEFAULT_TTL };
      answers.push(...records.map((data) => resource(owner, found as RecordType, ttl, data)));
      const [alias] = records;
      if (found === type || typeof alias !== "string" || answers.length > MAX_CNAMES) return { rcode: 0, answers };
      owner = alias;
    }
  }

  const { udp, tcp, port } = await listenTwice(async (request, send) => {
    const [question] = request.questions;
    if (question === undefined) return;
    asked.push(`${typeName(question.type)} ${question.name}`);
    const reply = await replyTo(question.name, typeName(question.type));
    if (reply === "silence") return;
    const response = Packet.createResponseFromRequest(request);
    Object.assign(response.header, { aa: 1, ra: 1, rcode: reply.rcode });
    response.answers = reply.answers as Resource[];
    // RFC 2782 forbids to compress the target of an SRV record, dns2 does it, and newer versions of Node refuse it.
    const encode = response.toBuffer.bind(response) as (writer: object) => Buffer;
    response.toBuffer = () => encode(Object.assign(new Packet.Writer(), { names: "none" }));
    try {
      await send(response);
    } catch {
      // The server was closed in the meantime.
    }
  });
  const sockets = new Set<Socket>();
  tcp.on("connection", (socket: Socket) => {
    sockets.add(socket.once("close", () => sockets.delete(socket)));
  });

  const dns = new promises.Resolver({ timeout: timeoutMs, tries });
  dns.setServers([`127.0.0.1:${port}`]);
  return {
    dns,
    asked,
    set(name, type, script) {
      const key = keyOf(name);
      const types = scripts.get(key) ?? new Map<string, DnsScript<RecordType>>();
      scripts.set(key, types.set(type, script as DnsScript<RecordType>));
    },
    async close() {
      dns.cancel();
      for (const socket of sockets) socket.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(resolve)),
        new Promise<void>((resolve) => tcp.close(() => resolve())),
      ]);
    },
  };
}
