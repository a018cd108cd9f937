/** Where a TCP connection may go. */
export interface Address {
  /** The IP address; an IPv6 address stands here without brackets. */
  readonly address: string;
  /** The IP version of `address`. */
  readonly family: 4 | 6;
  /** The TCP port. */
  readonly port: number;
}

/** One step of a resolution: what was asked, what came of it, and how long it took. */
export interface ResolveStep {
  /** Which rule of the specification's "Resolving server names" the step belongs to. */
  readonly step: "literal" | "explicitPort" | "wellKnown" | "srv" | "address";
  /** What was asked: a server name, a URL or a DNS name. */
  readonly query: string;
  /** What came of it, for people to read. It may quote a remote server, cleaned and capped. */
  readonly result: string;
  /** How long the step took, in milliseconds. */
  readonly ms: number;
}

/** Everything needed to open a connection to a server. Specification: Server-Server API, "Resolving server names". */
export interface ResolvedServer {
  /** The server name that was resolved, as given. */
  readonly serverName: string;
  /** The exact `Host` header: the name or the delegated name, with a port where that name has one. */
  readonly host: string;
  /**
   * The name that the certificate must be valid for, which is also the TLS server name (SNI) where it is no IP address.
   * An IP address stands here without brackets.
   */
  readonly tlsName: string;
  /** Where to connect, in the order to try: families interleaved, IPv6 first (RFC 8305 section 4). Never empty. */
  readonly addresses: readonly Address[];
  /** How the answer was found, in order. */
  readonly steps: readonly ResolveStep[];
  /** Until when the answer may be used: Unix time in milliseconds. */
  readonly expiresAt: number;
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
 * stay as they are. It is asked for every address of a server, and for the connections that fetch `.well-known`.
 *
 * @param to - The name that was looked up, one of its IP addresses, and the port.
 * @returns The IP address and port to use instead; undefined leaves the connection as it is.
 */
export type ConnectTo = (to: ConnectTarget) => ConnectAddress | undefined;
