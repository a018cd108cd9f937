import type { Endpoint, FieldForm, OlderVersion } from "../endpoint.js";
import { isFederationError, OptionError, quoted } from "../errors.js";
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
  /** The input: what it was when the request was made. */
  readonly input: object;
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

const forms: Readonly<Record<FieldForm, readonly [isRight: (value: unknown) => boolean, what: string]>> = {
  object: [isObject, "an object"],
  objects: [(value) => Array.isArray(value) && value.every(isObject), "an array of objects"],
  texts: [(value) => Array.isArray(value) && value.every((each) => typeof each === "string"), "an array of strings"],
};

/**
 * Turns an endpoint and an input into a request, once for all servers that may be asked. Each field is read once.
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
  return prepare(endpoint, fieldsOf(endpoint, input), origin);
}

type Fields = Readonly<Record<string, unknown>>;

function prepare<Input extends object>(
  endpoint: Endpoint<Input, unknown>,
  fields: Fields,
  origin: string,
): PreparedRequest {
  checkFields(endpoint, fields);
  const { query = {}, secrets = [], olderVersion } = endpoint;
  const request: PreparedRequest = {
    method: endpoint.method,
    uri: fillPath(endpoint.path, fields) + fillQuery(query, withoutNull(fields)),
    content: contentOf(endpoint, fields as Input, origin),
    input: fields,
    secrets: secrets.map((field) => fields[field] as string).filter(Boolean),
    older: undefined,
  };
  if (!olderVersion || !suits(endpoint, fields as Input)) return request;
  const older = prepare(olderVersion.endpoint, fields, origin);
  // What is a secret to one of the two is none to be told by the other.
  const all = [...new Set([...request.secrets, ...older.secrets])];
  return {
    ...request,
    secrets: all,
    older: { endpoint: olderVersion.endpoint, request: { ...older, secrets: all } },
  };
}

/** A copy of the input's own fields and of their arrays: a getter may say something else each time, or throw. */
function fieldsOf({ name }: Endpoint<never, unknown>, input: object): Fields {
  try {
    const fields: Record<string, unknown> = Object.assign(Object.create(null), input);
    for (const field in fields) {
      const value = fields[field];
      if (Array.isArray(value)) fields[field] = [...value];
    }
    return fields;
  } catch (cause) {
    throw formError(name, cause);
  }
}

/** What can fill a query: null is absent. */
function withoutNull(fields: Fields): Fields {
  for (const field in fields) {
    if (fields[field] === null) return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  }
  return fields;
}

function checkFields<Input extends object>(endpoint: Endpoint<Input, unknown>, fields: Fields): void {
  const wrong = (field: string, what: string): never => {
    throw new OptionError("ERR_INPUT", `The field ${quoted(field)} ${what}.`, { endpoint: endpoint.name });
  };
  for (const field of endpoint.required ?? []) {
    if (fields[field] === undefined || fields[field] === null) wrong(field, "is missing");
  }
  for (const [field, max] of Object.entries<number | undefined>(endpoint.maxItems ?? {})) {
    const items = fields[field];
    if (items === undefined || max === undefined) continue;
    if (!Array.isArray(items) || items.length > max) wrong(field, `must be an array of at most ${max} elements`);
  }
  for (const field of endpoint.secrets ?? []) {
    // Nothing else could be kept out of errors.
    if (fields[field] !== undefined && typeof fields[field] !== "string") wrong(field, "must be a string");
  }
  for (const [field, form] of Object.entries<FieldForm | undefined>(endpoint.forms ?? {})) {
    if (fields[field] === undefined || form === undefined) continue;
    const [isRight, what] = forms[form];
    if (!isRight(fields[field])) wrong(field, `must be ${what}`);
  }
  for (const [field, check] of checks) {
    if (fields[field] !== undefined) check(fields[field]);
  }
}

function suits<Input extends object>({ name, olderVersion }: Endpoint<Input, unknown>, input: Input): boolean {
  try {
    return olderVersion?.suits?.(input) ?? true;
  } catch (cause) {
    throw formError(name, cause);
  }
}

/** A function of the endpoint's did not know what to make of the input. */
export function formError(endpoint: string, cause: unknown): OptionError {
  return new OptionError("ERR_INPUT", "The input does not have the form that the endpoint needs.", { endpoint, cause });
}

function contentOf<Input extends object>(endpoint: Endpoint<Input, unknown>, input: Input, origin: string) {
  if (!endpoint.body) return undefined;
  try {
    const body: unknown = endpoint.body(input, origin);
    if (isObject(body)) return canonicalJson(body);
  } catch (cause) {
    if (isFederationError(cause)) throw cause;
    throw formError(endpoint.name, cause);
  }
  throw new OptionError("ERR_INPUT", "The body must be an object.", { endpoint: endpoint.name });
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
