/** A TLS server that keeps the bytes of each request, whatever an HTTP parser would make of them. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";

import type { ReceivedRequest } from "../../src/testing/recorded-request.js";

/** What such a server is made of, and what came in. */
export interface RawServer {
  readonly port: number;
  /** The requests, oldest first. */
  readonly requests: readonly RawRequest[];
  readonly close: () => void;
}

/** One request, as bytes. */
export interface RawRequest {
  /** The first line, without its end: one character for each byte. */
  readonly line: string;
  /** The request, taken apart by nobody but this file. */
  readonly received: ReceivedRequest;
}

const EMPTY = '{"of":"nothing"}';
const ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${EMPTY.length}\r\n\r\n${EMPTY}`;

/** Starts a server on 127.0.0.1 that answers everything with a JSON object. */
export async function startRawServer(certificate: { cert: string; key: string }): Promise<RawServer> {
  const requests: RawRequest[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer({ ...certificate, ALPNProtocols: ["http/1.1"] }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    let bytes = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let end = endOf(bytes); end !== undefined && end <= bytes.length; end = endOf(bytes)) {
        requests.push(readRequest(bytes.subarray(0, end)));
        bytes = bytes.subarray(end);
        socket.write(ANSWER);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, requests, close };
}

/** Where the first request ends; undefined while its head has not come in. */
function endOf(bytes: Buffer): number | undefined {
  const head = bytes.indexOf("\r\n\r\n");
  if (head === -1) return undefined;
  const [, length = "0"] = /\r\ncontent-length: *(\d+)/i.exec(bytes.toString("latin1", 0, head)) ?? [];
  return head + 4 + Number(length);
}

function readRequest(bytes: Buffer): RawRequest {
  const split = bytes.indexOf("\r\n\r\n");
  const [line = "", ...fields] = bytes.toString("latin1", 0, split).split("\r\n");
  const headers = fields.map((field) => [/^[^:]*/.exec(field)?.[0].toLowerCase(), field.replace(/^[^:]*: */, "")]);
  const body = bytes.toString("utf8", split + 4);
  const [method = "", uri = ""] = line.split(" ");
  const received = {
    method,
    uri,
    headers: Object.fromEntries(headers),
    authorization: headers.filter(([name]) => name === "authorization").map(([, value]) => value ?? ""),
    body,
    json: body === "" ? undefined : JSON.parse(body),
    at: Date.now(),
  };
  return { line, received };
}
