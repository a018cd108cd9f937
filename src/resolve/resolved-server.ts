import type { Destination } from "../connect/target.js";

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
  /** Whether nobody was asked, because the answer was remembered; absent where somebody was. */
  readonly isRemembered?: true;
}

/** Everything needed to open a connection to a server. Specification: Server-Server API, "Resolving server names". */
export interface ResolvedServer extends Destination {
  /** The server name that was resolved, as given. */
  readonly serverName: string;
  /** The exact `Host` header: the name or the delegated name, with a port where that name has one. */
  readonly host: string;
  /** How the answer was found, in order. */
  readonly steps: readonly ResolveStep[];
  /** Until when the answer may be used: Unix time in milliseconds. */
  readonly expiresAt: number;
}
