import type { Attempt, Judgement } from "./attempt.js";

type Begun = Pick<Attempt, "server" | "round" | "hedge" | "startMs">;

/** The attempts of one call, in the order in which they began. */
export class Trail {
  readonly #entries: (Begun | Attempt)[] = [];
  readonly #startedAt: number = performance.now();

  /** Milliseconds since the call began. */
  elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Notes that a server is being asked; returns the place of the attempt in the trail. */
  begin(server: string, round: number, hedge: boolean): number {
    return this.#entries.push({ server, round, hedge, startMs: this.elapsedMs() }) - 1;
  }

  /** Notes what an attempt came to; returns how long it took, in milliseconds. */
  end(place: number, { verdict, outcome, error }: Judgement<unknown>): number {
    const begun = this.#entries[place] as Begun;
    const ms = this.elapsedMs() - begun.startMs;
    this.#entries[place] = {
      server: begun.server,
      round: begun.round,
      hedge: begun.hedge,
      verdict: verdict.name,
      rule: verdict.rule,
      status: outcome.kind === "failure" ? undefined : outcome.status,
      errcode: outcome.kind === "error" ? outcome.errcode : undefined,
      mayHaveTakenEffect: verdict.mayHaveTakenEffect,
      startMs: begun.startMs,
      ms,
      error,
    };
    return ms;
  }

  /** The attempts so far; those that have not ended count as aborted. */
  snapshot(): Attempt[] {
    return this.#entries.map((entry) =>
      "verdict" in entry
        ? entry
        : {
            ...entry,
            verdict: "aborted",
            rule: "the call was over before the server answered",
            status: undefined,
            errcode: undefined,
            mayHaveTakenEffect: true,
            ms: this.elapsedMs() - entry.startMs,
            error: undefined,
          },
    );
  }
}
