import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from "node:tls";
import { cleanText } from "../errors.js";
import { checkServerIdentity } from "./server-identity.js";
import type { Trust } from "./trust.js";

/** A certificate that a server showed. What it says is cleaned and capped, for anybody can write anything into one. */
export interface CertificateReport {
  /** Whom it is for, such as `CN=matrix.example`. */
  readonly subject: string;
  /** Who issued it, such as `C=US, O=Let's Encrypt, CN=R11`. */
  readonly issuer: string;
  /** The host names and IP addresses that it is for: its subject alternative names, at most 100 of them. */
  readonly names: readonly string[];
  /** From when on it is valid: Unix time in milliseconds. */
  readonly validFrom: number;
  /** Until when it is valid: Unix time in milliseconds. */
  readonly validTo: number;
  /** Its SHA-256 fingerprint, as the option `tlsExceptions` takes it. */
  readonly fingerprint256: string;
  /** Its serial number, hexadecimal. */
  readonly serialNumber: string;
}

/** What a TLS handshake showed, right or wrong. */
export interface TlsReport {
  /** The protocol's version, such as `TLSv1.3`. */
  readonly protocol: string;
  /** The cipher suite, by its name in the standard. */
  readonly cipher: string;
  /** Whether requests are made over such a connection. */
  readonly verified: boolean;
  /** Why not, in one line; undefined where they are. */
  readonly reason: string | undefined;
  /** What is wrong with the chain or its dates: OpenSSL's code, such as `CERT_HAS_EXPIRED`; undefined where nothing is. */
  readonly chainError: string | undefined;
  /** Whether the certificate is for the name that was looked for. */
  readonly nameMatches: boolean;
  /**
   * How the option `tlsExceptions` replaces the usual check: `pinned` where it wants one certificate, `unchecked` where
   * it wants no check; undefined where the usual check is made.
   */
  readonly exception: "pinned" | "unchecked" | undefined;
  /**
   * The certificates: the server's own one first, then each one's issuer as far as the server sent it, and the trusted
   * CA at the end where there is one. At most 10.
   */
  readonly chain: readonly CertificateReport[];
}

const MAX_CHAIN = 10;
const MAX_NAMES = 100;
/** Node's spelling of alternative names. A name with odd characters stands in quotes. */
const ALTERNATIVE_NAME = /(?:^|, )(?:DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g;

function distinguishedName(fields: object | undefined): string {
  const parts = Object.entries(fields ?? {}).map(([key, value]) => `${key}=${[value].flat().join("+")}`);
  return cleanText(parts.join(", "));
}

function namesOf({ subjectaltname = "" }: PeerCertificate): string[] {
  const found = [...subjectaltname.matchAll(ALTERNATIVE_NAME)].slice(0, MAX_NAMES);
  return found.map(([, name = ""]) => cleanText(name.replace(/^"(.*)"$/, "$1"), 260));
}

function certificateReport(certificate: PeerCertificate): CertificateReport {
  return {
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    names: namesOf(certificate),
    validFrom: Date.parse(certificate.valid_from),
    validTo: Date.parse(certificate.valid_to),
    fingerprint256: certificate.fingerprint256,
    serialNumber: certificate.serialNumber,
  };
}

function chainOf(socket: TLSSocket): CertificateReport[] {
  const chain: CertificateReport[] = [];
  // A root is its own issuer.
  let last: DetailedPeerCertificate | undefined;
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw && next !== last && chain.length < MAX_CHAIN) {
    chain.push(certificateReport(next));
    last = next;
    next = next.issuerCertificate;
  }
  return chain;
}

/** What is wrong with a certificate for those who demand this trust, in one line. */
function refusal(
  trust: Trust,
  chainError: string | undefined,
  nameError: Error | undefined,
  shown: string | undefined,
): string | undefined {
  if (trust.fingerprint !== undefined) {
    if (shown?.replaceAll(":", "") === trust.fingerprint) return undefined;
    return `its SHA-256 fingerprint is ${shown}, not the one that is pinned`;
  }
  if (!trust.verifies) return undefined;
  const reasons = [chainError, nameError && cleanText(nameError.message, 300)].filter((each) => each !== undefined);
  return reasons.length > 0 ? reasons.join("; ") : undefined;
}

/**
 * Reads what a connection showed in its handshake, which refused nothing.
 *
 * @param tlsName - The name that the certificate should be for.
 * @param trust - What requests to that name demand.
 */
export function inspectTls(socket: TLSSocket, tlsName: string, trust: Trust): TlsReport {
  const certificate = socket.getPeerCertificate();
  const nameError = checkServerIdentity(tlsName, certificate);
  // In spite of its type it is the error's code. Node asks for the name itself where it finds the chain in order.
  const code = socket.authorizationError as unknown;
  const isChain = code !== undefined && code !== null && code !== "ERR_TLS_CERT_ALTNAME_INVALID";
  const chainError = isChain ? cleanText(String(code)) : undefined;
  const reason = refusal(trust, chainError, nameError, certificate.fingerprint256);
  return {
    protocol: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher().standardName,
    verified: reason === undefined,
    reason,
    chainError,
    nameMatches: nameError === undefined,
    exception: trust.fingerprint !== undefined ? "pinned" : trust.verifies ? undefined : "unchecked",
    chain: chainOf(socket),
  };
}
