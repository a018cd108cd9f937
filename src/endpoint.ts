import { MAX_TIMER_MS } from "./cancellation.js";
import { OptionError, quoted } from "./errors.js";
import type { Media } from "./media/media.js";
import type { FillablePath } from "./validate/path-places.js";
import type { ResponseSchema, SchemaIssue } from "./validate/response-schema.js";
import type { DocumentedError, FailoverErrcode } from "./verdict/endpoint-errors.js";

export type { FillablePath, PlacesOf } from "./validate/path-places.js";
export type {
  ResponseSchema,
  ResponseSchemaTypes,
  SchemaIssue,
  SchemaPathSegment,
  SchemaResult,
} from "./validate/response-schema.js";
export type { DocumentedError, FailoverErrcode } from "./verdict/endpoint-errors.js";

/** Any value that JSON can carry. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
/** A JSON object. Unknown keys of a server's answer are kept. */
export type JsonObject = { [key: string]: JsonValue };

/** Who may be asked: one named server, or any server that is in the room. */
export type Audience = "server" | "resident";

/** What a field of an input has to be. */
export type FieldForm = "object" | "objects" | "texts";

/** The older form of an endpoint, for servers that do not know the newer one. */
export interface OlderVersion {
  /**
   * The older endpoint, of the same input. It answers as the newer one, or with a pair of a status and that answer. Both
   * endpoints say what is valid. It has no older version of its own.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the input is that of the newer endpoint
  readonly endpoint: Endpoint<any, unknown>;
  /** Whether it can say what the input says; always when absent. */
  // biome-ignore lint/suspicious/noExplicitAny: the input is that of the newer endpoint
  readonly suits?: (input: any) => boolean;
}

/**
 * How the events of an answer are verified (Server-Server API, "Validating hashes and signatures on received events"),
 * for which the room's version has to be known.
 */
export interface EventProof<Input extends object> {
  /**
   * An event of the room: its auth chain tells the room's version where that is not known yet. Absent where the answer
   * itself has the `m.room.create` event, which tells it too.
   */
  readonly about?: (input: Input) => string | undefined;
  /** The id of the only event that the answer may have. */
  readonly only?: (input: Input) => string;
  /** The event that was sent, where it comes back with more signatures. */
  readonly sent?: SentEvent<Input>;
  /** Whether the answer may have so many events that it is read, and they are verified, while it comes. */
  readonly streamed?: boolean;
}

/** An event that was sent and comes back. */
export interface SentEvent<Input extends object> {
  /** The field of the response. */
  readonly field: string;
  /** The event's id. */
  readonly eventId: (input: Input) => string;
}

/**
 * What {@link defineEndpoint} takes. Fields in which most endpoints agree need not be said.
 *
 * @typeParam Input - What a caller passes: path parameters, query parameters and body fields by name.
 * @typeParam Output - What a valid response is.
 */
export interface EndpointDefinition<Input extends object, Output, Who extends Audience = Audience> {
  /** The endpoint's short name, such as `state_ids`; it appears in errors and diagnostics. */
  readonly name: string;
  /** The HTTP method; GET when absent. */
  readonly method?: "GET" | "PUT" | "POST";
  /** The path, with `{input}` where a percent-encoded field of the input goes. */
  readonly path: string;
  /**
   * Query parameters: the name on the wire to the input field that fills it. Arrays repeat; absent fields and null are
   * left out. The name `*` is for a field that holds parameters of any name.
   */
  readonly query?: Readonly<Record<string, keyof Input & string>>;
  /** The body: a JSON object. `origin` is our own server name. Absent: the request has no body. */
  readonly body?: (input: Input, origin: string) => object;
  /** The fields of the input that must be there, beside those of the path. */
  readonly required?: ReadonlyArray<keyof Input & string>;
  /** The fields of the input that must be an object, an array of objects or an array of texts, where they are there. */
  readonly forms?: Readonly<Partial<Record<keyof NoInfer<Input> & string, FieldForm>>>;
  /** The most elements that an array of the input may have. */
  readonly maxItems?: Readonly<Partial<Record<keyof NoInfer<Input> & string, number>>>;
  /** Whether the request carries an X-Matrix signature; it does when absent. */
  readonly authentication?: "signature" | "none";
  /** Who may be asked. */
  readonly audience: Who;
  /**
   * Where the same request may be made again when its fate is not known: at any server, or only at the one that got
   * it first (a request that changes the room: a second server would make a second change). When absent: at any server
   * for a GET, else at the same one.
   */
  readonly repeatable?: "anyServer" | "sameServer";
  /** How long one attempt may take, in milliseconds, from resolution to the last byte; 20,000 when absent. */
  readonly timeoutMs?: number;
  /** How many bytes a response may have after decompression; 1 MiB when absent. */
  readonly maxResponseBytes?: number;
  /** The errors that the specification documents, beside those that any endpoint may answer with. */
  readonly errors?: readonly DocumentedError[];
  /** Matrix error codes on which another resident may do better. `M_FORBIDDEN` here makes the endpoint a room read. */
  readonly nextResidentOn?: readonly FailoverErrcode[];
  /**
   * What a partial-state error means here (MSC3895): it is possible; it is illegal, for the endpoint is about no room;
   * or it is illegal about events that the answering server itself sent us. When absent, it is possible where any
   * resident may be asked, else illegal.
   */
  readonly partialState?: "possible" | "illegal" | "illegalForEventsItSent";
  /**
   * How servers say "partial state" here without its error code: 404 `M_NOT_FOUND` "… not fully joined", or
   * 403 `M_FORBIDDEN` "… (partial-state approx)".
   */
  readonly partialStateDisguise?: "notFullyJoined" | "approximateMembership";
  /** Whether every homeserver serves it, so that a 404 without an error code means that no homeserver answered. */
  readonly universal?: boolean;
  /** The only server that may be asked about this input, where the input names one. */
  readonly pinnedTo?: (input: Input) => string | undefined;
  /** What is asked instead where a server does not know this endpoint. */
  readonly olderVersion?: OlderVersion;
  /**
   * What a success is: JSON when absent; `multipart` is metadata and a file (`multipart/mixed`), whose bytes the caller
   * reads. Then the output is a {@link Media}, of which `response` and `fault` are not asked; `maxResponseBytes` is about
   * the file; and only one named server may be asked.
   */
  readonly answer?: [Media] extends [Output] ? "multipart" : never;
  /** What a valid response is. */
  readonly response: ResponseSchema<Output>;
  /**
   * What is wrong with a valid response of a certain server to a certain input: a user may only be vouched for by the user's
   * own server, for example. `input` is absent where it is not known. Absent, or undefined, is nothing.
   */
  // biome-ignore lint/suspicious/noExplicitAny: it is only asked about an Output; the type of which it must not narrow
  readonly fault?: (answer: any, server: string, input?: Input) => SchemaIssue | undefined;
  /** The version of the room, as a valid response tells it; nobody vouches for it. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly roomVersionIn?: (answer: any) => unknown;
  /** The fields of the input that are secrets, which no error may quote. */
  readonly secrets?: ReadonlyArray<keyof NoInfer<Input> & string>;
  /** The fields of a response that are arrays of events (PDUs): of these, bad ones are left out one by one. */
  readonly events?: readonly string[];
  /** The same of arrays of rooms, as `hierarchy` returns them. */
  readonly rooms?: readonly string[];
  /** How the events are verified; absent where they cannot be, since they come stripped. */
  readonly proof?: EventProof<Input>;
  /** The section of the specification or the MSC. */
  readonly spec: string;
}

/**
 * One request of the Server-Server API, as data. Everything that differs from endpoint to endpoint is said here.
 *
 * @typeParam Input - What a caller passes: path parameters, query parameters and body fields by name.
 * @typeParam Output - What a valid response is.
 */
export interface Endpoint<Input extends object, Output, Who extends Audience = Audience>
  extends EndpointDefinition<Input, Output, Who> {
  /** The HTTP method. */
  readonly method: "GET" | "PUT" | "POST";
  /** Whether the request carries an X-Matrix signature. */
  readonly authentication: "signature" | "none";
  /** Where the same request may be made again when its fate is not known. */
  readonly repeatable: "anyServer" | "sameServer";
  /** How long one attempt may take, in milliseconds, from resolution to the last byte. */
  readonly timeoutMs: number;
  /** How many bytes a response may have after decompression. */
  readonly maxResponseBytes: number;
  /** What a partial-state error means here (MSC3895). */
  readonly partialState: "possible" | "illegal" | "illegalForEventsItSent";
}

const DEFAULT_TIMEOUT_MS = 20_000;
const DEFAULT_MAX_RESPONSE_BYTES = 1024 * 1024;

/** The fields that {@link defineEndpoint} fills in. */
const FILLED_IN = ["method", "authentication", "repeatable", "timeoutMs", "maxResponseBytes", "partialState"] as const;
/** What the fields may be that are one of a few texts. */
const CHOICES: Readonly<Record<string, readonly (string | undefined)[]>> = {
  method: ["GET", "PUT", "POST"],
  audience: ["server", "resident"],
  authentication: ["signature", "none"],
  repeatable: ["anyServer", "sameServer"],
  partialState: ["possible", "illegal", "illegalForEventsItSent"],
  partialStateDisguise: [undefined, "notFullyJoined", "approximateMembership"],
  answer: [undefined, "multipart"],
};
const PATH = /^\/_matrix\/(?:[\w\-.~/]|\{\w+\})*$/;

const checked = new WeakSet<object>();

/** Checks an endpoint that was not made by {@link defineEndpoint}, since its limits would be none. */
// biome-ignore lint/suspicious/noExplicitAny: an endpoint of any input and output will do
export function checkEndpoint(endpoint: Endpoint<any, any>): void {
  const refuse = (): never => {
    throw new OptionError("ERR_INPUT", `The endpoint is ${quoted(endpoint)}; make one with defineEndpoint({ … }).`);
  };
  if (typeof endpoint !== "object" || endpoint === null) refuse();
  if (checked.has(endpoint)) return;
  defineEndpoint(endpoint);
  if (FILLED_IN.some((name) => endpoint[name] === undefined)) refuse();
}

/**
 * Makes an endpoint value, for `client.request` and `room.request`: this is how an MSC's endpoint is called.
 *
 * @throws {@link OptionError} `ERR_OPTION` when a field contradicts another or has the wrong form.
 */
export function defineEndpoint<Input extends object, Output, Who extends Audience, Path extends string = string>(
  definition: EndpointDefinition<Input, Output, Who> & { readonly path: FillablePath<Path, Input> },
): Endpoint<Input, Output, Who> {
  const { method = "GET" } = definition;
  const endpoint: Endpoint<Input, Output, Who> = {
    authentication: "signature",
    repeatable: method === "GET" ? "anyServer" : "sameServer",
    timeoutMs: DEFAULT_TIMEOUT_MS,
    maxResponseBytes: DEFAULT_MAX_RESPONSE_BYTES,
    partialState: definition.audience === "resident" ? "possible" : "illegal",
    ...definition,
    method,
  };
  const fault = faultOf(endpoint);
  if (fault) throw new OptionError("ERR_OPTION", `The endpoint ${quoted(endpoint.name)} ${fault}`);
  checked.add(Object.freeze(endpoint));
  return endpoint;
}

/** What is wrong with an endpoint, as the end of a sentence that begins with it. */
// biome-ignore lint/suspicious/noExplicitAny: what users without types pass can be anything
function faultOf(endpoint: Record<string, any>): string | undefined {
  const { name, method, path, response, olderVersion, query = {}, maxItems = {}, forms = {} } = endpoint;
  if (typeof name !== "string" || !/^[\w.:-]{1,100}$/.test(name)) return 'needs a short name, such as "state_ids".';
  if (typeof path !== "string" || !PATH.test(path) || /\/\.\.?(?:\/|$)/.test(path))
    return 'has a path that does not look like "/_matrix/federation/v1/state_ids/{roomId}".';
  for (const [field, choices] of Object.entries(CHOICES)) {
    if (!choices.includes(endpoint[field]))
      return `needs one of ${choices.filter(Boolean).join(", ")} in \`${field}\`.`;
  }
  if (endpoint.answer === "multipart" && (method !== "GET" || endpoint.audience !== "server"))
    return "answers with a file; it has to be a GET for one server.";
  if (method === "GET" && endpoint.body) return "is a GET and has a body; give the fields in `query`.";
  for (const field of ["timeoutMs", "maxResponseBytes"]) {
    // Timers cannot count further.
    if (!(Number.isInteger(endpoint[field]) && endpoint[field] > 0 && endpoint[field] <= MAX_TIMER_MS))
      return `needs a whole number from 1 to ${MAX_TIMER_MS} in \`${field}\`.`;
  }
  if (typeof response?.["~standard"]?.validate !== "function")
    return "needs a Standard Schema in `response`, such as `z.looseObject({ … })`.";
  for (const field of ["events", "rooms", "secrets", "required"]) {
    if (!isListOf(endpoint[field], (each) => typeof each === "string")) return `needs a list of names in \`${field}\`.`;
  }
  for (const field of ["errors", "nextResidentOn"]) {
    if (!isListOf(endpoint[field], (each) => typeof each === "object" && each !== null))
      return `needs a list of objects in \`${field}\`.`;
  }
  for (const field of ["fault", "body", "pinnedTo"]) {
    if (endpoint[field] !== undefined && typeof endpoint[field] !== "function")
      return `needs a function in \`${field}\`.`;
  }
  if (!everyValue(query, (field) => typeof field === "string") || !Object.keys(query).every(isQueryKey))
    return 'needs the fields of its parameters in `query`, such as `{ event_id: "eventId" }`.';
  if (!everyValue(maxItems, (max) => max === undefined || (Number.isSafeInteger(max) && (max as number) >= 0)))
    return "needs whole numbers in `maxItems`.";
  if (!everyValue(forms, (form) => ["object", "objects", "texts", undefined].includes(form as string)))
    return "needs object, objects or texts for each field in `forms`.";
  return olderVersion === undefined ? undefined : olderFaultOf(endpoint, olderVersion);
}

function olderFaultOf(
  endpoint: Record<string, unknown>,
  olderVersion: Partial<OlderVersion> | null,
): string | undefined {
  const { endpoint: older, suits } = olderVersion ?? {};
  if (typeof older !== "object" || older === null) return "needs an endpoint in `olderVersion.endpoint`.";
  if (suits !== undefined && typeof suits !== "function") return "needs a function in `olderVersion.suits`.";
  // Nobody would ask it; and it might be this very endpoint.
  if (older.olderVersion !== undefined) return "has an older version that has an older version itself.";
  if (older.answer !== endpoint.answer)
    return "answers with a file, and its older version with JSON, or the other way.";
  checkEndpoint(older);
  return undefined;
}

const isListOf = (list: unknown, isRight: (each: unknown) => boolean): boolean =>
  list === undefined || (Array.isArray(list) && list.every(isRight));

const isQueryKey = (key: string): boolean => /^[!-~]+$/.test(key);

const everyValue = (record: unknown, isRight: (value: unknown) => boolean): boolean =>
  typeof record === "object" && record !== null && !Array.isArray(record) && Object.values(record).every(isRight);
