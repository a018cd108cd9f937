import { eventIdOf, serverOf } from "../events/hash-event.js";
import { isRoomVersion } from "../events/room-versions.js";
import { countersignEvent } from "../events/sign-event.js";
import { type KeyOf, verifyEvent } from "../events/verify-event.js";
import type { Behaviour, Exchange } from "./behaviour.js";
import { json, matrixError } from "./reply-plain.js";
import { unsigned } from "./room-host.js";
import { bodyOf, pathFields } from "./room-question.js";
import { contentOf } from "./room-rules.js";

/**
 * Takes an invite of a user of the server, of any room: signs it too and gives it back.
 * Spec: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2inviteroomideventid
 */
export function invited(keyOf: KeyOf): Behaviour {
  return (exchange) => answer(exchange, keyOf)(exchange);
}

function answer({ request, server }: Exchange, keyOf: KeyOf): Behaviour {
  const { signedBy: asker } = request;
  if (asker === undefined) return unsigned;
  const { room_version: version, event } = bodyOf(request);
  if (!isRoomVersion(version)) {
    return matrixError(400, "M_INCOMPATIBLE_ROOM_VERSION", "The room version is not known here.");
  }
  const wrong = (error: string): Behaviour => matrixError(400, "M_INVALID_PARAM", error);
  const verified = verifyEvent(event, version, keyOf);
  if (verified.kind === "invalid") return wrong(`The invite does not hold: ${verified.reason}.`);
  if (verified.kind === "redacted") return wrong("The invite's content hash is wrong.");
  const { event: invite } = verified;
  const [roomId, eventId] = pathFields(request);
  if (invite.room_id !== roomId) return wrong("The room id in the path is not that of the event.");
  if (eventIdOf(invite, version) !== eventId) return wrong("The event id in the path is not that of the event.");
  if (invite.type !== "m.room.member" || contentOf(invite).membership !== "invite") return wrong("It is no invite.");
  if (serverOf(String(invite.sender)) !== asker) return wrong("The sender is not of your server.");
  if (serverOf(String(invite.state_key)) !== server.name) return wrong("The invited user is not of this server.");
  return json({ event: countersignEvent(invite, version, server.name, server.signingKey) });
}
