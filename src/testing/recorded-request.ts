import type { IncomingMessage } from "node:http";

import type { JsonValue } from "../endpoint.js";

/** One request that a test server received, as it was on the wire. */
export interface RecordedRequest {
  /** The HTTP method. */
  readonly method: string;
  /** The request target exactly as received: path and query, nothing decoded. */
  readonly uri: string;
  /** The headers, names in lower case; repeated ones are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The `Authorization` headers, one string each: federation requests may carry several. */
  readonly authorization: readonly string[];
  /** The body as text; empty when there was none. */
  readonly body: string;
  /** The body's JSON; undefined when there was no body or it is no JSON. */
  readonly json: JsonValue | undefined;
  /** The endpoint's name; undefined when the table has no endpoint with this method and path. */
  readonly endpoint: string | undefined;
  /**
   * The server whose X-Matrix signature over exactly this request verified against a key that the federation trusted
   * when the request arrived; undefined when there is none.
   */
  readonly signedBy: string | undefined;
  /** When the request was read to its end: Unix time in milliseconds. */
  readonly at: number;
}

/** The part of a recorded request that comes straight from the wire. */
export type ReceivedRequest = Omit<RecordedRequest, "endpoint" | "signedBy">;

/** How many bytes of body a test server reads before it answers 413. */
export const maxBodyBytes: number = 10 * 1024 * 1024;

/** Reads a request to its end; undefined when its body is larger than a test server takes. */
export async function receiveRequest(incoming: IncomingMessage): Promise<ReceivedRequest | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // Read on: a client that is still sending would not see the answer.
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  }
  if (bytes > maxBodyBytes) return undefined;
  const body = Buffer.concat(chunks).toString("utf8");
  const headers: Record<string, string> = Object.create(null);
  const authorization: string[] = [];
  // From the raw list, because Node keeps only the first Authorization header in the parsed one.
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index]?.toLowerCase() ?? "";
    const value = incoming.rawHeaders[index + 1] ?? "";
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    if (name === "authorization") authorization.push(value);
  }
  return {
    method: incoming.method ?? "",
    uri: incoming.url ?? "",
    headers,
    authorization,
    body,
    json: parseJson(body),
    at: Date.now(),
  };
}

function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
