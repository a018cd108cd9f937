import { isIP } from "node:net";
import type { Cancellation } from "../cancellation.js";
import type { Destination } from "../connect/target.js";
import { cleanText, quoted, ResponseError, TransportError } from "../errors.js";
import type { AddressAnswer } from "../resolve/addresses.js";
import type { Pools } from "../send/pools.js";
import { openUrl, type StreamedResponse } from "../send/stream.js";
import { headerText } from "./content-headers.js";
import { type FileLimits, type FileOrigin, originDetails, tooLarge } from "./file-body.js";
import { createMedia, type Media, type Redirection } from "./media.js";

/** What fetching a file from where a server says that it is needs. */
export interface LocationOptions {
  /** Makes the connections. */
  readonly pools: Pools;
  /** Finds the addresses of a host. */
  readonly lookup: (hostname: string) => Promise<AddressAnswer>;
  /** The `User-Agent` header. */
  readonly userAgent: string;
  /** Is told of each host before it is asked, by name and port as they stand in the URL. */
  readonly asking: (host: string) => void;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches a file from the URL that a server gave instead of it: with GET, unsigned, by https only, and through the
 * address policy at every hop.
 *
 * @param cancellation - Ends it until the headers of the file are there.
 * @throws {@link ResponseError} `ERR_RESPONSE_INVALID` when it is no URL that may be fetched or the redirects do not
 * end, `ERR_NOT_MATRIX` when there is no file, `ERR_RESPONSE_TOO_LARGE` when it is larger than it may be.
 * @throws {@link TransportError} when a host cannot be reached, or may not be.
 */
export async function fetchLocation(
  { metadata, location }: Redirection,
  limits: FileLimits,
  from: FileOrigin,
  options: LocationOptions,
  cancellation: Cancellation,
): Promise<Media> {
  const seen = new Set<string>();
  let origin = from;
  for (let next: string | undefined = location, base: string | undefined; ; ) {
    const url = checkedUrl(next, base, seen, origin);
    origin = { ...from, host: url.host };
    options.asking(url.host);
    const response = await get(url, origin, options, cancellation);
    const header = (name: string): string | undefined => {
      const { [name]: value, "content-encoding": encoding } = response.headers;
      // The length of what was compressed says nothing of the file's.
      const counts = name !== "content-length" || encoding === undefined;
      return typeof value === "string" && counts ? headerText(value) : undefined;
    };
    if (response.stream && response.status === 200) {
      const media = createMedia({ metadata, header, file: response.stream, redirect: true }, limits, origin);
      if ((media.contentLength ?? 0) <= limits.maxBytes) return media;
      media.cancel();
      throw tooLarge(limits.maxBytes, origin);
    }
    response.stream?.destroy();
    if (!REDIRECTS.has(response.status)) {
      const message = `HTTP ${response.status} from the host that the server says has the file.`;
      throw new ResponseError("ERR_NOT_MATRIX", message, { ...originDetails(origin), status: response.status });
    }
    next = header("location");
    base = url.href;
  }
}

/** The next URL to ask, which is then among those seen. The one who gave it is at fault when it may not be asked. */
function checkedUrl(location: string | undefined, base: string | undefined, seen: Set<string>, by: FileOrigin): URL {
  const refuse = (message: string): never => {
    const details = originDetails(by);
    const issues = [{ path: "$.location", message }];
    const lines = [...details.lines, `Issue: $.location: ${message}`];
    const text = `The ${by.host === undefined ? "server" : "host"} says that the file is where it cannot be fetched from.`;
    throw new ResponseError("ERR_RESPONSE_INVALID", text, { ...details, status: 200, issues, lines });
  };
  const url = location !== undefined && URL.canParse(location, base) ? new URL(location, base) : refuse("no URL");
  url.hash = "";
  if (url.username !== "" || url.password !== "") refuse("a URL with a user's name in it");
  if (url.protocol !== "https:") refuse(`not https: ${quoted(url.href)}`);
  if (seen.has(url.href)) refuse(`a circle at ${quoted(url.href)}`);
  if (seen.size > MAX_REDIRECTS) refuse(`more than ${MAX_REDIRECTS} redirects`);
  seen.add(url.href);
  return url;
}

async function get(
  url: URL,
  from: FileOrigin,
  { pools, lookup, userAgent }: LocationOptions,
  cancellation: Cancellation,
): Promise<StreamedResponse> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const { lines, ...about } = originDetails(from);
  const family = isIP(hostname);
  const found: AddressAnswer =
    family === 4 || family === 6
      ? { kind: "found", addresses: [{ address: hostname, family }], lifetimeMs: 0 }
      : await lookup(hostname);
  if (found.kind !== "found") {
    const message = "The host that the server says has the file has no address.";
    const reason = `Cause: ${cleanText(found.reason)}`;
    throw new TransportError("ERR_CONNECT", message, { ...about, requestSent: false, lines: [...lines, reason] });
  }
  const port = Number(url.port || 443);
  const target = { hostname, port, priority: 0, weight: 0, addresses: found.addresses };
  const destination: Destination = { tlsName: hostname.replace(/\.$/, ""), targets: [target] };
  try {
    return await openUrl(pools, destination, url, userAgent, cancellation);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    const { code, requestSent, cause } = error;
    const causes = error.message.split("\n").filter((line) => line.startsWith("Cause: "));
    const text =
      code === "ERR_ADDRESS_REFUSED"
        ? "The host that the server says has the file has no address that may be connected to."
        : "The host that the server says has the file could not be asked for it.";
    throw new TransportError(code, text, { ...about, requestSent, cause, lines: [...lines, ...causes] });
  }
}
