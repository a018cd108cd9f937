import type { JsonObject } from "../endpoint.js";
import { NameError } from "../errors.js";
import { domainOf, isEventIdWithServer, serverOf } from "./hash-event.js";
import { checkObject, isObject } from "./redact-event.js";
import { type RoomVersion, type RoomVersionRules, rulesOf } from "./room-versions.js";

/** A server that has to have signed an event. */
export interface RequiredSigner {
  /** The server's name. */
  readonly server: string;
  /**
   * Why: it is the server of the `sender`, the one that the `event_id` names (room versions 1 and 2), or that of the
   * user who authorised a restricted join.
   */
  readonly because: "sender" | "eventId" | "authoriser";
}

/**
 * The servers that have to have signed an event, each once. There is none for a third-party invite, which any server
 * may send: one signature of some server has to hold all the same.
 * Specification: Server-Server API, "Validating hashes and signatures on received events"; room versions.
 *
 * @throws {@link NameError} `ERR_USER_ID` or `ERR_EVENT_ID` when an identifier that names a server does not.
 * @throws {@link OptionError} `ERR_INPUT` when the event is no object or the room version is unknown.
 */
export function requiredSigners(event: object, version: RoomVersion): readonly RequiredSigner[] {
  const rules = rulesOf(version);
  const fields = checkObject(event);
  const fault = signerFault(fields, rules);
  if (fault) throw new NameError(fault.startsWith("event_id") ? "ERR_EVENT_ID" : "ERR_USER_ID", `The ${fault}.`);
  return signersOf(fields, rules);
}

/** What is wrong with the identifiers that name an event's signers; undefined when nothing is. */
export function signerFault(event: JsonObject, rules: RoomVersionRules): string | undefined {
  if (!isUserId(event.sender)) return "sender is no user id";
  if (rules.eventIds === "inEvent" && !isEventIdWithServer(event.event_id)) return "event_id names no server";
  if (isAuthorisedJoin(event, rules) && !isUserId((event.content as JsonObject)[AUTHORISER])) {
    return `${AUTHORISER} is no user id`;
  }
  return undefined;
}

/** As {@link requiredSigners}, for an event without {@link signerFault}. */
export function signersOf(event: JsonObject, rules: RoomVersionRules): readonly RequiredSigner[] {
  const signers: RequiredSigner[] = [];
  const add = (identifier: unknown, because: RequiredSigner["because"]): void => {
    const server = domainOf(identifier as string);
    if (!signers.some((signer) => signer.server === server)) signers.push({ server, because });
  };
  const isExempt = isThirdPartyInvite(event);
  if (!isExempt) add(event.sender, "sender");
  if (rules.eventIds === "inEvent") {
    // Only "if it differs from the originating server": whoever sends a third-party invite is not known.
    const isSenders = domainOf(event.event_id as string) === domainOf(event.sender as string);
    if (!isSenders) add(event.event_id, "eventId");
  }
  if (isAuthorisedJoin(event, rules)) add((event.content as JsonObject)[AUTHORISER], "authoriser");
  return signers;
}

const AUTHORISER = "join_authorised_via_users_server";

function isAuthorisedJoin({ type, content }: JsonObject, { restrictedJoins }: RoomVersionRules): boolean {
  return (
    restrictedJoins &&
    type === "m.room.member" &&
    isObject(content) &&
    content.membership === "join" &&
    Object.hasOwn(content, AUTHORISER)
  );
}

function isThirdPartyInvite({ type, content }: JsonObject): boolean {
  return (
    type === "m.room.member" &&
    isObject(content) &&
    content.membership === "invite" &&
    Object.hasOwn(content, "third_party_invite")
  );
}

function isUserId(value: unknown): boolean {
  return typeof value === "string" && value.startsWith("@") && serverOf(value) !== undefined;
}
