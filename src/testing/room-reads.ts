import type { JsonObject } from "../endpoint.js";
import { serverOf } from "../events/hash-event.js";
import { redactEvent } from "../events/redact-event.js";
import type { Behaviour } from "./behaviour.js";
import { approximateMembership, json, matrixError, partialState } from "./reply-plain.js";
import type { HostedRoom } from "./room-hosted.js";
import type { LogEntry } from "./room-log.js";
import { countIn, type RoomQuestion, textsIn } from "./room-question.js";

/** Answers a request about a room. */
export type RoomAnswer = (question: RoomQuestion) => Behaviour;

/** What a server says when it has no such event. */
export const unknownEvent: Behaviour = matrixError(404, "M_NOT_FOUND", "Could not find the event.");
const notInRoom = matrixError(403, "M_FORBIDDEN", "Host not in room.");

/** What needs all of the state: a server in partial state cannot answer it. */
function whole(answer: RoomAnswer): RoomAnswer {
  return (question) => {
    const { room, server, asker } = question;
    if (room.partial.has(server)) return partialState();
    return room.residents.has(asker) ? answer(question) : notInRoom;
  };
}

/** What Synapse answers in partial state too, with what it may show. */
function approximate(answer: RoomAnswer): RoomAnswer {
  return (question) => {
    const { room, server, asker } = question;
    if (room.residents.has(asker)) return answer(question);
    return room.partial.has(server) ? approximateMembership() : notInRoom;
  };
}

/** How the endpoints that read a room are answered: Server-Server API, "Retrieving a room's state" and around it. */
export const roomReads: Readonly<Record<string, RoomAnswer>> = {
  state_ids: whole((question) => {
    const found = stateAt(question);
    if (!found) return unknownEvent;
    return json({ pdu_ids: idsOf(found.state), auth_chain_ids: idsOf(found.chain) });
  }),

  state: whole((question) => {
    const { room } = question;
    const found = stateAt(question);
    if (!found) return unknownEvent;
    return json({ pdus: pdusOf(room, found.state), auth_chain: pdusOf(room, found.chain) });
  }),

  event: whole(({ room, server, path: [eventId = ""] }) => {
    const entry = room.log.get(eventId);
    return entry ? json(transaction(server, [room.served(entry)])) : unknownEvent;
  }),

  event_auth: whole(({ room, path: [, eventId = ""] }) => {
    const entry = room.log.get(eventId);
    return entry ? json({ auth_chain: pdusOf(room, room.log.authChain([entry])) }) : unknownEvent;
  }),

  backfill: approximate(({ room, server, query }) => {
    const limit = countIn(query.get("limit"), 10, 100);
    const entries = first(room.log.back(room.log.find(query.getAll("v"))), limit);
    return json(transaction(server, visible(room, server, entries)));
  }),

  get_missing_events: approximate(({ room, server, body }) => {
    const limit = countIn(body.limit, 10, 20);
    const minDepth = countIn(body.min_depth, 0, Number.MAX_SAFE_INTEGER);
    const known = new Set(textsIn(body, "earliest_events"));
    const isEnd = ({ eventId, event }: LogEntry): boolean => known.has(eventId) || Number(event.depth) < minDepth;
    const from = room.log.find(textsIn(body, "latest_events")).flatMap(({ prev }) => prev);
    const entries = first(room.log.back(from, isEnd), limit).reverse();
    return json({ events: visible(room, server, entries) });
  }),
};

/** The ids of events. */
function idsOf(entries: Iterable<LogEntry>): string[] {
  return [...entries].map(({ eventId }) => eventId);
}

/** The events as the room's servers hand them out, in the order in which they came. */
export function pdusOf(room: HostedRoom, entries: Iterable<LogEntry>): JsonObject[] {
  return [...entries].sort((a, b) => a.index - b.index).map((entry) => room.served(entry));
}

function stateAt({ room, query }: RoomQuestion): { state: LogEntry[]; chain: Iterable<LogEntry> } | undefined {
  const entry = room.log.get(query.get("event_id") ?? "");
  if (!entry) return undefined;
  const state = [...room.log.stateBefore(entry).values()];
  return { state, chain: room.log.authChain(state) };
}

/** In partial state, nobody can say who may see other servers' events: they are handed out in redacted form. */
function visible(room: HostedRoom, server: string, entries: readonly LogEntry[]): JsonObject[] {
  return entries.map((entry) => {
    const isHidden = room.partial.has(server) && serverOf(String(entry.event.sender)) !== server;
    return isHidden ? redactEvent(entry.event, room.version) : room.served(entry);
  });
}

function transaction(server: string, pdus: JsonObject[]): JsonObject {
  return { origin: server, origin_server_ts: Date.now(), pdus };
}

function first<T>(items: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length === count) break;
    taken.push(item);
  }
  return taken;
}
