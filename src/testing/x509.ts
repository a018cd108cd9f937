import type { webcrypto } from "node:crypto";

import { OptionError } from "../errors.js";

/** One alternative name of a certificate. */
export interface AlternativeName {
  /** What the name is. */
  readonly type: "dns" | "ip";
  /** The name, in text form. */
  readonly value: string;
}

/** A certificate that the library made. */
export interface GeneratedCertificate {
  /** The certificate as PEM text. */
  toString(format: "pem"): string;
}

/** What both kinds of certificate are made from. */
interface CertificateFields {
  /** Hexadecimal serial number. */
  readonly serialNumber: string;
  /** When it becomes valid. */
  readonly notBefore: Date;
  /** When it stops being valid. */
  readonly notAfter: Date;
  /** The signature's algorithm. */
  readonly signingAlgorithm: webcrypto.Algorithm & { readonly hash: string };
  /** The X.509 extensions. */
  readonly extensions: readonly object[];
}

/**
 * The part of `@peculiar/x509` that is used here. Written out, because the library's own declarations need the types
 * of a browser.
 */
export interface X509Library {
  /** Makes certificates. */
  readonly X509CertificateGenerator: {
    /** Makes a certificate that is signed with its own key. */
    createSelfSigned(
      fields: CertificateFields & { readonly name: string; readonly keys: webcrypto.CryptoKeyPair },
    ): Promise<GeneratedCertificate>;
    /** Makes a certificate that is signed with somebody else's key. */
    create(
      fields: CertificateFields & {
        readonly subject: string;
        readonly issuer: string;
        readonly publicKey: webcrypto.CryptoKey;
        readonly signingKey: webcrypto.CryptoKey;
      },
    ): Promise<GeneratedCertificate>;
  };
  /** Says whether the certificate may sign others. */
  readonly BasicConstraintsExtension: new (
    ca: boolean,
    pathLength?: number,
    critical?: boolean,
  ) => object;
  /** Says what names the certificate is for. */
  readonly SubjectAlternativeNameExtension: new (
    names: readonly AlternativeName[],
    critical?: boolean,
  ) => object;
}

const specifier: string = "@peculiar/x509";

/**
 * The certificate library.
 *
 * @throws {@link OptionError} `ERR_OPTION` when it is not installed.
 */
export async function loadX509(): Promise<X509Library> {
  const removeShim = shimReflectMetadata();
  try {
    return (await import(specifier)) as X509Library;
  } catch (error) {
    throw new OptionError(
      "ERR_OPTION",
      'The test federation makes certificates with "@peculiar/x509", which cannot be loaded. Install it as a dev dependency: npm install --save-dev @peculiar/x509',
      { cause: error },
    );
  } finally {
    removeShim();
  }
}

/**
 * The library refuses to load without a `reflect-metadata` polyfill, asks it only while loading, and works with no
 * metadata at all. So empty answers are in place for that moment alone, and our users need not install a polyfill.
 */
function shimReflectMetadata(): () => void {
  const reflect = Reflect as unknown as Record<string, unknown>;
  const missing = ["getMetadata", "getOwnMetadata", "defineMetadata"].filter((name) => !(name in reflect));
  const shim = (): undefined => undefined;
  for (const name of missing) reflect[name] = shim;
  return () => {
    for (const name of missing) if (reflect[name] === shim) delete reflect[name];
  };
}
