import { isIP } from "node:net";
import { Client, request } from "undici";
import { BudgetSpent, withinBudget } from "../connect/budget.js";
import type { Connector } from "../connect/connector.js";
import { NameError, quoted } from "../errors.js";
import { parseServerName, type ServerName } from "../name/server-name.js";
import type { AddressAnswer } from "./addresses.js";
import { cacheLifetimeMs, type ResponseHeaders } from "./cache-lifetime.js";
import { failureText } from "./failure-text.js";

/** What a request for `/.well-known/matrix/server` came to. */
export type WellKnownAnswer =
  | {
      /** The host delegates. */
      readonly kind: "valid";
      /** To which server. */
      readonly server: ServerName;
      /** How long the answer may be used, in milliseconds. */
      readonly lifetimeMs: number;
    }
  | {
      /** `absent`: the host says that it has no such file. `failed`: no valid answer came. */
      readonly kind: "absent" | "failed";
      /** Why, for people to read. */
      readonly reason: string;
      /** Whether DNS did not say where the host is. That says nothing of the host, and may end at any moment. */
      readonly isDnsFailure?: boolean;
    };

/** What a `.well-known` request needs. */
export interface WellKnownFetchOptions {
  /** Finds the addresses of a host. `isNamed`: it is no host that a redirect leads to. */
  readonly lookup: (hostname: string, isNamed: boolean) => Promise<AddressAnswer>;
  /** Makes the connections. */
  readonly connector: Connector;
  /** How long everything may take together, redirects and body included, in milliseconds. */
  readonly timeoutMs: number;
  /** The `User-Agent` header. */
  readonly userAgent: string;
}

/** How long a host may take, redirects and body included, when nobody says, in milliseconds. */
export const WELL_KNOWN_TIMEOUT_MS = 8_000;
const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Synapse's limit: a valid answer has some fifty bytes. */
const MAX_BODY_BYTES = 50 * 1024;

/** How long a host may take to connect, in milliseconds: where nobody listens, the next steps are waiting. */
const CONNECT_TIMEOUT_MS = 4_000;

/** One response: enough of it to decide. `body` is undefined where it was too large. */
interface Response {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: string | undefined;
}

const failed = (reason: string): WellKnownAnswer => ({ kind: "failed", reason });

async function readBody(body: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** One GET on a connection of its own, which ends with it: it must never be shared with federation requests. */
async function get(
  url: URL,
  isFirst: boolean,
  options: WellKnownFetchOptions,
  signal: AbortSignal,
): Promise<Response | string> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const family = isIP(hostname);
  const found: Pick<AddressAnswer & { kind: "found" }, "kind" | "addresses"> | AddressAnswer =
    family === 4 || family === 6
      ? { kind: "found", addresses: [{ address: hostname, family }] }
      : await options.lookup(hostname, isFirst);
  if (found.kind !== "found") return `${quoted(hostname)} has no address (${found.reason})`;
  const port = Number(url.port || 443);
  const target = { hostname, port, priority: 0, weight: 0, addresses: found.addresses };
  const destination = { tlsName: hostname.replace(/\.$/, ""), targets: [target] };
  const connect = options.connector.forUndici(destination, signal, CONNECT_TIMEOUT_MS);
  const client = new Client(url.origin, { connect });
  try {
    const response = await request(url, {
      dispatcher: client,
      signal,
      reset: true,
      headers: { accept: "application/json", "user-agent": options.userAgent },
    });
    const { statusCode: status, headers, body } = response;
    // Only a 200 is read. Destroying an unread body emits an error that nobody needs.
    body.on("error", () => {});
    return { status, headers, body: status === 200 ? await readBody(body) : "" };
  } finally {
    await client.destroy();
  }
}

/** Judges a final response. The content type is ignored, because static hosting often gets it wrong. */
function judged({ status, headers, body }: Response): WellKnownAnswer {
  if (status === 404 || status === 410) return { kind: "absent", reason: `answered ${status}` };
  if (status !== 200) return failed(`answered ${status}`);
  if (body === undefined) return failed(`the body is larger than ${MAX_BODY_BYTES} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return failed("the body is not JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return failed("the body is no JSON object");
  const server: unknown = Object.hasOwn(json, "m.server") ? (json as Record<string, unknown>)["m.server"] : undefined;
  if (typeof server !== "string") return failed("m.server is missing or no string");
  try {
    return { kind: "valid", server: parseServerName(server), lifetimeMs: cacheLifetimeMs(headers) };
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    return failed(`m.server is no server name: ${quoted(server)}`);
  }
}

async function follow(start: URL, options: WellKnownFetchOptions, signal: AbortSignal): Promise<WellKnownAnswer> {
  const seen = new Set<string>();
  for (let url = start; ; ) {
    if (seen.has(url.href)) return failed(`redirects in a circle at ${quoted(url.href)}`);
    if (seen.size > MAX_REDIRECTS) return failed(`more than ${MAX_REDIRECTS} redirects`);
    seen.add(url.href);
    const response = await get(url, url === start, options, signal);
    if (typeof response === "string") return failed(response);
    if (!REDIRECTS.has(response.status)) return judged(response);
    const location = response.headers.location;
    if (typeof location !== "string" || !URL.canParse(location, url.href)) return failed("redirects to no URL");
    url = new URL(location, url);
    url.hash = "";
    if (url.protocol !== "https:") return failed(`redirects to something that is not https: ${quoted(url.href)}`);
  }
}

/**
 * Asks a host whether it delegates to another one. Whatever the host does is an answer, never an error.
 * Specification: Server-Server API, "Resolving server names", step 3.
 *
 * @param signal - Ends the request, which then rejects with the signal's reason.
 */
export async function fetchWellKnown(
  hostname: string,
  options: WellKnownFetchOptions,
  signal: AbortSignal,
): Promise<WellKnownAnswer> {
  // Also when the time is over meanwhile, for it may be shorter than DNS takes to fail.
  let isDnsFailure = false;
  const lookup = async (name: string, isNamed: boolean): Promise<AddressAnswer> => {
    isDnsFailure = true;
    const answer = await options.lookup(name, isNamed);
    isDnsFailure = answer.kind === "failed";
    return answer;
  };
  try {
    // Inside, for a server name may be no host of a URL: a broken "xn--" label is one.
    const url = new URL(`https://${hostname}/.well-known/matrix/server`);
    const asked = (inner: AbortSignal): Promise<WellKnownAnswer> => follow(url, { ...options, lookup }, inner);
    const answer = await withinBudget(options.timeoutMs, signal, asked);
    return answer.kind === "failed" ? { ...answer, isDnsFailure } : answer;
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof BudgetSpent ? error.message : failureText(error);
    return { kind: "failed", reason, isDnsFailure };
  }
}
