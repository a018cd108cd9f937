import type { Verdict } from "../verdict/judge.js";
import type { Judgement } from "./attempt.js";
import type { Ending, Failover, Plan } from "./failover.js";
import type { ServerRecords } from "./server-records.js";

/** Where one call stands: who is still in play, and how it ended. */
export class Call<Output> {
  readonly plan: Plan<Output>;
  ending: Ending<Output> | undefined;
  roundNumber = 0;
  readonly #records: ServerRecords;
  #inPlay: string[];

  constructor(plan: Plan<Output>, { records }: Failover) {
    this.plan = plan;
    this.#records = records;
    this.#inPlay = [...plan.candidates];
  }

  /** Takes note of a judgement; true when the round is over. */
  judged(server: string, { verdict, outcome, error }: Judgement<Output>): boolean {
    if (outcome.kind === "answer") {
      const { value, dropped = [], redacted = [], roomVersion } = outcome;
      this.ending = { kind: "answered", value, dropped, redacted, roomVersion, via: server };
      return true;
    }
    if (verdict.next === "stop" && error) {
      this.ending = { kind: "stopped", error };
      return true;
    }
    if (!verdict.laterRound) this.#inPlay = this.#inPlay.filter((other) => other !== server);
    return this.#staysWith(server, verdict);
  }

  /** A request that changes the room and may have taken effect goes to no other server: a second change could follow. */
  #staysWith(server: string, verdict: Verdict): boolean {
    if (this.plan.repeatable === "anyServer" || !verdict.mayHaveTakenEffect) return false;
    this.#inPlay = this.#inPlay.filter((other) => other === server);
    return true;
  }

  /** Who may be asked now. */
  ready(): string[] {
    const now = Date.now();
    const open: string[] = [];
    const inBackoff: string[] = [];
    for (const server of this.#inPlay) {
      const record = this.#records.get(server);
      if (record && record.pausedUntil > now) continue;
      (record && record.retryAt > now ? inBackoff : open).push(server);
    }
    return this.plan.ignoreBackoff ? [...open, ...inBackoff] : open;
  }

  /** How long until somebody may be asked who wants to be left alone now, in milliseconds; 0 when somebody is ready. */
  msUntilReady(): number {
    if (this.ready().length > 0) return 0;
    const waits = this.#waiting().map((until) => until - Date.now());
    return waits.length > 0 ? Math.max(0, Math.min(...waits)) : 0;
  }

  /** Whether another round could ask anybody. */
  canGoOn(): boolean {
    return this.ready().length > 0 || this.#waiting().length > 0;
  }

  /** Until when those that limit our rate, and are not in backoff too, want to be left alone. */
  #waiting(): number[] {
    const now = Date.now();
    return this.#inPlay
      .map((server) => this.#records.get(server))
      .filter((record) => record !== undefined && record.pausedUntil > now && record.retryAt <= now)
      .map((record) => record?.pausedUntil ?? now);
  }
}
