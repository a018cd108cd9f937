import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity as checkHostname, type PeerCertificate } from "node:tls";

/**
 * Whether a certificate is valid for a host name or an IP address, as Node's own check says it; of addresses the
 * certificate is asked itself, since Node 22.23 takes no IPv6 address for one.
 *
 * @returns What is wrong, or `undefined`.
 */
export function checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (isIP(host) === 0) return checkHostname(host, certificate);
  if (new X509Certificate(certificate.raw).checkIP(host) !== undefined) return undefined;
  const error = new Error(`The certificate does not name the IP address ${host}.`);
  return Object.assign(error, { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
}
