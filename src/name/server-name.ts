import { isIPv4, isIPv6 } from "node:net";
import { NameError, quoted } from "../errors.js";

/** A server name, taken apart. Specification: Appendices, "Server Name". */
export interface ServerName {
  /** The server name exactly as given: `a.example` and `a.example:443` are two servers, and so are `a` and `A`. */
  readonly name: string;
  /** The host part. An IPv6 address stands here without its brackets. */
  readonly hostname: string;
  /** The port after the colon, 1 to 65535; undefined where the name has none. */
  readonly port: number | undefined;
  /** What the host part is. */
  readonly kind: "ipv4" | "ipv6" | "dns";
}

const MAX_LENGTH = 255;
const SHAPE = /^(?:\[([\da-fA-F:.]{2,45})\]|([\da-zA-Z.-]+))(?::(\d{1,5}))?$/;
const FOUR_NUMBERS = /^\d+\.\d+\.\d+\.\d+$/;
const DNS_NAME = /^[\da-zA-Z-]{1,63}(?:\.[\da-zA-Z-]{1,63})*\.?$/;
/** URL parsers and resolvers read `127.1`, `0x7f.1` and `2130706433` as IPv4; no top-level domain is a number. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0[xX][\da-fA-F]*)\.?$/;

const PUNYCODE = /(?:^|\.)xn--/i;

const wrong = (text: string, what: string): NameError =>
  new NameError("ERR_SERVER_NAME", `The server name ${quoted(text)} ${what}`);

/**
 * Takes a server name apart.
 *
 * @throws {@link NameError} `ERR_SERVER_NAME` when it does not follow the grammar of the specification
 * (Appendices, "Server Name").
 */
export function parseServerName(text: unknown): ServerName {
  if (typeof text !== "string") {
    throw new NameError("ERR_SERVER_NAME", `A server name is a string such as "matrix.org", not a ${typeof text}.`);
  }
  if (text.length > MAX_LENGTH) throw wrong(text, `is longer than ${MAX_LENGTH} characters.`);
  const [, ipv6, host, digits] = SHAPE.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && !(port >= 1 && port <= 65535)) throw wrong(text, "has a port that is not 1 to 65535.");
  if (ipv6 !== undefined) {
    if (!isIPv6(ipv6)) throw wrong(text, 'holds no valid IPv6 address; a right one looks like "[2001:db8::1]:8448".');
    return { name: text, hostname: ipv6, port, kind: "ipv6" };
  }
  if (host === undefined) throw wrong(text, reason(text));
  if (FOUR_NUMBERS.test(host)) {
    if (!isIPv4(host)) throw wrong(text, 'holds no valid IPv4 address; a right one looks like "192.0.2.1:8448".');
    return { name: text, hostname: host, port, kind: "ipv4" };
  }
  if (!DNS_NAME.test(host)) throw wrong(text, "has a label that is empty or longer than 63 characters.");
  if (ENDS_IN_NUMBER.test(host)) throw wrong(text, "ends in a number and is no IPv4 address of four decimal numbers.");
  // Such a label may follow the grammar and still be no punycode, and then it can stand in no URL.
  if (PUNYCODE.test(host) && !URL.canParse(`https://${host}`))
    throw wrong(text, "has an xn-- label that is no IDNA name.");
  return { name: text, hostname: host, port, kind: "dns" };
}

/** Whether a value is a valid server name. */
export function isServerName(text: unknown): text is string {
  try {
    parseServerName(text);
    return true;
  } catch {
    return false;
  }
}

/** Why a text has not even the shape of a server name: the usual mistakes first. */
function reason(text: string): string {
  if (text === "") return 'is empty; a right one looks like "matrix.org".';
  if (text.includes("://")) return 'is a URL; a right one has no scheme and no path, such as "matrix.org:8448".';
  if (/\P{ASCII}/u.test(text)) return 'is not ASCII; write it in its xn-- form, such as "xn--bcher-kva.example".';
  if (text.split(":").length > 2) return 'has several colons; an IPv6 address is written as in "[2001:db8::1]:8448".';
  return 'is not a host with an optional port; a right one looks like "matrix.org" or "matrix.org:8448".';
}
