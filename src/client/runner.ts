import { checkEndpoint, type Endpoint } from "../endpoint.js";
import { queryKeys, serverKeys } from "../endpoints/keys.js";
import { isFederationError, OptionError, SignError } from "../errors.js";
import { Failover, type Plan } from "../failover/failover.js";
import { Flight } from "../failover/flight.js";
import { ask, type House } from "../flow.js";
import { createKeyring } from "../keyring/create-keyring.js";
import type { FetchOptions } from "../keyring/direct-keys.js";
import type { Keyring } from "../keyring/keyring.js";
import { parseServerName } from "../name/server-name.js";
import { type ClientOptions, DEFAULT_TIMEOUT_FACTOR, type RoomCallOptions } from "../options.js";
import { createResolver } from "../resolve/resolver.js";
import { Pools } from "../send/pools.js";
import { formError } from "../sign/prepare-request.js";
import { VerifyPool } from "../verify/pool.js";
import { Verifier } from "../verify/verifier.js";
import type { SafeAnswer } from "./calls.js";
import { preparedFor } from "./check-input.js";
import { checkCallOptions, checkClientOptions, checkedKeys } from "./check-options.js";
import { landed, unwrapped } from "./landed.js";
import { Proof } from "./proof.js";
import { toldInTime, withoutOurselves } from "./residents.js";

/** One call that is to be made. */
export interface Job<Input extends object, Output> {
  /** What is asked. */
  readonly endpoint: Endpoint<Input, Output>;
  /** What the caller passed as the input. */
  readonly input: Input;
  /** The room of the handle, which belongs to the input; none for a call to one server. */
  readonly roomId: string | undefined;
  /** Tells who may be asked. */
  readonly candidates: (options: RoomCallOptions) => readonly string[] | Promise<readonly string[]>;
  /** Whether the caller named the one server to ask. */
  readonly oneServer: boolean;
  /** How many rounds there may be when the caller does not say. */
  readonly rounds: number;
  /** What the caller passed. */
  readonly options: RoomCallOptions;
  /** Whether other servers may be asked for events that are not whole; they may when absent. */
  readonly mayRepair?: boolean;
}

function pinnedServer<Input extends object>(endpoint: Endpoint<Input, unknown>, input: Input): string | undefined {
  try {
    return endpoint.pinnedTo?.(input);
  } catch (cause) {
    throw formError(endpoint.name, cause);
  }
}

/** What makes the calls of a client, and holds what they share. */
export interface Runner extends House {
  /** The options of the client. */
  readonly options: ClientOptions;
  /** The memory of servers. */
  readonly failover: Failover;
  /** The keys of other servers. */
  readonly keyring: Keyring;
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal;
  /** One call, from the input to the landing. Throws only for wrong input, an abort by the caller, or a bug. */
  run<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>>;
  /** As `run`, with wrong input as a result. */
  runSafely<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>>;
  /** Ends all calls and connections, and waits until what is known has been saved. */
  close(): Promise<void>;
}

/**
 * Creates what makes a client's calls. It makes no request and opens nothing.
 *
 * @throws {@link OptionError} `ERR_OPTION` for a wrong option.
 * @throws {@link NameError} `ERR_SERVER_NAME` when `serverName` does not follow the grammar.
 */
export function createRunner(given: ClientOptions): Runner {
  checkClientOptions(given);
  // A copy: what is changed later must not hold for one part of the client and not for another.
  const options = { ...given };
  const keys = checkedKeys(options);
  const { serverName, userAgent = "matrix-federation-sdk", verify: verifyMode } = options;
  const origin = serverName ?? "";
  const resolver = createResolver({ ...options, userAgent });
  const house: House = { resolver, pools: new Pools(options), origin, keys, userAgent };
  const failover = new Failover(options.store, options.backoff);
  // Of identical reads under way, by endpoint and by what is asked of whom.
  // biome-ignore lint/suspicious/noExplicitAny: the key of the inner map tells the flights of an endpoint apart
  const flights = new Map<Endpoint<any, any>, Map<string, Flight<any>>>();

  const keyring = createKeyring({
    ownServerName: serverName,
    ownKeys: keys,
    ownOldKeys: options.oldSigningKeys,
    notaries: options.notaries ?? [],
    trustedNotaryKeys: options.trustedNotaryKeys,
    store: options.store,
    fetchKeys: (server, limits) => askForKeys(server, serverKeys, {}, limits),
    queryNotary: async (notary, wanted, limits) =>
      (await askForKeys(notary, queryKeys, { serverKeys: wanted }, limits)).server_keys,
  });
  const pool = new VerifyPool();
  const closing = new AbortController();
  let closed: Error | undefined;
  const proof = new Proof(run, new Verifier(keyring, pool), closing.signal);
  const underWay = new Set<Flight<unknown>>();

  /** Joins an identical read under way, or starts a flight. */
  function flightFor<Output>(
    plan: Plan<Output>,
    // biome-ignore lint/suspicious/noExplicitAny: the input is in the URI already
    endpoint: Endpoint<any, Output>,
    joinedVia: string | undefined,
    what: string,
    timeoutMs: number,
    mayBeShared: boolean,
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
    if (!mayBeShared) return start();
    const { candidates, ignoreBackoff, rounds, sentBy, prefer, roomId } = plan;
    const key = [what, roomId, candidates, ignoreBackoff, rounds, sentBy, prefer, joinedVia].join("\n");
    const ofEndpoint = flights.get(endpoint) ?? new Map<string, Flight<Output>>();
    const known = ofEndpoint.get(key);
    if (known && !known.isAborted) return known;
    const flight = start();
    flights.set(endpoint, ofEndpoint.set(key, flight));
    flight.onceOver(() => {
      if (ofEndpoint.get(key) === flight) ofEndpoint.delete(key);
      if (ofEndpoint.size === 0) flights.delete(endpoint);
    });
    return flight;
  }

  /** A request for keys. What fails here is for the key ring to remember, and is not held against the server. */
  async function askForKeys<Input extends object, Output>(
    server: string,
    endpoint: Endpoint<Input, Output>,
    input: Input,
    { signal, timeoutMs }: FetchOptions,
  ): Promise<Output> {
    const answer = await run({
      endpoint,
      input,
      roomId: undefined,
      oneServer: true,
      rounds: 1,
      candidates: () => [parseServerName(server).name],
      options: { signal, timeout: timeoutMs, ignoreBackoff: true },
    });
    return unwrapped(answer).value;
  }

  async function run<Input extends object, Output>(job: Job<Input, Output>): Promise<SafeAnswer<Output>> {
    const { endpoint } = job;
    if (closed) throw closed;
    const options = checkCallOptions(job.options);
    checkEndpoint(endpoint);
    if (!job.oneServer && endpoint.audience !== "resident") {
      const message = "The endpoint is for one named server; ask it with client.request(server, …).";
      throw new OptionError("ERR_INPUT", message, { endpoint: endpoint.name });
    }
    const request = preparedFor(endpoint, job.input, job.roomId, origin);
    const { roomId } = request.input as { roomId?: string };
    if (endpoint.authentication === "signature" && keys.length === 0) {
      const message = "The endpoint needs a signed request; create the client with `serverName` and `signingKey`.";
      throw new SignError("ERR_NO_SIGNING_KEY", message, { endpoint: endpoint.name });
    }
    if (options.signal?.aborted) throw options.signal.reason;
    const about = { endpoint: endpoint.name, docsUrl: endpoint.spec };
    const pinned = job.oneServer ? undefined : pinnedServer(endpoint, request.input as Input);
    const { sentBy, joinedVia, prefer, ignoreBackoff = false, rounds = job.rounds } = options;
    const granted = options.timeout ?? endpoint.timeoutMs * DEFAULT_TIMEOUT_FACTOR;
    const startedAt = performance.now();
    const told = pinned === undefined ? job.candidates(options) : [parseServerName(pinned).name];
    const named = told instanceof Promise ? await toldInTime(told, granted, options.signal, about) : told;
    const msLeft = (): number => Math.max(1, granted - (performance.now() - startedAt));
    const candidates = withoutOurselves(named, origin, about);
    const isProved = endpoint.proof !== undefined && (options.verify ?? verifyMode) !== "none";
    const verification = isProved
      ? await proof.verificationFor({ job: { ...job, options }, input: request.input, candidates, timeoutMs: msLeft() })
      : undefined;
    // Time has passed since the call began.
    if (closed) throw closed;
    if (options.signal?.aborted) throw options.signal.reason;
    if (verification && "ok" in verification) return verification;
    const mayBeShared = endpoint.repeatable === "anyServer" && !options.onEvent && !options.onProgress;
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
      mayHedge: mayBeShared,
      ignoreBackoff,
      ask: (server, cancellation, arrived) =>
        ask(house, endpoint, request, { server, sentBy, joinedVia, roomId, verification, arrived }, cancellation),
    };
    const proved = verification && `${verification.version} ${job.mayRepair}`;
    const what = `${request.uri} ${request.content ?? ""} ${proved}`;
    const timeoutMs = msLeft();
    const flight = flightFor(plan, endpoint, joinedVia, what, timeoutMs, mayBeShared);
    const answer = landed(
      { ...plan, spec: endpoint.spec },
      await flight.join(timeoutMs, options.signal),
      flight.trail.snapshot(),
      failover.records,
      granted,
    );
    proof.learn(endpoint, request.input, answer);
    return answer;
  }

  const close = async (): Promise<void> => {
    closed ??= new OptionError("ERR_CLOSED", "The client was closed; create another one.");
    // Before the connections: what they would fail with says nothing about the servers.
    for (const flight of underWay) flight.cancel(closed);
    closing.abort(closed);
    await Promise.all([keyring.close(), pool.close(), resolver.close(), house.pools.close()]);
    await failover.flush();
  };
  return { ...house, options, failover, keyring, closing: closing.signal, run, runSafely: safely(run), close };
}

/** The same calls, with wrong input as a result. */
export function safely(run: Runner["run"]): Runner["runSafely"] {
  return async (job) => {
    try {
      return await run(job);
    } catch (error) {
      if (!isFederationError(error) || job.options?.signal?.reason === error) throw error;
      return { ok: false, error, attempts: [] };
    }
  };
}
