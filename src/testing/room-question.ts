import type { JsonObject } from "../endpoint.js";
import { isObject } from "../events/redact-event.js";
import type { RecordedRequest } from "./recorded-request.js";
import type { TestRoom } from "./room.js";
import type { HostedRooms } from "./room-host.js";
import type { HostedRoom } from "./room-hosted.js";

/** A request about a room, read. */
export interface RoomQuestion {
  /** The room. */
  readonly room: HostedRoom;
  /** The server that is asked; it is in the room. */
  readonly server: string;
  /** The server that asks, by its signature. */
  readonly asker: string;
  /** The path's fields behind the endpoint's name, decoded; the room id is the first, where there is one. */
  readonly path: readonly string[];
  /** The query's parameters. */
  readonly query: URLSearchParams;
  /** The body; empty when it is no object. */
  readonly body: JsonObject;
}

/**
 * Whether a request is about a room: whether its path names the room or one of its events, its query the room's alias,
 * or its transaction has an event for it.
 */
export function isAbout(request: RecordedRequest, room: TestRoom, { byAlias }: HostedRooms): boolean {
  const { endpoint } = request;
  const { roomId } = room;
  if (endpoint === "query_directory") {
    return byAlias.get(queryFields(request).get("room_alias") ?? "")?.roomId === roomId;
  }
  if (endpoint === "send") {
    const { pdus } = bodyOf(request);
    return Array.isArray(pdus) && pdus.some((pdu) => isObject(pdu) && pdu.room_id === roomId);
  }
  return pathFields(request).some((field) => field === roomId || room.has(field));
}

/** The fields of a request's path behind `/_matrix/federation/v1/name/`, decoded. */
export function pathFields({ uri }: Pick<RecordedRequest, "uri">): string[] {
  const [path = ""] = uri.split("?", 1);
  return path.split("/").slice(5).map(decoded);
}

/** The parameters of a request's query. */
export function queryFields({ uri }: RecordedRequest): URLSearchParams {
  // In a query of Matrix a plus is a plus; the class reads it as a space.
  return new URLSearchParams(uri.slice(uri.split("?", 1)[0]?.length).replaceAll("+", "%2B"));
}

/** The JSON object that is a request's body; empty when it is none. */
export function bodyOf({ json }: RecordedRequest): JsonObject {
  return isObject(json) ? json : {};
}

/** The texts in an array of a body. */
export function textsIn(body: JsonObject, name: string): string[] {
  const value = body[name];
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/** A whole number of a request, no more than the most; the usual one when it is absent or wrong. */
export function countIn(value: unknown, usual: number, most: number): number {
  const count = typeof value === "number" || (typeof value === "string" && value !== "") ? Number(value) : Number.NaN;
  return Number.isInteger(count) && count >= 0 ? Math.min(count, most) : usual;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
