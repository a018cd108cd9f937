import type { Endpoint, OlderVersion } from "../endpoint.js";
import { OptionError, quoted } from "../errors.js";
import { checkEventId, checkRoomAlias, checkRoomId, checkUserId } from "../name/identifiers.js";
import { fillPath, fillQuery } from "../name/path.js";
import { parseServerName } from "../name/server-name.js";
import { canonicalJson } from "./canonical-json.js";

/** A request before it is known who is asked: everything that is the same for each server. */
export interface PreparedRequest {
  /** The HTTP method. */
  readonly method: "GET" | "PUT" | "POST";
  /** Path and query, percent-encoded as they will be signed and sent. */
  readonly uri: string;
  /** The body as canonical JSON; absent where there is none. */
  readonly content: string | undefined;
  /** What no error may quote. */
  readonly secrets: readonly string[];
  /** The same for servers that know only an older version of the endpoint; absent where there is none that suits. */
  readonly older: OlderRequest | undefined;
}

/** What is asked of a server that does not know the endpoint. */
export interface OlderRequest {
  /** The older endpoint. */
  readonly endpoint: OlderVersion["endpoint"];
  /** The request. It is made at once, for the caller may change the input meanwhile. */
  readonly request: PreparedRequest;
}

const checks = Object.entries<(text: unknown) => string>({
  roomId: checkRoomId,
  eventId: checkEventId,
  userId: checkUserId,
  roomAlias: checkRoomAlias,
  serverName: (text) => parseServerName(text as string).name,
});

/**
 * Turns an endpoint and an input into a request, once for all servers that may be asked.
 *
 * @throws {@link OptionError} `ERR_INPUT` when a field is missing, of the wrong type, or has too many elements.
 * @throws {@link NameError} when an identifier does not follow its grammar.
 * @throws {@link SignError} `ERR_CANONICAL_JSON` when the body cannot be canonical JSON.
 */
export function prepareRequest<Input extends object>(
  endpoint: Endpoint<Input, unknown>,
  input: Input,
  origin: string,
): PreparedRequest {
  if (typeof input !== "object" || input === null) {
    throw new OptionError("ERR_INPUT", `The input must be an object of fields, not ${quoted(input)}.`, {
      endpoint: endpoint.name,
    });
  }
  const fields = input as Readonly<Record<string, unknown>>;
  for (const field of endpoint.required ?? []) {
    if (fields[field] === undefined) {
      throw new OptionError("ERR_INPUT", `The field ${quoted(field)} is missing.`, { endpoint: endpoint.name });
    }
  }
  for (const [field, max] of Object.entries<number | undefined>(endpoint.maxItems ?? {})) {
    const items = fields[field];
    if (items === undefined || max === undefined) continue;
    if (!Array.isArray(items) || items.length > max) {
      throw new OptionError("ERR_INPUT", `The field ${quoted(field)} must be an array of at most ${max} elements.`, {
        endpoint: endpoint.name,
      });
    }
  }
  for (const [field, check] of checks) {
    if (fields[field] !== undefined) check(fields[field]);
  }
  const { secrets = [] } = endpoint;
  return {
    method: endpoint.method,
    uri: fillPath(endpoint.path, fields) + fillQuery(endpoint.query, fields),
    content: endpoint.body && canonicalJson(bodyOf(endpoint, input, origin)),
    secrets: secrets
      .map((field) => fields[field])
      .filter((value) => typeof value === "string" && value !== "") as string[],
    older: olderRequest(endpoint, input, origin),
  };
}

function olderRequest<Input extends object>(
  { name, olderVersion }: Endpoint<Input, unknown>,
  input: Input,
  origin: string,
): OlderRequest | undefined {
  if (!olderVersion) return undefined;
  try {
    if (!(olderVersion.suits?.(input) ?? true)) return undefined;
  } catch (cause) {
    throw formError(name, cause);
  }
  return { endpoint: olderVersion.endpoint, request: prepareRequest(olderVersion.endpoint, input, origin) };
}

/** A function of the endpoint's did not know what to make of the input. */
export function formError(endpoint: string, cause: unknown): OptionError {
  return new OptionError("ERR_INPUT", "The input does not have the form that the endpoint needs.", { endpoint, cause });
}

function bodyOf<Input extends object>(endpoint: Endpoint<Input, unknown>, input: Input, origin: string): unknown {
  try {
    return endpoint.body?.(input, origin);
  } catch (cause) {
    throw formError(endpoint.name, cause);
  }
}
