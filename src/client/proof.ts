import { LRUCache } from "lru-cache";
import { Cancellation, MAX_TIMER_MS, onSignalAbort } from "../cancellation.js";
import type { Endpoint, JsonObject } from "../endpoint.js";
import { event, eventAuth } from "../endpoints/room-reads.js";
import { FailoverError } from "../errors.js";
import { isRoomVersion, type RoomVersion } from "../events/room-versions.js";
import { unprovedOf } from "../failover/outcome-error.js";
import { isRoomId } from "../name/identifiers.js";
import type { RoomCallOptions } from "../options.js";
import { versionNamedBy, versionProvedBy } from "../verify/create-event.js";
import type { WantedEvent } from "../verify/repair.js";
import type { Verifier } from "../verify/verifier.js";
import type { Verification } from "../verify/verify-answer.js";
import type { SafeAnswer } from "./calls.js";
import type { Job, Runner } from "./runner.js";

const MAX_ROOMS = 10_000;
/** A room's version does not change, but before version 12 the server that made the room can say two. */
const PROVED_FOR_MS = 86_400_000;
/** How long what a server said of a room's version counts, in milliseconds: from its `make_join` to our `send_join`. */
const CLAIMED_FOR_MS = 3_600_000;
/** How long another server may take for an event that one had not whole. */
const ELSEWHERE_TIMEOUT_MS = 10_000;
/** So many servers are asked for it: where none of them has it whole, it has been redacted. */
const MAX_ELSEWHERE = 3;

/** A call whose answer is to be verified. */
export interface ProvedCall<Output> {
  /** The job. */
  // biome-ignore lint/suspicious/noExplicitAny: the input is given apart
  readonly job: Job<any, Output>;
  /** The input, the room's id in it. */
  readonly input: object;
  /** Who may be asked. */
  readonly candidates: readonly string[];
  /** How long the call may still take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Knows what the events of answers have to be held against: the versions of rooms. */
export class Proof {
  readonly #run: Runner["run"];
  readonly #verifier: Verifier;
  readonly #closing: AbortSignal;
  readonly #versions = new LRUCache<string, RoomVersion>({ max: MAX_ROOMS, ttl: PROVED_FOR_MS, perf: performance });
  /** As `make_join` and `make_knock` told them, which nobody vouches for. */
  readonly #claimed = new LRUCache<string, RoomVersion>({ max: MAX_ROOMS, ttl: CLAIMED_FOR_MS, perf: performance });

  /** With what makes calls, what verifies events, and what says that the client is closed. */
  constructor(run: Runner["run"], verifier: Verifier, closing: AbortSignal) {
    this.#run = run;
    this.#verifier = verifier;
    this.#closing = closing;
  }

  /**
   * How the answer of a call is verified. Where the room's version is not known, it is asked for.
   *
   * @returns the failure of that, where it cannot be had.
   */
  async verificationFor<Output>(call: ProvedCall<Output>): Promise<Verification | Failed> {
    const { job, input } = call;
    const { endpoint, options, oneServer } = job;
    const { proof = {}, events: fields = [] } = endpoint;
    const { roomVersion, onEvent, onProgress } = options;
    let { roomId } = input as { roomId?: string };
    let version = roomVersion ?? (roomId === undefined ? undefined : this.#versions.get(roomId));
    const about = proof.about?.(input);
    if (version === undefined && about !== undefined) {
      const told = await this.#askVersion(call, roomId, about);
      if ("ok" in told) return oneServer ? told : withoutVersion(told, endpoint);
      ({ version, roomId } = told);
    }
    const room = roomId;
    const claimed = roomId !== undefined && about === undefined ? this.#claimed.get(roomId) : undefined;
    const { sent } = proof;
    let answers = 0;
    return {
      verifier: this.#verifier,
      roomId,
      version: version ?? claimed,
      isClaimed: version === undefined,
      onVersion: (proved) => void (room !== undefined && this.#versions.set(room, proved)),
      fields,
      onlyEvent: proof.only?.(input),
      sentEvent: sent && { field: sent.field, eventId: sent.eventId(input) },
      mayBeEmptied: endpoint.repeatable === "sameServer",
      fetchElsewhere:
        oneServer || job.mayRepair === false
          ? undefined
          : (wanted, cancellation) => this.#fetchElsewhere(call, wanted, cancellation),
      countAnswer: () => {
        answers += 1;
        return answers;
      },
      onEvent,
      onProgress,
    };
  }

  /** Takes note of what an answer tells about its room. */
  learn(endpoint: Endpoint<never, unknown>, input: object, answer: SafeAnswer<unknown>): void {
    const { roomId } = input as { roomId?: string };
    if (!answer.ok || roomId === undefined) return;
    const claimed = endpoint.roomVersionIn?.(answer.value);
    if (isRoomVersion(claimed)) this.#claimed.set(roomId, claimed);
  }

  /** The version of the room that an event is in, by the event's auth chain, which ends at the room's first event. */
  async #askVersion<Output>(
    { job, candidates, timeoutMs }: ProvedCall<Output>,
    roomId: string | undefined,
    eventId: string,
  ): Promise<{ readonly version: RoomVersion | undefined; readonly roomId: string | undefined } | Failed> {
    const deadline = performance.now() + timeoutMs;
    const options = (): RoomCallOptions => {
      const timeout = Math.max(1, deadline - performance.now());
      return { ...job.options, timeout, verify: "full", onEvent: undefined, onProgress: undefined };
    };
    const unverified = (): RoomCallOptions => ({ ...options(), verify: "none" });
    let room = roomId;
    if (room === undefined) {
      const answer = await this.#run({ ...job, endpoint: event, input: { eventId }, options: unverified() });
      if (!answer.ok) return answer;
      const [{ room_id: named = `!${eventId.slice(1)}` }] = answer.value.pdus;
      // Of a room without an id no event holds, and the answer is no answer.
      if (!isRoomId(named)) return { version: undefined, roomId: undefined };
      room = named;
    }
    const known = this.#versions.get(room);
    if (known) return { version: known, roomId: room };
    const input = { roomId: room, eventId };
    let others = candidates;
    for (let tries = 0; tries < MAX_ELSEWHERE && others.length > 0; tries++) {
      const asked = { ...job, candidates: (): readonly string[] => others };
      const chain = await this.#run({ ...asked, endpoint: eventAuth, input, options: options() });
      if (chain.ok && chain.roomVersion !== undefined) return { version: chain.roomVersion, roomId: room };
      const isUnproved = chain.attempts.some(({ error }) => unprovedOf(error) === "keysMissing");
      if (!chain.ok && !isUnproved) return chain;
      // The first event of a room has no auth chain, but any other has one.
      const first = await this.#run({ ...job, endpoint: event, input, options: unverified() });
      if (!first.ok) return first;
      const [pdu] = first.value.pdus;
      const told = chain.ok
        ? undefined
        : await this.#run({ ...asked, endpoint: eventAuth, input, options: unverified() });
      const version =
        versionProvedBy(eventId, pdu, told?.ok ? told.value.auth_chain : [], room) ??
        (await this.#versionSignedIn(pdu, room, eventId, options()));
      if (version !== undefined) return { version, roomId: room };
      if (!chain.ok) return chain;
      others = others.filter((server) => server !== chain.via);
    }
    return { version: undefined, roomId: room };
  }

  /** The version that a room's first event names, once its signature holds. */
  async #versionSignedIn(
    first: JsonObject,
    roomId: string,
    wanted: string,
    { signal, timeout = 0 }: RoomCallOptions,
  ): Promise<RoomVersion | undefined> {
    const version = versionNamedBy(first, roomId);
    if (version === undefined) return undefined;
    const cancellation = new Cancellation();
    const late = AbortSignal.timeout(Math.ceil(Math.min(timeout, MAX_TIMER_MS)));
    const signals = [late, this.#closing, ...(signal ? [signal] : [])];
    const stop = signals.map((each) => onSignalAbort(each, () => cancellation.abort(each.reason)));
    try {
      const [checked] = await this.#verifier.check([first], { version, roomId }, cancellation);
      return checked?.kind === "valid" && checked.eventId === wanted ? version : undefined;
    } catch (error) {
      if (error !== late.reason) throw error;
      return undefined;
    } finally {
      for (const stopListening of stop) stopListening();
    }
  }

  async #fetchElsewhere<Output>(
    { job, input, candidates }: ProvedCall<Output>,
    { eventId, server, version: roomVersion }: WantedEvent,
    cancellation: Cancellation,
  ): Promise<JsonObject | undefined> {
    let others = candidates.filter((other) => other !== server).slice(0, MAX_ELSEWHERE);
    const { roomId } = input as { roomId: string };
    const deadline = performance.now() + ELSEWHERE_TIMEOUT_MS;
    while (others.length > 0) {
      const timeout = Math.max(1, deadline - performance.now());
      const answer = await this.#run({
        ...job,
        endpoint: event,
        input: { eventId },
        roomId,
        candidates: () => others,
        rounds: 1,
        mayRepair: false,
        options: { signal: cancellation.signal, timeout, roomVersion, verify: "full" },
      });
      if (!answer.ok) return undefined;
      if (answer.redacted.length === 0) return answer.value.pdus[0];
      // It may be in partial state, too.
      others = others.filter((other) => other !== answer.via);
    }
    return undefined;
  }
}

type Failed = Extract<SafeAnswer<never>, { ok: false }>;

/** The failure of a call whose room's version could not be had, which tells so: the caller asked for something else. */
function withoutVersion(failed: Failed, { name, spec }: Endpoint<never, unknown>): Failed {
  const { error, attempts } = failed;
  if (!(error instanceof FailoverError) || error.code !== "ERR_ALL_FAILED") return failed;
  const { summary, retryAt, message } = error;
  const text =
    'The version of the room, without which no event can be verified, cannot be had with `event_auth`. Pass `roomVersion` where you know it, or `verify: "none"`.';
  const lines = message.split("\n").filter((line) => !/^(?:Server|Endpoint|Docs): /.test(line));
  const details = { endpoint: name, attempts, summary, retryAt, cause: error, docsUrl: spec, lines };
  return { ok: false, error: new FailoverError("ERR_ALL_FAILED", text, details), attempts };
}
