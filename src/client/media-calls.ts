import { Cancellation, MAX_TIMER_MS, onSignalAbort } from "../cancellation.js";
import type { Endpoint } from "../endpoint.js";
import {
  type MediaDownloadInput,
  type MediaThumbnailInput,
  mediaDownload,
  mediaThumbnail,
} from "../endpoints/media.js";
import { isFederationError, TransportError } from "../errors.js";
import { type FileLimits, type FileOrigin, originDetails } from "../media/file-body.js";
import { fetchLocation } from "../media/location.js";
import { claimMedia, type Media, Redirection } from "../media/media.js";
import { type CallOptions, type ClientOptions, DEFAULT_TIMEOUT_FACTOR } from "../options.js";
import { lookupAddresses } from "../resolve/addresses.js";
import { createSystemDns } from "../resolve/dns.js";
import type { AnyEndpoint, SafeAnswer } from "./calls.js";
import { type RedirectedRequest, withRedirectFailure } from "./media-attempt.js";
import { checkedInput, fileLimits } from "./media-input.js";
import { type Job, type Runner, safely } from "./runner.js";

/** What calls for a file take. `timeout` is about the time until the file begins; from then on it is `idleTimeout`. */
export interface MediaOptions extends CallOptions {
  /** How many bytes the file may have; 104,857,600 (100 MiB) when absent. */
  readonly maxBytes?: number | undefined;
  /**
   * How long nothing may come of the file, or nothing may be read of it, in milliseconds; 60,000 when absent. Then its
   * stream fails, and its connection is free. So a file that nobody reads does no harm.
   */
  readonly idleTimeout?: number | undefined;
  /**
   * How many bytes a second have to come of the file, on average over `idleTimeout`; 4,096 when absent, 0 for any number.
   * Only the time counts in which the server is waited for, so that who reads slowly may do so. Otherwise a server could
   * hold a connection for ever with a byte now and then. The whole file has no time of its own: for that, give a `signal`.
   */
  readonly minBytesPerSecond?: number | undefined;
}

/** The calls that fetch a file from one named server: the one in the `mxc://` URI. */
export interface MediaCalls {
  /**
   * `GET /_matrix/federation/v1/media/download/{mediaId}`: a file of the server's content repository, as a stream. Where
   * the server redirects to another host, that is asked without a signature, by https and under the same address policy.
   * 60 seconds for each try, and longer where `timeoutMs` is.
   * Its errors are those of any call to one server, and those of the host that it redirects to, whose message then has a
   * line `Host:`. With `client.safe`, `attempts` ends with an attempt of that host when it failed, or when the server
   * named a place that may not be asked, with the server's own attempt as `invalid`.
   * @throws {@link OptionError} before anything is sent: `ERR_INPUT` for a wrong field of the input, `ERR_OPTION` for a
   * wrong option, `ERR_CLOSED` when the client is closed, then or later.
   * @throws {@link NameError} `ERR_SERVER_NAME` when `server` is no server name.
   * @throws {@link SignError} `ERR_NO_SIGNING_KEY` when the client has none.
   * @throws {@link ResolveError} `ERR_RESOLVE` when the server's name leads nowhere.
   * @throws {@link TransportError} of the server or of the host: `ERR_CONNECT` when there is no connection to it or no
   * address of the host, `ERR_ADDRESS_REFUSED` when the address policy allows none of its addresses, `ERR_PROXY`,
   * `ERR_TLS`, `ERR_CONNECTION_LOST` when the connection breaks before the file begins, `ERR_TIMEOUT` when the time is
   * over before that.
   * @throws {@link ResponseError} `ERR_RESPONSE_INVALID` when the answer is not in the right form, or says that the file
   * is where it may not be fetched from; `ERR_NOT_MATRIX` when the server answers with an error that no homeserver wrote,
   * or the host with another status than 200 and a redirect; `ERR_RESPONSE_TOO_LARGE` when the host says that the file is
   * larger than `maxBytes` (otherwise the stream says so).
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such file, `M_NOT_YET_UPLOADED` (504) when it is still to
   * come, `M_TOO_LARGE` (502) when the server does not serve files so large, `M_LIMIT_EXCEEDED` when it was asked too
   * often, `M_UNRECOGNIZED` when it is older than this endpoint (version 1.11 of the specification): its media can then
   * not be had. `ERR_PARTIAL_STATE` when it gives an error that makes no sense here.
   * @throws {@link FailoverError} `ERR_IN_BACKOFF` when the server is left alone for now, `ERR_NO_RESIDENTS` when it is
   * our own.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1mediadownloadmediaid
   */
  download(server: string, input: MediaDownloadInput, options?: MediaOptions): Promise<Media>;
  /**
   * `GET /_matrix/federation/v1/media/thumbnail/{mediaId}`: a smaller picture of a file, as a stream. Sizes are in pixels
   * and are wishes. 60 seconds for each try, and longer where `timeoutMs` is.
   * @throws as {@link MediaCalls.download}, and {@link MatrixError} `M_UNKNOWN` (400) when the server cannot make such a
   * thumbnail, `M_TOO_LARGE` (413) when the file is too large for that.
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
    signal: AbortSignal | undefined,
    asking: (host: string) => void,
  ): Promise<Media> {
    let host: string | undefined;
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
      const noteHost = (next: string): void => {
        host = next;
        asking(next);
      };
      const means = { pools, lookup, userAgent, asking: noteHost };
      return await fetchLocation(found, limits, from, means, cancellation);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (closing.aborted) throw closing.reason;
      if (!tooLate.aborted) throw error;
      const message = "The host that the server says has the file did not answer in time.";
      const requestSent = error instanceof TransportError && error.requestSent;
      throw new TransportError("ERR_TIMEOUT", message, {
        ...originDetails({ ...from, host }),
        requestSent,
        cause: error,
      });
    } finally {
      for (const stop of stopListening) stop?.();
    }
  }

  async function run<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>> {
    const limits = fileLimits(job.options, job.endpoint);
    const input = checkedInput(job.endpoint, job.input);
    const endpoint = ofOneCall(job.endpoint, input);
    const { signal, timeout = endpoint.timeoutMs * DEFAULT_TIMEOUT_FACTOR } = job.options;
    const startedAt = performance.now();
    const elapsedMs = (): number => performance.now() - startedAt;
    const answer = await runner.run({ ...job, endpoint, input });
    if (!answer.ok) return answer;
    const found = answer.value as Media | Redirection;
    const from = { server: answer.via, endpoint: endpoint.name };
    let asked: Omit<RedirectedRequest, "ms"> | undefined;
    const asking = (host: string): void => {
      asked = { host, startMs: elapsedMs() };
    };
    try {
      const media =
        found instanceof Redirection
          ? await fetchThere(found, limits, from, timeout - elapsedMs(), signal, asking)
          : found;
      claimMedia(media, limits);
      for (const each of [signal, closing]) if (each) endWith(each, media);
      return { ...answer, value: media as Output };
    } catch (error) {
      if (!isFederationError(error) || signal?.reason === error) throw error;
      const request = asked && { ...asked, ms: elapsedMs() - asked.startMs };
      return { ok: false, error, attempts: withRedirectFailure(answer.attempts, request, error) };
    }
  }

  return { run, runSafely: safely(run) };
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
