import { Cancellation, onSignalAbort } from "../cancellation.js";
import type { Endpoint } from "../endpoint.js";
import {
  type MediaDownloadInput,
  type MediaThumbnailInput,
  mediaDownload,
  mediaThumbnail,
} from "../endpoints/media.js";
import { isFederationError, OptionError, quoted, TransportError } from "../errors.js";
import type { FileLimits, FileOrigin } from "../media/file-body.js";
import { fetchLocation } from "../media/location.js";
import { limitMedia, type Media, Redirection } from "../media/media.js";
import { IDLE_MS } from "../media/read-media.js";
import { type CallOptions, type ClientOptions, DEFAULT_TIMEOUT_FACTOR } from "../options.js";
import { lookupAddresses } from "../resolve/addresses.js";
import { createSystemDns } from "../resolve/dns.js";
import type { AnyEndpoint, SafeAnswer } from "./calls.js";
import type { Job, Runner } from "./runner.js";

/** What calls for a file take. `timeout` is about the time until the file begins; from then on it is `idleTimeout`. */
export interface MediaOptions extends CallOptions {
  /** How many bytes the file may have; 104,857,600 (100 MiB) when absent. */
  readonly maxBytes?: number | undefined;
  /**
   * How long nothing may come of the file, or nothing may be read of it, in milliseconds; 60,000 when absent. Then its
   * stream fails, and its connection is free. So a file that nobody reads does no harm.
   */
  readonly idleTimeout?: number | undefined;
}

/** The calls that fetch a file from one named server: the one in the `mxc://` URI. */
export interface MediaCalls {
  /**
   * `GET /_matrix/federation/v1/media/download/{mediaId}`: a file of the server's content repository, as a stream. Where
   * the server redirects to another host, that is asked without a signature, by https and under the same address policy.
   * 60 seconds for each try, and longer where `timeoutMs` is.
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such file, `M_NOT_YET_UPLOADED` (504) when it is still to
   * come, `M_TOO_LARGE` (502) when the server does not serve files so large, `M_LIMIT_EXCEEDED` when it was asked too
   * often, `M_UNRECOGNIZED` when it is older than this endpoint (version 1.11 of the specification): its media can then
   * not be had.
   * @throws {@link ResponseError} `ERR_RESPONSE_INVALID` when the answer is not in the right form, or says that the file
   * is where it may not be fetched from; `ERR_RESPONSE_TOO_LARGE` when the file is larger than it may be.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1mediadownloadmediaid
   */
  download(server: string, input: MediaDownloadInput, options?: MediaOptions): Promise<Media>;
  /**
   * `GET /_matrix/federation/v1/media/thumbnail/{mediaId}`: a smaller picture of a file, as a stream. Sizes are in pixels
   * and are wishes. 60 seconds for each try, and longer where `timeoutMs` is.
   * @throws {@link MatrixError} as {@link MediaCalls.download}, and `M_UNKNOWN` (400) when the server cannot make such a
   * thumbnail, `M_TOO_LARGE` (413) when the file is too large for that.
   * @throws {@link ResponseError} as {@link MediaCalls.download}.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1mediathumbnailmediaid
   */
  thumbnail(server: string, input: MediaThumbnailInput, options?: MediaOptions): Promise<Media>;
}

/** The calls that fetch files, where a client has them. */
export interface FileCalls {
  /** Files of servers' content repositories. */
  readonly media: MediaCalls;
}

/** The endpoint behind each call. */
export const mediaEndpoints: Readonly<Record<keyof MediaCalls, AnyEndpoint<"server">>> = {
  download: mediaDownload,
  thumbnail: mediaThumbnail,
};

/** What an attempt has beyond the time that the server was asked to wait for an upload. */
const BEYOND_WAIT_MS = 20_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Makes the calls of endpoints that answer with a file: each has a stream of its own, redirects are followed, and the
 * caller's signal and the client's end reach the stream.
 */
export function createFileRunner(runner: Runner, options: ClientOptions): Pick<Runner, "run" | "runSafely"> {
  const { pools, userAgent, closing } = runner;

  async function fetchThere(
    found: Redirection,
    limits: FileLimits,
    from: FileOrigin,
    msLeft: number,
    signal?: AbortSignal,
  ): Promise<Media> {
    const cancellation = new Cancellation();
    const stopListening = [signal, closing].map(
      (each) => each && onSignalAbort(each, () => cancellation.abort(each.reason)),
    );
    const tooLate = AbortSignal.timeout(Math.ceil(Math.min(Math.max(1, msLeft), MAX_TIMER_MS)));
    stopListening.push(onSignalAbort(tooLate, () => cancellation.abort(tooLate.reason)));
    if (signal?.aborted) cancellation.abort(signal.reason);
    try {
      const dns = options.dns ?? createSystemDns();
      const lookup = (hostname: string) => lookupAddresses(dns, hostname, cancellation.signal);
      return await fetchLocation(found, limits, from, { pools, lookup, userAgent }, cancellation);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (closing.aborted) throw closing.reason;
      if (!tooLate.aborted) throw error;
      const message = "The host that the server says has the file did not answer in time.";
      throw new TransportError("ERR_TIMEOUT", message, { ...from, requestSent: true, cause: error });
    } finally {
      for (const stop of stopListening) stop?.();
    }
  }

  async function run<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>> {
    const limits = limitsOf(job.options, job.endpoint);
    const endpoint = ofOneCall(job.endpoint, job.input);
    const { signal, timeout = endpoint.timeoutMs * DEFAULT_TIMEOUT_FACTOR } = job.options;
    const startedAt = performance.now();
    const answer = await runner.run({ ...job, endpoint });
    if (!answer.ok) return answer;
    const found = answer.value as Media | Redirection;
    const from = { server: answer.via, endpoint: endpoint.name };
    try {
      const msLeft = timeout - (performance.now() - startedAt);
      const media = found instanceof Redirection ? await fetchThere(found, limits, from, msLeft, signal) : found;
      limitMedia(media, limits);
      for (const each of [signal, closing]) if (each) endWith(each, media);
      return { ...answer, value: media as Output };
    } catch (error) {
      if (!isFederationError(error) || signal?.reason === error) throw error;
      return { ok: false, error, attempts: answer.attempts };
    }
  }

  async function runSafely<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>> {
    try {
      return await run(job);
    } catch (error) {
      if (!isFederationError(error) || job.options?.signal?.reason === error) throw error;
      return { ok: false, error, attempts: [] };
    }
  }

  return { run, runSafely };
}

/** Two who ask for the same at the same time share an answer; nobody can share a stream, so each has an endpoint alone. */
function ofOneCall<Input extends object, Output>(
  endpoint: Endpoint<Input, Output>,
  input: Input,
): Endpoint<Input, Output> {
  const waitMs: unknown = (input as { timeoutMs?: unknown } | null)?.timeoutMs;
  const wantedMs = typeof waitMs === "number" && waitMs > 0 ? Math.ceil(waitMs) + BEYOND_WAIT_MS : 0;
  return { ...endpoint, timeoutMs: Math.min(MAX_TIMER_MS, Math.max(endpoint.timeoutMs, wantedMs)) };
}

/** Aborts the stream with the signal, also when that was aborted already. */
function endWith(signal: AbortSignal, { body }: Media): void {
  const end = (): void => void body.destroy(signal.reason);
  if (signal.aborted) end();
  else if (!body.closed) body.once("close", onSignalAbort(signal, end));
}

function limitsOf(options: MediaOptions, endpoint: Endpoint<never, unknown>): FileLimits {
  const { maxBytes = endpoint.maxResponseBytes, idleTimeout = IDLE_MS } = options ?? {};
  if (!(Number.isSafeInteger(maxBytes) && maxBytes > 0)) {
    throw new OptionError(
      "ERR_OPTION",
      `The option \`maxBytes\` is ${quoted(maxBytes)}; it must be a number of bytes.`,
    );
  }
  if (!(typeof idleTimeout === "number" && idleTimeout > 0 && idleTimeout <= MAX_TIMER_MS)) {
    const right = "it must be milliseconds, such as 60_000";
    throw new OptionError("ERR_OPTION", `The option \`idleTimeout\` is ${quoted(idleTimeout)}; ${right}.`);
  }
  return { maxBytes, idleMs: idleTimeout };
}
