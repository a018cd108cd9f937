import { OptionError } from "../errors.js";

/** What is in an `Authorization: X-Matrix` header. Specification: Server-Server API, "Request Authentication". */
export interface XMatrix {
  /** The server name of the sending server. */
  readonly origin: string;
  /** The server name of the receiving server; undefined from servers older than version 1.3 of the specification. */
  readonly destination: string | undefined;
  /** The id of the key that signed, such as `ed25519:a_abcd`. */
  readonly keyId: string;
  /** The signature in unpadded Base64. */
  readonly signature: string;
}

const MAX_LENGTH = 4096;
const PLAIN = /^[ !#-[\]-~]+$/;
const SCHEME = /^X-Matrix[ \t]+/i;
/**
 * One parameter: a quoted string, or a bare value with more characters than RFC 9110 gives a token, for older servers
 * leave server names, key ids and signatures unquoted. No part can match what its neighbour matches, so that the time
 * is linear.
 */
const PARAMETER = /([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[\t !#-[\]-~]|\\[\t -~])*)"|([!#-+\--[\]-~]+))/y;
const SEPARATOR = /[ \t]*(?:,[ \t,]*|$)/y;

/**
 * Writes the value of the header, in the form that the oldest servers read: all values quoted, no spaces.
 *
 * @throws {@link OptionError} `ERR_INPUT` when a value has characters that cannot stand in a header.
 */
export function formatXMatrix({ origin, destination, keyId, signature }: XMatrix): string {
  const to = destination === undefined ? "" : `destination=${quote("destination", destination)},`;
  return `X-Matrix origin=${quote("origin", origin)},${to}key=${quote("key", keyId)},sig=${quote("sig", signature)}`;
}

function quote(name: string, value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (!/^[\t -~]+$/.test(value)) {
    throw new OptionError("ERR_INPUT", `The X-Matrix parameter "${name}" is empty or not printable ASCII.`);
  }
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * Reads the value of the header. It judges the form of the header only: whether `origin` is a server name, and whether
 * the signature is right, is for the caller to find out. It never throws.
 *
 * @returns undefined when it is no X-Matrix header, lacks a parameter or has one twice.
 */
export function parseXMatrix(header: unknown): XMatrix | undefined {
  if (typeof header !== "string" || header.length > MAX_LENGTH) return undefined;
  const parameters = new Map<string, string>();
  let position = SCHEME.exec(header)?.[0].length ?? header.length;
  while (position < header.length) {
    PARAMETER.lastIndex = position;
    const [, name, quotedValue, bareValue] = PARAMETER.exec(header) ?? [];
    SEPARATOR.lastIndex = PARAMETER.lastIndex;
    if (name === undefined || parameters.has(name.toLowerCase()) || !SEPARATOR.test(header)) return undefined;
    parameters.set(name.toLowerCase(), bareValue ?? (quotedValue as string).replace(/\\(.)/g, "$1"));
    position = SEPARATOR.lastIndex;
  }
  const [origin, keyId, signature] = [parameters.get("origin"), parameters.get("key"), parameters.get("sig")];
  if (!origin || !keyId || !signature) return undefined;
  return { origin, destination: parameters.get("destination"), keyId, signature };
}
