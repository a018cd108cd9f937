import type { Endpoint } from "../endpoint.js";
import { cleanText, type ResponseIssue } from "../errors.js";
import { dropBad, eventFault, isPair } from "./events.js";
import type { Outcome } from "./outcome.js";
import { InvalidJson, parseJson } from "./parse-json.js";
import type { SchemaIssue, SchemaResult } from "./response-schema.js";
import { roomFault } from "./rooms.js";

/** A response as any HTTP client has it. */
export interface HttpResponse {
  /** The HTTP status. */
  readonly status: number;
  /** The headers that matter here. */
  readonly headers?: {
    /** `Retry-After`: seconds or an HTTP date. */
    readonly "retry-after"?: string | undefined;
  };
  /** The body, decompressed. */
  readonly body: Uint8Array | string;
  /** Whether the body was cut off because of its size. */
  readonly tooLarge?: boolean | undefined;
}

/** The fields of an endpoint that the reading of a response depends on. */
// biome-ignore lint/suspicious/noExplicitAny: an endpoint of any input will do
export type AnsweredEndpoint<Output> = Pick<Endpoint<any, Output>, "response"> &
  // biome-ignore lint/suspicious/noExplicitAny: as above
  Partial<Pick<Endpoint<any, Output>, "events" | "rooms" | "fault" | "repeatable">>;

const MAX_ISSUES = 10;

/**
 * Reads a response into an {@link Outcome}: bytes to JSON under limits, JSON through the endpoint's schema, its events
 * one by one, an error body into its code. It never throws, whatever the server sent.
 *
 * @param server - The server that answered; where it is given, what it may not say is malformed.
 * @param input - What it was asked; where it is given, what is no answer to that is malformed.
 */
export async function readOutcome<Output>(
  response: HttpResponse,
  endpoint: AnsweredEndpoint<Output>,
  server?: string,
  input?: object,
): Promise<Outcome<Output>> {
  const { status } = response;
  if (status < 200 || status > 299) return readError(response);
  if (response.tooLarge) {
    return {
      kind: "malformed",
      status,
      issues: [{ path: "$", message: "larger than the endpoint allows" }],
      tooLarge: true,
    };
  }
  const json = parseJson(response.body);
  if (json instanceof InvalidJson) return { kind: "malformed", status, issues: [{ path: "$", message: json.message }] };
  return await readAnswer(status, json, endpoint, server, input);
}

/** The part of {@link readOutcome} that is about the JSON of a success. Bad events are left out of it in place. */
export async function readAnswer<Output>(
  status: number,
  json: unknown,
  endpoint: AnsweredEndpoint<Output>,
  server: string | undefined,
  input: object | undefined,
): Promise<Outcome<Output>> {
  const issues = await schemaIssues(endpoint, json, server, input);
  if (issues.length > 0) return { kind: "malformed", status, issues };
  const { dropped: badEvents, isEmptied } = dropBad(json, endpoint.events, eventFault);
  // What changed something has changed it, whatever the events of the answer are.
  if (isEmptied && endpoint.repeatable !== "sameServer") {
    const path = `$.${endpoint.events?.[0]}`;
    return { kind: "malformed", status, issues: [{ path, message: "nothing in it is an event" }] };
  }
  const dropped = [...badEvents, ...dropBad(json, endpoint.rooms, roomFault).dropped];
  return { kind: "answer", status, value: json as Output, ...(dropped.length > 0 && { dropped }) };
}

/**
 * Holds the answer of an endpoint's older version against the endpoint itself, of which it has to be a valid answer. A pair
 * of a status and the answer is unwrapped.
 */
export async function readOlderAnswer<Output>(
  { status, value, dropped = [] }: Extract<Outcome, { kind: "answer" }>,
  endpoint: AnsweredEndpoint<Output>,
  server: string,
  input: object,
): Promise<Outcome<Output>> {
  const outcome = await readAnswer(status, isPair(value) ? value[1] : value, endpoint, server, input);
  if (outcome.kind !== "answer") return outcome;
  const all = [...dropped, ...(outcome.dropped ?? [])];
  return { ...outcome, ...(all.length > 0 && { dropped: all }) };
}

async function schemaIssues(
  // biome-ignore lint/suspicious/noExplicitAny: an endpoint of any input will do
  endpoint: Pick<Endpoint<any, unknown>, "response" | "fault">,
  json: unknown,
  server: string | undefined,
  input: object | undefined,
): Promise<ResponseIssue[]> {
  try {
    const judged = endpoint.response["~standard"].validate(json);
    const result: SchemaResult = "then" in judged ? await judged : judged;
    const issues = result.issues ?? [];
    const fault = issues.length > 0 || server === undefined ? undefined : endpoint.fault?.(json, server, input);
    return (fault ? [fault] : issues).slice(0, MAX_ISSUES).map(issueOf);
  } catch (error) {
    // A schema of the caller's that throws on hostile input: the answer is not valid, and nothing crashes.
    return [
      { path: "$", message: `the schema failed: ${cleanText(error instanceof Error ? error.message : typeof error)}` },
    ];
  }
}

const issueOf = ({ path = [], message }: SchemaIssue): ResponseIssue => ({
  path: cleanText(`$${path.map(segment).join("")}`),
  message: cleanText(message),
});

function segment(part: PropertyKey | { readonly key: PropertyKey }): string {
  const key = typeof part === "object" ? part.key : part;
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`;
}

function readError({ status, headers, body }: HttpResponse): Outcome<never> {
  const json = parseJson(body);
  const fields = typeof json === "object" && json !== null && !(json instanceof InvalidJson) ? json : undefined;
  const errcode = fields && "errcode" in fields ? fields.errcode : undefined;
  const retryAfterMs =
    retryAfter(headers?.["retry-after"]) ?? milliseconds(fields && "retry_after_ms" in fields && fields.retry_after_ms);
  const wait = retryAfterMs !== undefined ? { retryAfterMs } : {};
  if (typeof errcode !== "string" || !/^[\x21-\x7e]{1,255}$/.test(errcode)) {
    return { kind: "error", status, text: cleanText(beginning(body)), ...wait };
  }
  const text = fields && "error" in fields && typeof fields.error === "string" ? cleanText(fields.error) : "";
  return { kind: "error", status, errcode, text, ...wait };
}

const beginning = (body: Uint8Array | string): string =>
  typeof body === "string" ? body.slice(0, 800) : new TextDecoder().decode(body.subarray(0, 800));

/** `Retry-After` in milliseconds: seconds, or the time until an HTTP date. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d{1,10}\s*$/.test(header)) return Number(header) * 1000;
  // Date.parse takes "-1" and "1.5" for dates of the past.
  return /^[A-Z][a-z]+, .* GMT$/.test(header) ? milliseconds(Date.parse(header) - Date.now()) : undefined;
}

const milliseconds = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? Math.max(0, value) : undefined;
