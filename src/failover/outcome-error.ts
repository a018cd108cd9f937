import {
  type AnyFederationError,
  cleanText,
  MatrixError,
  ResolveError,
  ResponseError,
  type ResponseIssue,
  TransportError,
  type Unproved,
} from "../errors.js";
import type { Outcome } from "../validate/outcome.js";
import type { Verdict } from "../verdict/judge.js";

/** What a request was about. */
export interface AboutRequest {
  /** The server that was asked. */
  readonly server: string;
  /** The endpoint's name. */
  readonly endpoint: string;
  /** The section of the specification or the MSC that the endpoint names. */
  readonly spec?: string;
  /** How many bytes the response may have had. */
  readonly maxResponseBytes?: number;
}

/** What to do about an answer that cannot be verified here. */
export const adviceOn: Readonly<Record<Unproved, string>> = {
  keysMissing:
    "Next: a server that is gone cannot tell its keys; name in the client's option `notaries` servers that you trust to tell those of others. `client.keyring.inspect()` says who was asked. Where the server that made the room is gone, `roomVersion` helps as well.",
  otherVersion:
    "Next: give as `roomVersion` the version that the room has; the one that was given, or that another server told, may be wrong.",
  unknownVersion:
    'Next: take the answer as it comes, with `verify: "none"`; a later version of this library may know the room\'s.',
};

/** Why an answer could not be verified here, where that is what its error says. */
export const unprovedOf = (error: AnyFederationError | undefined): Unproved | undefined =>
  error instanceof ResponseError ? error.unproved : undefined;

/** An issue as it may stand in a message: a server names keys and fields as it likes. */
export const issueText = ({ path, message }: ResponseIssue): string => `${cleanText(path)}: ${cleanText(message, 300)}`;

/** What the message of a Matrix error begins with; behind it are a colon, a space and the server's own words, if any. */
export const matrixErrorHead = ({ errcode, status }: Pick<MatrixError, "errcode" | "status">): string =>
  `${errcode} (HTTP ${status})`;

/** The error that an attempt would be on its own; none for an answer. */
export function outcomeError(
  outcome: Outcome,
  verdict: Verdict,
  { server, endpoint, spec, maxResponseBytes }: AboutRequest,
  cause: unknown,
): AnyFederationError | undefined {
  const about = { server, endpoint };
  switch (outcome.kind) {
    case "answer":
      return undefined;
    case "malformed": {
      const { status, issues, unproved } = outcome;
      const lines = issues.slice(0, 3).map((issue) => `Issue: ${issueText(issue)}`);
      if (unproved) lines.push(adviceOn[unproved]);
      const details = { ...about, status, issues, unproved, lines, docsUrl: spec };
      const most = maxResponseBytes === undefined ? "" : `${maxResponseBytes} bytes that the `;
      return outcome.tooLarge
        ? new ResponseError(
            "ERR_RESPONSE_TOO_LARGE",
            `The response is larger than the ${most}endpoint allows.`,
            details,
          )
        : new ResponseError(
            "ERR_RESPONSE_INVALID",
            unproved
              ? "The response's events cannot be verified here."
              : "The response is not what the endpoint promises.",
            details,
          );
    }
    case "error": {
      const { status, errcode, text, retryAfterMs } = outcome;
      const said = text === "" ? "" : `: ${text}`;
      if (errcode === undefined) {
        return new ResponseError("ERR_NOT_MATRIX", `HTTP ${status} without a Matrix error${said}`, {
          ...about,
          status,
        });
      }
      const partialState = verdict.name === "partialState" || verdict.name === "obligationBroken";
      return new MatrixError(`${matrixErrorHead({ errcode, status })}${said}`, {
        ...about,
        errcode,
        status,
        retryAfterMs,
        partialState,
        docsUrl: partialState ? undefined : spec,
      });
    }
    case "failure":
      if (cause instanceof ResolveError && cause.server !== undefined) return cause;
      return failureError(outcome, about, cause);
  }
}

function failureError(
  { failure, requestSent }: Extract<Outcome, { kind: "failure" }>,
  about: { server: string; endpoint: string },
  cause: unknown,
): TransportError {
  const isTransport = cause instanceof TransportError;
  const [message, ...lines] =
    cause instanceof Error ? cause.message.split("\n") : ["The server did not answer in time."];
  return new TransportError(isTransport ? cause.code : codes[failure], message as string, {
    ...about,
    requestSent,
    cause: isTransport ? cause.cause : cause,
    lines: lines.filter((line) => line.startsWith("Cause: ")),
  });
}

const codes = {
  resolve: "ERR_CONNECT",
  notAllowed: "ERR_ADDRESS_REFUSED",
  connect: "ERR_CONNECT",
  tls: "ERR_TLS",
  timeout: "ERR_TIMEOUT",
  connectionLost: "ERR_CONNECTION_LOST",
} as const;
