import { SignError } from "../errors.js";
import { canonicalJson } from "./canonical-json.js";
import type { SigningKey } from "./signing-key.js";
import { formatXMatrix } from "./x-matrix.js";

/** A request as it will go out. Specification: Server-Server API, "Request Authentication". */
export interface RequestToSign {
  /** The HTTP method in capitals. */
  readonly method: string;
  /** The path with the query string, percent-encoded exactly as it is sent. */
  readonly uri: string;
  /** The server name of the receiving server, whatever host that resolves to. */
  readonly destination: string;
  /** The body, already canonical JSON; undefined where there is none. */
  readonly content?: string | undefined;
}

const utf8 = new TextEncoder();
const PRINTABLE = /^[ -~]*$/;
const quoteAscii = (text: string): string => JSON.stringify(text);

/**
 * The canonical JSON that a request's signature covers. It is put together from the body's text, so that a large body
 * is encoded once.
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when a field has an unpaired surrogate.
 */
export function signedRequestJson(request: RequestToSign, origin: string): string {
  const { content, destination, method, uri } = request;
  const head = content === undefined ? "{" : `{"content":${content},`;
  const fields = [destination, method, origin, uri];
  // Of printable ASCII, which all four are made of, JSON.stringify makes canonical JSON, in a third of the time.
  const [to, by, from, at] = fields.map(fields.every((field) => PRINTABLE.test(field)) ? quoteAscii : canonicalJson);
  return `${head}"destination":${to},"method":${by},"origin":${from},"uri":${at}}`;
}

/**
 * The values of the request's `Authorization` headers: one for each of our keys.
 *
 * @throws {@link SignError} `ERR_NO_SIGNING_KEY` when there is no key.
 */
export async function authorizationHeaders(
  request: RequestToSign,
  origin: string,
  keys: readonly SigningKey[],
): Promise<string[]> {
  if (keys.length === 0) {
    throw new SignError("ERR_NO_SIGNING_KEY", "The request has to be signed; give the client a signing key.");
  }
  const { destination } = request;
  const message = utf8.encode(signedRequestJson(request, origin));
  const headers: string[] = [];
  for (const key of keys) {
    const signature = await key.signAsync(message);
    headers.push(formatXMatrix({ origin, destination, keyId: key.keyId, signature }));
  }
  return headers;
}
