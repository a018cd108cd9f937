import type { JsonObject, JsonValue } from "../endpoint.js";
import { type RoomVersion, type RoomVersionRules, rulesOf } from "../events/room-versions.js";

/** An event of a room, with its id. */
export interface RoomEvent {
  /** The event id, which from room version 3 on is not in the event itself. */
  readonly eventId: string;
  /** The event, hashed and signed, as it travels between servers (a PDU). */
  readonly event: JsonObject;
}

/** An event in a room's log. */
export interface LogEntry extends RoomEvent {
  /** Its place in the log; the events that it refers to come before it. */
  readonly index: number;
  /** The events that it follows. */
  readonly prev: readonly LogEntry[];
  /** The events that authorise it, the `m.room.create` event of room version 12 included. */
  readonly auth: readonly LogEntry[];
  /** The state before it. */
  readonly before: StateChange | undefined;
  /** The state after it. */
  readonly after: StateChange | undefined;
}

/** A room's state, as one change of an earlier one: the states of a large room share what they have in common. */
interface StateChange {
  readonly earlier: StateChange | undefined;
  readonly entry: LogEntry;
}

/** A room's state: its events by {@link stateSlot}. */
export type RoomState = ReadonlyMap<string, LogEntry>;

/** The most events that an event may follow. Room versions, "Event format". */
const MAX_PREV_EVENTS = 20;

/** What a state event sets, as one text. */
export function stateSlot(type: string, stateKey: string = ""): string {
  // With the length, no two pairs make one text.
  return `${type.length} ${type}${stateKey}`;
}

/** What an event of the state sets; undefined for other events. */
export function slotOf({ type, state_key: stateKey }: JsonObject): string | undefined {
  return typeof type === "string" && typeof stateKey === "string" ? stateSlot(type, stateKey) : undefined;
}

/** The event ids in `prev_events` or `auth_events`: room versions 1 and 2 have pairs of an id and hashes there. */
export function linkedIds(links: JsonValue | undefined): string[] {
  if (!Array.isArray(links)) return [];
  return links.map((link) => String(Array.isArray(link) ? link[0] : link));
}

/**
 * All events of a room that are accepted, with the state before and after each. There is no state resolution: where
 * branches of the room disagree, the event that came last wins.
 */
export class RoomLog {
  /** The events, in the order in which they came. */
  readonly entries: LogEntry[] = [];

  readonly #rules: RoomVersionRules;
  readonly #byId = new Map<string, LogEntry>();
  #latest: LogEntry[] = [];
  #known: { readonly of: StateChange | undefined; readonly state: Map<string, LogEntry> } | undefined;

  /** Makes an empty log. */
  constructor(version: RoomVersion) {
    this.#rules = rulesOf(version);
  }

  /** The events that no other follows yet: a new one has to follow them. The newest, where there are too many. */
  get latest(): readonly LogEntry[] {
    return this.#latest.slice(-MAX_PREV_EVENTS);
  }

  /** An event; undefined when the room has none with this id. */
  get(eventId: string): LogEntry | undefined {
    return this.#byId.get(eventId);
  }

  /** The events of these that are in the room. */
  find(eventIds: readonly string[]): LogEntry[] {
    return eventIds.flatMap((eventId) => this.#byId.get(eventId) ?? []);
  }

  /** Adds an event. What it refers to has to be there. */
  append(eventId: string, event: JsonObject): LogEntry {
    const prev = this.find(linkedIds(event.prev_events));
    const before = this.#joined(prev);
    const entry = { eventId, event, index: this.entries.length, prev, auth: this.authOf(event), before, after: before };
    if (slotOf(event) !== undefined) entry.after = { earlier: before, entry };
    this.entries.push(entry);
    this.#byId.set(eventId, entry);
    this.#latest = [...this.#latest.filter((each) => !prev.includes(each)), entry];
    return entry;
  }

  /** The events that authorise an event. The room's id names the create event in version 12, `auth_events` does not. */
  authOf(event: JsonObject): LogEntry[] {
    const listed = this.find(linkedIds(event.auth_events));
    const [create] = this.entries;
    return this.#rules.roomIdIsCreateEventId && create ? [create, ...listed] : listed;
  }

  /** The state after all of these events; do not keep it, for it changes. */
  stateAfter(entries: readonly LogEntry[]): RoomState {
    return this.#stateOf(this.#joined(entries));
  }

  /** The state before an event; do not keep it, for it changes. */
  stateBefore(entry: LogEntry): RoomState {
    return this.#stateOf(entry.before);
  }

  /** The events that authorise these, all the way back, without these unless they authorise others of them. */
  authChain(entries: Iterable<LogEntry>): Set<LogEntry> {
    const chain = new Set<LogEntry>();
    const open = [...entries].flatMap(({ auth }) => auth);
    for (let entry = open.pop(); entry; entry = open.pop()) {
      if (chain.has(entry)) continue;
      chain.add(entry);
      open.push(...entry.auth);
    }
    return chain;
  }

  /** Events of a branch or more, going back from these and with these, newest first. */
  *back(from: Iterable<LogEntry>, isEnd: (entry: LogEntry) => boolean = () => false): Generator<LogEntry> {
    const wanted = new Set(from);
    // What an event follows comes before it in the log.
    for (let index = Math.max(-1, ...[...wanted].map((entry) => entry.index)); index >= 0; index--) {
      const entry = this.entries[index];
      if (!entry || !wanted.has(entry) || isEnd(entry)) continue;
      yield entry;
      for (const each of entry.prev) wanted.add(each);
    }
  }

  #joined(entries: readonly LogEntry[]): StateChange | undefined {
    const ends = [...new Set(entries.map(({ after }) => after))];
    if (ends.length <= 1) return ends[0];
    const all = new Set(ends.flatMap((end) => [...this.#stateOf(end).values()]));
    let joined: StateChange | undefined;
    for (const entry of [...all].sort((a, b) => a.index - b.index)) joined = { earlier: joined, entry };
    return joined;
  }

  #stateOf(end: StateChange | undefined): Map<string, LogEntry> {
    const known = this.#known;
    // Most often asked for: the state that was asked for last, and the next one.
    if (known && known.of === end) return known.state;
    if (known && end && end.earlier === known.of) {
      known.state.set(slotOf(end.entry.event) as string, end.entry);
      this.#known = { of: end, state: known.state };
      return known.state;
    }
    const changes: LogEntry[] = [];
    for (let change = end; change; change = change.earlier) changes.push(change.entry);
    const state = new Map(changes.reverse().map((entry) => [slotOf(entry.event) as string, entry]));
    this.#known = { of: end, state };
    return state;
  }
}
