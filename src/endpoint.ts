import { OptionError, quoted } from "./errors.js";

/** Any value that JSON can carry. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
/** A JSON object. Unknown keys of a server's answer are kept. */
export type JsonObject = { [key: string]: JsonValue };

/** Who may be asked: one named server, or any server that is in the room. */
export type Audience = "server" | "resident";

/**
 * The part of the Standard Schema interface (version 1) that this library calls: any validation library that
 * implements it can describe a response.
 */
export interface ResponseSchema<Output> {
  /** The interface of Standard Schema. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The validation library's name. */
    readonly vendor: string;
    /** Judges a value. What the library returns to its caller is the value itself, never the schema's copy of it. */
    readonly validate: (value: unknown) => SchemaResult | Promise<SchemaResult>;
    /** Types for inference; absent at run time. */
    readonly types?: ResponseSchemaTypes<Output> | undefined;
  };
}

/** What a schema is for, as types. */
export interface ResponseSchemaTypes<Output> {
  /** What the schema takes: any JSON. */
  readonly input: unknown;
  /** What a valid response is. */
  readonly output: Output;
}

/** What a schema says of a value. */
export interface SchemaResult {
  /** What is wrong; absent when the value is valid. */
  readonly issues?: readonly SchemaIssue[] | undefined;
}

/** One thing that a schema finds wrong with a value. */
export interface SchemaIssue {
  /** What was expected. */
  readonly message: string;
  /** Where, from the outside in. */
  readonly path?: ReadonlyArray<PropertyKey | SchemaPathSegment> | undefined;
}

/** One step of the path to an issue, for validation libraries that say more of it than its key. */
export interface SchemaPathSegment {
  /** The key of the property, or the index of the element. */
  readonly key: PropertyKey;
}

/** A Matrix error code on which another resident may do better. */
export interface FailoverErrcode {
  /** The error code. */
  readonly errcode: string;
  /** The only HTTP status with which the code has that meaning; any status when absent. */
  readonly status?: number;
}

/** A Matrix error that the specification documents for an endpoint. */
export interface DocumentedError {
  /** The HTTP status. */
  readonly status: number;
  /** The error code; absent where only the status is said. */
  readonly errcode?: string;
}

/** The older form of an endpoint, for servers that do not know the newer one. */
export interface OlderVersion {
  /**
   * The older endpoint, of the same input. It answers as the newer one, or with a pair of a status, which says nothing, and
   * that answer.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the input is that of the newer endpoint
  readonly endpoint: Endpoint<any, unknown>;
  /** Whether it can say what the input says; always when absent. */
  // biome-ignore lint/suspicious/noExplicitAny: the input is that of the newer endpoint
  readonly suits?: (input: any) => boolean;
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
  /** Query parameters: the name on the wire to the input field that fills it. Arrays repeat; absent fields are left out. */
  readonly query?: Readonly<Record<string, keyof Input & string>>;
  /** The JSON body. `origin` is our own server name. Absent: the request has no body. */
  readonly body?: (input: Input, origin: string) => JsonValue;
  /** The fields of the input that must be there, beside those of the path. */
  readonly required?: ReadonlyArray<keyof Input & string>;
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
  readonly answer?: "multipart";
  /** What a valid response is. */
  readonly response: ResponseSchema<Output>;
  /**
   * What is wrong with a valid response of a certain server, where not every server may say everything: a user may only
   * be vouched for by the user's own server, for example. Absent, or undefined, is nothing.
   */
  // biome-ignore lint/suspicious/noExplicitAny: it is only asked about an Output; the type of which it must not narrow
  readonly fault?: (answer: any, server: string) => SchemaIssue | undefined;
  /** The fields of the input that are secrets, which no error may quote. */
  readonly secrets?: ReadonlyArray<keyof NoInfer<Input> & string>;
  /** The fields of a response that are arrays of events (PDUs): of these, bad ones are left out one by one. */
  readonly events?: readonly string[];
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

const checked = new WeakSet<object>();

/** Checks an endpoint that was not made by {@link defineEndpoint}, since its limits would be none. */
// biome-ignore lint/suspicious/noExplicitAny: an endpoint of any input and output will do
export function checkEndpoint(endpoint: Endpoint<any, any>): void {
  if (typeof endpoint !== "object" || endpoint === null) {
    throw new OptionError("ERR_INPUT", `The endpoint is ${quoted(endpoint)}; make one with defineEndpoint({ … }).`);
  }
  if (!checked.has(endpoint)) defineEndpoint(endpoint);
}

/**
 * Makes an endpoint value, for `client.request` and `room.request`: this is how an MSC's endpoint is called.
 *
 * @throws {@link OptionError} `ERR_OPTION` when a field contradicts another or has the wrong form.
 */
export function defineEndpoint<Input extends object, Output, Who extends Audience>(
  definition: EndpointDefinition<Input, Output, Who>,
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
  const wrong = (what: string): never => {
    throw new OptionError("ERR_OPTION", `The endpoint ${quoted(endpoint.name)} ${what}`);
  };
  if (!/^\/_matrix\/[\w\-.~/{}]*$/.test(endpoint.path)) {
    wrong('has a path that does not look like "/_matrix/federation/v1/state_ids/{roomId}".');
  }
  if (endpoint.answer === "multipart" && (endpoint.method !== "GET" || endpoint.audience !== "server"))
    wrong("answers with a file; it has to be a GET for one server.");
  if (endpoint.method === "GET" && endpoint.body) wrong("is a GET and has a body; give the fields in `query`.");
  for (const field of ["timeoutMs", "maxResponseBytes"] as const) {
    // Timers cannot count further.
    if (!(Number.isInteger(endpoint[field]) && endpoint[field] > 0 && endpoint[field] < 2 ** 31))
      wrong(`needs a whole number from 1 to ${2 ** 31 - 1} in \`${field}\`.`);
  }
  if (typeof endpoint.response?.["~standard"]?.validate !== "function") {
    wrong("needs a Standard Schema in `response`, such as `z.looseObject({ … })`.");
  }
  for (const field of ["events", "secrets", "errors", "required", "nextResidentOn"] as const) {
    if (endpoint[field] !== undefined && !Array.isArray(endpoint[field])) wrong(`needs a list in \`${field}\`.`);
  }
  for (const field of ["fault", "body", "pinnedTo"] as const) {
    if (endpoint[field] !== undefined && typeof endpoint[field] !== "function")
      wrong(`needs a function in \`${field}\`.`);
  }
  if (endpoint.olderVersion !== undefined) checkEndpoint(endpoint.olderVersion?.endpoint);
  checked.add(Object.freeze(endpoint));
  return endpoint;
}
