import type { Target } from "../connect/target.js";
import type { TlsReport } from "../connect/tls-inspection.js";
import type { ResolveStep } from "../resolve/resolved-server.js";

/** What {@link Client.diagnose} takes. */
export interface DiagnoseOptions {
  /** Aborts the examination, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the examination may take, in milliseconds; 30,000 when absent. What is not finished by then is said in the
   * report. One address may take a third of it, and at most 10 seconds, to connect, and as long for each of its answers:
   * where that is less than 10 seconds, a silent server is told as `timeout`, and not as a server that is broken.
   */
  readonly timeout?: number | undefined;
}

/** What can be found while the name is resolved. */
export type ResolutionFindingCode =
  | "nameNotFound"
  | "dnsFailed"
  | "dnsPartial"
  | "wellKnownInvalid"
  | "wellKnownInsecure"
  | "wellKnownUnreachable"
  | "srvFailed"
  | "srvRefused"
  | "srvTargetMissing"
  | "srvDeprecated"
  | "noIpv6"
  | "onlyIpv6"
  | "tooManyAddresses";

/** What can be found while an address is connected to. */
export type ConnectionFindingCode =
  | "addressRefused"
  | "proxyFailed"
  | "connectionRefused"
  | "connectionTimeout"
  | "connectionFailed"
  | "noRoute";

/** What can be found in a TLS handshake. */
export type TlsFindingCode =
  | "notTls"
  | "tlsProtocol"
  | "tlsFailed"
  | "certificateName"
  | "certificateExpired"
  | "certificateNotYetValid"
  | "certificateExpiring"
  | "certificateSelfSigned"
  | "certificateIncomplete"
  | "certificateUntrusted"
  | "certificatePin"
  | "certificateExcepted";

/** What can be found in the answers of a server. */
export type AnswerFindingCode =
  | "notHomeserver"
  | "versionFailed"
  | "versionSlow"
  | "keysNotFetched"
  | "keysInvalid"
  | "keysWrongServer"
  | "keysUnsigned"
  | "keysExpired"
  | "keysExpiring"
  | "keysDiffer"
  | "clockSkew";

/** What can be found, to be told apart in a `switch`. `timeout`: something was not finished. */
export type FindingCode =
  | ResolutionFindingCode
  | ConnectionFindingCode
  | TlsFindingCode
  | AnswerFindingCode
  | "timeout";

/** Something worth knowing about a server. */
export interface Finding {
  /** `error`: federation fails, at least with some servers. `warning`: it will, or may. `note`: good to know. */
  readonly severity: "error" | "warning" | "note";
  /** What it is; stable, where the texts are not. */
  readonly code: FindingCode;
  /** What it is about: an address with its port, a DNS query, a URL, a key id, or the server name. */
  readonly about: string;
  /** What was found, in one line. */
  readonly message: string;
  /** What to do about it, in one line. */
  readonly advice: string;
}

/** One step of a resolution, and what it came to. */
export interface DiagnosedStep extends ResolveStep {
  /**
   * `found`: there is an answer. `absent`: there is decidedly none. `failed`: nobody said, or what they said is no
   * answer. `refused`: the domain says that it has no server.
   */
  readonly outcome: "found" | "absent" | "failed" | "refused";
}

/** How a server name became addresses. Specification: Server-Server API, "Resolving server names". */
export interface ResolutionReport {
  /** The `Host` header of requests; undefined where the name could not be resolved. */
  readonly host: string | undefined;
  /** The name that the certificate must be for; undefined where the name could not be resolved. */
  readonly tlsName: string | undefined;
  /** What was asked, and what came of it. */
  readonly steps: readonly DiagnosedStep[];
  /** Where the server is; empty where the name could not be resolved. */
  readonly targets: readonly Target[];
}

/** Why no TLS connection to an address came about. */
export interface ConnectionFailure {
  /** How far it came: refused by the address policy, failed at the proxy, in TCP or in the TLS handshake. */
  readonly stage: "policy" | "proxy" | "connect" | "tls";
  /** The error's code, such as `ECONNREFUSED`; undefined where it has none. */
  readonly code: string | undefined;
  /** What went wrong, in one line. */
  readonly message: string;
}

/** One request, and what came of it. */
export interface RequestReport {
  /** How long it took, in milliseconds; where it was the first, with the connection. */
  readonly ms: number;
  /** The HTTP status; undefined where there was no answer. */
  readonly status: number | undefined;
  /**
   * What is wrong: `noAnswer` came; it is `notMatrix` but a page of a web server, say; it is an error of the homeserver
   * or of the proxy in front of it (`error`); or it is `invalid`. Undefined where nothing is.
   */
  readonly problem: "noAnswer" | "notMatrix" | "error" | "invalid" | undefined;
  /** More of what is wrong, in one line; it may quote the server. Undefined where nothing is. */
  readonly reason: string | undefined;
}

/** The answer to `GET /_matrix/federation/v1/version`. */
export interface VersionReport extends RequestReport {
  /** The implementation's name, such as `Synapse`. */
  readonly name: string | undefined;
  /** Its version. */
  readonly version: string | undefined;
}

/** A key that a server publishes. */
export interface VerifyKeyReport {
  /** Its id, such as `ed25519:a_abcd`. */
  readonly keyId: string;
  /** The public key, in Base64. */
  readonly publicKey: string;
  /** Whether the key document has a valid signature of this key. */
  readonly signed: boolean;
}

/** A server's key document. Specification: Server-Server API, "Publishing Keys". */
export interface KeyReport {
  /** The server name that the document says it is of. */
  readonly serverName: string;
  /** Until when the keys may be used: Unix time in milliseconds. */
  readonly validUntil: number;
  /** The keys in use; at most 8. */
  readonly keys: readonly VerifyKeyReport[];
  /** The ids of keys that were in use; at most 8. */
  readonly oldKeyIds: readonly string[];
}

/** The answer to `GET /_matrix/key/v2/server`. */
export interface KeysReport extends RequestReport {
  /** The document; undefined where there is none. */
  readonly document: KeyReport | undefined;
  /** Whether it has the same server name and keys as {@link Diagnosis.keys}; undefined where there is no document. */
  readonly same: boolean | undefined;
}

/** One address of a server, examined on its own. */
export interface AddressReport {
  /** The host name that the address was looked up for, or the IP address that stands in the server name. */
  readonly hostname: string;
  /** The IP address. */
  readonly address: string;
  /** Its IP version. */
  readonly family: 4 | 6;
  /** The TCP port. */
  readonly port: number;
  /** Whether a homeserver answers there, with no finding of severity `error` about this address. */
  readonly ok: boolean;
  /** Whether everything was asked that there was to ask, in time. */
  readonly finished: boolean;
  /** How long the TCP connection took, in milliseconds; undefined where there was none, or no TLS over it. */
  readonly connectMs: number | undefined;
  /** Why there is no TLS connection; undefined where there is one, and where there was no time to know. */
  readonly failure: ConnectionFailure | undefined;
  /** The TLS handshake; undefined where there is no TLS connection. */
  readonly tls: TlsReport | undefined;
  /** What the server runs; undefined where it was not asked, since its certificate is refused, or not in time. */
  readonly version: VersionReport | undefined;
  /** Its keys; undefined where it was not asked, since its certificate is refused, or not in time. */
  readonly keys: KeysReport | undefined;
  /**
   * How far its clock is ahead of ours, in milliseconds and right to a second or two, negative where it is behind;
   * undefined where it does not say.
   */
  readonly clockSkewMs: number | undefined;
}

/** What is right and what is wrong with a server, as far as other servers are concerned. */
export interface Diagnosis {
  /** The server name. */
  readonly server: string;
  /** Whether at least one address is `ok`, and there is no finding of severity `error`. */
  readonly ok: boolean;
  /** When the examination began: Unix time in milliseconds. */
  readonly checkedAt: number;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** How the name became addresses. */
  readonly resolution: ResolutionReport;
  /** Each address on its own, in the order of the SRV records and then of DNS; at most 32. */
  readonly addresses: readonly AddressReport[];
  /** The server's keys: the first document that is its own and signed, or else the first; undefined where there is none. */
  readonly keys: KeyReport | undefined;
  /** What was found: errors first, then warnings, then notes. */
  readonly findings: readonly Finding[];
}
