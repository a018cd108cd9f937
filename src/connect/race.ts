/** How long a candidate may take to be reached before the next one is tried beside it. RFC 8305 section 5. */
const REACH_MS = 250;
/** How long a candidate that was reached may take for the rest: it is alive, and a TLS handshake is dear to repeat. */
const FINISH_MS = 3_000;

/** One try: it may say that it has reached the other side, and must end when the signal is aborted. */
export type Try<Candidate, Result> = (
  candidate: Candidate,
  signal: AbortSignal,
  reached: () => void,
) => Promise<Result>;

/**
 * Tries candidates in order, the next one as soon as the one before fails or is slow; a slow one goes on beside it. The
 * first result wins and the other tries are aborted. Specification: RFC 8305 ("happy eyeballs") section 5.
 *
 * @param discard - Takes results that come too late.
 * @throws `AggregateError` with every candidate's error, in the order in which they failed; the signal's reason when it
 * is aborted.
 */
export async function race<Candidate, Result>(
  candidates: readonly Candidate[],
  attempt: Try<Candidate, Result>,
  signal: AbortSignal,
  discard: (result: Result) => void,
): Promise<Result> {
  signal.throwIfAborted();
  const losers = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let onAbort = (): void => {};
  try {
    return await new Promise<Result>((resolve, reject) => {
      const errors: unknown[] = [];
      let started = 0;
      onAbort = () => {
        // Said here already: a result that comes before the rejection is noticed must be discarded too.
        isOver = true;
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });

      const startNext = (): void => {
        clearTimeout(timer);
        const candidate = candidates[started];
        if (candidate === undefined || isOver) return;
        started += 1;
        const turn = started;
        const nextAfter = (ms: number): void => {
          if (turn !== started || isOver) return;
          clearTimeout(timer);
          timer = setTimeout(startNext, ms);
        };
        nextAfter(REACH_MS);
        attempt(candidate, losers.signal, () => nextAfter(FINISH_MS)).then(
          (result) => {
            if (isOver) return discard(result);
            isOver = true;
            resolve(result);
          },
          (error: unknown) => {
            errors.push(error);
            if (errors.length === candidates.length) reject(new AggregateError(errors));
            // An earlier one's failure must not hurry those that were begun after it.
            else if (turn === started) startNext();
          },
        );
      };
      startNext();
      if (candidates.length === 0) reject(new AggregateError(errors));
    });
  } finally {
    isOver = true;
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    losers.abort();
  }
}
