/** The endpoint table has every operation of the specification, and what it says of them fits together. */
import { describe, expect, test } from "vitest";
import { allEndpoints } from "../../src/endpoints/index.js";
import { wellKnownServer } from "../../src/endpoints/well-known.js";
import * as door from "../../src/endpoints.js";
import type { Endpoint } from "../../src/index.js";

// The 36 operations of the Server-Server API after version 1.19.
const specified = `
GET  /.well-known/matrix/server
GET  /_matrix/federation/v1/version
GET  /_matrix/key/v2/server
GET  /_matrix/key/v2/query/{serverName}
POST /_matrix/key/v2/query
PUT  /_matrix/federation/v1/send/{txnId}
GET  /_matrix/federation/v1/event_auth/{roomId}/{eventId}
POST /_matrix/policy/v1/sign
GET  /_matrix/federation/v1/backfill/{roomId}
POST /_matrix/federation/v1/get_missing_events/{roomId}
GET  /_matrix/federation/v1/event/{eventId}
GET  /_matrix/federation/v1/state/{roomId}
GET  /_matrix/federation/v1/state_ids/{roomId}
GET  /_matrix/federation/v1/timestamp_to_event/{roomId}
GET  /_matrix/federation/v1/make_join/{roomId}/{userId}
PUT  /_matrix/federation/v2/send_join/{roomId}/{eventId}
GET  /_matrix/federation/v1/make_knock/{roomId}/{userId}
PUT  /_matrix/federation/v1/send_knock/{roomId}/{eventId}
PUT  /_matrix/federation/v1/invite/{roomId}/{eventId}
PUT  /_matrix/federation/v2/invite/{roomId}/{eventId}
GET  /_matrix/federation/v1/make_leave/{roomId}/{userId}
PUT  /_matrix/federation/v2/send_leave/{roomId}/{eventId}
PUT  /_matrix/federation/v1/3pid/onbind
PUT  /_matrix/federation/v1/exchange_third_party_invite/{roomId}
GET  /_matrix/federation/v1/publicRooms
POST /_matrix/federation/v1/publicRooms
GET  /_matrix/federation/v1/hierarchy/{roomId}
GET  /_matrix/federation/v1/query/directory
GET  /_matrix/federation/v1/query/profile
GET  /_matrix/federation/v1/query/{queryType}
GET  /_matrix/federation/v1/openid/userinfo
GET  /_matrix/federation/v1/user/devices/{userId}
POST /_matrix/federation/v1/user/keys/claim
POST /_matrix/federation/v1/user/keys/query
GET  /_matrix/federation/v1/media/download/{mediaId}
GET  /_matrix/federation/v1/media/thumbnail/{mediaId}
`;
// Of older versions of the specification.
const older = `
PUT  /_matrix/federation/v1/send_join/{roomId}/{eventId}
PUT  /_matrix/federation/v1/send_leave/{roomId}/{eventId}
`;

type Line = readonly [method: string, path: string];
const linesOf = (text: string): Line[] =>
  text
    .trim()
    .split("\n")
    .map((line) => line.split(/ +/) as unknown as Line);

const table = [...allEndpoints, wellKnownServer];
const at = ([method, path]: Line): typeof table => table.filter((each) => each.method === method && each.path === path);
const placesOf = (path: string): string[] => [...path.matchAll(/\{([^{}]*)\}/g)].map(([, place = ""]) => place);

/** The names of the endpoints of which something is true. */
// biome-ignore lint/suspicious/noExplicitAny: endpoints of every input
const where = (isTrue: (endpoint: Endpoint<any, unknown>) => boolean): string[] =>
  allEndpoints
    .filter(isTrue)
    .map(({ name }) => name)
    .sort();

describe("the endpoint table", () => {
  test("is asked here for 36 operations and two of older versions", () => {
    expect([linesOf(specified).length, linesOf(older).length]).toEqual([36, 2]);
    expect(new Set([...linesOf(specified), ...linesOf(older)].map(String)).size).toBe(38);
  });

  test.each([...linesOf(specified), ...linesOf(older)])("has %s %s once", (...line) => {
    expect(at(line)).toHaveLength(1);
  });

  test("has no other stable endpoint but the way in which servers serve 3pid/onbind", () => {
    const known = [...linesOf(specified), ...linesOf(older)].map(String);
    const others = table.filter(({ method, path }) => !known.includes(String([method, path])));
    expect(others.filter(({ path }) => !path.includes("/unstable/")).map(({ name }) => name)).toEqual([
      "3pid_onbind_by_post",
    ]);
  });

  test("has no name and no method with path twice", () => {
    const names = table.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    const requests = table.map(({ method, path }) => `${method} ${path.replaceAll(/\{[^}]*\}/g, "{}")}`);
    expect(requests.filter((request, index) => requests.indexOf(request) !== index)).toEqual([]);
  });

  test("has names in snake case", () => {
    expect(table.map(({ name }) => name).filter((name) => !/^[a-z0-9]+(_[a-z0-9]+)*$/.test(name))).toEqual([]);
  });

  test("is exported, each endpoint as a value of its own", () => {
    const values: unknown[] = Object.values(door);
    expect(table.filter((endpoint) => !values.includes(endpoint)).map(({ name }) => name)).toEqual([]);
  });
});

describe("the link of an endpoint leads to its section:", () => {
  const anchorOf = ([method, path]: Line): string => (method.toLowerCase() + path.toLowerCase()).replace(/[^\w-]/g, "");

  test.each(linesOf(specified))("%s %s", (...line) => {
    const anchor = anchorOf(line);
    expect(at(line)[0]?.spec).toBe(`https://spec.matrix.org/latest/server-server-api/#${anchor}`);
  });

  test.each(linesOf(older))("%s %s, which only older versions have", (...line) => {
    const anchor = line.join("").toLowerCase().replaceAll(/[{}]/g, "").replaceAll(/[/_]+/g, "-");
    expect(at(line)[0]?.spec).toBe(`https://matrix.org/docs/spec/server_server/r0.1.4#${anchor}`);
  });

  test("of an unstable one: to its MSC, or to what a server documents", () => {
    for (const { name, path, spec } of table.filter((each) => each.path.includes("/unstable/"))) {
      const msc = /^https:\/\/github\.com\/matrix-org\/matrix-spec-proposals\/pull\/(\d+)$/.exec(spec)?.[1];
      if (msc === undefined) expect(spec, name).toMatch(/^https:\/\/element-hq\.github\.io\/synapse\/.+#/);
      const inPath = /msc(\d+)/.exec(path)?.[1];
      if (inPath !== undefined) expect(msc, name).toBe(inPath);
    }
  });
});

describe("what an endpoint says of itself fits together:", () => {
  test("a GET has no body, and everything else has one", () => {
    expect(where(({ method, body }) => (method === "GET") === (body !== undefined))).toEqual([]);
  });

  test("a place in the path has the name of a field, and stands there once", () => {
    const wrong = table.filter(({ path }) => {
      const places = placesOf(path);
      return places.some((place) => !/^[a-z][A-Za-z]+$/.test(place)) || new Set(places).size !== places.length;
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
    expect([...new Set(table.flatMap(({ path }) => placesOf(path)))].sort()).toEqual([
      "eventId",
      "mediaId",
      "queryType",
      "roomId",
      "serverName",
      "txnId",
      "userId",
    ]);
  });

  test("no field is required twice, or both in the path and elsewhere", () => {
    const twice = where(({ path, query = {}, required = [] }) => {
      const all = [...placesOf(path), ...required];
      return new Set(all).size !== all.length || Object.values(query).some((field) => placesOf(path).includes(field));
    });
    expect(twice).toEqual([]);
  });

  test("exactly these are unsigned: they are asked before keys are known, or by those that have none", () => {
    expect(where(({ authentication }) => authentication === "none")).toEqual([
      "3pid_onbind",
      "3pid_onbind_by_post",
      "openid_userinfo",
      "query_keys",
      "query_server_keys",
      "server_keys",
      "version",
    ]);
    expect(wellKnownServer.authentication).toBe("none");
  });

  test("exactly these are about a room though one server is asked: the invited user's own", () => {
    const aboutRoom = where(({ audience, path }) => audience === "server" && placesOf(path).includes("roomId"));
    expect(aboutRoom).toEqual(["invite", "invite_v1"]);
    expect(where(({ audience, partialState }) => audience === "server" && partialState !== "illegal")).toEqual(
      aboutRoom,
    );
  });

  test("what any resident may answer is about a room or an event, in partial state too, and another may do better", () => {
    const resident = allEndpoints.filter(({ audience }) => audience === "resident");
    for (const { name, path, required = [], partialState, nextResidentOn = [] } of resident) {
      const fields = [...placesOf(path), ...required];
      expect(fields.includes("roomId") || fields.includes("eventId"), name).toBe(true);
      expect(partialState, name).not.toBe("illegal");
      expect(nextResidentOn.length, name).toBeGreaterThan(0);
    }
  });

  test("only MSC3895's two are obliged to answer about events that the asked server sent", () => {
    expect(where(({ partialState }) => partialState === "illegalForEventsItSent")).toEqual([
      "event_auth",
      "get_missing_events",
    ]);
  });

  test("partial state has disguises only where servers in partial state were seen to use them", () => {
    expect(where(({ partialStateDisguise }) => partialStateDisguise === "approximateMembership")).toEqual([
      "backfill",
      "get_missing_events",
    ]);
    const sends = ["send_join", "send_join_v1", "send_knock", "send_leave", "send_leave_v1"];
    expect(where(({ partialStateDisguise }) => partialStateDisguise === "notFullyJoined")).toEqual([
      "make_join",
      "make_knock",
      ...sends,
    ]);
  });

  test("what changes something is made again at the same server only; what only reads, at any", () => {
    expect(where(({ method, repeatable }) => method === "GET" && repeatable !== "anyServer")).toEqual([]);
    expect(where(({ method, repeatable }) => method === "PUT" && repeatable !== "sameServer")).toEqual([]);
    expect(where(({ method, repeatable }) => method === "POST" && repeatable === "sameServer")).toEqual([
      "3pid_onbind_by_post",
      "claim_many_user_keys",
      "claim_user_keys",
    ]);
  });

  test("only a restricted join is pinned to a server", () => {
    expect(where(({ pinnedTo }) => pinnedTo !== undefined)).toEqual(["send_join", "send_join_v1"]);
  });

  test("an older version is in the table, has none itself, and differs in what it has to differ in", () => {
    for (const { name, olderVersion, ...newer } of allEndpoints) {
      if (!olderVersion) continue;
      const { endpoint } = olderVersion;
      expect(allEndpoints, name).toContain(endpoint);
      expect(endpoint.olderVersion, name).toBeUndefined();
      const { audience, authentication, repeatable, timeoutMs, maxResponseBytes, partialState, events } = newer;
      expect(endpoint, name).toMatchObject({ audience, authentication, repeatable, timeoutMs, maxResponseBytes });
      expect([endpoint.partialState, endpoint.events, placesOf(endpoint.path)], name).toEqual([
        partialState,
        events,
        placesOf(newer.path),
      ]);
    }
  });

  test("every homeserver serves these, so that a 404 without an error code comes from none", () => {
    expect(where(({ universal }) => universal === true)).toEqual(["send", "server_keys", "version"]);
  });

  test("lists are limited where the specification limits them", () => {
    const limited = allEndpoints.filter(({ maxItems }) => maxItems !== undefined);
    expect(limited.map(({ name, maxItems }) => [name, maxItems])).toEqual([["send", { pdus: 50, edus: 100 }]]);
  });

  test("an attempt takes from 10 seconds to 10 minutes, and an answer from 64 KiB to 500 MiB", () => {
    const outside = where(
      ({ timeoutMs, maxResponseBytes }) =>
        timeoutMs < 10_000 || timeoutMs > 600_000 || maxResponseBytes < 65_536 || maxResponseBytes > 500 * 1_048_576,
    );
    expect(outside).toEqual([]);
  });

  test("documented errors are errors, each once", () => {
    for (const { name, errors = [] } of allEndpoints) {
      const texts = errors.map(({ status, errcode }) => `${status} ${errcode}`);
      expect(new Set(texts).size, name).toBe(texts.length);
      expect(errors.filter(({ status }) => status < 400 || status > 599).length, name).toBe(0);
      expect(errors.filter(({ errcode = "M_X" }) => !/^M_[A-Z_]+$/.test(errcode)).length, name).toBe(0);
    }
  });
});
