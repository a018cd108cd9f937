import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { OptionError, quoted } from "../errors.js";
import type { ConnectTarget } from "./target.js";

/** An address that a connection may be made to, for a function to decide about. */
export interface AddressQuestion {
  /** The host name that the address was looked up for, or the IP address that stands in the server name. */
  readonly hostname: string;
  /** The IP address in its usual spelling: an IPv6 address is shortened, in lower case, and without brackets. */
  readonly address: string;
  /** Its IP version. */
  readonly family: 4 | 6;
  /** The TCP port. */
  readonly port: number;
  /** Whether everybody on the internet can reach the address; what would be done without the function. */
  readonly isPublic: boolean;
}

/**
 * Which addresses a connection may go to. A list of IP addresses and ranges, such as `["10.0.0.0/8", "::1"]`, is allowed
 * beside the public addresses. A function decides about every address, public or not, and allows it with `true`.
 */
export type AllowAddress = readonly string[] | ((question: AddressQuestion) => boolean);

type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [address: IpAddress, prefixLength: number];

/** The part of IPv6 that is given out to networks at all; the package knows only what is special in all of it. */
const GLOBAL_IPV6: Range = ipaddr.parseCIDR("2000::/3");
const NAT64: Range = ipaddr.parseCIDR("64:ff9b::/96");

/**
 * Reads an IP address; undefined for any other text. It is Node that says what an address is, for Node dials it:
 * ipaddr.js would also read "0x7f.1". A zone id is refused, since it stands for a network of this machine.
 */
function parseAddress(text: string): IpAddress | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes("%")) return undefined;
  if (family === 4) return ipaddr.IPv4.parse(text);
  // Through the URL parser first, because ipaddr.js takes "::127.0.0.1" for "::ffff:127.0.0.1".
  return ipaddr.IPv6.parse(new URL(`http://[${text}]`).hostname.slice(1, -1));
}

/** Reads an entry of the list: an address, or a range whose host bits do not matter. */
function parseRange(entry: unknown): Range {
  const [text = "", prefix, ...rest] = typeof entry === "string" ? entry.split("/") : [];
  const address = parseAddress(text);
  const bits = address?.kind() === "ipv4" ? 32 : 128;
  const prefixLength = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (!address || rest.length > 0 || !(prefixLength <= bits)) {
    const right = 'an IP address or a range, such as "127.0.0.1" or "fd00::/8"';
    throw new OptionError(
      "ERR_OPTION",
      `The option \`allowAddress\` has the entry ${quoted(entry)}; it must be ${right}.`,
    );
  }
  return [address, prefixLength];
}

// The families are kept apart: an IPv4 range says nothing of the IPv6 addresses that have an IPv4 address in them.
const isIn = (address: IpAddress, range: Range): boolean =>
  address.kind() === range[0].kind() && address.match(range[0], range[1]);

/** What an address that is not public is; undefined for a public one. */
function specialName(address: IpAddress): string | undefined {
  if (address instanceof ipaddr.IPv6 && isIn(address, NAT64)) {
    // Networks without IPv4 reach IPv4 servers through such an address (RFC 6052), so the one inside decides.
    const inside = new ipaddr.IPv4(address.toByteArray().slice(-4));
    const name = specialName(inside);
    return name && `NAT64 of ${inside}, ${name}`;
  }
  const range = address.range();
  if (range !== "unicast") return range;
  return address.kind() === "ipv4" || isIn(address, GLOBAL_IPV6) ? undefined : "reserved";
}

/**
 * Creates the rule which addresses a connection may go to. It has to be asked about the very address that is dialled.
 *
 * @param allow - What is allowed beside public addresses; nothing when absent.
 * @returns A function that answers undefined when the address may be used, and otherwise the reason in one line, for
 * people to read. It never throws, but passes on what a function given as `allow` throws.
 * @throws {@link OptionError} `ERR_OPTION` for an entry that is no IP address or range.
 */
export function createAddressPolicy(allow: AllowAddress | undefined): (to: ConnectTarget) => string | undefined {
  if (allow !== undefined && typeof allow !== "function" && !Array.isArray(allow)) {
    const right = "a list of IP addresses and ranges, or a function";
    throw new OptionError("ERR_OPTION", `The option \`allowAddress\` is ${quoted(allow)}; it must be ${right}.`);
  }
  const decide = typeof allow === "function" ? allow : undefined;
  const allowed = typeof allow === "function" ? [] : (allow ?? []).map(parseRange);

  return ({ hostname, address: text, port }) => {
    const address = parseAddress(text);
    if (!address) return `${quoted(text)} is no plain IP address`;
    const special = specialName(address);
    if (decide) {
      const family = address.kind() === "ipv4" ? 4 : 6;
      const question = {
        hostname,
        address: address.toString(),
        family,
        port,
        isPublic: special === undefined,
      } as const;
      // Only `true`: a promise, which somebody may return in spite of the type, is no permission.
      return decide(question) === true ? undefined : `${address} is refused by the option allowAddress`;
    }
    if (special === undefined || allowed.some((range) => isIn(address, range))) return undefined;
    return `${address} is not public (${special})`;
  };
}
