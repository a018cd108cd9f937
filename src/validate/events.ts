import type { JsonObject, JsonValue } from "../endpoint.js";

/** Something in an answer that was left out, because it cannot be an event. */
export interface DroppedEvent {
  /** Where it was, such as `$.pdus[3]`. */
  readonly path: string;
  /** What is wrong with it. */
  readonly reason: string;
}

/** More than this would only let a hostile server fill our memory with our own words. */
const MAX_TOLD = 1_000;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isString = (value: unknown): boolean => typeof value === "string";
const isNumber = (value: unknown): boolean => typeof value === "number";

/**
 * What the fields of every event are, in every room version. Specification: Server-Server API, "PDUs"; room versions.
 */
const fields: Readonly<Record<string, readonly [isRight: (value: unknown) => boolean, what: string]>> = {
  room_id: [isString, "a string"],
  sender: [isString, "a string"],
  state_key: [isString, "a string"],
  content: [isObject, "an object"],
  depth: [isNumber, "a number"],
  origin_server_ts: [isNumber, "a number"],
  auth_events: [Array.isArray, "an array"],
  prev_events: [Array.isArray, "an array"],
  hashes: [isObject, "an object"],
  signatures: [isObject, "an object"],
};

/**
 * Why a value cannot be handled as an event (PDU) of any room version; undefined where it can. What an event must have
 * besides depends on the room version, and is not asked here.
 */
export function eventFault(value: unknown): string | undefined {
  if (!isObject(value)) return "expected an object";
  if (!isString(value.type)) return "expected a string in type";
  for (const [name, [isRight, what]] of Object.entries(fields)) {
    if (value[name] !== undefined && !isRight(value[name])) return `expected ${what} in ${name}`;
  }
  return undefined;
}

/** What {@link dropBadEvents} did. */
export interface DroppedEvents {
  /** What was left out: the first thousand. */
  readonly dropped: readonly DroppedEvent[];
  /** Whether nothing is left of all the events, though there were some. */
  readonly isEmptied: boolean;
}

const NOTHING: DroppedEvents = { dropped: [], isEmptied: false };

/**
 * Leaves out of an answer's arrays of events what can be none, so that one bad element does not cost the others. The
 * arrays are changed in place.
 *
 * @param names - The fields of the answer that are such arrays; one that is absent has nothing to leave out.
 */
export function dropBadEvents(answer: unknown, names: readonly string[] | undefined): DroppedEvents {
  // The first versions of some endpoints answer with a pair of a status and the answer proper.
  const holder = Array.isArray(answer) ? answer[1] : answer;
  if (names === undefined || !isObject(holder)) return NOTHING;
  const dropped: DroppedEvent[] = [];
  let allKept = 0;
  for (const name of names) {
    const all: JsonValue | undefined = holder[name];
    if (!Array.isArray(all)) continue;
    let kept = 0;
    for (const [at, event] of all.entries()) {
      const reason = eventFault(event);
      if (reason === undefined) all[kept++] = event;
      else if (dropped.length < MAX_TOLD) dropped.push({ path: `$.${name}[${at}]`, reason });
    }
    allKept += kept;
    all.length = kept;
  }
  return dropped.length === 0 ? NOTHING : { dropped, isEmptied: allKept === 0 };
}
