import { cleanText } from "../errors.js";

/** How far a connection came: refused by the address policy, not reached, or reached and found wanting in its TLS. */
export type ConnectStage = "policy" | "reach" | "tls";

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

/** What a person should read of one try. */
function tryText({ address, port, stage, error }: FailedTry): string {
  const where = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  if (stage === "policy") return cleanText(error.message, 300);
  const code = codeOf(error);
  // A code of the operating system says all; what TLS or a proxy found wrong is said by the message alone.
  const isPlain = stage === "reach" && code !== undefined && !code.startsWith("ERR_PROXY_");
  return cleanText(`${where} ${isPlain ? code : error.message}`, 300);
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
    const stage = (["tls", "reach", "policy"] as const).find((each) => tries.some((one) => one.stage === each));
    super([...new Set(tries.map(tryText))].slice(0, 8).join(", ") || "no address");
    this.name = "ConnectFailure";
    this.tries = tries;
    this.stage = stage ?? "reach";
    this.code = codeOf(tries.find((one) => one.stage === stage)?.error);
  }
}
