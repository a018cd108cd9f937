import type { Cancellation } from "./cancellation.js";
import type { Endpoint } from "./endpoint.js";
import { ResolveError, SignError, TransportError } from "./errors.js";
import type { RoomVersion } from "./events/room-versions.js";
import type { Judgement } from "./failover/attempt.js";
import { outcomeError } from "./failover/outcome-error.js";
import { readMedia } from "./media/read-media.js";
import { publish } from "./observe.js";
import type { ResolvedServer } from "./resolve/resolved-server.js";
import type { OwnedResolver } from "./resolve/resolver.js";
import type { Pools } from "./send/pools.js";
import { send, type WireRequest } from "./send/send.js";
import { openStream, type StreamedResponse, type StreamKind } from "./send/stream.js";
import type { PreparedRequest } from "./sign/prepare-request.js";
import { authorizationHeaders } from "./sign/sign-request.js";
import type { SigningKey } from "./sign/signing-key.js";
import { failureKinds, type Outcome } from "./validate/outcome.js";
import { readOlderAnswer, readOutcome } from "./validate/read-outcome.js";
import { type JudgeContext, judge } from "./verdict/judge.js";
import { HandlerError } from "./verify/handler-error.js";
import { readStreamedAnswer } from "./verify/stream-answer.js";
import { type Verification, verifyAnswer } from "./verify/verify-answer.js";

/** What the rooms need that outlives a request. */
export interface House {
  /** Names to addresses. */
  readonly resolver: OwnedResolver;
  /** The connections. */
  readonly pools: Pools;
  /** Our own server name; empty in unsigned mode. */
  readonly origin: string;
  /** The keys that sign for it. */
  readonly keys: readonly SigningKey[];
  /** The `User-Agent` header. */
  readonly userAgent: string;
}

/** What a request is about, beside what is asked. */
export interface AskContext extends JudgeContext {
  /** The room, where it is about one. */
  readonly roomId: string | undefined;
  /** How the events of the answer are verified; not at all when absent. */
  readonly verification?: Verification | undefined;
  /** Called when the answer is there, and only we still work on it. */
  readonly arrived: () => void;
}

/**
 * Asks one server. Where it does not know the endpoint, it is asked the endpoint's older version: only an error that says
 * so leads there, since an error about the room would be the same again.
 */
export async function ask<Output>(
  house: House,
  // biome-ignore lint/suspicious/noExplicitAny: the input is in the prepared request already
  endpoint: Endpoint<any, Output>,
  request: PreparedRequest,
  context: AskContext,
  cancellation: Cancellation,
): Promise<Judgement<Output>> {
  const judgement = await askOnce<Output>(house, endpoint, request, context, cancellation);
  const { older } = request;
  if (judgement.verdict.name !== "unsupported" || !older) return judgement;
  return await askOnce<Output>(house, older.endpoint, older.request, context, cancellation, async (outcome) => {
    if (outcome.kind !== "answer" || endpoint.answer !== undefined) return outcome as Outcome<Output>;
    const asNewer = await readOlderAnswer(outcome, endpoint, context.server, request.input);
    // Of a stream is known already what became of its events.
    return asNewer.kind === "answer" ? { ...outcome, ...asNewer } : asNewer;
  });
}

/** One request to one server: resolve, sign, send, validate, verify, judge. It never waits and never asks twice. */
async function askOnce<Output>(
  house: House,
  // biome-ignore lint/suspicious/noExplicitAny: the input is in the prepared request already
  endpoint: Endpoint<any, unknown>,
  request: PreparedRequest,
  context: AskContext,
  cancellation: Cancellation,
  /** Makes of an outcome what the caller asked for. */
  asAsked?: (outcome: Outcome) => Promise<Outcome<Output>>,
): Promise<Judgement<Output>> {
  const { server, roomId, verification } = context;
  const { name, spec, maxResponseBytes } = endpoint;
  const about = { server, endpoint: name, roomId };
  const startedAt = performance.now();
  publish("matrix-federation-sdk:request:start", () => about);
  let outcome: Outcome<Output> | undefined;
  let cause: unknown;
  try {
    const { method, uri, content } = request;
    const toSign = { method, uri, content, destination: server };
    const authorization =
      endpoint.authentication === "none" ? [] : await authorizationHeaders(toSign, house.origin, house.keys);
    const { userAgent } = house;
    const wire = { method, uri, content, authorization, userAgent, maxResponseBytes };
    const response = await sendTo(house, server, wire, cancellation, streamKind(endpoint, verification));
    const read = await readResponse(response, endpoint, request.input, context, cancellation);
    outcome = asAsked ? await asAsked(read) : (read as Outcome<Output>);
    if (verification && outcome.kind === "answer") {
      context.arrived();
      // Of a stream the events are verified already.
      const left = response.stream ? { ...verification, fields: [] } : verification;
      outcome = (await verifyAnswer(outcome, server, left, cancellation)) as Outcome<Output>;
    }
    // A server may repeat what it was told: secrets in more forms than could be looked for.
    if (outcome.kind === "error" && (request.secrets.length > 0 || isEcho(outcome, authorization))) {
      outcome = withoutSecrets(outcome, request.secrets);
    }
  } catch (error) {
    outcome = failure(error, cancellation);
    cause = error;
  } finally {
    const status = outcome && outcome.kind !== "failure" ? outcome.status : undefined;
    publish("matrix-federation-sdk:request:end", () => ({ ...about, ms: performance.now() - startedAt, status }));
  }
  const verdict = judge(outcome, endpoint, context);
  publish("matrix-federation-sdk:verdict", () => ({
    ...about,
    ms: performance.now() - startedAt,
    status: outcome.kind === "failure" ? undefined : outcome.status,
    verdict: verdict.name,
    rule: verdict.rule,
    errcode: outcome.kind === "error" ? outcome.errcode : undefined,
  }));
  return { outcome, verdict, error: outcomeError(outcome, verdict, { ...about, spec, maxResponseBytes }, cause) };
}

type Streaming = Verification & { readonly version: RoomVersion };

/** Whether an answer's events are verified while it comes: what they are held against has to be known before. */
const isStreaming = (
  endpoint: Pick<Endpoint<never, unknown>, "answer" | "proof">,
  verification: Verification | undefined,
): verification is Streaming => endpoint.proof?.streamed === true && verification?.version !== undefined;

function streamKind(
  endpoint: Pick<Endpoint<never, unknown>, "answer" | "proof">,
  verification: Verification | undefined,
): StreamKind | undefined {
  if (endpoint.answer === "multipart") return "file";
  return isStreaming(endpoint, verification) ? "json" : undefined;
}

/** A response as an outcome: a file with its bytes still to come, events as they come, anything else once it is whole. */
async function readResponse(
  response: StreamedResponse,
  // biome-ignore lint/suspicious/noExplicitAny: an endpoint of any input will do
  endpoint: Endpoint<any, unknown>,
  input: object,
  { server, verification, arrived }: AskContext,
  cancellation: Cancellation,
): Promise<Outcome> {
  const { status, headers, bytes: body, tooLarge, stream } = response;
  const { maxResponseBytes: maxBytes } = endpoint;
  if (stream && isStreaming(endpoint, verification)) {
    return readStreamedAnswer(
      { status, stream, server, input, maxBytes, totalBytes: lengthOf(headers), arrived },
      endpoint,
      verification,
      cancellation,
    );
  }
  if (stream) return readMedia(response, maxBytes, { server, endpoint: endpoint.name }, cancellation);
  const retryAfter = headers["retry-after"];
  const known = { "retry-after": typeof retryAfter === "string" ? retryAfter : undefined };
  return readOutcome({ status, headers: known, body, tooLarge }, endpoint, server, input);
}

type ErrorOutcome = Extract<Outcome, { kind: "error" }>;

/** So many characters of a signature that stand together are of no other. */
const ECHO_CHARS = 12;

/** Whether an error repeats our `Authorization`, or a part of its signature, whatever stands between its characters. */
function isEcho({ text, errcode = "" }: ErrorOutcome, authorization: readonly string[]): boolean {
  const told = `${errcode} ${text}`;
  const characters = told.replace(/[^\da-zA-Z+/]/g, "");
  return authorization.some((header) => {
    const [, signature = header] = /sig="([^"]*)"/.exec(header) ?? [];
    const count = Math.max(0, signature.length - ECHO_CHARS + 1);
    const parts = Array.from({ length: count }, (_, at) => signature.slice(at, at + ECHO_CHARS));
    return /x-matrix|\bsig\b/i.test(told) || parts.some((part) => characters.includes(part));
  });
}

function withoutSecrets({ errcode, ...rest }: ErrorOutcome, secrets: readonly string[]): ErrorOutcome {
  // No signature is in capital letters.
  const isCode = errcode !== undefined && /^[A-Z][A-Z0-9_.]{0,60}$/.test(errcode);
  const isClean = isCode && !secrets.some((secret) => errcode.includes(secret));
  return { ...rest, text: "", ...(isClean && { errcode }) };
}

/** How many bytes a body has, where its server says so, and they are not compressed. */
function lengthOf({
  "content-length": length,
  "content-encoding": encoding,
}: StreamedResponse["headers"]): number | undefined {
  return encoding === undefined && typeof length === "string" && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

/** Sends to where the server is. Where a remembered answer leads to nobody any more, the name is resolved afresh, once. */
async function sendTo(
  { resolver, pools }: House,
  server: string,
  request: WireRequest,
  cancellation: Cancellation,
  kind: StreamKind | undefined,
): Promise<StreamedResponse> {
  const exchange = (place: ResolvedServer): Promise<StreamedResponse> =>
    kind ? openStream(pools, place, request, cancellation, kind) : send(pools, place, request, cancellation);
  const known = resolver.inspect(server);
  const target = known ?? (await resolver.resolve(server, { signal: cancellation.signal }));
  try {
    return await exchange(target);
  } catch (error) {
    const mayHaveMoved = known !== undefined || target.steps.some(({ isRemembered }) => isRemembered);
    if (!(error instanceof TransportError) || error.requestSent || !mayHaveMoved) throw error;
    if (cancellation.aborted) {
      // An address that swallows everything can take all of a request's time. The next one shall not go there again.
      if (isTimeout(cancellation)) resolver.heal(target).catch(() => undefined);
      throw error;
    }
    const now = await resolver.heal(target, { signal: cancellation.signal });
    if (!now) throw error;
    return await exchange(now);
  }
}

const isTimeout = ({ reason }: Cancellation): boolean => (reason as Error | null)?.name === "TimeoutError";

/** What an error of the rooms says about the server. An abort that is no timeout is the caller's, and passes through. */
function failure(error: unknown, cancellation: Cancellation): Outcome<never> {
  if (cancellation.aborted && !isTimeout(cancellation)) throw cancellation.reason;
  if (error instanceof HandlerError) throw error.thrown;
  const requestSent = error instanceof TransportError && error.requestSent;
  if (cancellation.aborted) return { kind: "failure", failure: "timeout", requestSent };
  if (error instanceof ResolveError) return { kind: "failure", failure: "resolve", requestSent };
  if (!(error instanceof TransportError) || error instanceof SignError) throw error;
  return { kind: "failure", failure: failureKinds[error.code], requestSent };
}
