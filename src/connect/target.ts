import { isIP } from "node:net";

/** A host and its port as one text; an IPv6 address stands in brackets. */
export const hostPort = (host: string, port: number): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;

/** An IP address. */
export interface IpAddress {
  /** The address; an IPv6 address stands here without brackets. */
  readonly address: string;
  /** Its IP version. */
  readonly family: 4 | 6;
}

/** A host that offers a server, and how to reach it. An SRV record may name several for one server. */
export interface Target {
  /** The host name that was looked up, or the IP address that stands in the server name. */
  readonly hostname: string;
  /** The TCP port. */
  readonly port: number;
  /** Targets with the lowest priority come first (RFC 2782); 0 where no SRV record says otherwise. */
  readonly priority: number;
  /** How large a share of the connections the target wants among those of its priority (RFC 2782). */
  readonly weight: number;
  /** Its IP addresses in the order to try: families interleaved, IPv6 first (RFC 8305 section 4). */
  readonly addresses: readonly IpAddress[];
}

/** The most addresses that are tried for one connection: more would let a hostile DNS make us knock at a thousand doors. */
export const MAX_ADDRESSES = 32;

/** Where a connection shall lead, and the name to find there. */
export interface Destination {
  /**
   * The name that the certificate must be valid for, which is also the TLS server name (SNI) where it is no IP address.
   * An IP address stands here without brackets.
   */
  readonly tlsName: string;
  /** The hosts that offer the server; at least one of them has an address. */
  readonly targets: readonly Target[];
}

/** Where a client wants to connect to. */
export interface ConnectTarget {
  /** The host name that the address was looked up for, or the IP address that stands in the server name. */
  readonly hostname: string;
  /** The IP address. */
  readonly address: string;
  /** The TCP port. */
  readonly port: number;
}

/** Where a client is to connect to instead. */
export interface ConnectAddress {
  /** The IP address. */
  readonly address: string;
  /** The TCP port. */
  readonly port: number;
}

/**
 * Says where a TCP connection really goes, like curl's `--connect-to`: the names, the `Host` header and the certificate
 * stay as they are. It is asked for every address that a connection is tried to, those for `.well-known` included. An
 * address that it puts in the place of another is not held against the address policy: it is yours.
 *
 * @param to - The name that was looked up, one of its IP addresses, and the port.
 * @returns The IP address and port to use instead; undefined leaves the connection as it is.
 */
export type ConnectTo = (to: ConnectTarget) => ConnectAddress | undefined;

/** A text that is the same for destinations that lead to the same addresses under the same name, in whatever order. */
export function destinationKey({ tlsName, targets }: Destination): string {
  const all: string[] = [];
  for (const { port, priority, weight, addresses } of targets) {
    for (const { address } of addresses) all.push(`${address} ${port} ${priority} ${weight}`);
  }
  return `${tlsName}\n${all.length > 1 ? all.sort().join("\n") : all[0]}`;
}
