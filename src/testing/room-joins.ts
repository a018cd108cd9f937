import type { JsonObject } from "../endpoint.js";
import { serverOf } from "../events/hash-event.js";
import type { Behaviour } from "./behaviour.js";
import { json, matrixError, notFullyJoined } from "./reply-plain.js";
import { type LogEntry, stateSlot } from "./room-log.js";
import type { RoomQuestion } from "./room-question.js";
import { pdusOf, type RoomAnswer } from "./room-reads.js";
import { contentOf, refusal } from "./room-rules.js";

/** How many members stand for a room that has neither a name nor an alias. Client-Server API, "m.heroes". */
const HEROES = 5;

/** How joins and leaves are answered: Server-Server API, "Joining Rooms" and "Leaving Rooms". */
export const roomJoins: Readonly<Record<string, RoomAnswer>> = {
  make_join: (question) => {
    const { room, server, query, path: [, user = ""] = [] } = question;
    if (room.partial.has(server)) return notFullyJoined("make_join");
    // Without the parameter, the joining server knows version 1 alone.
    const versions = query.has("ver") ? query.getAll("ver") : ["1"];
    if (!versions.includes(room.version)) {
      const error = "Your homeserver does not support the features required to interact with this room.";
      return matrixError(400, "M_INCOMPATIBLE_ROOM_VERSION", error, { room_version: room.version });
    }
    const content: JsonObject = { membership: "join" };
    if (room.needsAuthoriser(user)) {
      const authoriser = room.authoriser((of) => of === server);
      if (!authoriser) return matrixError(400, "M_UNABLE_TO_GRANT_JOIN", "No user here may let others in.");
      if (!room.isAllowed(user))
        return matrixError(403, "M_FORBIDDEN", "You do not belong to any of the required rooms.");
      content.join_authorised_via_users_server = authoriser;
    }
    return template(question, content);
  },
  send_join: (question) => sendJoin(question, (answer) => json(answer)),
  send_join_v1: (question) => sendJoin(question, (answer) => json([200, answer])),

  make_leave: (question) => {
    const { room, server, asker, path: [, user = ""] = [] } = question;
    // Synapse has no guard here, but in partial state it knows hardly any members.
    if (room.partial.has(server) && serverOf(user) === asker)
      return matrixError(403, "M_FORBIDDEN", `${user} not in room ${room.roomId}.`);
    return template(question, { membership: "leave" });
  },
  send_leave: (question) => send(question, "leave", () => json({})),
  send_leave_v1: (question) => send(question, "leave", () => json([200, {}])),
};

function template({ room, asker, path: [, user = ""] }: RoomQuestion, content: JsonObject): Behaviour {
  if (serverOf(user) !== asker) return matrixError(403, "M_FORBIDDEN", "The user is not of your server.");
  const event = room.template({ type: "m.room.member", sender: user, stateKey: user, content });
  const reason = refusal(event, room.state, room.rules);
  if (reason !== undefined) return matrixError(403, "M_FORBIDDEN", reason);
  return json({ event, room_version: room.version });
}

/** Takes a signed membership event of the asker's user. */
function send(question: RoomQuestion, membership: string, then: (entry: LogEntry) => Behaviour): Behaviour {
  const { room, server, asker, body, path } = question;
  if (room.partial.has(server)) return notFullyJoined(`send_${membership}`);
  const wrong = (error: string): Behaviour => matrixError(400, "M_INVALID_PARAM", error);
  if (body.type !== "m.room.member" || contentOf(body).membership !== membership)
    return wrong(`It is no ${membership}.`);
  if (body.sender !== body.state_key || serverOf(String(body.sender)) !== asker)
    return wrong("It is not of your user.");
  const signed = authorised(question);
  if (!signed) return matrixError(400, "M_UNABLE_TO_AUTHORISE_JOIN", "Another server has to let you in.");
  if (room.idOf(signed) !== path[1]) return wrong("The event id in the path is not that of the event.");
  const entry = room.accept(signed);
  return typeof entry === "string" ? matrixError(403, "M_FORBIDDEN", entry) : then(entry);
}

/** The join with the signature of the server that lets the user into a restricted room; undefined when we are not it. */
function authorised({ room, server, body }: RoomQuestion): JsonObject | undefined {
  const { join_authorised_via_users_server: authoriser } = contentOf(body);
  if (!room.rules.restrictedJoins || typeof authoriser !== "string") return body;
  if (serverOf(authoriser) !== server || !room.isAllowed(String(body.sender))) return undefined;
  return room.countersigned(body, server);
}

function sendJoin(question: RoomQuestion, reply: (answer: JsonObject) => Behaviour): Behaviour {
  const { room, server, query } = question;
  const mayOmit = query.get("omit_members") === "true";
  // As they were before the join.
  const servers = [...room.residents];
  return send(question, "join", (join) => {
    const all = [...room.log.stateBefore(join).values()];
    const state = mayOmit ? withoutMembers(all, join) : all;
    const chain = room.log.authChain(state);
    // MSC3706: the auth chain does not repeat what is in the state.
    if (mayOmit) for (const entry of state) chain.delete(entry);
    return reply({
      origin: server,
      event: join.event,
      state: pdusOf(room, state),
      auth_chain: pdusOf(room, chain),
      members_omitted: mayOmit,
      ...(mayOmit && { servers_in_room: servers }),
    });
  });
}

/** The state without members, but for the joining user and the heroes of a room that has no name. */
function withoutMembers(state: readonly LogEntry[], join: LogEntry): LogEntry[] {
  const isMember = ({ event }: LogEntry): boolean => event.type === "m.room.member";
  const isNamed = state.some(({ event: { type, state_key: key } }) => {
    const slot = stateSlot(String(type), String(key));
    return slot === stateSlot("m.room.name") || slot === stateSlot("m.room.canonical_alias");
  });
  const members = state.filter(isMember);
  const own = members.filter(({ event }) => event.state_key === join.event.state_key);
  const isHero = ({ event }: LogEntry): boolean => /^(?:join|invite)$/.test(String(contentOf(event).membership));
  const heroes = isNamed ? [] : members.filter(isHero).slice(0, HEROES);
  return [...new Set([...state.filter((entry) => !isMember(entry)), ...own, ...heroes])];
}
