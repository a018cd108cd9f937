import type { JsonObject } from "../endpoint.js";
import { type HierarchyInput, type HierarchyResponse, hierarchy } from "../endpoints/room-lookups.js";
import { isFederationError } from "../errors.js";
import { isServerName } from "../name/server-name.js";
import type { RoomCallOptions } from "../options.js";
import type { Answer } from "./calls.js";
import { checkCallOptions } from "./check-options.js";
import {
  checkCounts,
  type EachInHierarchyInput,
  fieldsOf,
  LIMIT,
  MAX_ID_LENGTH,
  type RoomInHierarchy,
  untilAborted,
} from "./iterate.js";

const MAX_VIA = 10;
/** Spaces in spaces: deeper than this only somebody goes who wants to keep us busy. */
const MAX_DEPTH = 50;
/** What may be lost on spaces inside that nobody tells about, as so many calls that ran out of time. */
const MAX_LOST_CALLS = 10;
/** How many spaces inside nobody may tell about. */
const MAX_CLOSED = 100;
/** How many requests may be lost on servers that spaces name. A space that nobody tells about counts as ten. */
const MAX_LOST_REQUESTS = MAX_CLOSED * MAX_VIA;

/** Asks about a space the servers that are likely to be in it, beside those that are known to be in the outermost one. */
type AskSpace = (
  roomId: string,
  via: readonly string[],
  input: Omit<HierarchyInput, "roomId">,
  options: RoomCallOptions,
) => Promise<Answer<HierarchyResponse>>;

/** A space that is to be opened. */
interface Closed {
  readonly roomId: string;
  readonly via: readonly string[];
}

/**
 * Goes through a space and the spaces in it, each once, level by level. A space inside that nobody tells about is left
 * closed: what its parent says of it is still there. Whoever made the space names its servers, and may name thousands that
 * there are not, or others who shall get thousands of requests. So what is lost in this way is bounded: ten times the
 * timeout, and 1,000 requests to named servers that did not tell, where a space that nobody tells about counts as ten of
 * them. After that the other spaces stay closed as well.
 *
 * @throws The reason of the options' signal; {@link OptionError} `ERR_INPUT` or `ERR_OPTION` for what is wrong; and what
 * `ask` throws for the outermost space, or since the client was closed.
 */
export function eachInHierarchy(
  ask: AskSpace,
  root: string,
  given: EachInHierarchyInput,
  givenOptions: RoomCallOptions,
): AsyncGenerator<RoomInHierarchy, void, undefined> {
  return untilAborted(roomsInside(ask, root, given, givenOptions), givenOptions?.signal);
}

async function* roomsInside(
  ask: AskSpace,
  root: string,
  given: EachInHierarchyInput,
  givenOptions: RoomCallOptions,
): AsyncGenerator<RoomInHierarchy, void, undefined> {
  const { limit = LIMIT, suggestedOnly = false, maxDepth = MAX_DEPTH } = fieldsOf(given);
  checkCounts({ limit, maxDepth });
  const options = checkCallOptions(givenOptions);
  const page = suggestedOnly ? { suggestedOnly } : {};
  const timeout = options.timeout ?? hierarchy.timeoutMs;
  const inside = { ...options, timeout, rounds: options.rounds ?? 1 };
  let lostMs = 0;
  let lostRequests = 0;

  async function open({ roomId, via }: Closed): Promise<Answer<HierarchyResponse> | undefined> {
    if (lostMs >= MAX_LOST_CALLS * timeout || lostRequests >= MAX_LOST_REQUESTS) return undefined;
    const startedAt = performance.now();
    try {
      const answer = await ask(roomId, via, page, inside);
      lostRequests += Math.min(answer.attempts.length - 1, via.length);
      return answer;
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      if (!isFederationError(error) || error.code === "ERR_CLOSED") throw error;
      lostMs += performance.now() - startedAt;
      lostRequests += MAX_VIA;
      return undefined;
    }
  }

  const told = new Set<string>();
  // Each space waits once to be opened, however often it is named.
  const found = new Set([root]);
  let level: Closed[] = limit > 0 ? [{ roomId: root, via: [] }] : [];
  for (let depth = 0; level.length > 0 && depth < Math.min(maxDepth, MAX_DEPTH); depth++) {
    const next: Closed[] = [];
    for (const space of level) {
      const answer = depth === 0 ? await ask(root, [], page, options) : await open(space);
      if (!answer) continue;
      const { value, via } = answer;
      const vias = viasOf(value.room);
      for (const [at, room] of [value.room, ...value.children].entries()) {
        const id = room.room_id;
        if (typeof id !== "string" || id.length > MAX_ID_LENGTH) continue;
        if (at > 0 && room.room_type === "m.space" && !found.has(id)) {
          found.add(id);
          next.push({ roomId: id, via: vias.get(id) ?? [] });
        }
        if (told.has(id)) continue;
        told.add(id);
        yield { room, depth: at === 0 ? depth : depth + 1, via };
        if (told.size >= limit) return;
      }
    }
    level = next;
  }
}

/** The servers that a space names for each of its children. */
function viasOf({ children_state }: JsonObject): Map<string, readonly string[]> {
  const vias = new Map<string, readonly string[]>();
  for (const state of Array.isArray(children_state) ? children_state : []) {
    const { state_key, content } = (state ?? {}) as { state_key?: unknown; content?: { via?: unknown } | null };
    const via = content?.via;
    if (typeof state_key === "string" && Array.isArray(via)) {
      vias.set(
        state_key,
        via.slice(0, MAX_VIA).filter((name): name is string => isServerName(name)),
      );
    }
  }
  return vias;
}
