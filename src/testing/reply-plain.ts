import { gzipSync } from "node:zlib";

import type { JsonObject, JsonValue } from "../endpoint.js";
import type { Behaviour } from "./behaviour.js";

/** A whole response, byte for byte. */
export interface RawReply {
  /** The HTTP status; 200 when absent. */
  readonly status?: number | undefined;
  /** The headers. `Content-Length` is added when neither it nor `Transfer-Encoding` is there. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** The body; empty when absent. */
  readonly body?: string | Uint8Array | undefined;
}

/** Exactly this response. */
export function raw({ status = 200, headers = {}, body = "" }: RawReply): Behaviour {
  return ({ response }) => {
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(body);
  };
}

/** A JSON body, with status 200 unless another one is given. */
export function json(body: JsonValue, status: number = 200): Behaviour {
  return raw({ status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/** A JSON body with status 200, compressed with gzip whether or not the client asked for that. */
export function gzip(body: JsonValue): Behaviour {
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  return raw({ headers, body: gzipSync(JSON.stringify(body)) });
}

/** A redirection, 302 unless another status is given. */
export function redirect(location: string, status: number = 302): Behaviour {
  return raw({ status, headers: { location } });
}

/** An HTML page as a reverse proxy sends when the homeserver behind it is down: 502 unless another status is given. */
export function htmlError(status: number = 502): Behaviour {
  const body = `<html><head><title>${status}</title></head><body><h1>${status}</h1><hr>nginx</body></html>\n`;
  return raw({ status, headers: { "content-type": "text/html" }, body });
}

/** Status 200 and `application/json`, but bytes that are neither JSON nor UTF-8. */
export function garbage(): Behaviour {
  const body = Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x00, 0x3a, 0x80, 0x3c, 0x68, 0x74, 0x6d, 0x6c);
  return raw({ headers: { "content-type": "application/json" }, body });
}

/**
 * A Matrix error.
 *
 * @param extra - More fields of the body.
 */
export function matrixError(
  status: number,
  errcode: string,
  error: string = "The test federation was told to answer this.",
  extra: JsonObject = {},
): Behaviour {
  return json({ errcode, error, ...extra }, status);
}

/** What a partial-state error looks like. */
export interface PartialStateReply {
  /** The error code; the unstable one of MSC3895, which Synapse sends, when absent. */
  readonly errcode?: string | undefined;
  /** The HTTP status; 403, as Synapse, when absent. */
  readonly status?: number | undefined;
}

/**
 * The server is still joining the room (MSC3706) and says so with MSC3895's error code.
 * Spec: https://github.com/matrix-org/matrix-spec-proposals/pull/3895
 */
export function partialState({
  errcode = "ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE",
  status = 403,
}: PartialStateReply = {}): Behaviour {
  return matrixError(status, errcode, "Unable to authorise you right now; room is partial-stated here.");
}

/**
 * The server is still joining the room, and says so as Synapse does to joins, knocks and leaves: with a plain 404.
 *
 * @param action - What it cannot handle, such as `send_join`; `make_join` when absent.
 */
export function notFullyJoined(action: string = "make_join"): Behaviour {
  return matrixError(404, "M_NOT_FOUND", `Unable to handle /${action} right now; this server is not fully joined.`);
}

/** The server is still joining the room, and says so as Synapse does to backfill and get_missing_events: a plain 403. */
export function approximateMembership(): Behaviour {
  return matrixError(403, "M_FORBIDDEN", "Host not in room (partial-state approx).");
}

/** When a rate-limited client may come back. */
export interface RateLimitHints {
  /** `retry_after_ms` of the body, in milliseconds; left out when absent. */
  readonly retryAfterMs?: number | undefined;
  /** The `Retry-After` header, as it stands: seconds or an HTTP date; left out when absent. */
  readonly retryAfterHeader?: string | undefined;
}

/** 429 `M_LIMIT_EXCEEDED`, with or without a hint when to come back. */
export function rateLimited({ retryAfterMs, retryAfterHeader }: RateLimitHints = {}): Behaviour {
  const body = { errcode: "M_LIMIT_EXCEEDED", error: "Too Many Requests" };
  return raw({
    status: 429,
    headers: {
      "content-type": "application/json",
      ...(retryAfterHeader === undefined ? {} : { "retry-after": retryAfterHeader }),
    },
    body: JSON.stringify(retryAfterMs === undefined ? body : { ...body, retry_after_ms: retryAfterMs }),
  });
}
