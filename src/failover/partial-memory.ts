import { LRUCache } from "lru-cache";
import type { JsonValue } from "../endpoint.js";
import { publish } from "../observe.js";
import type { Saved } from "./saved.js";

const MINUTE_MS = 60_000;
const FORGOTTEN_AFTER_MS = 24 * 60 * MINUTE_MS;
const MAX_SERVERS_PER_ROOM = 500;

/** A server that said it is still joining a room. */
export interface PartialStateEntry {
  /** The server. */
  readonly server: string;
  /** When it first said so: Unix time in milliseconds. */
  readonly since: number;
  /** When it last said so: Unix time in milliseconds. */
  readonly lastSeen: number;
  /** How often it has said so. */
  readonly times: number;
}

type Room = Map<string, PartialStateEntry>;

/** Which servers are still joining which room, by their own word. Bounded, expiring, saved in the store. */
export class PartialMemory {
  readonly #rooms = new LRUCache<string, Room>({ max: 5_000, ttl: FORGOTTEN_AFTER_MS });
  readonly #saved: Saved;

  /** Saved there. */
  constructor(saved: Saved) {
    this.#saved = saved;
  }

  /** Reads what the store knows of a room that this process has not met; nothing to wait for without a store. */
  load(roomId: string): Promise<void> | undefined {
    if (!this.#saved.isKept || this.#rooms.has(roomId)) return undefined;
    return this.#saved.get(key(roomId)).then((saved) => {
      if (!this.#rooms.has(roomId)) this.#rooms.set(roomId, fromSaved(saved));
    });
  }

  /** Remembers that a server said it is still joining the room. */
  seen(roomId: string, server: string): void {
    const room = this.#rooms.get(roomId) ?? new Map();
    const now = Date.now();
    const last = room.get(server);
    const known = last && isWithin(last.lastSeen, FORGOTTEN_AFTER_MS) ? last : undefined;
    const entry = { server, since: known?.since ?? now, lastSeen: now, times: (known?.times ?? 0) + 1 };
    room.delete(server);
    room.set(server, entry);
    for (const oldest of room.keys()) {
      if (room.size <= MAX_SERVERS_PER_ROOM) break;
      room.delete(oldest);
    }
    this.#rooms.set(roomId, room);
    this.#save(roomId, room);
    publish("matrix-federation-sdk:partial-state", () => ({ server, roomId, since: entry.since, times: entry.times }));
  }

  /** Forgets it: the server has answered for the room. */
  over(roomId: string, server: string): void {
    const room = this.#rooms.get(roomId);
    if (room?.delete(server)) this.#save(roomId, room);
  }

  /**
   * How far a server is to be demoted for the room: 0 when it is not known to be joining, else how often it has said
   * so. The longer it has gone on, the longer it is remembered.
   */
  demotion(roomId: string, server: string): number {
    const entry = this.#rooms.get(roomId)?.get(server);
    if (!entry) return 0;
    const rememberedMs = Math.min(FORGOTTEN_AFTER_MS, 5 * MINUTE_MS * 2 ** Math.min(entry.times, 20));
    return isWithin(entry.lastSeen, rememberedMs) ? entry.times : 0;
  }

  /** The servers that said so in the last day. */
  list(roomId: string): PartialStateEntry[] {
    return [...(this.#rooms.get(roomId)?.values() ?? [])].filter(({ lastSeen }) =>
      isWithin(lastSeen, FORGOTTEN_AFTER_MS),
    );
  }

  #save(roomId: string, room: Room): void {
    const entries = [...room.values()] as unknown as JsonValue;
    this.#saved.put(key(roomId), room.size > 0 ? entries : undefined, FORGOTTEN_AFTER_MS);
  }
}

const key = (roomId: string): string => `partial-state:${roomId}`;

// A time in the future comes from a clock that was set back since: it proves nothing.
const isWithin = (time: number, ms: number): boolean => time <= Date.now() && Date.now() - time < ms;

function fromSaved(saved: unknown): Room {
  const room: Room = new Map();
  for (const entry of Array.isArray(saved) ? saved.slice(0, MAX_SERVERS_PER_ROOM) : []) {
    const { server, since, lastSeen, times } = (entry ?? {}) as Partial<Record<keyof PartialStateEntry, unknown>>;
    if (typeof server !== "string" || ![since, lastSeen, times].every(Number.isSafeInteger)) continue;
    room.set(server, { server, since: since as number, lastSeen: lastSeen as number, times: times as number });
  }
  return room;
}
