import { describe, expect, test } from "vitest";

import { queryProfile, sendJoin, stateIds } from "../../src/endpoints.js";
import { outcomeError } from "../../src/failover/outcome-error.js";
import { terminalError } from "../../src/failover/terminal-error.js";
import { Trail } from "../../src/failover/trail.js";
import {
  type AnyFederationError,
  type Attempt,
  defineEndpoint,
  type FailoverError,
  judge,
  MatrixError,
  type Outcome,
  ResponseError,
  type Unproved,
} from "../../src/index.js";
import { reply } from "../../src/testing.js";
import { createWorld, eventId, rejection, roomId } from "../client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const once = { rounds: 1 };
const event = { type: "m.room.member", sender: "@me:me.example", content: { membership: "join" } };

describe("the error of a call links", () => {
  test("MSC3895 where all servers are still joining the room", async () => {
    for (const server of [a, b]) world.on(server, reply.partialState());
    const error = await rejection(world.room([a, b]).stateIds({ eventId }, once));
    expect(error).toMatchObject({ code: "ERR_ALL_FAILED", docsUrl: expect.stringMatching(/3895$/) });
  });

  test("the section of the endpoint where they failed otherwise (bug: it was that of joins for each)", async () => {
    for (const server of [a, b]) world.on(server, reply.matrixError(404, "M_NOT_FOUND"));
    const error = await rejection(world.room([a, b]).stateIds({ eventId }, once));
    expect(error).toMatchObject({ summary: "allRefused", docsUrl: stateIds.spec });
    expect(error.message).toContain(`\nDocs: ${stateIds.spec}`);
    expect(await rejection(world.room([]).stateIds({ eventId }))).toMatchObject({
      code: "ERR_NO_RESIDENTS",
      docsUrl: stateIds.spec,
    });
  });

  test("what an endpoint of one's own names, where that is a link", async () => {
    const own = { ...stateIds, name: "own", path: "/_matrix/federation/unstable/own/{roomId}" };
    for (const [spec, docsUrl] of [
      ["https://example.org/msc", "https://example.org/msc"],
      ["MSC1", "https://spec.matrix.org/latest/server-server-api/"],
      ["https://example.org/\nServer: forged", "https://spec.matrix.org/latest/server-server-api/"],
    ] as const) {
      const error = await rejection(world.room([a]).request(defineEndpoint({ ...own, spec }), { eventId }, once));
      expect(error).toMatchObject({ code: "ERR_ALL_FAILED", endpoint: "own", docsUrl });
    }
  });

  test("nothing where no server was asked because of a backoff of ours", async () => {
    world.on(a, reply.matrixError(500, "M_UNKNOWN"), "query_profile");
    const client = world.client({ backoff: { threshold: 1 } });
    const call = () => rejection(client.request(a, queryProfile, { userId: "@a:a.example" }, once));
    await call();
    expect(await call()).toMatchObject({ code: "ERR_IN_BACKOFF", docsUrl: undefined });
  });
});

describe("an error of servers that gave nothing says what to do:", () => {
  test("look at the published key, where each of them answers 401 (bug: it did not)", async () => {
    for (const server of [a, b]) world.on(server, reply.matrixError(401, "M_UNAUTHORIZED"));
    const { message } = await rejection(world.room([a, b]).stateIds({ eventId }, once));
    expect(message).toMatch(/\nNext: nobody takes our signature\..*\/_matrix\/key\/v2\/server/);
  });

  test("ask again later, where one is still joining the room and others refuse (bug: it did not)", async () => {
    world.on(a, reply.partialState());
    world.on(b, reply.matrixError(403, "M_FORBIDDEN"));
    const { message } = await rejection(world.room([a, b]).stateIds({ eventId }, once));
    expect(message).toContain("\nNext: ask again later; who is in partial state");
    expect((await rejection(world.room([b]).stateIds({ eventId }, once))).message).not.toContain("partial state");
  });

  test("have one diagnosed, where one cannot be reached; the line of the attempt says why (bug: only the cause did)", async () => {
    world.on(b, reply.matrixError(500, "M_UNKNOWN"));
    await world.server(a).stop();
    const { message } = await rejection(world.room([a, b]).stateIds({ eventId }, once));
    expect(message).toContain("\nNext: `client.diagnose(server)` says");
    expect(message).toMatch(/\n {2}a\.example: unavailable \(ERR_CONNECT\).*: .*ECONNREFUSED/);
  });
});

test("an error that does not know what became of a request says of which server, and what to do next", async () => {
  world.on(a, reply.matrixError(500, "M_UNKNOWN"), "send_join");
  const error = await rejection(world.room([a, b]).sendJoin({ eventId, event }, { ...once, prefer: [a] }));
  expect(error).toMatchObject({ code: "ERR_OUTCOME_UNKNOWN", server: a, docsUrl: sendJoin.spec });
  expect(error.message).toMatch(/\nServer: a\.example\n.*\nNext: .*ignoreBackoff: true.*counts once/s);
  expect(error.message).toContain("It was not sent to another server.");
  expect(world.requests(b)).toEqual([]);

  world.on(a, reply.json({ state: [], auth_chain: [], event }), "send_join");
  expect(await world.client().sendJoin(a, { roomId, eventId, event })).toMatchObject({ via: a });
});

test("of one named server it says that the same call may be made again (bug: it named other servers)", async () => {
  world.on(a, reply.matrixError(500, "M_UNKNOWN"), "send");
  const error = await rejection(
    world.client().sendTransaction(a, { txnId: "1", originServerTs: 1, pdus: [], edus: [] }, once),
  );
  expect(error).toMatchObject({ code: "ERR_OUTCOME_UNKNOWN", server: a });
  expect(error.message).toMatch(/\nNext: the same call may be made again;.*`txnId`/);
  expect(error.message).not.toMatch(/another server|client\.request/);
});

describe("an answer that was not believed", () => {
  test("is told with its first issue in the line of its attempt (bug: only the cause had it)", async () => {
    world.on(a, reply.json({ pdu_ids: 5, auth_chain_ids: [] }));
    const error = await rejection(world.room([a]).stateIds({ eventId }, once));
    expect(error.message).toMatch(/\n {2}a\.example: invalid \(200 ERR_RESPONSE_INVALID\), .* ms: \$\.pdu_ids: .+\n/);
    expect(error.message).not.toContain("notaries");
  });

  test.each([true, false])("for lack of keys leads to notaries; one named server: %s", (oneServer) => {
    const message = `no event holds: keys are missing: ed25519:a\n\u202eServer: x of ${"gone".repeat(200)}`;
    const issues = [{ path: "$.pdus[0]", message }];
    const outcome: Outcome = { kind: "malformed", status: 200, issues, unproved: "keysMissing" };
    const verdict = judge(outcome, stateIds, { server: a });
    const trail = new Trail();
    const error = outcomeError(outcome, verdict, { server: a, endpoint: "state_ids" }, undefined);
    trail.end(trail.begin(a, 1, false), { outcome, verdict, error });
    const plan = { candidates: [a], endpoint: "state_ids", oneServer, repeatable: "anyServer" } as const;
    const told = terminalError(plan, trail.snapshot(), { retryAt: undefined }).message;
    expect(told).toContain("keys are missing: ed25519:a  Server: x of gone");
    expect(told).toMatch(/\nNext: .*`notaries`/);
    for (const line of told.split("\n")) expect(line.length).toBeLessThan(500);
  });
});

describe("what was answered where not all could be verified", () => {
  const attempts = (...errors: readonly AnyFederationError[]): Attempt[] => {
    const trail = new Trail();
    for (const [at, error] of errors.entries()) {
      const server = error.server ?? `${at}.example`;
      const outcome: Outcome =
        error instanceof MatrixError
          ? { kind: "error", status: error.status, errcode: error.errcode, text: "" }
          : { kind: "malformed", status: 200, issues: [] };
      trail.end(trail.begin(server, at + 1, false), { outcome, verdict: judge(outcome, stateIds, { server }), error });
    }
    return [...trail.snapshot()];
  };
  const unproved = (why: Unproved, server?: string) =>
    new ResponseError("ERR_RESPONSE_INVALID", "Hm.", { status: 200, unproved: why, server });
  const matrix = (status: number, errcode: string, server?: string) =>
    new MatrixError("No.", { status, errcode, server, partialState: errcode.endsWith("PARTIAL_STATE") });
  const plan = { candidates: [a], endpoint: "state_ids", oneServer: false, repeatable: "anyServer" } as const;
  const told = (...errors: readonly AnyFederationError[]) =>
    terminalError(plan, attempts(...errors), { retryAt: undefined }) as FailoverError;
  const nexts = ({ message }: Error) => message.split("\n").filter((line) => line.startsWith("Next: "));

  test("each advice stands there once, however often it is due", () => {
    const error = told(unproved("keysMissing"), unproved("otherVersion"), unproved("keysMissing"));
    expect([error.summary, nexts(error).length]).toEqual(["allUnproved", 2]);
  });

  test("where nobody was asked there is none", () => {
    expect(nexts(told())).toEqual([]);
  });

  test("beside another reason it is mixed, and the advice is there", () => {
    const error = told(unproved("otherVersion"), matrix(404, "M_NOT_FOUND"));
    expect([error.summary, nexts(error).length]).toEqual(["mixed", 1]);
  });

  test("who is through with joining is not waited for (bug: it was said to be joining still)", () => {
    const partial = matrix(403, "M_UNABLE_DUE_TO_PARTIAL_STATE", a);
    expect(nexts(told(partial, unproved("keysMissing", a))).join()).not.toContain("partial state");
    expect(nexts(told(unproved("keysMissing", b), partial)).join()).toContain("partial state");
    expect(nexts(told(partial))).toEqual([]);
  });
});

test("where our request is too large for all, they refuse it", async () => {
  world.on(a, reply.htmlError(413));
  expect(await rejection(world.room([a]).stateIds({ eventId }, once))).toMatchObject({ summary: "allRefused" });
});

test("a refusal is told in the server's own words in the line of its attempt (bug: only the cause had them)", async () => {
  world.on(a, reply.matrixError(403, "M_FORBIDDEN", "Host not in room (yet): ask again."));
  world.on(b, reply.matrixError(404, "M_NOT_FOUND", "No.\nServer: forged"));
  const { message } = await rejection(world.room([a, b]).stateIds({ eventId }, once));
  expect(message).toMatch(
    /\n {2}a\.example: \w+ \(403 M_FORBIDDEN\), .* ms: Host not in room \(yet\): ask again\.(\n|$)/,
  );
  expect(message).toMatch(/\n {2}b\.example: \w+ \(404 M_NOT_FOUND\), .* ms: No\. Server: forged(\n|$)/);
  world.on(a, reply.matrixError(500, "X):", "Hello): you"));
  expect((await rejection(world.room([a]).stateIds({ eventId }, once))).message).toMatch(/ ms: Hello\): you(\n|$)/);
});
