import { BudgetSpent, withinBudget } from "../connect/budget.js";
import { FailoverError, OptionError, quoted } from "../errors.js";
import { isServerName, parseServerName } from "../name/server-name.js";
import { MAX_CANDIDATES, type Residents } from "../options.js";

/**
 * A function that tells a room's residents, each time it is called. What can be iterated over only once is read once.
 *
 * @throws {@link NameError} `ERR_SERVER_NAME` for a wrong name in a list.
 * @throws {@link OptionError} `ERR_OPTION` for residents of another form.
 */
export function residentsOf(
  residents: Residents,
  roomId: string,
): () => readonly string[] | Promise<readonly string[]> {
  if (isList(residents)) {
    const names = residents.map((name) => parseServerName(name).name);
    return () => names;
  }
  if (typeof residents === "function") return async () => collected(await residents(roomId));
  if (!isIterable(residents)) throw wrongResidents();
  if (!("next" in residents)) return () => collected(residents);
  let names: Promise<string[]> | undefined;
  return () => {
    names ??= collected(residents);
    return names;
  };
}

const isList = (residents: Residents): residents is readonly string[] => Array.isArray(residents);
const isIterable = (value: unknown): boolean =>
  typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
const wrongResidents = (): OptionError =>
  new OptionError(
    "ERR_OPTION",
    'The residents must be a list of server names such as ["a.example"], something to iterate over, or a function.',
  );

/** A membership table may hold names that nobody would type; one of them must not cost the room. */
async function collected(source: Iterable<string> | AsyncIterable<string>): Promise<string[]> {
  if (!isIterable(source)) throw wrongResidents();
  const names = new Set<string>();
  let seen = 0;
  for await (const name of source) {
    if (isServerName(name)) names.add(name);
    seen += 1;
    // One more than can be asked: one of them may be ourselves.
    if (names.size > MAX_CANDIDATES || seen > MAX_CANDIDATES * 10) break;
  }
  return [...names];
}

/**
 * Waits for residents to be told, within the time of the call.
 *
 * @throws {@link FailoverError} `ERR_NO_RESIDENTS` when the time is over or the caller's source failed; the signal's
 * reason when it aborts.
 */
export async function toldInTime(
  residents: Promise<readonly string[]>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  about: { endpoint: string },
): Promise<readonly string[]> {
  try {
    return await withinBudget(timeoutMs, signal ?? new AbortController().signal, () => residents);
  } catch (error) {
    if (signal?.aborted || error instanceof OptionError) throw error;
    const message =
      error instanceof BudgetSpent
        ? `The residents of the room were not told within the call's ${timeoutMs} ms.`
        : "The residents of the room could not be told: what was passed as `residents` failed.";
    throw new FailoverError("ERR_NO_RESIDENTS", message, { ...about, attempts: [], summary: "notAsked", cause: error });
  }
}

/** The names without ourselves and duplicates; an error when nobody is left. */
export function withoutOurselves(
  names: readonly string[],
  ourselves: string,
  about: { endpoint: string },
): readonly string[] {
  const candidates = [...new Set(names)].filter((name) => name !== ourselves).slice(0, MAX_CANDIDATES);
  if (candidates.length > 0) return candidates;
  const message =
    names.length > 0
      ? `The only server to ask is ourselves, ${quoted(ourselves)}; name another server.`
      : "There is no server to ask: the residents are empty. Pass the names of servers in the room.";
  throw new FailoverError("ERR_NO_RESIDENTS", message, { ...about, attempts: [], summary: "notAsked" });
}
