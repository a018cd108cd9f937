import type { Cancellation } from "../cancellation.js";
import type { JsonObject, JsonValue } from "../endpoint.js";
import { cleanText } from "../errors.js";
import { readEvent } from "../events/read-event.js";
import { isObject } from "../events/redact-event.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { Outcome } from "../validate/outcome.js";
import { type CheckedEvent, lacksKeys } from "./checked-event.js";
import { unknownVersionOf, versionNamedBy } from "./create-event.js";
import type { StreamProgress } from "./event-stream.js";
import { handled } from "./handler-error.js";
import { type FetchElsewhere, fetchWhole } from "./repair.js";
import { type Place, type SettledEvent, VerifiedEvents } from "./verified-events.js";
import type { Verifier } from "./verifier.js";

type Answer = Extract<Outcome, { kind: "answer" }>;
type Malformed = Extract<Outcome, { kind: "malformed" }>;

/** What is to be proved of an answer, and with what. */
export interface Verification {
  /** What verifies. */
  readonly verifier: Verifier;
  /** The room; any when absent. */
  readonly roomId: string | undefined;
  /** The room's version; when absent, the answer has to have the `m.room.create` event, which tells it. */
  readonly version: RoomVersion | undefined;
  /** Whether that version was only told by somebody, so that the answer has to have the `m.room.create` event that names it. */
  readonly isClaimed: boolean;
  /** Called with the room's version once its `m.room.create` event has proved it. */
  readonly onVersion: (version: RoomVersion) => void;
  /** The fields of the answer that are arrays of events. */
  readonly fields: readonly string[];
  /** The id of the only event that the answer may have. */
  readonly onlyEvent: string | undefined;
  /** The event that we sent, and the field in which it comes back with more signatures. */
  readonly sentEvent: { readonly field: string; readonly eventId: string } | undefined;
  /** Whether the answer counts though none of its events holds: what it was about has happened. */
  readonly mayBeEmptied: boolean;
  /** Asks other servers for events that are not whole. */
  readonly fetchElsewhere: FetchElsewhere | undefined;
  /** Counts the answers whose events somebody takes, from 1. */
  readonly countAnswer: () => number;
  /** Takes the events, each once it is known to hold, so that they are not in the answer. */
  readonly onEvent: ((event: VerifiedEvent) => void | Promise<void>) | undefined;
  /** Is told how far the reading of a large answer is. */
  readonly onProgress: ((progress: CallProgress) => void | Promise<void>) | undefined;
}

/** An event that holds. */
export interface VerifiedEvent {
  /** The event: the parsed JSON itself, or its redacted form. Of which of the two it is, `redacted` of the call's result tells. */
  readonly event: JsonObject;
  /** Its id. */
  readonly eventId: string;
  /** The field of the answer that it is from, such as `auth_chain`. */
  readonly field: string;
  /** The server in whose answer it is; an event that this one had not whole may be another's. */
  readonly via: string;
  /**
   * Which of the call's answers it is from: 1 for the first. When it is a later one, the answer before broke off or turned
   * out to be none, and what came of it is void: all events come again, be it from the same server.
   */
  readonly answer: number;
}

/** How far the reading of a large answer is. */
export interface CallProgress extends StreamProgress {
  /** The server that answers. */
  readonly via: string;
  /** Which of the call's answers it is: 1 for the first. A later one begins at zero, be it from the same server. */
  readonly answer: number;
}

/** That a success is none. */
export const malformed = (status: number, path: string, message: string): Malformed => ({
  kind: "malformed",
  status,
  issues: [{ path, message }],
});

/** That the event that makes the room does not hold, where it has to tell the version. */
export function createFault(status: number, create: CheckedEvent): Malformed {
  const { reason = "its hash" } = create;
  const none = malformed(status, "$", `the m.room.create event does not hold: ${cleanText(reason)}`);
  return lacksKeys(create) ? { ...none, unproved: "keysMissing" } : none;
}

/**
 * Verifies the events of an answer: what does not hold is left out of it, and of what holds only in its redacted form, that
 * is left, where no other server has more. The answer's arrays are changed in place.
 *
 * @param server - The server that answered.
 * @throws what the cancellation was given, or a {@link HandlerError}.
 */
export async function verifyAnswer(
  answer: Answer,
  server: string,
  verification: Verification,
  cancellation: Cancellation,
): Promise<Answer | Malformed> {
  const { verifier, roomId, fields, sentEvent } = verification;
  const { status } = answer;
  const holder = answer.value as JsonObject;
  const found = eventsOf(holder, fields, sentEvent?.field);
  if (found.length === 0) return answer;
  // A version that was only told by somebody is not believed where the answer can tell it.
  const isKnown = verification.version !== undefined && (!verification.isClaimed || fields.length === 0);
  const create = findCreateEvent(found, roomId);
  const version = isKnown ? verification.version : create?.version;
  if (version === undefined) {
    const unknown = unknownVersionOf(found.map(({ event }) => event));
    const message = unknown ?? "expected an m.room.create event, which tells the room's version";
    const none = malformed(status, `$.${fields.at(-1)}`, message);
    return unknown === undefined ? none : { ...none, unproved: "unknownVersion" };
  }
  const checked = await verifier.check(
    found.map(({ event }) => event),
    { version, roomId },
    cancellation,
  );
  if (create?.version === version) {
    const created = checked[create.at] as CheckedEvent;
    if (created.kind === "valid") verification.onVersion(version);
    else if (!isKnown) return createFault(status, created);
  } else {
    const other = await otherVersion(create && found[create.at]?.event, status, version, verification, cancellation);
    if (other) return other;
  }
  const events = new VerifiedEvents({ version, roomId });
  const kept = found.flatMap(({ event, ...place }, at) => {
    const left = events.take(event, expected(checked[at] as CheckedEvent, place, verification), place);
    return left ? [{ ...place, event: left, eventId: checked[at]?.eventId ?? "" }] : [];
  });
  const { settled, isWithheld } = await settle(events, server, verification, version, cancellation);
  const all = [...kept, ...settled].sort((left, right) => left.index - right.index);
  for (const field of fields) {
    if (Array.isArray(holder[field]))
      holder[field] = all.filter((one) => one.field === field).map(({ event }) => event);
  }
  if (sentEvent) {
    const back = all.find(({ field }) => field === sentEvent.field);
    if (back) holder[sentEvent.field] = back.event;
    else delete holder[sentEvent.field];
  }
  const judged = verdict(answer, events, verification, version, isWithheld);
  if (verification.onEvent && judged.kind === "answer") await handOver(all, holder, server, verification, cancellation);
  return judged;
}

/**
 * What an answer is, when the event that makes the room says that it is of another version than the answer was verified
 * with, and holds or cannot be verified: whether the server that answers is at fault cannot be told. Undefined otherwise.
 *
 * @throws what the cancellation was given.
 */
export async function otherVersion(
  create: JsonObject | undefined,
  status: number,
  version: RoomVersion,
  { verifier, roomId }: Pick<Verification, "verifier" | "roomId">,
  cancellation: Cancellation,
): Promise<Malformed | undefined> {
  const named = create && roomId !== undefined ? versionNamedBy(create, roomId) : undefined;
  if (named === undefined || named === version) return undefined;
  const [proof] = await verifier.check([create], { version: named, roomId }, cancellation);
  const { kind, reason = "" } = proof as CheckedEvent;
  const mayHold = lacksKeys(proof as CheckedEvent) && isWhole(create as JsonObject, named);
  if (kind !== "valid" && !mayHold) return undefined;
  const unless = kind === "valid" ? "" : `, which cannot be verified: ${cleanText(reason)}`;
  const message = `the room is of version ${named}, not ${version}, by its m.room.create event${unless}`;
  return { ...malformed(status, "$", message), unproved: "otherVersion" };
}

/** Whether it is not redacted: what is left of an event that makes a room may name no version where it did once. */
function isWhole(create: JsonObject, version: RoomVersion): boolean {
  const read = readEvent(create, version);
  return read.fault === undefined && read.isHashRight;
}

/** Gives the events to whoever takes them; none is left in the answer. */
async function handOver(
  events: readonly SettledEvent[],
  holder: JsonObject,
  via: string,
  { fields, onEvent, countAnswer }: Verification,
  cancellation: Cancellation,
): Promise<void> {
  // What was streamed has been handed over.
  if (fields.length === 0) return;
  const answer = countAnswer();
  for (const { field, event, eventId } of events) {
    if (cancellation.aborted) throw cancellation.reason;
    if (fields.includes(field)) await handled(onEvent, { event, eventId, field, via, answer });
  }
  for (const field of fields) if (Array.isArray(holder[field])) holder[field] = [];
}

/** What became of the doubtful events, once other servers were asked for them. */
export async function settle(
  events: VerifiedEvents,
  server: string,
  { fetchElsewhere }: Pick<Verification, "fetchElsewhere">,
  version: RoomVersion,
  cancellation: Cancellation,
): Promise<{ readonly settled: SettledEvent[]; readonly isWithheld: boolean }> {
  const { doubtful } = events;
  const whole =
    fetchElsewhere && doubtful.length > 0
      ? await fetchWhole(doubtful, { server, version }, fetchElsewhere, cancellation)
      : new Map<string, JsonObject>();
  // Whoever has only the redacted form of what others have whole, is still joining the room.
  const isWithheld = doubtful.some(({ eventId, isRedactedCopy }) => isRedactedCopy && whole.has(eventId));
  return { settled: events.settle(whole), isWithheld };
}

/** The answer, with what became of its events. Where none is left of those that were asked for, it is none. */
export function verdict(
  answer: Answer,
  events: VerifiedEvents,
  { onlyEvent, mayBeEmptied }: Pick<Verification, "onlyEvent" | "mayBeEmptied">,
  version: RoomVersion,
  isWithheld: boolean,
): Answer | Malformed {
  if (events.kept === 0 && events.seen > 0 && !mayBeEmptied) {
    const what = onlyEvent === undefined ? "no event holds" : "expected the event that was asked for";
    const fault = answer.dropped?.[0] ?? events.fault;
    const first = fault ?? events.dropped[0];
    const none = malformed(answer.status, first?.path ?? "$", `${what}: ${first?.reason}`);
    return fault ? none : { ...none, unproved: "keysMissing" };
  }
  const dropped = [...(answer.dropped ?? []), ...events.dropped];
  const redacted = [...(answer.redacted ?? []), ...events.redacted];
  return {
    ...answer,
    roomVersion: version,
    ...(dropped.length > 0 && { dropped }),
    ...(redacted.length > 0 && { redacted }),
    ...(isWithheld && { isWithheld }),
  };
}

interface PlacedEvent extends Place {
  readonly event: JsonObject;
}

function eventsOf(holder: JsonObject, fields: readonly string[], sentField: string | undefined): PlacedEvent[] {
  const found = fields.flatMap((field) => {
    const all: JsonValue | undefined = holder[field];
    return Array.isArray(all) ? all.map((event, index) => ({ field, index, event: event as JsonObject })) : [];
  });
  const sent = sentField === undefined ? undefined : holder[sentField];
  if (sentField !== undefined && isObject(sent)) found.push({ field: sentField, index: 0, event: sent });
  return found;
}

function findCreateEvent(
  found: readonly PlacedEvent[],
  roomId: string | undefined,
): { readonly at: number; readonly version: RoomVersion } | undefined {
  if (roomId === undefined) return undefined;
  for (const [at, { event }] of found.entries()) {
    const version = versionNamedBy(event, roomId);
    if (version) return { at, version };
  }
  return undefined;
}

/** That an event holds is not enough where a certain one was asked for, or sent. */
function expected(checked: CheckedEvent, { field }: Place, { onlyEvent, sentEvent }: Verification): CheckedEvent {
  const wanted = field === sentEvent?.field ? sentEvent.eventId : onlyEvent;
  if (wanted === undefined || checked.eventId === undefined) return checked;
  if (checked.eventId !== wanted) return { kind: "invalid", eventId: undefined, reason: "it is another event" };
  // The next resident is asked for it anyway.
  return checked.kind === "invalid" ? { ...checked, eventId: undefined } : checked;
}
