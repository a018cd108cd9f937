import type { BackfillResponse, Pdu } from "../endpoints/room-reads.js";
import { OptionError, quoted } from "../errors.js";
import type { RoomVersion } from "../events/room-versions.js";
import { checkEventId } from "../name/identifiers.js";
import { BackfillFrontier } from "./backfill-frontier.js";
import type { Answer } from "./calls.js";
import {
  checkCounts,
  type EachBackfilledInput,
  fieldsOf,
  LIMIT,
  MAX_BARREN_PAGES,
  PAGE_SIZE,
  untilAborted,
} from "./iterate.js";

/** A page of a few events may have nothing but what another branch of the history had already. */
const MIN_PAGE = 20;
/** Where ids are known, there are more ways that may lead further: each asks for other ids. */
const MAX_BARREN_WITH_IDS = 10;

/** Asks the residents for a page. */
type AskPage = (input: { from: readonly string[]; limit: number }) => Promise<Answer<BackfillResponse>>;

/**
 * Goes back through a room's events, page by page, along all branches of the history: events name those before them, and
 * what has not come yet is asked for. That needs the events' ids, and so the room's version, which a verified page tells.
 * Without it each page goes on from the oldest events of the one before.
 *
 * A page that brings nothing new is no end yet, since anybody in the room can name events that there are not.
 *
 * @param version - The room's version, where it is known though the events are not verified.
 * @param signal - Ends it, also between the events of a page.
 * @throws The signal's reason; {@link OptionError} `ERR_INPUT` for a wrong input, {@link NameError} `ERR_EVENT_ID`; and
 * what `ask` throws.
 */
export function eachBackfilled(
  ask: AskPage,
  given: EachBackfilledInput,
  version?: RoomVersion,
  signal?: AbortSignal,
): AsyncGenerator<Pdu, void, undefined> {
  return untilAborted(backfilled(ask, given, version), signal);
}

async function* backfilled(
  ask: AskPage,
  given: EachBackfilledInput,
  version: RoomVersion | undefined,
): AsyncGenerator<Pdu, void, undefined> {
  const { limit = LIMIT, pageSize = PAGE_SIZE, from: start, onDropped, onRedacted } = fieldsOf(given);
  checkCounts({ limit, pageSize });
  if (!Array.isArray(start) || start.length === 0) {
    const given = Array.isArray(start) ? "an empty list" : quoted(start);
    throw new OptionError("ERR_INPUT", `\`from\` is ${given}; it must be a list of event ids.`);
  }
  for (const [name, listener] of Object.entries({ onDropped, onRedacted })) {
    if (listener === undefined || typeof listener === "function") continue;
    throw new OptionError("ERR_INPUT", `\`${name}\` is ${quoted(listener)}; it must be a function.`);
  }
  const frontier = new BackfillFrontier(Array.from(start, checkEventId), version);
  let barren = 0;
  while (frontier.seen < limit && barren <= (frontier.knowsIds ? MAX_BARREN_WITH_IDS : MAX_BARREN_PAGES)) {
    const from = frontier.next();
    if (from.length === 0) return;
    const page = await ask({ from, limit: Math.min(pageSize, Math.max(MIN_PAGE, limit - frontier.seen)) });
    if (page.dropped.length > 0) onDropped?.(page.dropped, page.via);
    if (page.redacted.length > 0) onRedacted?.(page.redacted, page.via);
    frontier.learn(page.roomVersion);
    const fresh: Pdu[] = [];
    for (const pdu of page.value.pdus) {
      const key = frontier.keyOf(pdu);
      if (frontier.has(key)) continue;
      if (frontier.seen >= limit) return;
      frontier.add(key);
      fresh.push(pdu);
      yield pdu;
    }
    frontier.endPage(from, fresh);
    barren = fresh.length === 0 ? barren + 1 : 0;
  }
}
