import ky from "ky";
import { cleanText, TransportError } from "../errors.js";
import type { ResolvedServer } from "../resolve/resolved-server.js";
import { Collector, type RawResponse, SendFailure } from "./collect.js";
import type { Pools } from "./pools.js";

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
 * Sends a request to a resolved server and reads the response. Redirects are not followed.
 *
 * @throws {@link TransportError} when there is no whole response; `ERR_TIMEOUT` when the signal aborted.
 */
export async function send(
  pools: Pools,
  target: ResolvedServer,
  request: WireRequest,
  signal: AbortSignal,
): Promise<RawResponse> {
  let collector: Collector | undefined;
  const onAbort = (): void => collector?.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return (await ky(`https://${target.host}${request.uri}`, {
      method: request.method,
      retry: 0,
      throwHttpErrors: false,
      timeout: false,
      // The signed bytes go out as they are: what ky's Request made of the URL and the headers is not what was signed.
      fetch: () =>
        new Promise<RawResponse>((resolve, reject) => {
          if (signal.aborted) throw new SendFailure(signal.reason, false);
          collector = new Collector(resolve, reject, request.maxResponseBytes);
          pools.of(target).dispatch(
            {
              method: request.method,
              path: request.uri,
              headers: headersOf(target, request),
              body: request.content ?? null,
            },
            collector,
          );
        }) as unknown as Promise<Response>,
    })) as unknown as RawResponse;
  } catch (error) {
    throw transportError(error, signal);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function headersOf(target: ResolvedServer, request: WireRequest): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    host: target.host,
    accept: "application/json",
    "accept-encoding": "gzip, br",
    "user-agent": request.userAgent,
  };
  if (request.authorization.length > 0) headers.authorization = [...request.authorization];
  if (request.content !== undefined) headers["content-type"] = "application/json";
  return headers;
}

function transportError(error: unknown, signal: AbortSignal): unknown {
  if (!(error instanceof SendFailure)) return error;
  const { cause, requestSent } = error;
  if (signal.aborted)
    return new TransportError("ERR_TIMEOUT", "The server did not answer in time.", { cause, requestSent });
  const { code, message } = cause as { code?: unknown; message?: unknown };
  const why = `${typeof code === "string" ? `${code}: ` : ""}${String(message)}`;
  const details = { cause, requestSent, lines: [`Cause: ${cleanText(why)}`] };
  if (requestSent) {
    return new TransportError("ERR_CONNECTION_LOST", "The connection broke before the response was whole.", details);
  }
  return /^(ERR_TLS|ERR_SSL|CERT|UNABLE|DEPTH_ZERO|SELF_SIGNED|HOSTNAME|EPROTO)/.test(String(code))
    ? new TransportError("ERR_TLS", "The server's certificate or its TLS was refused.", details)
    : new TransportError("ERR_CONNECT", "The server could not be connected to.", details);
}
