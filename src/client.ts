import type { Answer, SafeAnswer } from "./client/calls.js";
import { checkCallOptions, checkClientOptions, checkedKeys } from "./client/check-options.js";
import type { Client, Room } from "./client/client.js";
import { residentsOf, toldInTime, withoutOurselves } from "./client/residents.js";
import { roomEndpoints } from "./client/room-calls.js";
import { type ServerCalls, serverEndpoints, versionEndpoint } from "./client/server-calls.js";
import { diagnose } from "./diagnose/diagnose.js";
import { checkEndpoint, type Endpoint } from "./endpoint.js";
import { isFederationError, OptionError, SignError } from "./errors.js";
import type { Attempt } from "./failover/attempt.js";
import { Failover, type Plan } from "./failover/failover.js";
import { Flight, type Landing } from "./failover/flight.js";
import type { ServerRecords } from "./failover/server-records.js";
import { terminalError } from "./failover/terminal-error.js";
import { ask, type House } from "./flow.js";
import { checkRoomId } from "./name/identifiers.js";
import { parseServerName } from "./name/server-name.js";
import {
  type CallOptions,
  type ClientOptions,
  DEFAULT_ROOM_ROUNDS,
  DEFAULT_SERVER_ROUNDS,
  DEFAULT_TIMEOUT_FACTOR,
  type RoomCallOptions,
  type RoomOptions,
} from "./options.js";
import { createResolver } from "./resolve/resolver.js";
import { Pools } from "./send/pools.js";
import { prepareRequest } from "./sign/prepare-request.js";

interface Job<Input extends object, Output> {
  readonly endpoint: Endpoint<Input, Output>;
  readonly input: Input;
  readonly roomId: string | undefined;
  readonly candidates: () => readonly string[] | Promise<readonly string[]>;
  readonly oneServer: boolean;
  readonly rounds: number;
  readonly options: RoomCallOptions;
}

/**
 * Creates a client. It makes no request and opens nothing.
 *
 * @throws {@link OptionError} `ERR_OPTION` for a wrong option.
 * @throws {@link NameError} `ERR_SERVER_NAME` when `serverName` does not follow the grammar.
 */
export function createClient(options: ClientOptions = {}): Client {
  checkClientOptions(options);
  const keys = checkedKeys(options);
  const { serverName, userAgent = "matrix-federation-sdk" } = options;
  const origin = serverName ?? "";
  const resolver = createResolver({ ...options, userAgent });
  const house: House = { resolver, pools: new Pools(options), origin, keys, userAgent };
  const failover = new Failover(options.store, options.backoff);
  // Of identical reads under way, by endpoint and by what is asked of whom.
  // biome-ignore lint/suspicious/noExplicitAny: the key of the inner map tells the flights of an endpoint apart
  const flights = new Map<Endpoint<any, any>, Map<string, Flight<any>>>();

  const underWay = new Set<Flight<unknown>>();
  const closing = new AbortController();
  let closed: Error | undefined;

  /** Joins an identical read under way, or starts a flight. */
  function flightFor<Output>(
    plan: Plan<Output>,
    job: Job<object, Output>,
    uri: string,
    timeoutMs: number,
  ): Flight<Output> {
    const start = (): Flight<Output> => {
      const flight = new Flight<Output>(
        (trail, cancellation, deadlineAt) => failover.run(plan, trail, cancellation, deadlineAt),
        timeoutMs,
      );
      underWay.add(flight);
      flight.onceOver(() => underWay.delete(flight));
      return flight;
    };
    if (plan.repeatable !== "anyServer") return start();
    const { joinedVia } = job.options;
    const { candidates, ignoreBackoff, rounds, sentBy, prefer, roomId } = plan;
    const key = [uri, roomId, candidates, ignoreBackoff, rounds, sentBy, prefer, joinedVia].join("\n");
    const ofEndpoint = flights.get(job.endpoint) ?? new Map<string, Flight<Output>>();
    const known = ofEndpoint.get(key);
    if (known && !known.isAborted) return known;
    const flight = start();
    flights.set(job.endpoint, ofEndpoint.set(key, flight));
    flight.onceOver(() => {
      if (ofEndpoint.get(key) === flight) ofEndpoint.delete(key);
      if (ofEndpoint.size === 0) flights.delete(job.endpoint);
    });
    return flight;
  }

  /** One call, from the input to the landing. Throws only for wrong input, an abort by the caller, or a bug. */
  async function run<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>> {
    const { endpoint, input, roomId, options } = job;
    if (closed) throw closed;
    checkCallOptions(options);
    checkEndpoint(endpoint);
    const request = prepareRequest(endpoint, input, origin);
    if (endpoint.authentication === "signature" && keys.length === 0) {
      const message = "The endpoint needs a signed request; create the client with `serverName` and `signingKey`.";
      throw new SignError("ERR_NO_SIGNING_KEY", message, { endpoint: endpoint.name });
    }
    if (options.signal?.aborted) throw options.signal.reason;
    const about = { endpoint: endpoint.name };
    const pinned = job.oneServer ? undefined : endpoint.pinnedTo?.(input);
    const { sentBy, joinedVia, prefer, ignoreBackoff = false, rounds = job.rounds } = options;
    const granted = options.timeout ?? endpoint.timeoutMs * DEFAULT_TIMEOUT_FACTOR;
    const startedAt = performance.now();
    const told = pinned === undefined ? job.candidates() : [parseServerName(pinned).name];
    const named = told instanceof Promise ? await toldInTime(told, granted, options.signal, about) : told;
    const timeoutMs = Math.max(1, granted - (performance.now() - startedAt));
    const candidates = withoutOurselves(named, origin, about);
    const plan: Plan<Output> = {
      endpoint: endpoint.name,
      repeatable: endpoint.repeatable,
      roomId,
      oneServer: job.oneServer,
      candidates,
      sentBy,
      prefer,
      rounds,
      attemptTimeoutMs: endpoint.timeoutMs,
      ignoreBackoff,
      ask: (server, cancellation) => ask(house, endpoint, request, { server, sentBy, joinedVia, roomId }, cancellation),
    };
    const wanted = `${request.uri} ${request.content ?? ""}`;
    const flight = flightFor(plan, job as unknown as Job<object, Output>, wanted, timeoutMs);
    return landed(
      plan,
      await flight.join(timeoutMs, options.signal),
      flight.trail.snapshot(),
      failover.records,
      granted,
    );
  }

  /** As {@link run}, with wrong input as a result. */
  async function runSafely<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>> {
    try {
      return await run(job);
    } catch (error) {
      if (!isFederationError(error) || job.options?.signal?.reason === error) throw error;
      return { ok: false, error, attempts: [] };
    }
  }

  const serverJob = <Input extends object, Output>(
    server: string,
    endpoint: Endpoint<Input, Output>,
    input: Input,
    callOptions: RoomCallOptions = {},
  ): Job<Input, Output> => {
    const roomId = (input as { roomId?: unknown } | undefined)?.roomId;
    return {
      endpoint,
      input,
      options: callOptions,
      roomId: typeof roomId === "string" ? roomId : undefined,
      oneServer: true,
      rounds: DEFAULT_SERVER_ROUNDS,
      candidates: () => [parseServerName(server).name],
    };
  };

  const request: Client["request"] = async (...args) => unwrapped(await run(serverJob(...args))).value;
  const requestSafely: Client["safe"]["request"] = (...args) => runSafely(serverJob(...args));

  function room(roomId: string, roomOptions: RoomOptions): Room {
    checkRoomId(roomId);
    const residents = roomOptions?.residents;
    const members = residentsOf(residents, roomId);
    const roomJob = <Input extends object, Output>(
      endpoint: Endpoint<Input, Output, "resident">,
      input: Omit<Input, "roomId">,
      callOptions: RoomCallOptions = {},
    ): Job<Input, Output> => ({
      endpoint,
      input: { ...input, roomId } as unknown as Input,
      options: callOptions,
      roomId,
      oneServer: false,
      rounds: DEFAULT_ROOM_ROUNDS,
      // The servers that the caller names for this call are in the room as well.
      candidates: () => {
        const named = [...(callOptions.sentBy ?? []), ...(callOptions.prefer ?? [])];
        const told = members();
        return told instanceof Promise ? told.then((names) => [...named, ...names]) : [...named, ...told];
      },
    });
    const ask: Room["request"] = async (...args) => unwrapped(await run(roomJob(...args)));
    const askSafely: Room["safe"]["request"] = (...args) => runSafely(roomJob(...args));
    const bound = (call: typeof ask | typeof askSafely): Record<string, unknown> =>
      mapValues(
        roomEndpoints,
        (endpoint) => (input: object, callOptions?: RoomCallOptions) => call(endpoint, input, callOptions),
      );
    const safe = { ...bound(askSafely), request: askSafely };
    return { ...bound(ask), roomId, safe, request: ask } as unknown as Room;
  }

  const bound = (call: typeof request | typeof requestSafely): Record<string, unknown> => ({
    version: (server: string, callOptions?: CallOptions) => call(server, versionEndpoint, {}, callOptions),
    ...mapValues(
      serverEndpoints,
      (endpoint) => (server: string, input: object, callOptions?: CallOptions) =>
        call(server, endpoint, input, callOptions),
    ),
  });

  const known = async (server: string): Promise<string> => {
    parseServerName(server);
    await failover.records.load([server]);
    return server;
  };
  const close = async (): Promise<void> => {
    closed ??= new OptionError("ERR_CLOSED", "The client was closed; create another one.");
    // Before the connections: what they would fail with says nothing about the servers.
    for (const flight of underWay) flight.cancel(closed);
    closing.abort(closed);
    await Promise.all([resolver.close(), house.pools.close()]);
    await failover.flush();
  };

  const rest: Omit<Client, keyof ServerCalls | "safe"> = {
    serverName,
    resolver,
    backoff: {
      get: async (server) => failover.records.state(await known(server)),
      list: () => failover.records.list(),
      reset: async (server) => failover.records.forget(await known(server)),
    },
    partialState: {
      list: async (roomId) => {
        await failover.partial.load(checkRoomId(roomId));
        return failover.partial.list(roomId);
      },
    },
    room,
    request,
    diagnose: async (server, callOptions = {}) => {
      checkCallOptions(callOptions);
      return await diagnose(server, callOptions, options, closing.signal);
    },
    markAlive: async (server) => failover.records.clear(await known(server)),
    close,
    [Symbol.asyncDispose]: close,
  };
  const safe = { ...bound(requestSafely), request: requestSafely };
  return { ...bound(request), safe, ...rest } as unknown as Client;
}

function landed<Output>(
  plan: Plan<Output>,
  landing: Landing<Output>,
  attempts: readonly Attempt[],
  records: ServerRecords,
  timeoutMs: number,
): SafeAnswer<Output> {
  switch (landing.kind) {
    case "answered":
      return { ok: true, value: landing.value, dropped: landing.dropped, via: landing.via, attempts };
    case "stopped": {
      // A refusal of the repetition does not say what became of the first request.
      const isUnknown =
        plan.repeatable === "sameServer" && attempts.some(({ mayHaveTakenEffect }) => mayHaveTakenEffect);
      const error = isUnknown ? terminalError(plan, attempts, { retryAt: undefined }) : landing.error;
      return { ok: false, error, attempts };
    }
    case "exhausted":
      return { ok: false, error: terminalError(plan, attempts, landing), attempts };
    case "outOfTime":
      return {
        ok: false,
        error: terminalError(plan, attempts, { retryAt: records.retryAt(plan.candidates), timeoutMs }),
        attempts,
      };
  }
}

function unwrapped<Output>(result: SafeAnswer<Output>): Answer<Output> {
  if (!result.ok) throw result.error;
  const { value, dropped, via, attempts } = result;
  return { value, dropped, via, attempts };
}

function mapValues<Key extends string, From, To>(
  from: Readonly<Record<Key, From>>,
  to: (value: From) => To,
): Record<Key, To> {
  return Object.fromEntries(Object.entries<From>(from).map(([key, value]) => [key, to(value)])) as Record<Key, To>;
}
