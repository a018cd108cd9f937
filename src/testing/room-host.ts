import type { JsonObject } from "../endpoint.js";
import { isObject } from "../events/redact-event.js";
import type { Behaviour, Exchange } from "./behaviour.js";
import { json, matrixError } from "./reply-plain.js";
import type { HostedRoom } from "./room-hosted.js";
import { roomJoins } from "./room-joins.js";
import { bodyOf, pathFields, queryFields } from "./room-question.js";
import { type RoomAnswer, roomReads, unknownEvent } from "./room-reads.js";

/** The rooms of a federation, by their ids and aliases. */
export interface HostedRooms {
  /** By room id. */
  readonly byId: Map<string, HostedRoom>;
  /** By alias. */
  readonly byAlias: Map<string, HostedRoom>;
}

const answers: Readonly<Record<string, RoomAnswer>> = { ...roomReads, ...roomJoins };
/** What a server says to a request that has to be signed and is not. */
export const unsigned: Behaviour = matrixError(
  401,
  "M_UNAUTHORIZED",
  "No signature of the request holds with a key that is trusted here.",
);
const notResident = matrixError(404, "M_NOT_FOUND", "This server is not in the room.");
/** Server-Server API, "Transactions". */
const MAX_PDUS = 50;
const MAX_EDUS = 100;

/** How a server of the federation answers for its rooms; undefined for endpoints that are about none. */
export function roomBehaviour(endpoint: string | undefined, rooms: HostedRooms): Behaviour | undefined {
  if (endpoint === undefined || rooms.byId.size === 0) return undefined;
  const answer = Object.hasOwn(answers, endpoint) ? answers[endpoint] : undefined;
  if (answer) return (exchange) => answerInRoom(exchange, rooms, answer)(exchange);
  if (endpoint === "query_directory") return (exchange) => resolveAlias(exchange, rooms)(exchange);
  if (endpoint === "send") return (exchange) => takeTransaction(exchange, rooms)(exchange);
  return undefined;
}

function answerInRoom({ request, server }: Exchange, { byId }: HostedRooms, answer: RoomAnswer): Behaviour {
  const asker = request.signedBy;
  if (asker === undefined) return unsigned;
  const path = pathFields(request);
  const [id = ""] = path;
  const isEvent = request.endpoint === "event";
  const room = isEvent ? roomOfEvent(id, byId) : byId.get(id);
  if (isEvent && !room) return unknownEvent;
  if (!room?.residents.has(server.name)) return notResident;
  return answer({ room, server: server.name, asker, path, query: queryFields(request), body: bodyOf(request) });
}

function roomOfEvent(eventId: string, byId: HostedRooms["byId"]): HostedRoom | undefined {
  return [...byId.values()].find(({ log }) => log.get(eventId));
}

/** Server-Server API, "Querying for information". */
function resolveAlias({ request, server }: Exchange, { byAlias }: HostedRooms): Behaviour {
  if (request.signedBy === undefined) return unsigned;
  const room = byAlias.get(queryFields(request).get("room_alias") ?? "");
  if (!room?.residents.has(server.name)) return matrixError(404, "M_NOT_FOUND", "Room alias not found.");
  return json({ room_id: room.roomId, servers: [...room.residents] });
}

/** Takes the events of a transaction, each for itself. What was taken before is taken again, so that a retry is safe. */
function takeTransaction({ request, server }: Exchange, rooms: HostedRooms): Behaviour {
  if (request.signedBy === undefined) return unsigned;
  const { pdus, edus } = bodyOf(request);
  if (!Array.isArray(pdus)) return matrixError(400, "M_BAD_JSON", "pdus is no array.");
  if (pdus.length > MAX_PDUS || (Array.isArray(edus) && edus.length > MAX_EDUS)) {
    return matrixError(400, "M_BAD_JSON", "The transaction is too large.");
  }
  const results: JsonObject = Object.create(null);
  for (const pdu of pdus) {
    if (!isObject(pdu)) continue;
    const room = typeof pdu.room_id === "string" ? rooms.byId.get(pdu.room_id) : undefined;
    const eventId = room?.idOf(pdu);
    // Without a room there is no version, and without that no event id to answer for.
    if (!room || eventId === undefined) continue;
    const taken = room.residents.has(server.name) ? room.accept(pdu) : "this server is not in the room";
    results[eventId] = typeof taken === "string" ? { error: taken } : {};
  }
  return json({ pdus: results });
}
