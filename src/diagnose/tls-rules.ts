import type { CertificateReport, TlsReport } from "../connect/tls-inspection.js";
import { type AddressEvidence, atEachAddress, type Evidence, type Rule } from "./evidence.js";
import type { TlsFindingCode } from "./report.js";

const DAY_MS = 86_400_000;
const EXPIRING_MS = 14 * DAY_MS;
const MAX_NAMES = 8;

/** What OpenSSL says of bytes that are no TLS: usually those of plain HTTP. */
const NOT_TLS = /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST|RECORD_TOO_|UNEXPECTED_MESSAGE|BAD_RECORD_TYPE/;
const OLD_PROTOCOL = /UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE/;
const OLD_PROTOCOLS: ReadonlySet<string> = new Set(["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"]);

const SELF_SIGNED = "DEPTH_ZERO_SELF_SIGNED_CERT";
const EXPIRED = "CERT_HAS_EXPIRED";
const NOT_YET_VALID = "CERT_NOT_YET_VALID";
/** The chain ends before a CA is reached. */
const NO_ISSUER: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
]);

const date = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 16) : "?");
const RENEW = "Renew the certificate and reload the server";

const failedInTls = ({ failure }: AddressEvidence): string | undefined =>
  failure?.stage === "tls" ? (failure.code ?? "") : undefined;

/** The handshake where the usual check is made. */
const checked = ({ tls }: AddressEvidence): TlsReport | undefined => (tls?.exception === undefined ? tls : undefined);

/** The certificate whose dates are wrong: the server's own one, or another that the check stumbled over. */
function outOfDate(
  address: AddressEvidence,
  chainError: string,
  isWrong: (certificate: CertificateReport) => boolean,
): CertificateReport | undefined {
  const tls = checked(address);
  const [own, ...others] = tls?.chain ?? [];
  if (tls?.chainError === undefined) return undefined;
  if (own && isWrong(own)) return own;
  return tls.chainError === chainError ? (others.find(isWrong) ?? own) : undefined;
}

/** Whether the server's own certificate is all there is. A wrong date would keep OpenSSL from saying so. */
function isAlone({ chain: [own, issuer], chainError }: TlsReport): boolean {
  if (own === undefined || issuer !== undefined || chainError === undefined) return false;
  const isHidden = (chainError === EXPIRED || chainError === NOT_YET_VALID) && own.subject !== own.issuer;
  return isHidden || NO_ISSUER.has(chainError);
}

/** The last of the chain that was sent: the one whose issuer nobody knows. */
const lastIssuer = (tls: TlsReport): string => tls.chain.at(-1)?.issuer || "somebody unnamed";

function nameAdvice(address: AddressEvidence, { resolution }: Evidence): string {
  const advice = `Get a certificate for ${resolution.tlsName}, and serve it to clients that ask for that name (SNI)`;
  return address.hostname === resolution.tlsName
    ? `${advice}.`
    : `${advice}: the server name counts, and not ${address.hostname}, which an SRV record names.`;
}

/** What can be found in a TLS handshake. */
export const tlsRules: Readonly<Record<TlsFindingCode, Rule>> = {
  notTls: atEachAddress("error", (address) =>
    NOT_TLS.test(failedInTls(address) ?? "")
      ? {
          message: `What listens on port ${address.port} speaks no TLS (${address.failure?.message}).`,
          advice: "Turn TLS on for this port, or delegate to a port that has it; federation is never plain HTTP.",
        }
      : undefined,
  ),
  tlsProtocol: atEachAddress("error", (address) =>
    OLD_PROTOCOL.test(failedInTls(address) ?? "") || OLD_PROTOCOLS.has(address.tls?.protocol ?? "")
      ? {
          message: `The server speaks no TLS of version 1.2 or later (${address.tls?.protocol ?? address.failure?.message}).`,
          advice: "Turn on TLS 1.2 and 1.3 on the server or its reverse proxy.",
        }
      : undefined,
  ),
  tlsFailed: atEachAddress("error", (address) => {
    const code = failedInTls(address);
    if (code === undefined || NOT_TLS.test(code) || OLD_PROTOCOL.test(code)) return undefined;
    return {
      message: `The TLS handshake fails: ${address.failure?.message}.`,
      advice:
        "Check the TLS settings of the server or its reverse proxy: certificate, key, ciphers, and the name (SNI).",
    };
  }),
  certificateName: atEachAddress("error", (address, evidence) => {
    const tls = checked(address);
    if (!tls || tls.nameMatches) return undefined;
    const names = tls.chain[0]?.names ?? [];
    const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
    const shown = names.length > 0 ? `${names.slice(0, MAX_NAMES).join(", ")}${more}` : "no name at all";
    return {
      message: `The certificate is for ${shown}; it has to be for ${evidence.resolution.tlsName}.`,
      advice: nameAdvice(address, evidence),
    };
  }),
  certificateExpired: atEachAddress("error", (address, { checkedAt }) => {
    const certificate = outOfDate(address, EXPIRED, ({ validTo }) => validTo <= checkedAt);
    return (
      certificate && {
        message: `The certificate ${certificate.subject} expired on ${date(certificate.validTo)} UTC.`,
        advice: `${RENEW}, and see why it was not renewed in time; check this machine's clock if the date is not over.`,
      }
    );
  }),
  certificateNotYetValid: atEachAddress("error", (address, { checkedAt }) => {
    const certificate = outOfDate(address, NOT_YET_VALID, ({ validFrom }) => validFrom > checkedAt);
    return (
      certificate && {
        message: `The certificate ${certificate.subject} is not valid before ${date(certificate.validFrom)} UTC.`,
        advice: "Check the clocks of this machine and of whoever issued the certificate, or wait.",
      }
    );
  }),
  certificateExpiring: atEachAddress("warning", (address, { checkedAt }) => {
    const [own] = checked(address)?.chain ?? [];
    const leftMs = (own?.validTo ?? Number.POSITIVE_INFINITY) - checkedAt;
    // Certificates that live for days only are renewed in their last third.
    const isDue = own && leftMs > 0 && leftMs < Math.min(EXPIRING_MS, (own.validTo - own.validFrom) / 3);
    return isDue
      ? {
          message: `The certificate expires in ${Math.floor(leftMs / DAY_MS)} days, on ${date(own.validTo)} UTC.`,
          advice: `${RENEW}; if that is done by a program, see whether it still runs.`,
        }
      : undefined;
  }),
  certificateSelfSigned: atEachAddress("error", (address) =>
    checked(address)?.chainError === SELF_SIGNED
      ? {
          message: "The certificate is signed by itself, and by no certificate authority.",
          advice:
            "Get a certificate from a public authority such as Let's Encrypt; since 2019 nobody takes another one.",
        }
      : undefined,
  ),
  certificateIncomplete: atEachAddress("error", (address) => {
    const tls = checked(address);
    if (!tls || !isAlone(tls)) return undefined;
    return {
      message: `The server sends its own certificate alone, and its issuer is no known authority: ${lastIssuer(tls)}.`,
      advice: "Serve the whole chain (fullchain.pem, not cert.pem); a private authority is known to no other server.",
    };
  }),
  certificateUntrusted: atEachAddress("error", (address) => {
    const tls = checked(address);
    const { chainError } = tls ?? {};
    if (!tls || chainError === undefined || [SELF_SIGNED, EXPIRED, NOT_YET_VALID].includes(chainError))
      return undefined;
    if (isAlone(tls)) return undefined;
    return {
      message: `The chain of certificates leads to no authority that is trusted here (${chainError}): ${lastIssuer(tls)}.`,
      advice:
        "Use a public authority and serve its chain; in a closed federation, trust its CA here with the option ca.",
    };
  }),
  certificatePin: atEachAddress("error", ({ tls }) =>
    tls?.exception === "pinned" && !tls.verified
      ? {
          message: `The certificate is not the one that tlsExceptions wants: ${tls.reason}.`,
          advice:
            "If the server has a new certificate, ask its owner for the fingerprint and correct tlsExceptions here.",
        }
      : undefined,
  ),
  certificateExcepted: atEachAddress("note", ({ tls }) => {
    if (!tls?.verified || tls.exception === undefined || (tls.chainError === undefined && tls.nameMatches)) {
      return undefined;
    }
    return {
      message: `Only tlsExceptions makes the certificate good (${tls.chainError ?? "it is for another name"}).`,
      advice: "Other servers refuse this certificate: outside a closed federation, the server needs a better one.",
    };
  }),
};
