import { OptionError, quoted } from "../errors.js";

/** A server name in its two parts. */
export interface HostPort {
  /** The host name or IP address, in lower case, an IPv6 address without brackets. */
  readonly host: string;
  /** The port, where the name has one. */
  readonly port: number | undefined;
}

/** A host as it is compared here: lower case, without the brackets of an IPv6 address. */
export function plainHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
}

/**
 * Splits a server name.
 *
 * @throws {@link OptionError} `ERR_OPTION` when it is no server name.
 */
export function splitName(name: string): HostPort {
  const [, host, port] = /^(\[[\da-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(name) ?? [];
  if (!host) throw new OptionError("ERR_OPTION", `A test federation cannot have a server named ${quoted(name)}.`);
  return { host: plainHost(host), port: port === undefined ? undefined : Number(port) };
}
