/**
 * A bucket of tokens: extra requests (hedges, later rounds) take one, calls that succeed put a part of one back. So
 * extra requests stay a fraction of the useful ones when everything is slow or down.
 */
export class TokenBudget {
  readonly #max: number;
  readonly #refund: number;
  #tokens: number;

  /** A full bucket of `max` tokens, to which a success returns `refund` of a token. */
  constructor(max: number, refund: number) {
    this.#max = max;
    this.#refund = refund;
    this.#tokens = max;
  }

  /** Takes a token; false when there is none. */
  take(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Puts a part of a token back. */
  succeed(): void {
    this.#tokens = Math.min(this.#max, this.#tokens + this.#refund);
  }
}
