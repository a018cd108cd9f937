import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import pRetry from "p-retry";
import type { Cancellation } from "../cancellation.js";
import { type AnyFederationError, ResolveError } from "../errors.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { Store } from "../store/store.js";
import type { DroppedEvent } from "../validate/events.js";
import type { Ask, Judgement } from "./attempt.js";
import { Call } from "./call.js";
import { PartialMemory } from "./partial-memory.js";
import { rank } from "./rank.js";
import { runRound } from "./round.js";
import { Saved } from "./saved.js";
import { type BackoffOptions, ServerRecords } from "./server-records.js";
import { TokenBudget } from "./token-budget.js";
import type { Trail } from "./trail.js";

/** A pause when a server limits our rate and does not say for how long. */
const UNHINTED_PAUSE_MS = 5_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const UNSUPPORTED_FOR_MS = 3_600_000;
/** A server that had this long, or a sixth of what the endpoint grants, has failed, though the call had less time. */
const FAIR_CHANCE_MS = 10_000;

/** One call: what is asked, whom it may be asked, and how hard to try. */
export interface Plan<Output> {
  /** The endpoint's name. */
  readonly endpoint: string;
  /** Where the request may be made again when its fate is not known. */
  readonly repeatable: "anyServer" | "sameServer";
  /** The room, where the request is about one. */
  readonly roomId: string | undefined;
  /** Whether the caller named the one server to ask, so that its own error says all. */
  readonly oneServer: boolean;
  /** Who may be asked, in the caller's order. */
  readonly candidates: readonly string[];
  /** The servers that sent us the event in question. */
  readonly sentBy: readonly string[] | undefined;
  /** The servers to ask first. */
  readonly prefer: readonly string[] | undefined;
  /** How many rounds there may be. */
  readonly rounds: number;
  /** How long one attempt may take, in milliseconds. */
  readonly attemptTimeoutMs: number;
  /** Whether another server may be asked while one is slow. */
  readonly mayHedge: boolean;
  /** Whether servers in backoff are asked all the same, after the others. */
  readonly ignoreBackoff: boolean;
  /** Asks one server once. */
  readonly ask: Ask<Output>;
}

/** How a call ended, as far as it can be said without the caller's deadline. */
export type Ending<Output> =
  | {
      readonly kind: "answered";
      readonly value: Output;
      readonly dropped: readonly DroppedEvent[];
      readonly redacted: readonly string[];
      readonly roomVersion: RoomVersion | undefined;
      readonly via: string;
    }
  | { readonly kind: "stopped"; readonly error: AnyFederationError }
  | { readonly kind: "exhausted"; readonly retryAt: number | undefined };

class RoundFailed extends Error {}

/** A bug, or an error of the caller's own handlers: p-retry would try again, and takes nothing but errors. */
class Broken extends Error {}

/** The memory that calls share, and the one place that loops, waits and asks again. */
export class Failover {
  /** What is known of each server. */
  readonly records: ServerRecords;
  /** Which servers are still joining which room. */
  readonly partial: PartialMemory;
  readonly #saved: Saved;
  readonly #unsupported = new LRUCache<string, true>({ max: 10_000, ttl: UNSUPPORTED_FOR_MS });
  readonly #hedges = new TokenBudget(10, 0.1);
  readonly #retries = new TokenBudget(500, 0.5);

  /** With the store for what should outlive the process. */
  constructor(store: Store | undefined, backoff: BackoffOptions | undefined) {
    this.#saved = new Saved(store);
    this.records = new ServerRecords(this.#saved, backoff);
    this.partial = new PartialMemory(this.#saved);
  }

  /** Waits until what is known has been saved. */
  flush(): Promise<void> {
    return this.#saved.flush();
  }

  /**
   * Carries a plan out: rounds over the candidates, spaced by growing waits.
   *
   * @param deadlineAt - When nobody waits for the answer any more, on the clock of `performance.now()`.
   * @throws what the cancellation was given, when it is cancelled.
   */
  async run<Output>(
    plan: Plan<Output>,
    trail: Trail,
    cancellation: Cancellation,
    deadlineAt: () => number,
  ): Promise<Ending<Output>> {
    const loading = this.records.load(plan.candidates);
    if (loading) await loading;
    if (plan.roomId !== undefined) await this.partial.load(plan.roomId);
    const call = new Call(plan, this);
    const msLeft = (): number => deadlineAt() - performance.now();
    // The first round runs outside p-retry, so that calls that need no second one do not pay for it.
    const first = await this.#round(call, trail, cancellation, msLeft);
    if (first) return first;
    try {
      return await pRetry(
        async (number) => {
          const ending =
            number === 1 ? undefined : await this.#round(call, trail, cancellation, msLeft).catch(asBroken);
          if (!ending) throw new RoundFailed();
          return ending;
        },
        {
          retries: plan.rounds - 1,
          minTimeout: FIRST_WAIT_MS,
          maxTimeout: LONGEST_WAIT_MS,
          randomize: true,
          signal: cancellation.signal,
          shouldRetry: ({ attemptNumber, error }) =>
            error instanceof RoundFailed &&
            call.msUntilReady() + FIRST_WAIT_MS * 2 ** (attemptNumber - 1) < msLeft() &&
            call.canGoOn(),
          onFailedAttempt: async ({ error, retriesLeft }) => {
            const waitMs = call.msUntilReady();
            if (error instanceof RoundFailed && retriesLeft > 0 && waitMs > 0 && waitMs < msLeft()) {
              await sleep(waitMs, undefined, { signal: cancellation.signal });
            }
          },
        },
      );
    } catch (error) {
      if (cancellation.aborted) throw cancellation.reason;
      if (error instanceof Broken) throw error.cause;
      if (!(error instanceof RoundFailed)) throw error;
      return { kind: "exhausted", retryAt: this.records.retryAt(plan.candidates) };
    }
  }

  async #round<Output>(
    call: Call<Output>,
    trail: Trail,
    cancellation: Cancellation,
    msLeft: () => number,
  ): Promise<Ending<Output> | undefined> {
    const { plan } = call;
    const order = rank(call.ready(), {
      records: this.records,
      partial: this.partial,
      isUnsupported: (server) => this.#unsupported.has(unsupportedKey(plan, server)),
      roomId: plan.roomId,
      sentBy: plan.sentBy,
      prefer: plan.prefer,
    });
    call.roundNumber += 1;
    if (order.length === 0) return undefined;
    await runRound(
      {
        number: call.roundNumber,
        order,
        ask: plan.ask,
        attemptTimeoutMs: plan.attemptTimeoutMs,
        hedgeAfterMs: (server) => (plan.mayHedge ? this.#hedgeAfterMs(plan, server, msLeft()) : undefined),
        mayHedge: () => this.#hedges.take(),
        mayAsk: () => call.roundNumber === 1 || this.#retries.take(),
        judged: (server, judgement, ms, startedAt) => {
          this.#remember(plan, server, judgement, ms, startedAt);
          return call.judged(server, judgement);
        },
        outrun: (server, ms) => {
          const ranOut = (cancellation.reason as Error | undefined)?.name === "TimeoutError";
          const fairMs = Math.max(FAIR_CHANCE_MS, plan.attemptTimeoutMs / 6);
          if (!cancellation.aborted) this.records.outrun(server, ms);
          else if (ranOut && ms >= fairMs && !plan.ignoreBackoff) this.records.failed(server, Date.now() - ms);
        },
      },
      trail,
      cancellation,
    );
    if (call.ending?.kind === "answered") {
      this.#hedges.succeed();
      this.#retries.succeed();
    }
    return call.ending;
  }

  /** What an attempt teaches about the server: the one place where a verdict's consequences are drawn. */
  #remember(
    plan: Plan<unknown>,
    server: string,
    { verdict, outcome, error }: Judgement<unknown>,
    ms: number,
    startedAt: number,
  ): void {
    const { records, partial } = this;
    if (verdict.backoff === "clear") records.answered(server, ms);
    else if (verdict.backoff === "misbehaviour") records.misbehaved(server);
    else if (verdict.backoff === "count" && !plan.ignoreBackoff) {
      // A failure of DNS that is only told again happened once.
      if (!(error instanceof ResolveError && error.at < startedAt)) records.failed(server, startedAt);
    } else if (verdict.backoff === "pause") {
      const hintMs = outcome.kind === "error" ? outcome.retryAfterMs : undefined;
      records.paused(server, hintMs ?? UNHINTED_PAUSE_MS * (0.5 + Math.random()));
    }
    if (verdict.name === "unsupported") this.#unsupported.set(unsupportedKey(plan, server), true);
    if (plan.roomId === undefined) return;
    const isWithheld = outcome.kind === "answer" && outcome.isWithheld;
    if (verdict.name === "partialState" || isWithheld) partial.seen(plan.roomId, server);
    else if (verdict.name === "answered") partial.over(plan.roomId, server);
  }

  /** Slow by its own history; where there is none, by what the endpoint may take; or by the time that the call has left. */
  #hedgeAfterMs({ attemptTimeoutMs }: Plan<unknown>, server: string, msLeft: number): number {
    const record = this.records.get(server);
    const usualMs = record?.proven ? record.latencyMs * 3 : attemptTimeoutMs / 60;
    const heavy = attemptTimeoutMs >= 300_000;
    return Math.max(100, Math.min(10_000, msLeft / 3, heavy ? 10_000 : usualMs));
  }
}

function asBroken(cause: unknown): never {
  throw new Broken("", { cause });
}

const unsupportedKey = (plan: Plan<unknown>, server: string): string => `${plan.endpoint} ${server}`;
