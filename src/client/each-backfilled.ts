import { createHash } from "node:crypto";
import type { BackfillResponse, Pdu } from "../endpoints/room-reads.js";
import { OptionError, quoted } from "../errors.js";
import { checkEventId } from "../name/identifiers.js";
import type { Answer } from "./calls.js";
import { checkCounts, type EachBackfilledInput, fieldsOf, LIMIT, MAX_BARREN_PAGES, PAGE_SIZE } from "./iterate.js";

/** Servers read no more; a URL has a length. */
const MAX_FROM = 20;
/** A page of a few events may have nothing but what another branch of the history had already. */
const MIN_PAGE = 20;

/** Asks the residents for a page. */
type AskPage = (input: { from: readonly string[]; limit: number }) => Promise<Answer<BackfillResponse>>;

/**
 * Goes back through a room's events, page by page, to the room's beginning. Each page goes on from the oldest events of the
 * one before, since an event's own id is not in it: where the history forks just where a page ends, the other branch may be
 * left out. How old an event is, its sender says. So a page that brings nothing new is no end yet: others of the events
 * before may lead further.
 */
export async function* eachBackfilled(ask: AskPage, given: EachBackfilledInput): AsyncGenerator<Pdu, void, undefined> {
  const { limit = LIMIT, pageSize = PAGE_SIZE, from: start, onDropped } = fieldsOf(given);
  checkCounts({ limit, pageSize });
  if (!Array.isArray(start)) {
    throw new OptionError("ERR_INPUT", `\`from\` is ${quoted(start)}; it must be a list of event ids.`);
  }
  if (onDropped !== undefined && typeof onDropped !== "function") {
    throw new OptionError("ERR_INPUT", `\`onDropped\` is ${quoted(onDropped)}; it must be a function.`);
  }
  const seen = new Set<string>();
  const asked = new Set<string>();
  let from: readonly string[] = Array.from(start, checkEventId);
  let before: Link[] = [];
  let barren = 0;
  while (from.length > 0 && seen.size < limit && barren <= MAX_BARREN_PAGES) {
    for (const id of from) asked.add(id);
    const page = await ask({ from, limit: Math.min(pageSize, Math.max(MIN_PAGE, limit - seen.size)) });
    if (page.dropped.length > 0) onDropped?.(page.dropped, page.via);
    const fresh: Pdu[] = [];
    for (const pdu of page.value.pdus) {
      const key = keyOf(pdu);
      if (seen.has(key)) continue;
      if (seen.size >= limit) return;
      seen.add(key);
      fresh.push(pdu);
      yield pdu;
    }
    if (fresh.some(isBeginning)) return;
    barren = fresh.length === 0 ? barren + 1 : 0;
    if (fresh.length > 0) before = linksOf(fresh);
    before = before.filter(({ id }) => !asked.has(id));
    const lowest = before[0]?.depth;
    const next = fresh.length > 0 ? before.filter(({ depth }) => depth === lowest) : before;
    from = next.slice(0, MAX_FROM).map(({ id }) => id);
  }
}

/** The way from an event to one before it. */
interface Link {
  /** The id of the event before. */
  readonly id: string;
  /** How deep the later event is, as its sender says. */
  readonly depth: number;
}

/** The ways back from some events, each once, the deepest in the past first. */
function linksOf(pdus: readonly Pdu[]): Link[] {
  const links = new Map<string, Link>();
  const deepest = pdus.map((pdu) => ({ pdu, depth: depthOf(pdu) })).sort((one, other) => one.depth - other.depth);
  for (const { pdu, depth } of deepest) {
    for (const id of previousOf(pdu)) if (!links.has(id)) links.set(id, { id, depth });
  }
  return [...links.values()];
}

/** A depth that none can be says nothing: such an event is taken for the newest, so that it cuts nothing off. */
const depthOf = ({ depth }: Pdu): number =>
  Number.isSafeInteger(depth) && (depth as number) >= 0 ? (depth as number) : Number.MAX_SAFE_INTEGER;

/** Whether an event is where a room begins. */
const isBeginning = ({ type, state_key, prev_events }: Pdu): boolean =>
  type === "m.room.create" && state_key === "" && Array.isArray(prev_events) && prev_events.length === 0;

/**
 * What an event is told apart by: its own id where it has one (room versions 1 and 2), else the hash of its content, which
 * no two share. As a digest, since a hostile server may make it as long as it likes.
 */
function keyOf({ event_id, hashes, content }: Pdu): string {
  const key = typeof event_id === "string" ? event_id : JSON.stringify(hashes ?? content ?? null);
  return createHash("sha256").update(key).digest("base64");
}

/** The ids of the events before one; in room versions 1 and 2 each stands in a pair with its hash. */
function previousOf({ prev_events }: Pdu): string[] {
  const all = Array.isArray(prev_events) ? prev_events : [];
  return all.map((each) => (Array.isArray(each) ? each[0] : each)).filter(isEventId);
}

/** Whether a value is an event id: what is none would be an error of ours, and not of who made it up. */
function isEventId(value: unknown): value is string {
  try {
    checkEventId(value);
    return true;
  } catch {
    return false;
  }
}
