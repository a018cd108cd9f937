import type { JsonObject } from "../endpoint.js";
import type { PublicRoomsResponse, PublishedRoom, SearchPublicRoomsInput } from "../endpoints/public-rooms.js";
import type { HierarchyResponse } from "../endpoints/room-lookups.js";
import type { BackfillResponse, Pdu } from "../endpoints/room-reads.js";
import { isFederationError, OptionError, quoted } from "../errors.js";
import { isServerName } from "../name/server-name.js";

/** How far an iteration goes. */
export interface EachOptions {
  /** The most elements in all; as many as there are when absent. */
  readonly limit?: number;
  /** How many elements to ask for at a time; 100 when absent. */
  readonly pageSize?: number;
}

/** What {@link Client.eachPublicRoom} takes. */
export interface EachPublicRoomInput extends Omit<SearchPublicRoomsInput, "since" | "limit">, EachOptions {}

/** What {@link Room.eachBackfilled} takes. */
export interface EachBackfilledInput extends EachOptions {
  /** The events to go back from. */
  readonly from: readonly string[];
}

/** What {@link Room.eachInHierarchy} takes. */
export interface EachInHierarchyInput extends Pick<EachOptions, "limit"> {
  /** Whether to follow only what the spaces suggest; no when absent. */
  readonly suggestedOnly?: boolean;
  /** How many levels below the space to go: 1 for its own rooms alone; all of them when absent. */
  readonly maxDepth?: number;
}

/** A room that was found in a space. */
export interface RoomInHierarchy {
  /** What the asked server says of the room: its `room_id`, name, topic, `room_type`, `children_state` and so on. */
  readonly room: JsonObject;
  /** How many levels it is below the space, which itself is 0. */
  readonly depth: number;
  /** The server that said so. */
  readonly via: string;
}

const PAGE_SIZE = 100;
/** Servers read no more; a URL has a length. */
const MAX_FROM = 20;
const MAX_VIA = 10;
const MAX_BARREN_PAGES = 3;
/** A page of a few events may have nothing but what another branch of the history had already. */
const MIN_PAGE = 20;
/** Spaces in spaces: deeper than this only somebody goes who wants to keep us busy. */
const MAX_DEPTH = 50;

/** Whole numbers, or none of them: a limit that is no number would be no limit, or no answer. */
function checkCounts(counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    const isEndless = count === Number.POSITIVE_INFINITY && name !== "pageSize";
    if (isEndless || (Number.isSafeInteger(count) && count >= (name === "limit" ? 0 : 1))) continue;
    throw new OptionError("ERR_INPUT", `\`${name}\` is ${quoted(count)}; it must be a whole number.`);
  }
}

/** Goes through pages of a server's directory until there is no next one, or several in a row bring nothing new. */
export async function* eachPublicRoom(
  ask: (input: SearchPublicRoomsInput) => Promise<PublicRoomsResponse>,
  { limit = Number.POSITIVE_INFINITY, pageSize = PAGE_SIZE, ...input }: EachPublicRoomInput,
): AsyncGenerator<PublishedRoom, void, undefined> {
  checkCounts({ limit, pageSize });
  const seen = new Set<string>();
  const tokens = new Set<string>();
  let barren = 0;
  let since: string | null | undefined;
  do {
    const pageLimit = Math.min(pageSize, limit - seen.size);
    if (pageLimit <= 0) return;
    const { chunk, next_batch } = await ask({ ...input, limit: pageLimit, ...(since && { since }) });
    const before = seen.size;
    for (const room of chunk) {
      // Dendrite fills pages up with rooms without an id.
      if (room.room_id === "" || seen.has(room.room_id)) continue;
      if (seen.size >= limit) return;
      seen.add(room.room_id);
      yield room;
    }
    barren = seen.size === before ? barren + 1 : 0;
    since = next_batch;
    // A token that leads in a circle, or to nothing new again and again, ends it.
    if (!since || tokens.has(since) || barren > MAX_BARREN_PAGES) return;
    tokens.add(since);
  } while (since);
}

/**
 * Goes back through a room's events, page by page, until one brings nothing new. Each page goes on from the oldest events
 * of the one before, since an event's own id is not in it: where the history forks just where a page ends, the other
 * branch may be left out.
 */
export async function* eachBackfilled(
  ask: (input: { from: readonly string[]; limit: number }) => Promise<{ readonly value: BackfillResponse }>,
  { limit = Number.POSITIVE_INFINITY, pageSize = PAGE_SIZE, from: start }: EachBackfilledInput,
): AsyncGenerator<Pdu, void, undefined> {
  checkCounts({ limit, pageSize });
  const seen = new Set<string>();
  const asked = new Set<string>(start);
  let from = start;
  while (from.length > 0 && seen.size < limit) {
    const { value } = await ask({ from, limit: Math.min(pageSize, Math.max(MIN_PAGE, limit - seen.size)) });
    const fresh = value.pdus.filter((pdu) => !seen.has(keyOf(pdu)));
    for (const pdu of fresh) {
      if (seen.has(keyOf(pdu))) continue;
      if (seen.size >= limit) return;
      seen.add(keyOf(pdu));
      yield pdu;
    }
    const depths = fresh.map(depthOf);
    const lowest = depths.reduce((least, depth) => Math.min(least, depth), Number.POSITIVE_INFINITY);
    const oldest = fresh.filter((_, at) => depths[at] === lowest).flatMap(previousOf);
    from = [...new Set(oldest)].filter((id) => !asked.has(id)).slice(0, MAX_FROM);
    for (const id of from) asked.add(id);
  }
}

/**
 * Goes through a space and the spaces in it, each once, level by level. A space inside that nobody tells about is left
 * closed: what its parent says of it is still there.
 *
 * @param ask - Asks the servers that are likely to be in a room, beside those that are known to be in the space.
 */
export async function* eachInHierarchy(
  ask: (
    roomId: string,
    via: readonly string[],
    input: { suggestedOnly?: boolean },
  ) => Promise<{ readonly value: HierarchyResponse; readonly via: string }>,
  root: string,
  { limit = Number.POSITIVE_INFINITY, suggestedOnly = false, maxDepth = MAX_DEPTH }: EachInHierarchyInput,
  signal: AbortSignal | undefined,
): AsyncGenerator<RoomInHierarchy, void, undefined> {
  checkCounts({ limit, maxDepth });
  const told = new Set<string>();
  const opened = new Set<string>();
  let level: { roomId: string; via: readonly string[] }[] = [{ roomId: root, via: [] }];
  for (let depth = 0; level.length > 0 && depth < Math.min(maxDepth, MAX_DEPTH); depth++) {
    const next: typeof level = [];
    for (const { roomId, via: likely } of level) {
      if (opened.has(roomId)) continue;
      opened.add(roomId);
      const answer = await ask(roomId, likely, suggestedOnly ? { suggestedOnly } : {}).catch((error: unknown) => {
        const isOver = signal?.aborted || (isFederationError(error) && error.code === "ERR_CLOSED");
        if (depth > 0 && isFederationError(error) && !isOver) return undefined;
        throw error;
      });
      if (!answer) continue;
      const { value, via } = answer;
      const vias = viasOf(value.room);
      for (const [at, room] of [value.room, ...value.children].entries()) {
        const id = room.room_id;
        if (typeof id !== "string") continue;
        if (at > 0 && room.room_type === "m.space") next.push({ roomId: id, via: vias.get(id) ?? [] });
        if (told.has(id)) continue;
        if (told.size >= limit) return;
        told.add(id);
        yield { room, depth: at === 0 ? depth : depth + 1, via };
      }
    }
    level = next;
  }
}

/** An event's own id where it has one (room versions 1 and 2), else the hash of its content, which no two share. */
function keyOf({ event_id, hashes, content }: Pdu): string {
  if (typeof event_id === "string") return event_id;
  return JSON.stringify(hashes ?? content);
}

const depthOf = ({ depth }: Pdu): number => (typeof depth === "number" ? depth : 0);

/** The ids of the events before one; in room versions 1 and 2 each stands in a pair with its hash. */
function previousOf({ prev_events }: Pdu): string[] {
  const all = Array.isArray(prev_events) ? prev_events : [];
  return all.map((each) => (Array.isArray(each) ? each[0] : each)).filter((id): id is string => typeof id === "string");
}

/** The servers that a space names for each of its children. */
function viasOf({ children_state }: JsonObject): Map<string, readonly string[]> {
  const vias = new Map<string, readonly string[]>();
  for (const state of Array.isArray(children_state) ? children_state : []) {
    const { state_key, content } = (state ?? {}) as { state_key?: unknown; content?: { via?: unknown } };
    const via = content?.via;
    if (typeof state_key === "string" && Array.isArray(via)) {
      vias.set(state_key, via.filter((name): name is string => isServerName(name)).slice(0, MAX_VIA));
    }
  }
  return vias;
}
