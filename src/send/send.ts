import ky from "ky";
import { type Dispatcher, errors } from "undici";
import type { Cancellation } from "../cancellation.js";
import { ConnectFailure, type ConnectStage } from "../connect/connect-failure.js";
import { ProxyError } from "../connect/proxy.js";
import { hostPort } from "../connect/target.js";
import { cleanText, OptionError, TransportError } from "../errors.js";
import type { ResolvedServer } from "../resolve/resolved-server.js";
import { Collector, type RawResponse, SendFailure } from "./collect.js";
import type { Pools, SendOptions } from "./pools.js";

/** A request as exact bytes. */
export interface WireRequest {
  /** The HTTP method. */
  readonly method: "GET" | "PUT" | "POST";
  /** Path and query, byte for byte as they were signed. */
  readonly uri: string;
  /** `Authorization` headers, one for each signing key. */
  readonly authorization: readonly string[];
  /** The body: the canonical JSON that was signed. */
  readonly content: string | undefined;
  /** The `User-Agent`. */
  readonly userAgent: string;
  /** How many bytes a successful response may have after decompression. */
  readonly maxResponseBytes: number;
}

/**
 * Sends a request to a resolved server and reads the response. Redirects are not followed. Where a connection that was
 * idle breaks before a byte of the answer, the request is made once more on a new one.
 *
 * @throws {@link TransportError} when there is no whole response; `ERR_TIMEOUT` when it was cancelled.
 */
export async function send(
  pools: Pools,
  target: ResolvedServer,
  request: WireRequest,
  cancellation: Cancellation,
): Promise<RawResponse> {
  let collector: Collector | undefined;
  const stopListening = cancellation.onAbort(() => collector?.abort(cancellation.reason as Error));
  const exchangeOn = (dispatcher: Dispatcher): Promise<RawResponse> =>
    new Promise((resolve, reject) => {
      if (cancellation.aborted) throw new SendFailure(cancellation.reason, false);
      collector = new Collector(resolve, reject, request.maxResponseBytes);
      const { method, uri, content = null } = request;
      const headers = headersOf(target, request);
      const options: SendOptions = { method, path: uri, headers, body: content, collector };
      dispatcher.dispatch(options, collector);
    });
  const exchange = (): Promise<RawResponse> =>
    withSecondTry(exchangeOn(pools.of(target)), () => pools.withNewConnection(target, exchangeOn));
  try {
    // ky's Request objects cost a small read as much as all the rest of it, so a request without a body does without.
    return request.content === undefined ? await exchange() : await throughKy(target, request, exchange);
  } catch (error) {
    throw transportError(error, cancellation, target);
  } finally {
    stopListening();
  }
}

/**
 * A try on a pooled connection, and another one where that was idle and broke: servers close idle connections, and cannot
 * know that a request is on its way to them. Every endpoint may be asked again at the same server.
 */
export function withSecondTry<Response>(first: Promise<Response>, again: () => Promise<Response>): Promise<Response> {
  return first.catch((error: unknown) => {
    if (!(error instanceof SendFailure && error.wasIdle)) throw error;
    return again().catch((error: unknown) => {
      // Whatever became of the second try: the first one may have reached the server.
      throw error instanceof SendFailure ? new SendFailure(error.cause, true) : error;
    });
  });
}

/** ky without its own retries, errors and clock. What goes out are the signed bytes, not what its Request made of them. */
async function throughKy(
  target: ResolvedServer,
  { method, uri }: WireRequest,
  exchange: () => Promise<RawResponse>,
): Promise<RawResponse> {
  const fetch = exchange as unknown as () => Promise<Response>;
  const url = `https://${target.host}${uri}`;
  return (await ky(url, { method, fetch, retry: 0, throwHttpErrors: false, timeout: false })) as unknown as RawResponse;
}

/** The headers of a request, `Host` exactly as the resolution says. */
export function headersOf(target: ResolvedServer, request: WireRequest): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    host: target.host,
    accept: "application/json",
    "accept-encoding": "gzip, br",
    "user-agent": request.userAgent,
  };
  const [first, ...others] = request.authorization;
  if (first !== undefined) headers.authorization = others.length === 0 ? first : [first, ...others];
  if (request.content !== undefined) headers["content-type"] = "application/json";
  return headers;
}

/** The parser's own error has bytes of the answer in it, and a server may repeat the request with its signature there. */
export function withoutBytes<Cause>(cause: Cause): Cause | Error {
  if (!(cause instanceof errors.HTTPParserError)) return cause;
  return Object.assign(new Error("The answer is no HTTP."), { code: cause.code });
}

const connectErrors = {
  policy: [
    "ERR_ADDRESS_REFUSED",
    "The server has no address that may be connected to. Where it is meant, allow it with the option allowAddress.",
  ],
  proxy: ["ERR_PROXY", "The proxy does not let the request through."],
  reach: ["ERR_CONNECT", "The server could not be connected to; client.diagnose(server) looks for the reason."],
  tls: [
    "ERR_TLS",
    "The server's TLS handshake failed, or its certificate was refused; client.diagnose(server) looks for the reason. Where the certificate is meant, trust it with the option ca or tlsExceptions.",
  ],
} as const satisfies Record<ConnectStage, readonly [string, string]>;

/** Where a server is, as a line of a message. */
function placesOf({ targets }: ResolvedServer): string {
  const places = targets.flatMap(({ addresses, port }) => addresses.map(({ address }) => hostPort(address, port)));
  return cleanText(places.join(", "), 300);
}

/**
 * The error that a caller may see, from what the connection or the request failed with.
 *
 * @param target - Where it should have led.
 */
export function transportError(error: unknown, cancellation: Cancellation, target?: ResolvedServer): unknown {
  if (!(error instanceof SendFailure)) return error;
  const { requestSent } = error;
  const cause = withoutBytes(error.cause);
  if (cancellation.aborted) {
    const lines = target && !requestSent ? [`Cause: no connection to ${placesOf(target)} was ready`] : [];
    return new TransportError("ERR_TIMEOUT", "The server did not answer in time.", { cause, requestSent, lines });
  }
  if (cause instanceof OptionError) return cause;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  const why = `${typeof code === "string" ? `${code}: ` : ""}${String(message)}`;
  const lines = [`Cause: ${cause instanceof ConnectFailure ? cause.message : cleanText(why)}`];
  const details = { cause, requestSent, lines };
  if (requestSent) {
    return new TransportError("ERR_CONNECTION_LOST", "The connection broke before the response was whole.", details);
  }
  const isProxy = cause instanceof ProxyError;
  const [errorCode, text] = connectErrors[cause instanceof ConnectFailure ? cause.stage : isProxy ? "proxy" : "reach"];
  return new TransportError(errorCode, text, details);
}
