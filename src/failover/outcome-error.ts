import { type AnyFederationError, MatrixError, ResolveError, ResponseError, TransportError } from "../errors.js";
import type { Outcome } from "../validate/outcome.js";
import type { Verdict } from "../verdict/judge.js";

/** The error that an attempt would be on its own; none for an answer. */
export function outcomeError(
  outcome: Outcome,
  verdict: Verdict,
  about: { server: string; endpoint: string },
  cause: unknown,
): AnyFederationError | undefined {
  switch (outcome.kind) {
    case "answer":
      return undefined;
    case "malformed": {
      const { status, issues } = outcome;
      const lines = issues.slice(0, 3).map(({ path, message }) => `Issue: ${path}: ${message}`);
      const details = { ...about, status, issues, lines };
      return outcome.tooLarge
        ? new ResponseError("ERR_RESPONSE_TOO_LARGE", "The response is larger than the endpoint allows.", details)
        : new ResponseError("ERR_RESPONSE_INVALID", "The response is not what the endpoint promises.", details);
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
      return new MatrixError(`${errcode} (HTTP ${status})${said}`, {
        ...about,
        errcode,
        status,
        retryAfterMs,
        partialState,
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
  const code = ({ timeout: "ERR_TIMEOUT", tls: "ERR_TLS", connectionLost: "ERR_CONNECTION_LOST" } as const)[
    failure as "timeout"
  ];
  const message =
    cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : "The server did not answer in time.";
  const why = cause instanceof TransportError ? cause.cause : cause;
  return new TransportError(code ?? "ERR_CONNECT", message, { ...about, requestSent, cause: why });
}
