import { z } from "zod";
import type { EndpointDefinition, FailoverErrcode, JsonObject } from "../endpoint.js";
import type { SchemaIssue } from "../validate/response-schema.js";
import { anyObject } from "../validate/schema.js";
import type { PduLike } from "./room-reads.js";

/** How long Synapse gives a request that makes the other server send an event: its default for all of them. */
export const SEND_TIMEOUT_MS = 60_000;

/** What every request has in its input that hands a signed membership event to a server in the room. */
interface EventOfRoom {
  readonly roomId: string;
  readonly eventId: string;
  readonly event: PduLike;
}

type SendingEvent = Pick<
  EndpointDefinition<EventOfRoom, unknown, "resident">,
  "method" | "body" | "required" | "forms" | "audience" | "partialStateDisguise"
>;

/** What all requests have in common that hand a signed membership event to a server in the room. */
export const sendingEvent: SendingEvent = {
  method: "PUT",
  body: ({ event }) => event,
  required: ["event"],
  forms: { event: "object" },
  audience: "resident",
  partialStateDisguise: "notFullyJoined",
};

/** The answer of {@link makeJoin} and {@link makeLeave}. */
export interface MakeMembershipResponse {
  /**
   * An unsigned template of the membership event. Before it is signed, check that `room_id`, `sender`, `state_key`,
   * `type` and the `membership` in its `content` are the ones that were asked for.
   */
  event: JsonObject;
  /** The room's version; version 1 or 2 when absent. */
  room_version?: string;
}

/** An answer that says nothing more than that the request was taken. Fields that a server adds are kept. */
export type EmptyResponse = JsonObject;

/** With this code a server says that it is not in the room: another may be. */
export const notInRoom: readonly FailoverErrcode[] = [{ errcode: "M_NOT_FOUND" }];

/** {@link notInRoom}, where Dendrite says it as 400 `M_UNSUPPORTED_ROOM_VERSION`: of no room, it knows no version. */
export const notInRoomOrVersionUnknown: readonly FailoverErrcode[] = [
  ...notInRoom,
  { errcode: "M_UNSUPPORTED_ROOM_VERSION", status: 400 },
];

/** A template of a membership event. */
export const template: z.ZodType = z.looseObject({ event: anyObject, room_version: z.string().optional() });

/** A template of an event for a room of a version that the asker cannot handle is of no use. */
export function versionFault(
  { room_version }: { readonly room_version?: string },
  input: { readonly ver: readonly string[] } | undefined,
): SchemaIssue | undefined {
  // An empty list leaves the parameter out, whose default is version 1.
  const known = input?.ver?.length === 0 ? ["1"] : input?.ver;
  // "If not provided, the room version is assumed to be either 1 or 2."
  const possible = room_version === undefined ? ["1", "2"] : [room_version];
  if (known === undefined || possible.some((version) => known.includes(version))) return undefined;
  return { message: "expected a version that was asked for", path: ["room_version"] };
}

/** An object that says nothing, but no error either: there are proxies that give errors the status 200. */
export const empty: z.ZodType = z.looseObject({
  errcode: z.undefined({ error: "an error, though the status is 200" }).optional(),
});

/**
 * The pair that the first versions answer with: a status, which all servers make 200 where they succeed, and the answer
 * proper. Whatever follows is ignored, as ruma does.
 */
export const pairWith = (answer: z.ZodType): z.ZodType => z.tuple([z.int().min(200).max(299), answer], z.unknown());
