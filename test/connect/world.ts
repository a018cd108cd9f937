import { webcrypto } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Worker } from "node:worker_threads";
import { expect } from "vitest";

import { ConnectFailure } from "../../src/connect/connect-failure.js";
import { type ConnectOptions, createConnector } from "../../src/connect/connector.js";
import type { Destination, Target } from "../../src/connect/target.js";
import { type Authority, createAuthority, type IssuedCertificate } from "../../src/testing/authority.js";
import { loadX509 } from "../../src/testing/x509.js";

export const host = "a.example";
export const never: AbortSignal = new AbortController().signal;

/** A port on loopback, and the connections to it. */
export interface Place {
  readonly address: string;
  readonly port: number;
  /** Every connection that was ever made to it. */
  readonly sockets: readonly Socket[];
  /** How many of them are open. */
  readonly open: () => number;
}

/** How many connections this process has open or under way, those of servers included. */
export const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /TLS|TCPSocket|TCPConnect/.test(name)).length;

let authority: Promise<Authority> | undefined;

/** One authority for the whole file: making one takes a while. */
export const theAuthority = (): Promise<Authority> => {
  authority ??= createAuthority();
  return authority;
};

/** A certificate that is its own issuer. */
export async function selfSigned(
  name: string,
  { notBefore, notAfter }: { notBefore?: string; notAfter?: string } = {},
): Promise<IssuedCertificate> {
  const x509 = await loadX509();
  const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = (await webcrypto.subtle.generateKey(signingAlgorithm, true, ["sign"])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=itself",
    notBefore: new Date(notBefore ?? "2000-01-01T00:00:00Z"),
    notAfter: new Date(notAfter ?? "2049-12-31T00:00:00Z"),
    keys,
    signingAlgorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }])],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    cert: certificate.toString("pem"),
    key: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`,
  };
}

/** Servers on loopback that behave well and badly. */
export class Loopback {
  #cleanUps: (() => unknown)[] = [];

  /** Closes everything; to be called after each test. */
  async close(): Promise<void> {
    await Promise.all(this.#cleanUps.splice(0).map((cleanUp) => cleanUp()));
  }

  /** Listens with a server, which is closed with the rest. */
  async listen(server: Server, address = "127.0.0.1"): Promise<Place> {
    const sockets: Socket[] = [];
    server.on("connection", (socket: Socket) => sockets.push(socket.on("error", () => {})));
    server.listen(0, address);
    await once(server, "listening");
    this.#cleanUps.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    return { address, port, sockets, open: () => sockets.filter((socket) => !socket.destroyed).length };
  }

  /** A TLS server that says its name to whoever comes; its certificate is for a.example unless another one is given. */
  async tls(name = "right", certificate?: IssuedCertificate, address?: string): Promise<Place> {
    const shown = certificate ?? (await (await theAuthority()).issue(host));
    const server = createTlsServer(shown, (socket) => socket.on("error", () => {}).write(name));
    server.on("tlsClientError", () => {});
    return await this.listen(server, address);
  }

  /** Accepts connections and says nothing. */
  stalled(): Promise<Place> {
    return this.listen(createServer((socket) => void socket.resume()));
  }

  /** Hangs up when the handshake begins. */
  hangingUp(how: "end" | "resetAndDestroy"): Promise<Place> {
    return this.listen(createServer((socket) => void socket.once("data", () => socket[how]())));
  }

  /** Speaks HTTP and no TLS. */
  plainHttp(): Promise<Place> {
    return this.listen(createHttpServer((_, response) => response.end("hello")));
  }

  /** An HTTP proxy: it says yes to everything and passes all bytes on. */
  proxy(): Promise<Place> {
    const server = createServer((socket) => {
      socket.once("data", (asked) => {
        const [, address, port] = /^CONNECT \[?([^ \]]+)\]?:(\d+) /.exec(String(asked)) ?? [];
        const upstream = connect(Number(port), address).on("error", () => socket.destroy());
        upstream.once("connect", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
        socket.pipe(upstream).pipe(socket);
        socket.once("close", () => upstream.destroy());
        this.#cleanUps.push(() => upstream.destroy());
      });
    });
    return this.listen(server);
  }

  /** A port where nobody listens. */
  async refusing(): Promise<Place> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return { address: "127.0.0.1", port, sockets: [], open: () => 0 };
  }

  /** A port that does not even answer: the queue of its listener is full, and nobody accepts. */
  async blackHole(): Promise<Place> {
    const worker = new Worker(
      `const { parentPort } = require("node:worker_threads");
       const server = require("node:net").createServer();
       server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
         parentPort.postMessage(server.address().port);
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
       });`,
      { eval: true },
    );
    const [port] = (await once(worker, "message")) as [number];
    const fillers = await Promise.all(
      [1, 2].map(async () => {
        const filler = connect(port, "127.0.0.1").on("error", () => {});
        await once(filler, "connect");
        return filler;
      }),
    );
    this.#cleanUps.push(async () => {
      for (const filler of fillers) filler.destroy();
      await worker.terminate();
    });
    return { address: "127.0.0.1", port, sockets: [], open: () => 0 };
  }
}

/** Places of one server, to be tried in this order. */
export function destination(places: readonly Pick<Place, "address" | "port">[], tlsName: string = host): Destination {
  const targets = places.map(({ address, port }, priority): Target => {
    const family = address.includes(":") ? 6 : 4;
    return { hostname: tlsName, port, priority, weight: 0, addresses: [{ address, family }] };
  });
  return { tlsName, targets };
}

/** Options that trust the authority and allow loopback. */
export async function loopbackOptions(): Promise<ConnectOptions> {
  return { ca: (await theAuthority()).ca, allowAddress: ["127.0.0.0/8", "::1"], proxy: false };
}

/** Connects, tells what the server says first, and hangs up. */
export async function visit(to: Destination, options: ConnectOptions = {}, timeoutMs?: number): Promise<string> {
  const connector = createConnector({ ...(await loopbackOptions()), ...options });
  const socket = await connector.connect(to, never, timeoutMs);
  try {
    const [text] = await once(socket, "data");
    return String(text);
  } finally {
    socket.destroy();
  }
}

/** What became of a connection that must fail. */
export async function failure(to: Destination, options?: ConnectOptions, timeoutMs?: number): Promise<ConnectFailure> {
  const error = await visit(to, options, timeoutMs).then(
    () => expect.unreachable("there is a connection"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConnectFailure);
  return error as ConnectFailure;
}
