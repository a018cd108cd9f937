import type { JsonObject } from "../endpoint.js";
import { OptionError, quoted } from "../errors.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { TestJoinRule } from "./room-first-events.js";
import type { HostedRoom } from "./room-hosted.js";
import type { LogEntry, RoomEvent } from "./room-log.js";

/** What a room of a test federation shall be. */
export interface TestRoomOptions {
  /** The user id of who creates it, such as `@alice:a.example`: of a server of the federation. */
  readonly creator: string;
  /** The room's version; 10 when absent. */
  readonly version?: RoomVersion | undefined;
  /** Who may join; everybody when absent. */
  readonly joinRule?: TestJoinRule | undefined;
  /** The ids of the rooms whose members may join, where the join rule is `restricted`. */
  readonly allow?: readonly string[] | undefined;
  /** The room's alias, which all servers in the room resolve. */
  readonly alias?: string | undefined;
  /** The room's name. */
  readonly name?: string | undefined;
}

/** Many members at once. */
export interface CrowdOptions {
  /**
   * The servers that the members are on, in turn: names of the federation's servers, or how many servers to make up:
   * `crowd-1.invalid` and so on. Those are nowhere, but every server of the federation is a notary that has their keys.
   * The federation's servers when absent.
   */
  readonly servers?: readonly string[] | number | undefined;
}

/**
 * A room whose events are hashed and signed as its version says. Every server of the federation that has a user in it is
 * a resident and answers for it; all of them see an event at once. What happens in it by these methods is sent to no
 * server outside of the federation. There is no state resolution: where branches disagree, what came last wins.
 */
export class TestRoom {
  readonly #room: HostedRoom;
  readonly #crowdServers: (options: CrowdOptions) => readonly string[];

  /** Wraps the room that the servers answer for. */
  constructor(room: HostedRoom, crowdServers: (options: CrowdOptions) => readonly string[]) {
    this.#room = room;
    this.#crowdServers = crowdServers;
  }

  /** The room's id. */
  get roomId(): string {
    return this.#room.roomId;
  }

  /** The room's version. */
  get version(): RoomVersion {
    return this.#room.version;
  }

  /** The servers with a user in the room now. */
  get residents(): readonly string[] {
    return [...this.#room.residents];
  }

  /** All events, in the order in which they came; those of other servers too. */
  get events(): readonly RoomEvent[] {
    return this.#room.log.entries.map(toEvent);
  }

  /** The `m.room.create` event. */
  get createEvent(): RoomEvent {
    return toEvent(this.#room.log.entries[0] as LogEntry);
  }

  /** Whether the room has an event with this id. */
  has(eventId: string): boolean {
    return this.#room.log.get(eventId) !== undefined;
  }

  /** The state before an event, or the state now; in the order in which it came. */
  state(eventId?: string): readonly RoomEvent[] {
    const { log, state } = this.#room;
    return inOrder((eventId === undefined ? state : log.stateBefore(this.#entry(eventId))).values());
  }

  /** The events that authorise an event, or the state now, all the way back; in the order in which they came. */
  authChain(eventId?: string): readonly RoomEvent[] {
    const { log, state } = this.#room;
    return inOrder(log.authChain(eventId === undefined ? state.values() : [this.#entry(eventId)]));
  }

  /**
   * A user of the federation joins; the user's server becomes a resident. Into a restricted room, another resident's user
   * lets whoever is in an allowed room.
   *
   * @throws {@link OptionError} `ERR_INPUT` when the user may not join, or is on no server of the federation.
   */
  join(user: string): RoomEvent {
    const content: JsonObject = { membership: "join" };
    if (this.#room.needsAuthoriser(user)) {
      const authoriser = this.#room.isAllowed(user) ? this.#room.authoriser(() => true) : undefined;
      if (authoriser !== undefined) content.join_authorised_via_users_server = authoriser;
    }
    return this.sendState(user, "m.room.member", user, content);
  }

  /** A user leaves, or rejects an invite. @throws {@link OptionError} `ERR_INPUT` when the user is not there. */
  leave(user: string): RoomEvent {
    return this.sendState(user, "m.room.member", user, { membership: "leave" });
  }

  /** A user invites another one. @throws {@link OptionError} `ERR_INPUT` when that is not allowed. */
  invite(sender: string, user: string): RoomEvent {
    return this.sendState(sender, "m.room.member", user, { membership: "invite" });
  }

  /** A user sends an event. @throws {@link OptionError} `ERR_INPUT` when that is not allowed. */
  send(sender: string, type: string, content: JsonObject): RoomEvent {
    return toEvent(this.#room.add({ type, sender, content }));
  }

  /** A user sets some of the state. @throws {@link OptionError} `ERR_INPUT` when that is not allowed. */
  sendState(sender: string, type: string, stateKey: string, content: JsonObject): RoomEvent {
    return toEvent(this.#room.add({ type, sender, content, stateKey }));
  }

  /**
   * A user redacts an event: the servers hand out its redacted form from now on.
   *
   * @throws {@link OptionError} `ERR_INPUT` when that is not allowed.
   */
  redact(sender: string, eventId: string): RoomEvent {
    const { rules } = this.#room;
    const isInContent = rules.redaction.content["m.room.redaction"] !== undefined;
    const fields = isInContent ? { content: { redacts: eventId } } : { content: {}, redacts: eventId };
    return toEvent(this.#room.add({ type: "m.room.redaction", sender, ...fields }));
  }

  /**
   * Many users join: `@member-1:…` and so on. Their joins are real events of the room, one after the other.
   *
   * @returns The last join's event.
   * @throws {@link OptionError} `ERR_INPUT` when they may not join, on servers that are not of the federation or none, and
   * for a count that is none.
   */
  addMembers(count: number, options: CrowdOptions = {}): RoomEvent {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new OptionError("ERR_INPUT", `${quoted(count)} is no number of members.`);
    }
    const names = this.#crowdServers(options);
    if (names.length === 0) throw new OptionError("ERR_INPUT", "Members need at least one server to be on.");
    const before = this.#room.log.entries.length;
    let last = this.createEvent;
    for (let index = 0; index < count; index++) {
      last = this.join(`@member-${before + index}:${names[index % names.length]}`);
    }
    return last;
  }

  /**
   * Takes an event that a server outside of the federation made, as its residents would in a transaction.
   *
   * @returns Why it is not taken; undefined when it is in the room.
   */
  accept(event: object): string | undefined {
    const taken = this.#room.accept(event);
    return typeof taken === "string" ? taken : undefined;
  }

  /**
   * Puts a resident into partial state (MSC3706): it answers as Synapse does while it is still joining. It says
   * `ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE` for `state_ids`, `state`, `event` and `event_auth`, "not fully
   * joined" for joins and leaves, `M_FORBIDDEN` to who asks for the template of a leave, because it knows of no members, and
   * hands out other servers' events in redacted form.
   *
   * @throws {@link OptionError} `ERR_INPUT` when the server is no resident.
   */
  partial(server: string): void {
    if (!this.#room.residents.has(server)) {
      throw new OptionError(
        "ERR_INPUT",
        `${quoted(server)} is not in the test room, so that it cannot be in partial state.`,
      );
    }
    this.#room.partial.add(server);
  }

  /** Ends a resident's partial state. */
  completed(server: string): void {
    this.#room.partial.delete(server);
  }

  #entry(eventId: string): LogEntry {
    const entry = this.#room.log.get(eventId);
    if (!entry) throw new OptionError("ERR_INPUT", `The test room has no event ${quoted(eventId)}.`);
    return entry;
  }
}

const toEvent = ({ eventId, event }: LogEntry): RoomEvent => ({ eventId, event });

const inOrder = (entries: Iterable<LogEntry>): RoomEvent[] =>
  [...entries].sort((a, b) => a.index - b.index).map(toEvent);
