import { createHash } from "node:crypto";
import type { Pdu } from "../endpoints/room-reads.js";
import { eventIdOf } from "../events/hash-event.js";
import type { RoomVersion } from "../events/room-versions.js";
import { checkEventId } from "../name/identifiers.js";

/** Servers read no more; a URL has a length. */
const MAX_FROM = 20;
/** So many ids are remembered to be asked for later; who makes up more loses some. */
const MAX_LATER = 10_000;

/** Where the way back through a room's events goes on: the ids that events refer to, and that have not come yet. */
export class BackfillFrontier {
  readonly #seen = new Set<string>();
  readonly #asked = new Set<string>();
  /** Asked for first: what the oldest events of a page refer to. */
  #next: Set<string>;
  /** Asked for when nothing is left of those; and then one by one, since others may have hidden them. */
  readonly #later = new Set<string>();
  readonly #alone = new Set<string>();
  #version: RoomVersion | undefined;

  /** Begins with these ids. Without the room's version, events have no ids that could be known. */
  constructor(start: readonly string[], version: RoomVersion | undefined) {
    this.#next = new Set(start);
    this.#version = version;
  }

  /** How many events there were. */
  get seen(): number {
    return this.#seen.size;
  }

  /** Whether events are told apart, and followed, by their ids. */
  get knowsIds(): boolean {
    return this.#version !== undefined;
  }

  /** Takes note of the room's version, as a verified page tells it. */
  learn(version: RoomVersion | undefined): void {
    if (this.knowsIds || version === undefined) return;
    this.#version = version;
    this.#asked.clear();
  }

  /** The ids to ask for now, each once; none when the way has ended. */
  next(): readonly string[] {
    const from = this.#taken(this.#next, MAX_FROM) ?? this.#taken(this.#later, MAX_FROM) ?? this.#taken(this.#alone, 1);
    for (const id of this.knowsIds ? [] : (from ?? [])) this.#asked.add(id);
    return from ?? [];
  }

  /**
   * What an event is told apart by: its id. Where that cannot be known, the hash of its content, which no two share; as a
   * digest, since a hostile server may make it as long as it likes.
   */
  keyOf(pdu: Pdu): string {
    const { event_id, hashes, content } = pdu;
    if (this.#version !== undefined) {
      try {
        return eventIdOf(pdu, this.#version);
      } catch {
        // What was not verified need not have an id.
      }
    }
    const key = typeof event_id === "string" ? event_id : JSON.stringify(hashes ?? content ?? null);
    return createHash("sha256").update(key).digest("base64");
  }

  /** Whether an event came before. */
  has(key: string): boolean {
    return this.#seen.has(key);
  }

  /** Takes note of an event. */
  add(key: string): void {
    this.#seen.add(key);
  }

  /** Takes note of a page: what was asked for, and which of its events had not come before. */
  endPage(asked: readonly string[], fresh: readonly Pdu[]): void {
    if (!this.knowsIds) {
      this.#guess(fresh);
    } else if (fresh.length > 0) {
      const steps = stepsBack(fresh, (id) => !this.#seen.has(id));
      // The page may have been full before it got to what was asked for.
      this.#keep([...this.#next, ...asked, ...idsOf(steps.slice(MAX_FROM))], this.#later);
      this.#next = new Set(idsOf(steps.slice(0, MAX_FROM)));
    } else if (asked.length > 1) {
      this.#keep(asked, this.#alone);
    }
  }

  /** Nobody knows which ids came already: goes on from the oldest events alone, until the room's first one. */
  #guess(fresh: readonly Pdu[]): void {
    const isOver = fresh.some(isBeginning);
    if (fresh.length === 0) return;
    const steps = isOver ? [] : stepsBack(fresh, (id) => !this.#asked.has(id));
    const oldest = steps.filter(({ depth }) => depth === steps[0]?.depth);
    const left = isOver ? [] : [...this.#next];
    this.#later.clear();
    this.#keep([...idsOf(steps.slice(oldest.length)), ...left], this.#later);
    this.#next = new Set(idsOf(oldest));
  }

  #keep(ids: readonly string[], where: Set<string>): void {
    for (const id of ids) {
      if (where.size >= MAX_LATER) return;
      where.add(id);
    }
  }

  /** Takes ids out of a set; undefined when none is left that is worth asking for. */
  #taken(ids: Set<string>, count: number): string[] | undefined {
    const taken: string[] = [];
    for (const id of ids) {
      ids.delete(id);
      if (!this.#seen.has(id) && !this.#asked.has(id)) taken.push(id);
      if (taken.length === count) break;
    }
    return taken.length > 0 ? taken : undefined;
  }
}

/** The way from an event to those before it. */
interface StepBack {
  /** Their ids. */
  readonly ids: readonly string[];
  /** How deep the event is, as its sender says. */
  readonly depth: number;
}

/** The ways back from some events to what is worth asking for, the deepest in the past first. */
function stepsBack(pdus: readonly Pdu[], isWanted: (id: string) => boolean): StepBack[] {
  return pdus
    .map((pdu) => ({ ids: previousOf(pdu).filter(isWanted), depth: depthOf(pdu) }))
    .filter(({ ids }) => ids.length > 0)
    .sort((one, other) => one.depth - other.depth);
}

const idsOf = (steps: readonly StepBack[]): string[] => steps.flatMap(({ ids }) => ids);

/** A depth that none can be says nothing: such an event is taken for the newest, so that it cuts nothing off. */
const depthOf = ({ depth }: Pdu): number =>
  Number.isSafeInteger(depth) && (depth as number) >= 0 ? (depth as number) : Number.MAX_SAFE_INTEGER;

/** Whether an event is where a room begins. */
const isBeginning = ({ type, state_key, prev_events }: Pdu): boolean =>
  type === "m.room.create" && state_key === "" && Array.isArray(prev_events) && prev_events.length === 0;

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
