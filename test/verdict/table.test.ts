import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allEndpoints,
  backfill,
  event,
  eventAuth,
  getMissingEvents,
  hierarchy,
  makeJoin,
  queryProfile,
  send,
  sendJoin,
  stateIds,
  timestampToEvent,
  version,
} from "../../src/endpoints.js";
import {
  consequences,
  isPartialStateErrcode,
  type JudgeContext,
  type JudgedEndpoint,
  judge,
  type Outcome,
  type VerdictName,
  verdictRules,
} from "../../src/index.js";

const STABLE = "M_UNABLE_DUE_TO_PARTIAL_STATE";
const UNSTABLE = "ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE";

const error = (status: number, errcode?: string, text = ""): Outcome => ({
  kind: "error",
  status,
  text,
  ...(errcode !== undefined && { errcode }),
});
const answer: Outcome = { kind: "answer", status: 200, value: {} };
const malformed: Outcome = { kind: "malformed", status: 200, issues: [{ path: "$", message: "not JSON" }] };
const failure = (kind: Extract<Outcome, { kind: "failure" }>["failure"], requestSent = false): Outcome => ({
  kind: "failure",
  failure: kind,
  requestSent,
});

type Row = readonly [
  /** The number of the row of the verdict table that decides, counted from 1. */
  row: number,
  verdict: VerdictName,
  endpoint: JudgedEndpoint,
  outcome: Outcome,
  says: string,
  context?: Omit<JudgeContext, "server">,
];

const notFullyJoined = "Unable to handle /make_join right now; this server is not fully joined.";
const approximate = "Host not in room (partial-state approx).";
const asked = "a.example";

const rows: readonly Row[] = [
  [1, "answered", stateIds, answer, "a valid answer"],
  [2, "unableHere", stateIds, { ...malformed, unproved: "keysMissing" }, "events that cannot be verified here"],
  [3, "invalid", stateIds, malformed, "a success with a bad body"],
  [4, "obligationBroken", version, error(403, UNSTABLE), "the code on version"],
  [4, "obligationBroken", queryProfile, error(400, STABLE), "the code on a profile"],
  [4, "obligationBroken", send, error(500, STABLE), "the code on send"],
  ...[eventAuth, getMissingEvents].flatMap((endpoint): Row[] => [
    [
      5,
      "obligationBroken",
      endpoint,
      error(403, STABLE),
      "the code from the server that sent the event",
      { sentBy: ["b.example", asked] },
    ],
    [
      6,
      "partialState",
      endpoint,
      error(403, STABLE),
      "the code from another server than the one that sent the event",
      { sentBy: ["b.example"] },
    ],
    [6, "partialState", endpoint, error(403, STABLE), "the code when nobody is known to have sent the event"],
  ]),
  [
    6,
    "partialState",
    stateIds,
    error(403, STABLE),
    "the code from the event's sender where nobody is obliged",
    { sentBy: [asked] },
  ],
  ...[400, 403, 404, 429, 451, 499, 500, 503, 599].flatMap((status): Row[] =>
    [STABLE, UNSTABLE].map((errcode) => [
      6,
      "partialState",
      stateIds,
      error(status, errcode),
      `${errcode} at ${status}`,
    ]),
  ),
  [20, "unavailable", stateIds, error(302, UNSTABLE), "the code with status 302: no Matrix answer"],
  [17, "refused", stateIds, error(403, STABLE.toLowerCase()), "the code in lower case: another code"],
  [17, "refused", stateIds, error(400, "M_UNKNOWN", STABLE), "the code as the text of another one"],
  [7, "partialState", makeJoin, error(404, "M_NOT_FOUND", notFullyJoined), "“not fully joined” on make_join"],
  [7, "partialState", sendJoin, error(404, "M_NOT_FOUND", "Not Fully Joined"), "“Not Fully Joined” on send_join"],
  [12, "notResident", stateIds, error(404, "M_NOT_FOUND", notFullyJoined), "“not fully joined” where nobody says so"],
  [17, "refused", makeJoin, error(400, "M_UNKNOWN", notFullyJoined), "“not fully joined” with another code"],
  [12, "notResident", makeJoin, error(404, "M_NOT_FOUND", "not fully joinedX"), "“not fully joinedX” on make_join"],
  [8, "partialState", backfill, error(403, "M_FORBIDDEN", approximate), "“(partial-state approx)” on backfill"],
  [
    8,
    "partialState",
    getMissingEvents,
    error(403, "M_FORBIDDEN", approximate),
    "“(partial-state approx)” on get_missing_events",
  ],
  [12, "notResident", event, error(403, "M_FORBIDDEN", approximate), "“(partial-state approx)” where nobody says so"],
  [12, "notResident", backfill, error(404, "M_NOT_FOUND", approximate), "“(partial-state approx)” with another code"],
  [9, "rateLimited", stateIds, error(429, "M_LIMIT_EXCEEDED"), "M_LIMIT_EXCEEDED at 429"],
  [9, "rateLimited", version, error(400, "M_LIMIT_EXCEEDED"), "M_LIMIT_EXCEEDED at 400"],
  [9, "rateLimited", stateIds, error(429), "429 by a proxy"],
  [10, "unsupported", stateIds, error(404, "M_UNRECOGNIZED"), "M_UNRECOGNIZED at 404"],
  [10, "unsupported", version, error(405, "M_UNRECOGNIZED"), "M_UNRECOGNIZED at 405"],
  [
    10,
    "unsupported",
    stateIds,
    error(400, "M_UNRECOGNIZED", "Unrecognized request"),
    "M_UNRECOGNIZED at 400, old spelling",
  ],
  [
    17,
    "refused",
    timestampToEvent,
    error(400, "M_UNRECOGNIZED", "Unrecognized dir"),
    "M_UNRECOGNIZED at 400 about something else",
  ],
  [
    11,
    "notYetPropagated",
    stateIds,
    error(403, "M_FORBIDDEN"),
    "M_FORBIDDEN soon after our join elsewhere",
    { joinedVia: "b.example" },
  ],
  [
    12,
    "notResident",
    stateIds,
    error(403, "M_FORBIDDEN"),
    "M_FORBIDDEN by the server we joined through",
    { joinedVia: asked },
  ],
  [
    12,
    "notResident",
    stateIds,
    error(404, "M_NOT_FOUND"),
    "M_NOT_FOUND soon after our join elsewhere",
    { joinedVia: "b.example" },
  ],
  [
    17,
    "refused",
    makeJoin,
    error(403, "M_FORBIDDEN"),
    "M_FORBIDDEN on make_join soon after a join",
    { joinedVia: "b.example" },
  ],
  [12, "notResident", event, error(404, "M_NOT_FOUND"), "M_NOT_FOUND on a room read"],
  [12, "notResident", stateIds, error(403, "M_FORBIDDEN"), "M_FORBIDDEN on a room read"],
  [12, "notResident", makeJoin, error(404, "M_NOT_FOUND"), "M_NOT_FOUND on make_join"],
  [17, "refused", makeJoin, error(403, "M_FORBIDDEN"), "M_FORBIDDEN on make_join: we are banned"],
  [17, "refused", queryProfile, error(404, "M_NOT_FOUND"), "M_NOT_FOUND of a profile"],
  [13, "unableHere", makeJoin, error(400, "M_UNABLE_TO_AUTHORISE_JOIN"), "M_UNABLE_TO_AUTHORISE_JOIN at 400"],
  [13, "unableHere", sendJoin, error(400, "M_UNABLE_TO_GRANT_JOIN"), "M_UNABLE_TO_GRANT_JOIN at 400"],
  [17, "refused", makeJoin, error(403, "M_UNABLE_TO_AUTHORISE_JOIN"), "M_UNABLE_TO_AUTHORISE_JOIN at 403"],
  [13, "unableHere", hierarchy, error(404, "M_UNKNOWN", "Unknown room"), "M_UNKNOWN of a hierarchy at 404"],
  [17, "refused", hierarchy, error(400, "M_UNKNOWN"), "M_UNKNOWN of a hierarchy at 400"],
  [14, "notResident", event, error(404, undefined, '""'), '404 with the body ""'],
  [20, "unavailable", queryProfile, error(404, undefined, '""'), '404 with the body "" of one server'],
  [20, "unavailable", event, error(403, undefined, '""'), '403 with the body ""'],
  [15, "unsupported", hierarchy, error(404), "404 with an empty body"],
  [15, "unsupported", timestampToEvent, error(405), "405 with an empty body"],
  [15, "unsupported", timestampToEvent, error(404, undefined, "404 page not found "), "404 page not found"],
  [
    20,
    "unavailable",
    timestampToEvent,
    error(404, undefined, "<h1>404 page not found</h1>"),
    "404 page not found, in a page",
  ],
  [20, "unavailable", version, error(404), "404 with an empty body where every server has the endpoint"],
  [20, "unavailable", hierarchy, error(400), "400 with an empty body"],
  [16, "unavailable", stateIds, error(401, "M_UNAUTHORIZED"), "401"],
  [16, "unavailable", makeJoin, error(500, "M_UNKNOWN"), "500 with a Matrix error"],
  [16, "unavailable", stateIds, error(502, undefined, "<html>"), "502 by a proxy"],
  [17, "refused", makeJoin, error(400, "M_INCOMPATIBLE_ROOM_VERSION"), "M_INCOMPATIBLE_ROOM_VERSION"],
  [17, "refused", version, error(418, "ORG.EXAMPLE.TEAPOT"), "a code that nobody knows"],
  ...[413, 414, 431].map(
    (status): Row => [
      18,
      "unableHere",
      sendJoin,
      error(status, undefined, "<html>"),
      `${status} by a proxy (bug: a failure)`,
    ],
  ),
  [19, "notAllowed", stateIds, failure("notAllowed"), "an address that our policy refuses, or our proxy"],
  [20, "unavailable", stateIds, error(302), "a redirect"],
  [20, "unavailable", stateIds, error(307, "M_BAD_JSON"), "a redirect with a Matrix error"],
  [20, "unavailable", stateIds, error(403, undefined, "<html>"), "403 by a proxy"],
  ...(["resolve", "connect", "tls", "timeout", "connectionLost"] as const).map(
    (kind): Row => [20, "unavailable", stateIds, failure(kind), `no response: ${kind}`],
  ),
];

describe("the verdict table", () => {
  for (const [row, verdict, endpoint, outcome, says, context] of rows) {
    const { name } = endpoint as { name?: string };
    test(`${name}: ${says} is ${verdict}`, () => {
      const found = judge(outcome, endpoint, { server: asked, ...context });
      expect([found.name, verdictRules.findIndex(({ rule }) => rule === found.rule) + 1]).toEqual([verdict, row]);
    });
  }

  test("has no row that nothing above reaches, and no two rows that read the same", () => {
    const reached = new Set(rows.map(([row]) => row));
    expect([...reached].sort((a, b) => a - b)).toEqual(verdictRules.map((_, index) => index + 1));
    expect(new Set(verdictRules.map(({ rule }) => rule)).size).toBe(verdictRules.length);
  });

  test("draws exactly these consequences", () => {
    const table = Object.entries(consequences).map(
      ([name, { backoff, next, laterRound }]) => `${name}: ${backoff}, ${next}${laterRound ? ", later round" : ""}`,
    );
    expect(table).toEqual([
      "answered: clear, return",
      "partialState: none, nextResident, later round",
      "notResident: none, nextResident",
      "notYetPropagated: none, nextResident, later round",
      "unableHere: none, nextResident",
      "unsupported: none, nextResident",
      "rateLimited: pause, nextResident, later round",
      "unavailable: count, nextResident, later round",
      "notAllowed: none, nextResident",
      "invalid: misbehaviour, nextResident",
      "obligationBroken: misbehaviour, nextResident",
      "refused: none, stop",
    ]);
  });
});

describe("whether the request may have taken effect", () => {
  const may = (outcome: Outcome): boolean => judge(outcome, sendJoin, { server: asked }).mayHaveTakenEffect;

  test("nobody knows after a gateway's error, a garbled success, or silence once bytes had left", () => {
    expect(
      [
        error(500, "M_UNKNOWN"),
        error(502),
        error(504),
        malformed,
        failure("timeout", true),
        failure("connectionLost", true),
      ].map(may),
    ).toEqual(Array(6).fill(true));
  });

  test("a clear no, an answer, and a failure before any byte had left prove that it has not", () => {
    const clear = [
      answer,
      error(403, "M_FORBIDDEN"),
      error(404, "M_NOT_FOUND", "not fully joined"),
      error(503, UNSTABLE),
      error(429, "M_LIMIT_EXCEEDED"),
      error(401, "M_UNAUTHORIZED"),
      error(302),
      failure("connect"),
      failure("tls"),
      failure("timeout"),
    ];
    expect(clear.map(may)).toEqual(clear.map(() => false));
  });
});

describe("judge", () => {
  const errcodes = ["M_FORBIDDEN", "M_NOT_FOUND", "M_LIMIT_EXCEEDED", "M_UNRECOGNIZED", "M_UNKNOWN", STABLE, UNSTABLE];
  const texts = ["", '""', "404 page not found", notFullyJoined, approximate, "Unrecognized request"];
  const status = fc.oneof(fc.constantFrom(200, 302, 400, 401, 403, 404, 405, 429, 500, 502), fc.integer());
  const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
    fc.record({ kind: fc.constant("answer" as const), status, value: fc.anything() }),
    fc.record({ kind: fc.constant("malformed" as const), status, issues: fc.constant([]) }),
    fc.record(
      {
        kind: fc.constant("error" as const),
        status,
        errcode: fc.oneof(fc.constantFrom(...errcodes), fc.string()),
        text: fc.oneof(fc.constantFrom(...texts), fc.string()),
        retryAfterMs: fc.double(),
      },
      { requiredKeys: ["kind", "status", "text"] },
    ),
    fc.record({
      kind: fc.constant("failure" as const),
      failure: fc.constantFrom("resolve", "connect", "tls", "timeout", "connectionLost"),
      requestSent: fc.boolean(),
    }),
  );
  const server = fc.constantFrom("a.example", "b.example");
  const contexts = fc.record({ server, sentBy: fc.array(server), joinedVia: server }, { requiredKeys: ["server"] });

  test("always comes to a verdict of the table, with the consequences of that verdict, and changes nothing", () => {
    fc.assert(
      fc.property(outcomes, fc.constantFrom(...allEndpoints), contexts, (outcome, endpoint, context) => {
        const before = JSON.stringify([outcome, context], (_, value) =>
          typeof value === "bigint" ? `${value}` : value,
        );
        const { name, rule, mayHaveTakenEffect, ...consequence } = judge(outcome, endpoint, context);
        expect(verdictRules).toContainEqual(expect.objectContaining({ verdict: name, rule }));
        expect(consequence).toEqual(consequences[name]);
        expect(typeof mayHaveTakenEffect).toBe("boolean");
        expect(JSON.stringify([outcome, context], (_, value) => (typeof value === "bigint" ? `${value}` : value))).toBe(
          before,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("never counts a partial-state error against the server's reachability", () => {
    const code = fc.constantFrom(STABLE, UNSTABLE);
    fc.assert(
      fc.property(
        code,
        fc.integer({ min: 400, max: 599 }),
        fc.constantFrom(...allEndpoints),
        contexts,
        (errcode, at, endpoint, context) => {
          const { name, backoff, next } = judge(error(at, errcode), endpoint, context);
          expect(["partialState", "obligationBroken"]).toContain(name);
          expect(["none", "misbehaviour"]).toContain(backoff);
          expect(next).toBe("nextResident");
        },
      ),
    );
  });

  test("says “answered” of answers only", () => {
    fc.assert(
      fc.property(outcomes, fc.constantFrom(...allEndpoints), contexts, (outcome, endpoint, context) => {
        expect(judge(outcome, endpoint, context).name === "answered").toBe(outcome.kind === "answer");
      }),
    );
  });
});

describe("isPartialStateErrcode", () => {
  test("knows the stable and the unstable name", () => {
    expect([STABLE, UNSTABLE].map(isPartialStateErrcode)).toEqual([true, true]);
  });

  test("knows nothing else: not another case, not a part, not another type", () => {
    const others = [
      ...[STABLE, UNSTABLE].flatMap((code) => [
        code.toLowerCase(),
        ` ${code}`,
        `${code} `,
        `${code}\0`,
        code.slice(1),
        [code],
      ]),
      "org.matrix.msc3895_UNABLE_DUE_TO_PARTIAL_STATE",
      "MSC3895_UNABLE_DUE_TO_PARTIAL_STATE",
      "",
      undefined,
      null,
      0,
      {},
      { toString: () => STABLE },
    ];
    expect(others.filter(isPartialStateErrcode)).toEqual([]);
  });
});
