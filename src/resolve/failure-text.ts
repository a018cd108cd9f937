import { ConnectFailure } from "../connect/connect-failure.js";
import { cleanText } from "../errors.js";

/**
 * The shortest text that names what went wrong: an error's code where it has one, or its message. Errors of several
 * connection attempts are told one by one.
 */
export function failureText(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(failureText))].join(", ");
  if (error instanceof ConnectFailure) return cleanText(error.message, 400);
  if (!(error instanceof Error)) return cleanText(String(error));
  return "code" in error && typeof error.code === "string" ? cleanText(error.code) : cleanText(error.message);
}
