import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";

import { cleanText } from "../errors.js";
import type { SigningKey } from "../sign/signing-key.js";
import type { IssuedCertificate } from "./authority.js";
import type { Behaviour, Exchange } from "./behaviour.js";
import { type DefaultAnswers, defaultBehaviour } from "./default-behaviours.js";
import { type RecordedRequest, receiveRequest } from "./recorded-request.js";
import { type HeldBehaviour, held } from "./reply-flow.js";
import type { TestRoom } from "./room.js";
import { isAbout } from "./room-question.js";
import { endpointName, type RouteMatcher, type RouteTarget, routeMatcher } from "./routes.js";
import { type TrustedKeys, verifiedOrigin } from "./signature-oracle.js";

/** How many requests a server remembers, and how much text in their bodies; older ones are forgotten. */
const maxRecordedRequests = 10_000;
const maxRecordedText = 64 * 1024 * 1024;

/** What a test server is made of. */
export interface TestServerParts {
  /** The server name. */
  readonly name: string;
  /** The port on 127.0.0.1; a free one when undefined. */
  readonly port: number | undefined;
  /** The key that signs its key document. */
  readonly signingKey: SigningKey;
  /** What it shows to TLS clients. */
  readonly certificate: IssuedCertificate;
  /** The keys that signatures of requests are checked with. */
  readonly trustedKeys: TrustedKeys;
  /** What it answers by itself. */
  readonly defaults: DefaultAnswers;
}

/** What is held back: see {@link TestServer.hold}. */
export interface HoldOptions {
  /** Only requests about this room: its id, its events, its alias, or transactions with an event for it; all when absent. */
  readonly room?: TestRoom | undefined;
}

/** Answers that are held back. */
export interface Hold {
  /** Settles when the first request that is held back has arrived. */
  readonly requested: Promise<void>;
  /** Lets all requests go on, those that wait and those that come later. */
  readonly release: () => void;
}

/** One server of a test federation: a real HTTPS server on 127.0.0.1 that answers as it is told. */
export class TestServer {
  /** The server name. */
  readonly name: string;
  /** The key that signs its key document; for signing what it sends. */
  readonly signingKey: SigningKey;

  readonly #trustedKeys: TrustedKeys;
  readonly #defaults: DefaultAnswers;
  readonly #server: Server;
  readonly #sockets = new Map<number, Socket>();
  readonly #requests: RecordedRequest[] = [];
  #recordedText = 0;
  readonly #scripts: { readonly any: boolean; readonly matches: RouteMatcher; readonly behaviour: Behaviour }[] = [];
  readonly #holds: { readonly matches: (request: RecordedRequest) => boolean; readonly gate: HeldBehaviour }[] = [];
  #port: number;

  /** Makes a server that does not listen yet. */
  constructor({ name, port = 0, signingKey, certificate, trustedKeys, defaults }: TestServerParts) {
    this.name = name;
    this.#port = port;
    this.signingKey = signingKey;
    this.#trustedKeys = trustedKeys;
    this.#defaults = defaults;
    this.#server = createServer({ ...certificate, requestTimeout: 0, keepAliveTimeout: 60_000 });
    this.#server.on("connection", (socket: Socket) => this.#track(socket));
    this.#server.on("request", (incoming, response) => void this.#exchange(incoming, response));
  }

  /** The port on 127.0.0.1. It stays the same when the server is stopped and started again. */
  get port(): number {
    return this.#port;
  }

  /** Whether connections are accepted now. */
  get listening(): boolean {
    return this.#server.listening;
  }

  /** The last 10,000 requests that were read to their end, oldest first; fewer when their bodies are over 64 MiB of text. */
  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /**
   * Sets how requests are answered. What was set last wins; `*` comes after everything else, whenever it was set.
   *
   * Without a behaviour, `version`, `invite` and the endpoints for keys answer properly, and those for rooms when the
   * federation has rooms. Everything else is a 404 `M_UNRECOGNIZED`, whose text says what to set.
   *
   * @throws {@link OptionError} `ERR_OPTION` for a name that no endpoint has.
   */
  on(target: RouteTarget, behaviour: Behaviour): this {
    this.#scripts.unshift({ any: target === "*", matches: routeMatcher(target), behaviour });
    return this;
  }

  /**
   * Holds answers back, whatever they are, until `release()` is called.
   *
   * @throws {@link OptionError} `ERR_OPTION` for a name that no endpoint has.
   */
  hold(target: RouteTarget, { room }: HoldOptions = {}): Hold {
    const isTarget = routeMatcher(target);
    const gate = held(() => {});
    const { rooms } = this.#defaults;
    this.#holds.push({ matches: (request) => isTarget(request) && (!room || isAbout(request, room, rooms)), gate });
    return { requested: gate.requested, release: gate.release };
  }

  /** Forgets the recorded requests and every behaviour that was set, and releases what is held back. */
  reset(): void {
    this.#requests.length = 0;
    this.#recordedText = 0;
    this.#scripts.length = 0;
    for (const { gate } of this.#holds.splice(0)) gate.release();
  }

  /** Accepts connections again after `stop()`, at the same port. */
  async start(): Promise<void> {
    if (this.listening) return;
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Goes away as a crashed server does: connections break off, new ones are refused. */
  async stop(): Promise<void> {
    if (!this.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets.values()) socket.destroy();
    await closed;
  }

  #track(socket: Socket): void {
    const { remotePort } = socket;
    if (remotePort === undefined) return;
    this.#sockets.set(remotePort, socket);
    socket.once("close", () => this.#sockets.delete(remotePort));
  }

  async #exchange(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const over = new AbortController();
    response.once("close", () => over.abort());
    // A client that goes away is no failure of ours.
    response.on("error", () => over.abort());
    // Only the TCP socket beneath the TLS one can be reset.
    const tcpSocket = this.#sockets.get(incoming.socket.remotePort ?? 0);
    const reset = (): void => void tcpSocket?.resetAndDestroy();
    try {
      const request = await this.#record(incoming);
      if (!request) return sendError(response, 413, "M_TOO_LARGE", "The request body is too large.");
      const exchange: Exchange = { request, server: this, response, signal: over.signal, reset };
      for (const { gate } of this.#holds.filter(({ matches }) => matches(request))) await gate(exchange);
      if (!over.signal.aborted) await this.#behaviour(request)(exchange);
    } catch (error) {
      if (over.signal.aborted || !incoming.complete) return;
      if (response.headersSent) return reset();
      sendError(response, 500, "M_UNKNOWN", `The behaviour threw: ${cleanText(String(error))}`);
    }
  }

  async #record(incoming: IncomingMessage): Promise<RecordedRequest | undefined> {
    const received = await receiveRequest(incoming);
    if (!received) return undefined;
    const request: RecordedRequest = {
      ...received,
      endpoint: endpointName(received.method, received.uri),
      signedBy: verifiedOrigin(received, this.name, this.#trustedKeys),
    };
    this.#requests.push(request);
    this.#recordedText += request.body.length;
    while (this.#requests.length > maxRecordedRequests || this.#recordedText > maxRecordedText) {
      this.#recordedText -= this.#requests.shift()?.body.length ?? 0;
    }
    return request;
  }

  #behaviour(request: RecordedRequest): Behaviour {
    const matching = this.#scripts.filter(({ matches }) => matches(request));
    const script = matching.find(({ any }) => !any) ?? matching[0];
    return script?.behaviour ?? defaultBehaviour(request.endpoint, this.#defaults);
  }
}

function sendError(response: ServerResponse, status: number, errcode: string, error: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ errcode, error }));
}
