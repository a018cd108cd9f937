import { z } from "zod";
import type { FailoverErrcode, JsonObject } from "../endpoint.js";
import { anyObject } from "../validate/schema.js";

/** How long Synapse gives a request that makes the other server send an event: its default for all of them. */
export const SEND_TIMEOUT_MS = 60_000;

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

/** An object that says nothing, but no error either: there are proxies that give errors the status 200. */
export const empty: z.ZodType = z.looseObject({
  errcode: z.undefined({ error: "an error, though the status is 200" }).optional(),
});

/**
 * The pair that the first versions answer with: a status, which says nothing, and the answer proper. Whatever follows is
 * ignored, as ruma does.
 */
export const pairWith = (answer: z.ZodType): z.ZodType => z.tuple([z.unknown(), answer], z.unknown());
