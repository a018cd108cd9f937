import type { JsonValue } from "../endpoint.js";
import { isObject } from "./schema.js";

/** Something in an answer that was left out, because it cannot be an event, or a room of a hierarchy. */
export interface DroppedEvent {
  /** Where it was, such as `$.pdus[3]`. */
  readonly path: string;
  /** What is wrong with it. */
  readonly reason: string;
  /** Its id, where it has the form of an event: of what came, so that the whole event may have another one. */
  readonly eventId?: string;
  /** Where its keys cannot be had, or had expired when it was made: it may be what it says. */
  readonly unproved?: "keysMissing";
}

/** More than this would only let a hostile server fill our memory with our own words. */
const MAX_TOLD = 1_000;

const isString = (value: unknown): boolean => typeof value === "string";
// 1e400 is JSON, and is read as Infinity, which no event can be made of again.
const isNumber = (value: unknown): boolean => Number.isFinite(value);

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

/** What {@link dropBad} did. */
export interface DroppedEvents {
  /** What was left out: the first thousand. */
  readonly dropped: readonly DroppedEvent[];
  /** Whether nothing is left of all the elements, though there were some. */
  readonly isEmptied: boolean;
}

const NOTHING: DroppedEvents = { dropped: [], isEmptied: false };

/** Whether it is what the first versions of some endpoints answer with: a pair of a status and the answer proper. */
export const isPair = (answer: unknown): answer is readonly [status: number, answer: unknown, ...rest: unknown[]] =>
  Array.isArray(answer) && answer.length > 1 && typeof answer[0] === "number";

/**
 * Leaves out of an answer's arrays what cannot be one of their elements, so that a bad one does not cost the others. The
 * arrays are changed in place.
 *
 * @param names - The fields of the answer that are such arrays; one that is absent has nothing to leave out.
 * @param faultOf - Why a value cannot be an element; undefined where it can.
 */
export function dropBad(
  answer: unknown,
  names: readonly string[] | undefined,
  faultOf: (value: unknown) => string | undefined,
): DroppedEvents {
  const holder = isPair(answer) ? answer[1] : answer;
  if (names === undefined || !isObject(holder)) return NOTHING;
  const dropped: DroppedEvent[] = [];
  let allKept = 0;
  for (const name of names) {
    const all: JsonValue | undefined = holder[name];
    if (!Array.isArray(all)) continue;
    let kept = 0;
    for (const [at, element] of all.entries()) {
      const reason = faultOf(element);
      if (reason === undefined) all[kept++] = element;
      else if (dropped.length < MAX_TOLD) dropped.push({ path: `$.${name}[${at}]`, reason });
    }
    allKept += kept;
    all.length = kept;
  }
  return dropped.length === 0 ? NOTHING : { dropped, isEmptied: allKept === 0 };
}
