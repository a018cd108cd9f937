/** Writes the page of the API reference that says, for each endpoint, what the library does with each outcome. */
import type { Endpoint } from "../src/endpoint.js";
import { allEndpoints } from "../src/endpoints/index.js";
import type { Outcome } from "../src/validate/outcome.js";
import { type Consequence, consequences, type JudgeContext, judge, type Verdict } from "../src/verdict/judge.js";

// biome-ignore lint/suspicious/noExplicitAny: endpoints of every input
type AnyEndpoint = Endpoint<any, unknown>;

/** Something that can come of a request. */
interface Situation {
  /** What comes back, in Markdown. */
  readonly what: string;
  readonly outcome: Outcome;
  /** What is known of the server, where that matters. */
  readonly context?: Partial<JudgeContext>;
}

const server = "b.example";
const error = (status: number, errcode?: string, text = ""): Outcome => ({
  kind: "error",
  status,
  text,
  ...(errcode !== undefined && { errcode }),
});
const partialState = error(403, "M_UNABLE_DUE_TO_PARTIAL_STATE");

const situations: readonly Situation[] = [
  { what: "a valid answer", outcome: { kind: "answer", status: 200, value: {} } },
  { what: "a success that is no valid answer", outcome: { kind: "malformed", status: 200, issues: [] } },
  {
    what: "a success whose events lack keys or the right room version",
    outcome: { kind: "malformed", status: 200, issues: [], unproved: "keysMissing" },
  },
  { what: "`M_UNABLE_DUE_TO_PARTIAL_STATE`", outcome: partialState },
  {
    what: "`M_UNABLE_DUE_TO_PARTIAL_STATE` about an event that this server sent us",
    outcome: partialState,
    context: { sentBy: [server] },
  },
  { what: "404 `M_NOT_FOUND`", outcome: error(404, "M_NOT_FOUND") },
  { what: "403 `M_FORBIDDEN`", outcome: error(403, "M_FORBIDDEN") },
  {
    what: "403 `M_FORBIDDEN` soon after we joined through another server",
    outcome: error(403, "M_FORBIDDEN"),
    context: { joinedVia: "a.example" },
  },
  { what: "404 or 405 `M_UNRECOGNIZED`", outcome: error(404, "M_UNRECOGNIZED") },
  { what: "404 without a body", outcome: error(404) },
  { what: '404 with the body `""`', outcome: error(404, undefined, '""') },
  { what: "404 with an HTML page", outcome: error(404, undefined, "<html>") },
  { what: "401 `M_UNAUTHORIZED`", outcome: error(401, "M_UNAUTHORIZED") },
  { what: "429 `M_LIMIT_EXCEEDED`", outcome: error(429, "M_LIMIT_EXCEEDED") },
  { what: "any other error code, at a 4xx status", outcome: error(400, "M_UNKNOWN") },
  { what: "any other error code, at a 5xx status", outcome: error(500, "M_UNKNOWN") },
  { what: "502 with an HTML page", outcome: error(502, undefined, "<html>") },
  {
    what: "no response: our own address policy or proxy did not let the request out",
    outcome: { kind: "failure", failure: "notAllowed", requestSent: false },
  },
  {
    what: "no response: no address, no connection, or its TLS refused",
    outcome: { kind: "failure", failure: "connect", requestSent: false },
  },
  {
    what: "no response: too slow, or the connection lost, after the request was sent",
    outcome: { kind: "failure", failure: "timeout", requestSent: true },
  },
];

const disguises = {
  notFullyJoined: {
    what: "404 `M_NOT_FOUND` “… not fully joined”",
    outcome: error(404, "M_NOT_FOUND", "not fully joined"),
  },
  approximateMembership: {
    what: "403 `M_FORBIDDEN` “… (partial-state approx)”",
    outcome: error(403, "M_FORBIDDEN", "(partial-state approx)"),
  },
} as const satisfies Record<string, Situation>;

const verdictOf = (endpoint: AnyEndpoint, { outcome, context }: Situation): Verdict =>
  judge(outcome, endpoint, { server, ...context });

const code = (text: string): string => `\`${text}\``;

/** The page, as Markdown. */
export function endpointMatrix(): string {
  const same = situations.filter((situation) => new Set(allEndpoints.map((each) => said(each, situation))).size === 1);
  const different = situations.filter((situation) => !same.includes(situation));
  return `# Endpoints and outcomes

What is known of each endpoint, and what the library does with each outcome of a request to it. This page is made from the
endpoint table and the verdict table that the code runs on.

## Endpoints

Where the fate of a request is not known, it may be made again: at any server, or only at the one that got it first. A
partial-state error is possible, or it breaks an obligation (MSC3895): it is illegal where the endpoint is about no room,
and at two endpoints about events that the asked server itself sent. Time and size are those of one try.

${table(
  ["Endpoint", "Request", "Signed", "Asked", "Again", "Time", "Size", "Partial-state error"],
  allEndpoints.map((endpoint) => [
    `[${endpoint.name}](${endpoint.spec})`,
    code(`${endpoint.method} ${endpoint.path}`),
    endpoint.authentication === "signature" ? "yes" : "no",
    endpoint.audience === "resident" ? "any resident" : "one server",
    endpoint.repeatable === "anyServer" ? "any server" : "same server",
    endpoint.timeoutMs % 60_000 === 0 ? `${endpoint.timeoutMs / 60_000} min` : `${endpoint.timeoutMs / 1000} s`,
    endpoint.maxResponseBytes % 2 ** 20 === 0
      ? `${endpoint.maxResponseBytes / 2 ** 20} MiB`
      : `${endpoint.maxResponseBytes / 2 ** 10} KiB`,
    { possible: "possible", illegal: "illegal", illegalForEventsItSent: "illegal about events it sent" }[
      endpoint.partialState
    ],
  ]),
)}

## Older versions

A server that does not know an endpoint is asked for the older one at once, where there is one that can say the same.

${table(
  ["Endpoint", "Older version"],
  allEndpoints.flatMap(({ name, olderVersion }) =>
    olderVersion ? [[code(name), code(olderVersion.endpoint.name)]] : [],
  ),
)}

## What follows from a verdict

${table(
  ["Verdict", "The server's backoff", "A room call", "A call to one server"],
  Object.entries(consequences).map(([name, consequence]) => [
    code(name),
    backoffs[consequence.backoff],
    roomCall(consequence),
    serverCall(consequence),
  ]),
)}

Where a request may have taken effect although there is no valid answer, and may be made again only at the same server, no
other server is asked, and the error says that its outcome is unknown.

## Outcomes that mean the same at every endpoint

${table(
  ["Outcome", "Verdict", "May have taken effect"],
  same.map((situation) => {
    const verdict = verdictOf(allEndpoints[0] as AnyEndpoint, situation);
    return [
      situation.what,
      code(verdict.name),
      verdict.mayHaveTakenEffect || verdict.name === "answered" ? "yes" : "no",
    ];
  }),
)}

## Outcomes that depend on the endpoint

None of them may have taken effect.

${table(
  ["Endpoint", ...different.map(({ what }) => what)],
  allEndpoints.map((endpoint) => [
    code(endpoint.name),
    ...different.map((situation) => code(verdictOf(endpoint, situation).name)),
  ]),
)}

## Errors of single endpoints

The errors that the specification documents for an endpoint, and others (\\*) that servers answer with there and that mean
something else than elsewhere.

${table(
  ["Endpoint", "Errors", "Verdict"],
  allEndpoints.flatMap((endpoint) =>
    byVerdict(endpoint).map(([verdict, errors]) => [code(endpoint.name), errors.join("<br>"), code(verdict)]),
  ),
)}
`;
}

const said = (endpoint: AnyEndpoint, situation: Situation): string => {
  const { name, mayHaveTakenEffect } = verdictOf(endpoint, situation);
  return `${name} ${mayHaveTakenEffect}`;
};

/** What a verdict does to what is known of the server, in words. */
export const backoffs: Record<Consequence["backoff"], string> = {
  clear: "cleared",
  none: "no effect",
  count: "a failure is counted",
  pause: "a pause; no failure",
  misbehaviour: "misbehaviour is counted; no failure",
};

function roomCall({ next, laterRound }: Consequence): string {
  if (next === "return") return "returns the answer";
  if (next === "stop") return "ends with the error";
  return laterRound ? "asks the next resident; this one again in a later round" : "asks the next resident";
}

function serverCall(consequence: Consequence): string {
  if (consequence.next !== "nextResident") return roomCall(consequence);
  return consequence.laterRound ? "asks again in a later round" : "ends with the error";
}

/** The errors that an endpoint has to itself, by the verdict that they lead to. */
function byVerdict(endpoint: AnyEndpoint): [verdict: string, errors: string[]][] {
  const documented = (endpoint.errors ?? []).map(({ status, errcode }) => errorSituation(status, errcode));
  const known = [...documented, ...situations].map(({ what }) => what);
  const others = [
    ...(endpoint.nextResidentOn ?? [])
      .filter(({ errcode, status }) => status ?? !endpoint.errors?.some((each) => each.errcode === errcode))
      .map(({ errcode, status = errcode === "M_FORBIDDEN" ? 403 : 404 }) => errorSituation(status, errcode)),
    ...(endpoint.partialStateDisguise ? [disguises[endpoint.partialStateDisguise]] : []),
  ].filter(({ what }) => !known.includes(what));
  const found = new Map<string, string[]>();
  for (const situation of [...documented, ...others]) {
    const { name } = verdictOf(endpoint, situation);
    const mark = documented.includes(situation) ? "" : " \\*";
    found.set(name, [...(found.get(name) ?? []), situation.what + mark]);
  }
  return [...found];
}

const errorSituation = (status: number, errcode: string | undefined): Situation => ({
  what: errcode === undefined ? `${status}` : `${status} ${code(errcode)}`,
  outcome: error(status, errcode),
});

/** A table whose columns are as wide as their widest cell. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, at) => Math.max(3, name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
