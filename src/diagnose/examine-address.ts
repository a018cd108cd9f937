import { Cancellation, onSignalAbort } from "../cancellation.js";
import { BudgetSpent, withinBudget } from "../connect/budget.js";
import { ConnectFailure, codeOf } from "../connect/connect-failure.js";
import type { Connector } from "../connect/connector.js";
import { version as versionEndpoint } from "../endpoints/one-server.js";
import { cleanText, TransportError } from "../errors.js";
import type { ResolvedServer } from "../resolve/resolved-server.js";
import type { RawResponse } from "../send/collect.js";
import type { Pools } from "../send/pools.js";
import { send } from "../send/send.js";
import { InvalidJson, parseJson } from "../validate/parse-json.js";
import { readOutcome } from "../validate/read-outcome.js";
import { type AddressEvidence, MAX_STEP_MS } from "./evidence.js";
import { readKeyDocument } from "./key-document.js";
import type { ConnectionFailure, KeysReport, RequestReport, VersionReport } from "./report.js";

/** What an examination needs. */
export interface ExaminationTools {
  /** Looks at what an address shows. */
  readonly connector: Connector;
  /** Makes the requests, as all others are made. */
  readonly pools: Pools;
  /** The `User-Agent` header. */
  readonly userAgent: string;
  /** How long the connection and each request may take, in milliseconds; who is given less than 10,000 is not judged. */
  readonly stepMs: number;
}

/** What is known of an address so far: it is written to while the examination goes on. */
export type AddressNotes = { -readonly [Field in keyof AddressEvidence]: AddressEvidence[Field] };

const KEYS_PATH = "/_matrix/key/v2/server";
const MAX_KEYS_BYTES = 256 * 1024;
/** RFC 9110 section 5.6.7, the form that servers have to send. */
const HTTP_DATE = /^[a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d GMT$/i;

/** What OpenSSL says in a word, or the system in a code, or else the message. */
function shortText(error: Error): string {
  const { reason } = error as { reason?: unknown };
  return cleanText(typeof reason === "string" ? reason : error.message, 300);
}

function connectionFailure(error: unknown): ConnectionFailure {
  const [first] = error instanceof ConnectFailure ? error.tries : [];
  const cause: unknown = first?.error ?? error;
  const code = codeOf(cause);
  const isProxy = code?.startsWith("ERR_PROXY_") === true;
  // A function of the caller's that throws, or a bug: nothing about the server.
  if (!(cause instanceof Error) || (!first && !isProxy)) throw error;
  const stage = isProxy ? "proxy" : first?.stage === "reach" ? "connect" : (first?.stage ?? "connect");
  return { stage, code, message: shortText(cause) };
}

type Answered = { readonly ms: number } & ({ readonly response: RawResponse } | { readonly reason: string });

/** One request and what came of it; undefined where it was given too little time to judge the server by. */
async function ask(
  { pools, userAgent, stepMs }: ExaminationTools,
  target: ResolvedServer,
  uri: string,
  maxResponseBytes: number,
  signal: AbortSignal,
): Promise<Answered | undefined> {
  const startedAt = performance.now();
  const request = { method: "GET", uri, authorization: [], content: undefined, userAgent, maxResponseBytes } as const;
  const passed = (): number => Math.round(performance.now() - startedAt);
  try {
    const response = await withinBudget(stepMs, signal, (inner) => {
      const cancellation = new Cancellation();
      onSignalAbort(inner, () => cancellation.abort(inner.reason));
      return send(pools, target, request, cancellation);
    });
    return { ms: passed(), response };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BudgetSpent) {
      return stepMs < MAX_STEP_MS ? undefined : { ms: passed(), reason: error.message };
    }
    if (!(error instanceof TransportError)) throw error;
    return { ms: passed(), reason: cleanText(error.message.split("\n").slice(0, 2).join(" "), 300) };
  }
}

/** What is wrong with an answer that is no success; undefined where it is one. */
async function problemOf({ status, bytes, tooLarge }: RawResponse): Promise<Pick<RequestReport, "problem" | "reason">> {
  const anything = { "~standard": { version: 1, vendor: "none", validate: () => ({}) } } as const;
  const outcome = await readOutcome({ status, body: bytes, tooLarge }, { response: anything });
  if (outcome.kind === "answer") return { problem: undefined, reason: undefined };
  if (outcome.kind === "malformed") {
    return { problem: "notMatrix", reason: `it answered ${status} with a body that is ${outcome.issues[0]?.message}` };
  }
  if (outcome.kind === "failure") throw new TypeError("A response is no failure.");
  if (outcome.errcode !== undefined) {
    return { problem: "error", reason: `it answered ${status} ${outcome.errcode}: ${outcome.text}` };
  }
  // A proxy that cannot reach the homeserver says so with its own page.
  const isProxys = status >= 500;
  const text = outcome.text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return {
    problem: isProxys ? "error" : "notMatrix",
    reason: `it answered ${status}${text ? ` "${cleanText(text, 80)}"` : ""}`,
  };
}

async function requestReport(answered: Answered): Promise<RequestReport> {
  const { ms } = answered;
  if (!("response" in answered)) return { ms, status: undefined, problem: "noAnswer", reason: answered.reason };
  return { ms, status: answered.response.status, ...(await problemOf(answered.response)) };
}

async function versionReport(answered: Answered): Promise<VersionReport> {
  const report = await requestReport(answered);
  const nothing = { name: undefined, version: undefined };
  if (report.problem !== undefined || !("response" in answered)) return { ...report, ...nothing };
  const { status, bytes } = answered.response;
  const outcome = await readOutcome({ status, body: bytes }, versionEndpoint);
  if (outcome.kind !== "answer") {
    const issue = outcome.kind === "malformed" ? outcome.issues[0] : undefined;
    return { ...report, problem: "notMatrix", reason: `${issue?.path} ${issue?.message}`, ...nothing };
  }
  const { name, version } = outcome.value.server ?? {};
  const cleaned = (text: string | undefined): string | undefined => text && cleanText(text, 100);
  return { ...report, name: cleaned(name), version: cleaned(version) };
}

async function keysReport(answered: Answered): Promise<KeysReport> {
  const report = await requestReport(answered);
  const nothing = { document: undefined, same: undefined };
  if (report.problem === "notMatrix" && report.status === 200) return { ...report, problem: "invalid", ...nothing };
  if (report.problem !== undefined || !("response" in answered)) return { ...report, ...nothing };
  const json = parseJson(answered.response.bytes);
  const document = json instanceof InvalidJson ? json.message : readKeyDocument(json);
  if (typeof document === "string") return { ...report, problem: "invalid", reason: document, ...nothing };
  return { ...report, document, same: undefined };
}

/** How far the server's clock is ahead, by the middle of the time that the request took. */
function clockSkew(answered: Answered): number | undefined {
  const date = "response" in answered ? answered.response.headers.date : undefined;
  if (typeof date !== "string" || !HTTP_DATE.test(date)) return undefined;
  const skew = Math.round(Date.parse(date) - (Date.now() - answered.ms / 2));
  return Number.isFinite(skew) ? skew : undefined;
}

/**
 * Examines one address: what it shows in a TLS handshake, and where that is in order, what it answers.
 *
 * @param target - The server, at this address alone.
 * @param notes - Where everything is written down.
 * @param signal - Ends it; it then rejects with the signal's reason.
 */
export async function examineAddress(
  target: ResolvedServer,
  tools: ExaminationTools,
  notes: AddressNotes,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  try {
    const { connectMs, tls } = await tools.connector.inspect(target, signal, tools.stepMs);
    notes.connectMs = connectMs;
    notes.tls = tls;
  } catch (error) {
    signal.throwIfAborted();
    const failure = connectionFailure(error);
    if (failure.code === "ETIMEDOUT" && tools.stepMs < MAX_STEP_MS) return;
    notes.failure = failure;
  }
  if (notes.tls?.verified) {
    const { path, maxResponseBytes } = versionEndpoint;
    const version = await ask(tools, target, path, maxResponseBytes, signal);
    notes.clockSkewMs = version && clockSkew(version);
    notes.version = version && (await versionReport(version));
    const keys = await ask(tools, target, KEYS_PATH, MAX_KEYS_BYTES, signal);
    notes.clockSkewMs ??= keys && clockSkew(keys);
    notes.keys = keys && (await keysReport(keys));
    if (!version || !keys) return;
  }
  notes.finished = true;
}
