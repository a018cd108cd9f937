import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { isIP } from "node:net";
import { gunzipSync } from "node:zlib";

import type { TestFederation } from "../../src/testing.js";

/** What a test asks of a server of the federation. */
export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
  readonly port?: number;
  readonly signal?: AbortSignal;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: Buffer;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect in it
  readonly json: () => any;
}

/** One request over a new connection, resolved as the federation's client options say. */
export async function ask(federation: TestFederation, name: string, options: Ask = {}): Promise<Answer> {
  const response = await askForHead(federation, name, options);
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk as Uint8Array);
  const sent = Buffer.concat(chunks);
  const bytes = response.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
  const text = bytes.toString("utf8");
  return { status: response.statusCode ?? 0, headers: response.headers, bytes, text, json: () => JSON.parse(text) };
}

/** As `ask`, but answers when the headers are there. */
export function askForHead(
  federation: TestFederation,
  name: string,
  { method = "GET", path = "/_matrix/federation/v1/version", headers = {}, body, port = 8448, signal }: Ask = {},
): Promise<IncomingMessage> {
  const target = federation.clientOptions.connectTo({ hostname: name, address: "127.0.0.1", port });
  if (!target) throw new Error(`${name} is outside the federation`);
  const { promise, resolve, reject } = settled<IncomingMessage>();
  const outgoing = request(
    {
      host: target.address,
      port: target.port,
      // There is no SNI for IP addresses, and without it Node compares the certificate with the loopback address.
      ...(isIP(name)
        ? { servername: "", checkServerIdentity: (_, { subjectaltname }) => ipIdentity(name, subjectaltname) }
        : { servername: name }),
      ca: federation.clientOptions.ca,
      agent: false,
      method,
      path,
      headers: { host: name, ...headers },
      ...(signal ? { signal } : {}),
    },
    resolve,
  );
  outgoing.on("error", reject);
  outgoing.end(body);
  return promise;
}

function ipIdentity(ip: string, alternativeNames: string | undefined): Error | undefined {
  return alternativeNames === `IP Address:${ip}` ? undefined : new Error(`The certificate is for ${alternativeNames}`);
}

function settled<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve = (_: T): void => {};
  let reject = (_: Error): void => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
