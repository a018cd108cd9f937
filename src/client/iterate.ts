import { createHash } from "node:crypto";
import type { JsonObject } from "../endpoint.js";
import type { PublicRoomsResponse, PublishedRoom, SearchPublicRoomsInput } from "../endpoints/public-rooms.js";
import type { SpaceRoom } from "../endpoints/room-lookups.js";
import { OptionError, quoted } from "../errors.js";
import type { DroppedEvent } from "../validate/events.js";

/** How far an iteration goes. */
export interface EachOptions {
  /**
   * The most elements in all; 1,000,000 when absent, since a server may make up ever more of them. With `Infinity` there is
   * no end to that.
   */
  readonly limit?: number | undefined;
  /** How many elements to ask for at a time; 100 when absent. */
  readonly pageSize?: number | undefined;
}

/** What {@link Client.eachPublicRoom} takes. */
export interface EachPublicRoomInput extends Omit<SearchPublicRoomsInput, "since" | "limit">, EachOptions {}

/** What {@link Room.eachBackfilled} takes. */
export interface EachBackfilledInput extends EachOptions {
  /** The events to go back from; at least one. */
  readonly from: readonly string[];
  /** Told what was left out of a page because it can be no event or does not hold, and the server whose page it was. */
  readonly onDropped?: ((dropped: readonly DroppedEvent[], via: string) => void) | undefined;
  /**
   * Told the ids of the events of a page of which only the redacted form is there, as in {@link Answer.redacted}, and the
   * server whose page it was.
   */
  readonly onRedacted?: ((eventIds: readonly string[], via: string) => void) | undefined;
}

/** What {@link Room.eachInHierarchy} takes. */
export interface EachInHierarchyInput extends Pick<EachOptions, "limit"> {
  /** Whether to follow only what the spaces suggest; no when absent. */
  readonly suggestedOnly?: boolean | undefined;
  /** How many levels below the space to go: 1 for its own rooms alone; all of them, 50 at most, when absent. */
  readonly maxDepth?: number | undefined;
}

/** A room that was found in a space. */
export interface RoomInHierarchy {
  /** What the asked server says of the room: its `room_id`, name, topic, `room_type`, `children_state` and so on. */
  readonly room: SpaceRoom & JsonObject;
  /** How many levels it is below the space, which itself is 0. */
  readonly depth: number;
  /** The server that said so. */
  readonly via: string;
}

/** Asks a server for a page of its directory. */
type AskDirectory = (input: SearchPublicRoomsInput) => Promise<PublicRoomsResponse>;

/** How many elements are asked for at a time when the caller does not say. */
export const PAGE_SIZE = 100;
/** More than anybody has, and few enough to be remembered, so that none is told twice. */
export const LIMIT = 1_000_000;
/** How many pages in a row may bring nothing new. */
export const MAX_BARREN_PAGES = 3;
/** What is longer is no room id. */
export const MAX_ID_LENGTH = 255;

/**
 * The input of an iteration, checked to be an object.
 *
 * @throws {@link OptionError} `ERR_INPUT`.
 */
export function fieldsOf<Input extends object>(input: Input): Input {
  if (typeof input === "object" && input !== null && !Array.isArray(input)) return input;
  throw new OptionError("ERR_INPUT", `The input must be an object of fields, not ${quoted(input)}.`);
}

/**
 * Checks that counts are whole numbers: a limit that is no number would be no limit, or no answer.
 *
 * @throws {@link OptionError} `ERR_INPUT`.
 */
export function checkCounts(counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    const isEndless = count === Number.POSITIVE_INFINITY && name !== "pageSize";
    if (isEndless || (Number.isSafeInteger(count) && count >= (name === "limit" ? 0 : 1))) continue;
    throw new OptionError("ERR_INPUT", `\`${name}\` is ${quoted(count)}; it must be a whole number.`);
  }
}

/**
 * Hands out the elements of an iteration for as long as the caller wants them: what has come already is not handed out
 * after an abort, and the end of it is no end then.
 *
 * @throws The signal's reason, at the next step after it was aborted.
 */
export async function* untilAborted<Element>(
  elements: AsyncIterable<Element>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Element, void, undefined> {
  for await (const element of elements) {
    if (signal?.aborted) throw signal.reason;
    yield element;
    if (signal?.aborted) throw signal.reason;
  }
  if (signal?.aborted) throw signal.reason;
}

/**
 * Goes through pages of a server's directory until there is no next one, or several in a row bring nothing new.
 *
 * @throws The signal's reason; {@link OptionError} `ERR_INPUT` for a wrong input; and what `ask` throws.
 */
export function eachPublicRoom(
  ask: AskDirectory,
  given: EachPublicRoomInput,
  signal?: AbortSignal,
): AsyncGenerator<PublishedRoom, void, undefined> {
  return untilAborted(publicRoomsIn(ask, given), signal);
}

async function* publicRoomsIn(
  ask: AskDirectory,
  given: EachPublicRoomInput,
): AsyncGenerator<PublishedRoom, void, undefined> {
  const { limit = LIMIT, pageSize = PAGE_SIZE, ...input } = fieldsOf(given);
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
      if (room.room_id === "" || room.room_id.length > MAX_ID_LENGTH || seen.has(room.room_id)) continue;
      if (seen.size >= limit) return;
      seen.add(room.room_id);
      yield room;
    }
    barren = seen.size === before ? barren + 1 : 0;
    since = next_batch;
    if (!since) return;
    // As a digest, since a hostile server may make each of a million tokens as long as it likes.
    const token = createHash("sha256").update(since).digest("base64");
    // A token that leads in a circle, or to nothing new again and again, ends it.
    if (tokens.has(token) || barren > MAX_BARREN_PAGES) return;
    tokens.add(token);
  } while (since);
}
