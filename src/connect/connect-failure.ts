import { cleanText } from "../errors.js";
import { hostPort } from "./target.js";

/**
 * How far a connection came: refused by the address policy, stopped by a proxy of ours, not reached, or reached and found
 * wanting in its TLS. The first two are no fault of the server's.
 */
export type ConnectStage = "policy" | "proxy" | "reach" | "tls";

/** One address that a connection was tried to in vain. */
export interface FailedTry {
  /** The IP address. */
  readonly address: string;
  /** The TCP port. */
  readonly port: number;
  /** How far it came. */
  readonly stage: ConnectStage;
  /** Why it failed. */
  readonly error: Error;
}

/** An error's code, where it has one. */
export const codeOf = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
};

/** What OpenSSL found wrong, in its own words; they are undefined where the error is none of OpenSSL's. */
const opensslReason = (error: Error): string | undefined => {
  const { library, reason } = error as { library?: unknown; reason?: unknown };
  return typeof library === "string" && typeof reason === "string" ? reason : undefined;
};

/** What a server that speaks plain HTTP looks like to OpenSSL. */
const isNoTls = (error: Error): boolean =>
  ["wrong version number", "packet length too long"].includes(opensslReason(error) ?? "");

/** An error's message in words: OpenSSL's own is made of numbers and the names of its source files. */
export const messageOf = (error: Error): string =>
  isNoTls(error) ? "answers with something that is no TLS" : (opensslReason(error) ?? error.message);

/** What a person should read of all tries: each text once, and not more of them than fit into a line or two. */
function triesText(tries: readonly FailedTry[]): string {
  const texts = [...new Set(tries.map(tryText))];
  const more = texts.length - MAX_TEXTS;
  return `${texts.slice(0, MAX_TEXTS).join(", ") || "no address"}${more > 0 ? ` and ${more} more` : ""}`;
}

const MAX_TEXTS = 8;

/** What a person should read of one try. */
function tryText({ address, port, stage, error }: FailedTry): string {
  if (stage === "policy") return cleanText(error.message, 300);
  const code = codeOf(error);
  // A code of the operating system says all; what TLS or a proxy found wrong is said by the message alone.
  const isPlain = stage === "reach" && code !== undefined && !code.startsWith("ERR_PROXY_");
  return cleanText(`${hostPort(address, port)} ${isPlain ? code : messageOf(error)}`, 300);
}

/** No address of a destination could be connected to. */
export class ConnectFailure extends Error {
  /** Every address that was tried, in the order in which they failed. */
  readonly tries: readonly FailedTry[];
  /** The furthest that any of them came. */
  readonly stage: ConnectStage;
  /** The code of the error that says most, where it has one. */
  readonly code: string | undefined;

  /** From the tries; there is at least one. */
  constructor(tries: readonly FailedTry[]) {
    const stage = (["tls", "reach", "proxy", "policy"] as const).find((each) =>
      tries.some((one) => one.stage === each),
    );
    super(triesText(tries));
    this.name = "ConnectFailure";
    this.tries = tries;
    this.stage = stage ?? "reach";
    this.code = codeOf(tries.find((one) => one.stage === stage)?.error);
  }
}
