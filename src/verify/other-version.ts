import type { Cancellation } from "../cancellation.js";
import type { JsonObject } from "../endpoint.js";
import { readEvent } from "../events/read-event.js";
import { type RoomVersion, roomVersions } from "../events/room-versions.js";
import type { CheckedEvent } from "./checked-event.js";
import { versionNamedBy } from "./create-event.js";
import type { VerifiedEvents } from "./verified-events.js";
import type { Verification } from "./verify-answer.js";

/**
 * What tells that a room is of another version than its events were held against, which is no fault of the server that
 * answers; undefined where nothing tells it. Its `m.room.create` event does; and where no event holds, one that does hold in
 * another version.
 *
 * @throws what the cancellation was given.
 */
export async function otherVersionTold(
  { create, unheld, kept }: VerifiedEvents,
  version: RoomVersion,
  { verifier, roomId, onlyEvent }: Pick<Verification, "verifier" | "roomId" | "onlyEvent">,
  cancellation: Cancellation,
): Promise<string | undefined> {
  const check = async (event: JsonObject, other: RoomVersion): Promise<CheckedEvent | undefined> =>
    (await verifier.check([event], { version: other, roomId }, cancellation))[0];
  const named = create && roomId !== undefined ? versionNamedBy(create, roomId) : undefined;
  if (create && named !== undefined && named !== version && (await check(create, named))?.kind === "valid") {
    return `the room is of version ${named}, not ${version}, by its m.room.create event`;
  }
  if (unheld === undefined || kept > 0) return undefined;
  // It may hold, and only be another event than ours.
  if (onlyEvent === undefined && (await check(unheld, version))?.kind === "valid") return undefined;
  for (const other of Object.keys(roomVersions).reverse() as RoomVersion[]) {
    // Of what has not even the form, no keys are asked for.
    if (other === version || readEvent(unheld, other).fault !== undefined) continue;
    const checked = await check(unheld, other);
    if (checked?.kind === "keyless") return undefined;
    if (checked?.kind !== "valid" || (onlyEvent !== undefined && checked.eventId !== onlyEvent)) continue;
    return `its events hold in a room of version ${other}, not ${version}: the room is of another version`;
  }
  return undefined;
}
