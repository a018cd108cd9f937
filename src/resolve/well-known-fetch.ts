import { isIP } from "node:net";
import { buildConnector, Client, request } from "undici";
import { NameError, quoted } from "../errors.js";
import { parseServerName, type ServerName } from "../name/server-name.js";
import type { AddressAnswer } from "./addresses.js";
import { BudgetSpent, withinBudget } from "./budget.js";
import { cacheLifetimeMs, type ResponseHeaders } from "./cache-lifetime.js";
import { failureText } from "./failure-text.js";
import type { ConnectTo } from "./resolved-server.js";
import { checkServerIdentity } from "./server-identity.js";

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
    };

/** What a `.well-known` request needs. */
export interface WellKnownFetchOptions {
  /** Finds the addresses of a host. */
  readonly lookup: (hostname: string) => Promise<AddressAnswer>;
  /** Root certificates (PEM) instead of Node's own. */
  readonly ca: string | string[] | undefined;
  /** Where connections really go. */
  readonly connectTo: ConnectTo | undefined;
  /** How long everything may take together, redirects and body included, in milliseconds. */
  readonly timeoutMs: number;
  /** The `User-Agent` header. */
  readonly userAgent: string;
}

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Synapse's limit: a valid answer has some fifty bytes. */
const MAX_BODY_BYTES = 50 * 1024;
/** How long one address may take to connect, in milliseconds, so that a dead one leaves time for the next. */
const CONNECT_TIMEOUT_MS = 3_000;

/** One response: enough of it to decide. `body` is undefined where it was too large. */
interface Response {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: string | undefined;
}

const failed = (reason: string): WellKnownAnswer => ({ kind: "failed", reason });

/** Connects to the addresses one after the other; the certificate must be valid for the host, wherever it goes. */
function connectorFor(
  hostname: string,
  targets: readonly { address: string; port: number }[],
  ca: string | string[] | undefined,
  signal: AbortSignal,
): buildConnector.connector {
  const tlsName = hostname.replace(/\.$/, "");
  const connect = buildConnector({
    allowH2: false,
    timeout: CONNECT_TIMEOUT_MS,
    maxCachedSessions: 0,
    ...(ca === undefined ? {} : { ca }),
    checkServerIdentity: (_dialled, certificate) => checkServerIdentity(tlsName, certificate),
  });
  return (options, callback) => {
    const errors: Error[] = [];
    const tryAt = (index: number): void => {
      const target = targets[index];
      if (target === undefined || signal.aborted) {
        callback(new AggregateError(errors), null);
        return;
      }
      const { address, port } = target;
      const servername = isIP(tlsName) === 0 ? tlsName : "";
      connect({ ...options, hostname: address, port: String(port), servername }, (...[error, socket]) => {
        if (error === null) {
          callback(null, socket);
        } else {
          errors.push(error);
          tryAt(index + 1);
        }
      });
    };
    tryAt(0);
  };
}

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
async function get(url: URL, options: WellKnownFetchOptions, signal: AbortSignal): Promise<Response | string> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const family = isIP(hostname);
  const found: AddressAnswer | { kind: "found"; addresses: readonly { address: string }[] } =
    family === 0 ? await options.lookup(hostname) : { kind: "found", addresses: [{ address: hostname }] };
  if (found.kind !== "found") return `${quoted(hostname)} has no address (${found.reason})`;
  const port = Number(url.port || 443);
  const targets = found.addresses.map(({ address }) => {
    return options.connectTo?.({ hostname, address, port }) ?? { address, port };
  });

  const client = new Client(url.origin, { connect: connectorFor(hostname, targets, options.ca, signal) });
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
    const response = await get(url, options, signal);
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
  try {
    // Inside, for a server name may be no host of a URL: a broken "xn--" label is one.
    const url = new URL(`https://${hostname}/.well-known/matrix/server`);
    return await withinBudget(options.timeoutMs, signal, (inner) => follow(url, options, inner));
  } catch (error) {
    signal.throwIfAborted();
    return failed(error instanceof BudgetSpent ? error.message : failureText(error));
  }
}
