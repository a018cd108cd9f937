import type { Cancellation } from "../cancellation.js";
import type { JsonObject } from "../endpoint.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { DoubtfulEvent } from "./verified-events.js";

/** How many events are asked for elsewhere at the same time. */
const MAX_PARALLEL = 4;
/** So many redacted copies are asked for at first: where none is whole elsewhere, they have been redacted everywhere. */
const SAMPLE = 8;
/** After this time no more are asked for: an answer with some redacted events is better than none. */
const LATEST_START_MS = 20_000;

/** Asks other servers than one for an event, as whole as it gets; undefined when none of them has it whole. */
export type FetchElsewhere = (event: WantedEvent, cancellation: Cancellation) => Promise<JsonObject | undefined>;

/** An event that one server had not whole. */
export interface WantedEvent {
  /** Its id. */
  readonly eventId: string;
  /** The server that had it not whole. */
  readonly server: string;
  /** The room's version. */
  readonly version: RoomVersion;
}

/** The whole form of doubtful events, by their ids, of those that another server has so. */
export async function fetchWhole(
  doubtful: readonly DoubtfulEvent[],
  from: Omit<WantedEvent, "eventId">,
  fetchElsewhere: FetchElsewhere,
  cancellation: Cancellation,
): Promise<ReadonlyMap<string, JsonObject>> {
  const whole = new Map<string, JsonObject>();
  const latest = performance.now() + LATEST_START_MS;
  const idsOf = (some: readonly DoubtfulEvent[]): string[] => [...new Set(some.map(({ eventId }) => eventId))];
  const copies = idsOf(doubtful.filter(({ isRedactedCopy }) => isRedactedCopy));
  const isSample = (_: string, at: number): boolean => at % Math.ceil(copies.length / SAMPLE) === 0;
  const sample = copies.filter(isSample);
  const wanted = [...sample, ...idsOf(doubtful.filter(({ isRedactedCopy }) => !isRedactedCopy))];
  const fetchNext = async (): Promise<void> => {
    for (let eventId = wanted.pop(); eventId !== undefined; eventId = wanted.pop()) {
      if (performance.now() > latest) return;
      const event = await fetchElsewhere({ ...from, eventId }, cancellation);
      if (event) whole.set(eventId, event);
    }
  };
  const fetchAll = (): Promise<unknown> => Promise.all(Array.from({ length: MAX_PARALLEL }, fetchNext));
  await fetchAll();
  const others = copies.filter((eventId, at) => !isSample(eventId, at));
  if (sample.some((eventId) => whole.has(eventId))) wanted.push(...others);
  await fetchAll();
  return whole;
}
