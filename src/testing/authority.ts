import { webcrypto } from "node:crypto";
import { isIP } from "node:net";

import { type GeneratedCertificate, loadX509 } from "./x509.js";

/** A server's certificate with its key. */
export interface IssuedCertificate {
  /** The certificate as PEM text. */
  readonly cert: string;
  /** Its private key as PEM text (PKCS #8). */
  readonly key: string;
}

/** A certificate authority that lives as long as the process. */
export interface Authority {
  /** The authority's own certificate as PEM text. */
  readonly ca: string;
  /** Makes a certificate for one host name or IP address. */
  readonly issue: (host: string) => Promise<IssuedCertificate>;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
// Wide, for machines and tests whose clocks are off; 2049 is the last year that every ASN.1 reader takes.
const validity = { notBefore: new Date("2000-01-01T00:00:00Z"), notAfter: new Date("2049-12-31T00:00:00Z") } as const;

/**
 * Makes a new certificate authority, P-256.
 *
 * @throws {@link OptionError} `ERR_OPTION` when `@peculiar/x509` is not installed.
 */
export async function createAuthority(): Promise<Authority> {
  const x509 = await loadX509();
  // Of its own: among authorities of one name, OpenSSL takes the first that it is told to trust.
  const name = `CN=matrix-federation-sdk test authority ${randomSerial()}`;
  const authorityKeys = await generateKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: randomSerial(),
    name,
    keys: authorityKeys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  const issue = async (host: string): Promise<IssuedCertificate> => {
    const keys = await generateKeys();
    const cert = await x509.X509CertificateGenerator.create({
      ...validity,
      serialNumber: randomSerial(),
      // The host stands in the alternative names alone: that is where clients look, and a common name has 64 characters.
      subject: "CN=matrix-federation-sdk test server",
      issuer: name,
      publicKey: keys.publicKey,
      signingKey: authorityKeys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.SubjectAlternativeNameExtension([{ type: isIP(host) ? "ip" : "dns", value: host }]),
      ],
    });
    return { cert: pemOf(cert), key: await privateKeyPem(keys.privateKey) };
  };
  return { ca: pemOf(ca), issue };
}

/** With the line end that lets texts be put together. */
const pemOf = (certificate: GeneratedCertificate): string => `${certificate.toString("pem")}\n`;

const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

// Unique, for clients refuse two certificates of one authority with the same serial; 01 keeps the number positive.
const randomSerial = (): string => `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString("hex")}`;

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`;
}
