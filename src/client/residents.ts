import { FailoverError, OptionError, quoted } from "../errors.js";
import { isServerName, parseServerName } from "../name/server-name.js";
import { MAX_CANDIDATES, type Residents } from "../options.js";

/**
 * Who may be asked about a room: the caller's residents without ourselves and without duplicates, in the caller's order.
 *
 * @throws {@link NameError} `ERR_SERVER_NAME` for a wrong name in a list.
 * @throws {@link FailoverError} `ERR_NO_RESIDENTS` when nobody is left.
 */
export async function candidatesOf(
  residents: Residents,
  roomId: string,
  ourselves: string,
  about: { endpoint: string },
): Promise<readonly string[]> {
  const named = isList(residents) ? checkedList(residents) : await collected(residents, roomId);
  return withoutOurselves(named, ourselves, about);
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

const isList = (residents: Residents): residents is readonly string[] => Array.isArray(residents);

function checkedList(names: readonly unknown[]): string[] {
  return names.map((name) => parseServerName(name).name);
}

/** A membership table may hold names that nobody would type; one of them must not cost the room. */
async function collected(residents: Exclude<Residents, readonly string[]>, roomId: string): Promise<string[]> {
  const source = typeof residents === "function" ? await residents(roomId) : residents;
  if (typeof source !== "object" || source === null || !(Symbol.iterator in source || Symbol.asyncIterator in source)) {
    throw new OptionError(
      "ERR_OPTION",
      'The residents must be a list of server names such as ["a.example"], something to iterate over, or a function.',
    );
  }
  const names = new Set<string>();
  for await (const name of source) {
    if (isServerName(name)) names.add(name);
    // One more than can be asked: one of them may be ourselves.
    if (names.size > MAX_CANDIDATES) break;
  }
  return [...names];
}
