import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";

import {
  createClient,
  isFederationError,
  isServerName,
  NameError,
  OptionError,
  type Room,
  SignError,
  SigningKey,
} from "../../src/index.js";

/** What is wrong on purpose has the wrong type as well. */
// biome-ignore lint/suspicious/noExplicitAny: these are the calls of users without types
type Wrong = any;

const thrownByCaller = new Error("the caller's own getter");
const throwing = (): never => {
  throw thrownByCaller;
};
const handlers: Wrong = Object.fromEntries(
  ["get", "has", "ownKeys", "getOwnPropertyDescriptor", "getPrototypeOf"].map((trap) => [trap, throwing]),
);

const fields = [
  ...["roomId", "eventId", "userId", "roomAlias", "serverName", "from", "limit", "ts", "dir", "ver", "event", "pdus"],
  ...[
    "edus",
    "txnId",
    "originServerTs",
    "queryType",
    "parameters",
    "serverKeys",
    "deviceKeys",
    "oneTimeKeys",
    "filter",
  ],
  ...["earliestEvents", "latestEvents", "roomVersion", "inviteRoomState", "mediaId", "width", "height", "timeoutMs"],
  ...[
    "signed",
    "sender",
    "displayName",
    "since",
    "pageSize",
    "maxDepth",
    "suggestedOnly",
    "onDropped",
    "invites",
    "mxid",
  ],
];
const options = [
  "signal",
  "timeout",
  "rounds",
  "prefer",
  "sentBy",
  "joinedVia",
  "ignoreBackoff",
  "maxBytes",
  "idleTimeout",
];
const right = ["!room:a.example", "$event", "@a:a.example", "#a:a.example", "a.example", "1", 1, true, ["$event"], {}];

const leaf = fc.oneof(
  fc.constantFrom(...right, null, undefined, Number.NaN, -1, 1.5, 1n, Symbol("s"), throwing, "\ud800", "", "__proto__"),
  fc.anything({ maxDepth: 2, withNullPrototype: true, withSparseArray: true, withBigInt: true, withDate: true }),
);
/** A value that is to be made: what is made already, the arbitraries themselves would look at. */
type Made = () => unknown;
const spoilt: fc.Arbitrary<Made> = fc
  .tuple(leaf, fc.constantFrom("asItIs", "proxy", "throwingProxy"))
  .map(([value, how]) => () => {
    if (how === "asItIs" || typeof value !== "object" || value === null) return value;
    return new Proxy(value, how === "proxy" ? {} : handlers);
  });
const withFields = (names: readonly string[]): fc.Arbitrary<Made> =>
  fc
    .tuple(fc.dictionary(fc.constantFrom(...names), spoilt, { maxKeys: 8 }), fc.option(fc.constantFrom(...names)))
    .map(([found, getter]) => () => {
      const made = Object.fromEntries(Object.entries(found).map(([name, make]) => [name, make()]));
      return getter === null ? made : Object.defineProperty(made, getter, { get: throwing, enumerable: true });
    });
const input = fc.oneof({ weight: 3, arbitrary: withFields(fields) }, { weight: 1, arbitrary: spoilt });
const callOptions = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Made>(() => undefined) },
  { weight: 2, arbitrary: withFields(options) },
  { weight: 1, arbitrary: spoilt },
);

let lookups = 0;
const nobody = {
  resolve4: async () => void lookups++,
  resolve6: async () => void lookups++,
  resolveSrv: async () => void lookups++,
  lookup: async () => void lookups++,
} as Wrong;
const client = createClient({ serverName: "me.example", signingKey: SigningKey.generate(), dns: nobody });
const room = client.room("!room:me.example", { residents: ["me.example"] });
afterAll(() => client.close());

/** Nobody but ourselves can be asked, so that nothing that happens to be right goes out. */
const server = fc.oneof({ weight: 3, arbitrary: fc.constant<Made>(() => "me.example") }, spoilt).map(
  (make): Made =>
    () =>
      isServerName(make()) ? "me.example" : make(),
);
type Call = (...args: unknown[]) => unknown;
const callsOf = (holder: Wrong): [name: string, call: Call][] =>
  Object.entries<Wrong>(holder).filter(([name, call]) => typeof call === "function" && name !== "close");

async function outcome(action: () => unknown): Promise<unknown> {
  try {
    const found = await action();
    if (typeof (found as Wrong)?.next !== "function") return undefined;
    await (found as AsyncGenerator).next();
  } catch (error) {
    return error;
  }
  return undefined;
}

const isExpected = (error: unknown): boolean =>
  error === undefined || error === thrownByCaller || (isFederationError(error) && error.message !== "");

/** Whether a call was refused, rather than made and failed. */
const isRefused = (error: unknown): boolean =>
  error === thrownByCaller || [OptionError, NameError, SignError].some((kind) => error instanceof kind);

/** What a call throws has to be expected; and where the call was refused, nobody was looked up before. */
async function expectError(action: () => unknown): Promise<void> {
  const before = lookups;
  const error = await outcome(action);
  expect(isExpected(error), String((error as Error)?.stack)).toBe(true);
  if (isRefused(error)) expect(lookups).toBe(before);
}

describe("whatever is passed, an error of the library comes of it, or what the caller's own object throws:", () => {
  const ofServer = callsOf({ ...client, ...client.media, userinfo: client.openid.userinfo }).filter(
    ([name]) => !["room", "request", "diagnose", "markAlive"].includes(name),
  );
  const ofRoom = callsOf(room).filter(([name]) => name !== "request");
  const safely = (calls: [string, Call][]): [string, Call][] => calls.map(([name, call]) => [`safe ${name}`, call]);

  test.each([
    ...ofServer,
    ...safely(callsOf({ ...client.safe, ...client.safe.media }).filter(([name]) => name !== "request")),
  ])("client: %s", async (_, call) => {
    const property = fc.asyncProperty(server, input, callOptions, async (name, fill, given) => {
      await expectError(() => call(name(), fill(), given()));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test.each([...ofRoom, ...safely(callsOf(room.safe).filter(([name]) => name !== "request"))])(
    "room: %s",
    async (_, call) => {
      const property = fc.asyncProperty(input, callOptions, async (fill, given) => {
        await expectError(() => call(fill(), given()));
      });
      await fc.assert(property, { numRuns: 60 });
    },
  );

  test("a handle, an endpoint, a name", async () => {
    const property = fc.asyncProperty(spoilt, input, async (value, fill) => {
      const calls: Call[] = [
        () => client.room(value() as Wrong, fill() as Wrong),
        () => client.room("!room:a.example", fill() as Wrong),
        () => client.request("me.example", value() as Wrong, fill() as Wrong),
        () => (room as Room).request(fill() as Wrong, {}),
        () => client.backoff.get(value() as Wrong),
        () => client.backoff.reset(value() as Wrong),
        () => client.partialState.list(value() as Wrong),
        () => client.markAlive(value() as Wrong),
      ];
      for (const call of calls) {
        await expectError(call);
      }
    });
    await fc.assert(property, { numRuns: 100 });
  });

  test("a client's options", async () => {
    const names = ["serverName", "signingKey", "store", "userAgent", "maxConnectionsPerServer", "backoff"];
    const property = fc.asyncProperty(fc.oneof(withFields(names), spoilt), async (given) => {
      await expectError(() => createClient(given() as Wrong).close());
    });
    await fc.assert(property, { numRuns: 200 });
  });
});
