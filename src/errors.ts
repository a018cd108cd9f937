import { docsUrls, type FederationErrorCode } from "./error-codes.js";
import type { Attempt } from "./failover/attempt.js";
import type { ResolveStep } from "./resolve/resolved-server.js";

export type { FederationErrorCode } from "./error-codes.js";

/** What a {@link FederationError} is about, beside its code. */
export interface FederationErrorDetails {
  /** The server name the failed request was meant for. */
  server?: string | undefined;
  /** The endpoint's name in the endpoint table, such as `state_ids`. */
  endpoint?: string | undefined;
  /** The error that caused this one. */
  cause?: unknown;
  /** The page that explains it best, such as the endpoint's section; where absent or no URL, that of the code. */
  docsUrl?: string | undefined;
  /** More lines for the message, each already in the form `Name: text`. */
  lines?: readonly string[] | undefined;
}

/**
 * Text of somebody else, fit for a message or a log: control, format and line-separator characters become spaces and
 * the length is capped, so that a remote server can neither forge log lines nor flood them.
 */
export function cleanText(text: string, maxChars = 200): string {
  // Capped first: the cut may leave half a character, which is then cleaned away too.
  const capped = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  return capped.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, " ");
}

/** The value as it may stand in a message: quoted, cleaned and capped. */
export function quoted(value: unknown): string {
  if (typeof value === "string") return `"${cleanText(value, 100)}"`;
  // An object's own text could be anything, or throw.
  if (typeof value === "object" && value !== null) return isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : cleanText(String(value), 100);
}

/** As `Array.isArray`, which throws for a proxy that was revoked. */
function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** What says where an endpoint is specified may be any text: somebody made the endpoint. */
const isLink = (text: unknown): text is string =>
  typeof text === "string" && text.length <= 500 && /^https?:\/\/[\x21-\x7e]+$/.test(text);

/**
 * What every error of this library is: a `code` to switch on, what it is about, and the cause.
 * An abort by the caller is no such error: it rejects with the signal's own reason.
 */
export abstract class FederationError extends Error {
  /** The code to switch on; it is stable, the message is not. */
  readonly code: FederationErrorCode;
  /** The section of the specification that explains the rule, where there is one. */
  readonly docsUrl: string | undefined;
  /** The server name the failed request was meant for. */
  readonly server: string | undefined;
  /** The endpoint's name in the endpoint table, such as `state_ids`. */
  readonly endpoint: string | undefined;

  /** Composes the message: a short line, then what it is about, line by line. */
  constructor(code: FederationErrorCode, message: string, details: FederationErrorDetails = {}) {
    const docsUrl = isLink(details.docsUrl) ? details.docsUrl : docsUrls[code];
    const lines = [
      details.server && `Server: ${cleanText(details.server, 260)}`,
      details.endpoint && `Endpoint: ${details.endpoint}`,
      ...(details.lines ?? []),
      docsUrl && `Docs: ${docsUrl}`,
    ].filter(Boolean);
    super([message, ...lines].join("\n"), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.docsUrl = docsUrl;
    this.server = details.server;
    this.endpoint = details.endpoint;
  }
}

/** An option or an argument is not what it has to be, or the client is closed. Thrown before any I/O. */
export class OptionError extends FederationError {
  declare readonly code: "ERR_OPTION" | "ERR_INPUT" | "ERR_CLOSED";
}

/** A server name, an identifier or a path segment does not follow the grammar. Thrown before any I/O. */
export class NameError extends FederationError {
  declare readonly code:
    | "ERR_SERVER_NAME"
    | "ERR_ROOM_ID"
    | "ERR_EVENT_ID"
    | "ERR_USER_ID"
    | "ERR_ROOM_ALIAS"
    | "ERR_PATH_SEGMENT";
}

/** The server name could not be turned into addresses. */
export class ResolveError extends FederationError {
  declare readonly code: "ERR_RESOLVE";
  /** What was asked, in order, and what came of it; empty where nothing was. */
  readonly steps: readonly ResolveStep[];
  /** Whether it is certain that there is no such server; otherwise DNS did not say. */
  readonly isCertain: boolean;
  /** When the lookup failed: Unix time in milliseconds. Failures are remembered for a while, and told again. */
  readonly at: number = Date.now();

  /** As the base class, with the steps, each of which is told in a line of the message. */
  constructor(
    code: ResolveError["code"],
    message: string,
    details: FederationErrorDetails & Partial<Pick<ResolveError, "steps" | "isCertain">> = {},
  ) {
    const { steps = [], lines = [], isCertain = false } = details;
    const told = steps.map(({ step, query, result, ms }) => `Step: ${step} ${query} -> ${result} [${ms} ms]`);
    super(code, message, { ...details, lines: [...lines, ...told] });
    this.isCertain = isCertain;
    this.steps = steps;
  }
}

/** A key cannot be read, is missing, or something cannot be signed. */
export class SignError extends FederationError {
  declare readonly code: "ERR_SIGNING_KEY" | "ERR_NO_SIGNING_KEY" | "ERR_CANONICAL_JSON";
}

/** The server could not be reached, or the connection broke or stalled. */
export class TransportError extends FederationError {
  declare readonly code:
    | "ERR_CONNECT"
    | "ERR_ADDRESS_REFUSED"
    | "ERR_PROXY"
    | "ERR_TLS"
    | "ERR_CONNECTION_LOST"
    | "ERR_TIMEOUT";
  /** Whether any byte of the request may have reached the server. */
  readonly requestSent: boolean;

  /** As the base class, with `requestSent`. */
  constructor(
    code: TransportError["code"],
    message: string,
    details: FederationErrorDetails & { requestSent: boolean },
  ) {
    super(code, message, details);
    this.requestSent = details.requestSent;
  }
}

/** One thing that is wrong with a response body. */
export interface ResponseIssue {
  /** Where in the body: a JSON path such as `$.pdus[3].type`. */
  readonly path: string;
  /** What was expected there. */
  readonly message: string;
}

/**
 * Why an answer's events cannot be verified here, though the server may be honest:
 *
 * - `keysMissing`: their keys cannot be had, or had expired when they were made;
 * - `otherVersion`: the room's `m.room.create` event names another version than the `roomVersion` that was given, or than
 *   another server told;
 * - `unknownVersion`: it names a version that this library does not know.
 */
export type Unproved = "keysMissing" | "otherVersion" | "unknownVersion";

/** The server answered with something that is no valid answer to the request, or that cannot be told to be one. */
export class ResponseError extends FederationError {
  declare readonly code: "ERR_RESPONSE_TOO_LARGE" | "ERR_RESPONSE_INVALID" | "ERR_NOT_MATRIX";
  /** The HTTP status of the response. */
  readonly status: number;
  /** What is wrong with the body: the first few issues. */
  readonly issues: readonly ResponseIssue[];
  /** Why the answer's events cannot be verified here, where the server may be honest; undefined otherwise. */
  readonly unproved: Unproved | undefined;

  /** As the base class, with `status`, `issues` and `unproved`. */
  constructor(
    code: ResponseError["code"],
    message: string,
    details: FederationErrorDetails & {
      status: number;
      issues?: readonly ResponseIssue[];
      unproved?: Unproved | undefined;
    },
  ) {
    super(code, message, details);
    this.status = details.status;
    this.issues = details.issues ?? [];
    this.unproved = details.unproved;
  }
}

/** The server answered with a Matrix error: an `errcode`, and perhaps an `error` text. */
export class MatrixError extends FederationError {
  declare readonly code: "ERR_MATRIX" | "ERR_PARTIAL_STATE";
  /** The Matrix error code, such as `M_FORBIDDEN`. */
  readonly errcode: string;
  /** The HTTP status of the response. */
  readonly status: number;
  /** How long the server asks us to wait, in milliseconds, where it said so. */
  readonly retryAfterMs: number | undefined;
  /** Whether the refusal means that the server is still joining the room (MSC3706, MSC3895). */
  readonly partialState: boolean;

  /** As the base class, with the fields of the Matrix error. */
  constructor(
    message: string,
    details: FederationErrorDetails & {
      errcode: string;
      status: number;
      retryAfterMs?: number | undefined;
      partialState: boolean;
    },
  ) {
    super(details.partialState ? "ERR_PARTIAL_STATE" : "ERR_MATRIX", message, details);
    this.errcode = details.errcode;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.partialState = details.partialState;
  }
}

/**
 * What the failures of all attempts mean together, by the last verdict of each server:
 *
 * - `allPartial`: all are still joining the room (`partialState`);
 * - `allRefused`: all say that they cannot answer this (`notResident`, `notYetPropagated`, `unableHere`, `unsupported`);
 * - `allUnproved`: all answered, and what they answered cannot be verified here (`unproved` of the attempts' errors);
 * - `allUnavailable`: none gave a usable answer (`unavailable`, `rateLimited`, `notAllowed`, `invalid`,
 *   `obligationBroken`, `aborted`);
 * - `mixed`: not all of one kind;
 * - `notAsked`: nobody was asked.
 */
export type FailoverSummary = "allPartial" | "allRefused" | "allUnproved" | "allUnavailable" | "mixed" | "notAsked";

/** No server gave a usable answer. It says why, server by server. */
export class FailoverError extends FederationError {
  declare readonly code: "ERR_NO_RESIDENTS" | "ERR_ALL_FAILED" | "ERR_IN_BACKOFF" | "ERR_OUTCOME_UNKNOWN";
  /** Every request that was made, in order, with its verdict. */
  readonly attempts: readonly Attempt[];
  /** What the failures mean together. */
  readonly summary: FailoverSummary;
  /** When asking again may help, where a time is known (backoff, rate limits): Unix time in milliseconds. */
  readonly retryAt: number | undefined;
  /** `unknown` when a request that must not be repeated elsewhere was sent and no valid answer says that it took effect. */
  readonly outcome: "notDone" | "unknown";

  /** As the base class, with the trail of attempts. */
  constructor(
    code: FailoverError["code"],
    message: string,
    details: FederationErrorDetails & {
      attempts: readonly Attempt[];
      summary: FailoverSummary;
      retryAt?: number | undefined;
    },
  ) {
    super(
      code,
      message,
      details.summary === "allPartial" ? { ...details, docsUrl: docsUrls.ERR_PARTIAL_STATE } : details,
    );
    this.attempts = details.attempts;
    this.summary = details.summary;
    this.retryAt = details.retryAt;
    this.outcome = code === "ERR_OUTCOME_UNKNOWN" ? "unknown" : "notDone";
  }
}

/** Every error of this library, to be told apart by `code` in a `switch`. */
export type AnyFederationError =
  | OptionError
  | NameError
  | ResolveError
  | SignError
  | TransportError
  | ResponseError
  | MatrixError
  | FailoverError;

/**
 * Whether something that was thrown is an error of this library; what a call rejects with otherwise is the caller's own
 * reason.
 */
export function isFederationError(error: unknown): error is AnyFederationError {
  return error instanceof FederationError;
}
