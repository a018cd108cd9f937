import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { NameError, OptionError, quoted } from "../errors.js";
import { parseServerName } from "../name/server-name.js";

/** Why a certificate is accepted that the usual check would refuse. One of the fields is given. */
export type TlsException =
  | {
      /** Certificates of CAs to trust for this name instead of all others: PEM. */
      readonly ca: string | readonly string[];
      /** Not beside `ca`. */
      readonly fingerprint256?: undefined;
      /** Not beside `ca`. */
      readonly verify?: undefined;
    }
  | {
      /**
       * The SHA-256 fingerprint of the certificate itself, as `openssl x509 -noout -fingerprint -sha256` prints it:
       * 64 hexadecimal digits, with or without colons and what it prints before them. Neither its issuer, its name nor
       * its dates are checked then.
       */
      readonly fingerprint256: string;
      /** Not beside `fingerprint256`. */
      readonly ca?: undefined;
      /** Not beside `fingerprint256`. */
      readonly verify?: undefined;
    }
  | {
      /** No check at all: anybody between you and the server can read and change what is sent. */
      readonly verify: false;
      /** Not beside `verify`. */
      readonly ca?: undefined;
      /** Not beside `verify`. */
      readonly fingerprint256?: undefined;
    };

/** What a server must show in its TLS handshake. */
export interface Trust {
  /** The CAs. */
  readonly context: SecureContext;
  /** Whether chain, name and dates are checked. */
  readonly verifies: boolean;
  /** The only certificate that is right, as 64 upper-case hexadecimal digits, where one is pinned. */
  readonly fingerprint: string | undefined;
}

const isPem = (value: unknown): boolean => typeof value === "string" && value.includes("-----BEGIN");

const BEGIN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/**
 * The certificates in a text, one by one. OpenSSL would skip what it cannot read, and all that follows on the line of an
 * end, and then trust nobody; whoever gave the text had better be told.
 */
function certificatesIn(pem: string): string[] {
  const starts = [...pem.matchAll(BEGIN)].map(({ index }) => index);
  if (starts.length === 0) throw new Error("There is no certificate in it.");
  return starts.map((start, at) => new X509Certificate(pem.slice(start, starts[at + 1])).toString());
}

/**
 * The CAs that an option names; Node's own ones where it is absent.
 *
 * @param option - The option's name, for the error.
 * @throws {@link OptionError} `ERR_OPTION` when it holds no certificate, or one that cannot be read.
 */
export function contextFor(option: string, ca: string | readonly string[] | undefined): SecureContext {
  const certificates: readonly unknown[] = ca === undefined ? [] : typeof ca === "string" ? [ca] : ca;
  if (ca?.length === 0 && Array.isArray(ca)) {
    const advice = "leave it out to trust the usual CAs";
    throw new OptionError("ERR_OPTION", `The option \`${option}\` is an empty list, which trusts nobody; ${advice}.`);
  }
  if (!(Array.isArray(certificates) && certificates.every(isPem))) {
    throw new OptionError("ERR_OPTION", `The option \`${option}\` must be PEM text, or a list of such texts.`);
  }
  try {
    if (ca === undefined) return createSecureContext();
    return createSecureContext({ ca: (certificates as readonly string[]).flatMap(certificatesIn) });
  } catch (cause) {
    throw new OptionError("ERR_OPTION", `The option \`${option}\` holds a certificate that cannot be read.`, { cause });
  }
}

function exceptionFor(name: string, exception: TlsException, usual: SecureContext): Trust {
  const option = `tlsExceptions[${quoted(name)}]`;
  const { ca, fingerprint256, verify } = (exception ?? {}) as Partial<TlsException>;
  if ([ca, fingerprint256, verify].filter((field) => field !== undefined).length !== 1) {
    throw new OptionError("ERR_OPTION", `The option \`${option}\` must have one of ca, fingerprint256 and verify.`);
  }
  if (ca !== undefined) return { context: contextFor(option, ca), verifies: true, fingerprint: undefined };
  if (fingerprint256 === undefined) {
    if (verify === false) return { context: usual, verifies: false, fingerprint: undefined };
    throw new OptionError("ERR_OPTION", `The option \`${option}.verify\` can only be false.`);
  }
  const digits = String(fingerprint256).replace(/^sha-?256 fingerprint=/i, "");
  const fingerprint = digits.replaceAll(":", "").toUpperCase();
  if (!/^[0-9A-F]{64}$/.test(fingerprint)) {
    throw new OptionError("ERR_OPTION", `The option \`${option}.fingerprint256\` must be 64 hexadecimal digits.`);
  }
  return { context: usual, verifies: false, fingerprint };
}

/** One text for all spellings of a host name or an IP address. */
function nameKey(name: string): string {
  const text = name.toLowerCase().replace(/\.$/, "");
  return isIP(text) === 6 ? new URL(`http://[${text}]`).hostname : text;
}

/** The name of an exception, as it is looked up. An exception under a name that no server has would be none at all. */
function exceptionKey(name: string): string {
  const right = 'a host name or an IP address, such as "a.example" or "2001:db8::1"';
  try {
    const { hostname, port } = parseServerName(isIP(name) === 6 ? `[${name}]` : name);
    if (port === undefined) return nameKey(hostname);
  } catch (cause) {
    if (!(cause instanceof NameError)) throw cause;
  }
  throw new OptionError(
    "ERR_OPTION",
    `The option \`tlsExceptions\` has the name ${quoted(name)}; it must be ${right}.`,
  );
}

/**
 * What is trusted for each name. Contexts are made once: reading a bundle of CAs takes longer than a handshake.
 *
 * @param context - The CAs where there is no exception.
 * @throws {@link OptionError} `ERR_OPTION` for a wrong option.
 */
export function createTrust(
  context: SecureContext,
  exceptions: Readonly<Record<string, TlsException>> = {},
): (tlsName: string) => Trust {
  const usual: Trust = { context, verifies: true, fingerprint: undefined };
  if (typeof exceptions !== "object" || exceptions === null || Symbol.iterator in exceptions) {
    const right = "an object of host names with their exceptions";
    throw new OptionError("ERR_OPTION", `The option \`tlsExceptions\` is ${quoted(exceptions)}; it must be ${right}.`);
  }
  const byName = new Map<string, Trust>();
  for (const [name, exception] of Object.entries(exceptions)) {
    const key = exceptionKey(name);
    // Neither may win in silence: one of them could be the stricter.
    if (byName.has(key)) {
      throw new OptionError("ERR_OPTION", `The option \`tlsExceptions\` has two entries for ${quoted(key)}.`);
    }
    byName.set(key, exceptionFor(name, exception, context));
  }
  // Nearly nobody has exceptions, and names need not be compared then.
  return (tlsName) => (byName.size > 0 ? byName.get(nameKey(tlsName)) : undefined) ?? usual;
}
