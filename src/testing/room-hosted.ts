import type { JsonObject, JsonValue } from "../endpoint.js";
import { OptionError, quoted } from "../errors.js";
import { eventFault } from "../events/event-fault.js";
import { eventIdOf, referenceHash, serverOf } from "../events/hash-event.js";
import { isObject, redactEvent } from "../events/redact-event.js";
import { type RoomVersion, type RoomVersionRules, rulesOf } from "../events/room-versions.js";
import { countersignEvent, signEvent } from "../events/sign-event.js";
import { type KeyOf, verifyEvent } from "../events/verify-event.js";
import type { SigningKey } from "../sign/signing-key.js";
import { createContent, type FirstEventsOptions, firstEvents } from "./room-first-events.js";
import { type LogEntry, linkedIds, type RoomEvent, RoomLog, type RoomState, slotOf, stateSlot } from "./room-log.js";
import { authSlots, contentOf, joinRule, mayAuthorise, mayRedact, membershipOf, refusal } from "./room-rules.js";

/** What the rooms of a federation know of its servers and of each other. */
export interface RoomWorld {
  /** The signing key of a server of the federation; undefined for others. */
  readonly signerOf: (server: string) => SigningKey | undefined;
  /** The public keys of all servers that the federation trusts. */
  readonly keyOf: KeyOf;
  /** Whether a user is in a room of the federation. */
  readonly isMember: (roomId: JsonValue | undefined, user: string) => boolean;
}

/** What an event is before it has its place in the room. */
export interface NewEvent {
  /** The event's type. */
  readonly type: string;
  /** The user who sends it. */
  readonly sender: string;
  /** The content. */
  readonly content: JsonObject;
  /** What state it sets; absent for other events. */
  readonly stateKey?: string | undefined;
  /** The event that it redacts; room versions below 11 have it outside of the content. */
  readonly redacts?: string | undefined;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(18)), (byte) => LETTERS.charAt(byte % LETTERS.length)).join("");

/** A room as its servers see it: one log for all of them. */
export class HostedRoom {
  /** The room's id. */
  readonly roomId: string;
  /** The room's version. */
  readonly version: RoomVersion;
  /** The rules of its version. */
  readonly rules: RoomVersionRules;
  /** Its events. */
  readonly log: RoomLog;
  /** The servers that are still joining: they answer as in partial state. */
  readonly partial: Set<string> = new Set();

  readonly #world: RoomWorld;
  readonly #redacted = new Set<LogEntry>();
  #residents: { readonly at: LogEntry | undefined; readonly servers: Set<string> } | undefined;

  /**
   * Creates the room, with its first events.
   *
   * @throws {@link OptionError} `ERR_INPUT` when the version is unknown or the creator is on no server of the federation.
   */
  constructor(options: FirstEventsOptions, world: RoomWorld) {
    const { version, creator } = options;
    const server = serverOfUser(creator);
    this.version = version;
    this.rules = rulesOf(version);
    this.log = new RoomLog(version);
    this.#world = world;
    const hasRoomId = !this.rules.roomIdIsCreateEventId;
    this.roomId = hasRoomId ? `!${randomId()}:${server}` : "";
    const create = this.add({ type: "m.room.create", sender: creator, stateKey: "", content: createContent(options) });
    if (!hasRoomId) this.roomId = `!${create.eventId.slice(1)}`;
    for (const { type, content, stateKey = "" } of firstEvents(options)) {
      this.add({ type, sender: creator, stateKey, content });
    }
  }

  /** The state now; do not keep it, for it changes. */
  get state(): RoomState {
    return this.log.stateAfter(this.log.latest);
  }

  /** The servers with a user in the room now. */
  get residents(): ReadonlySet<string> {
    const at = this.log.entries.at(-1);
    if (!this.#residents || this.#residents.at !== at) {
      this.#residents = { at, servers: new Set<string>() };
      for (const user of joinedUsers(this.state)) this.#residents.servers.add(serverOf(user) ?? "");
    }
    return this.#residents.servers;
  }

  /** An event without hashes and signatures, in its place behind the newest events. */
  template({ type, sender, content, stateKey, redacts }: NewEvent): JsonObject {
    const { latest } = this.log;
    const state = this.state;
    const event: JsonObject = {
      ...(this.roomId !== "" && { room_id: this.roomId }),
      type,
      sender,
      content,
      ...(stateKey !== undefined && { state_key: stateKey }),
      ...(redacts !== undefined && { redacts }),
      // Room versions, "Event format": a depth that is at its end stays there.
      depth: Math.min(Math.max(0, ...latest.map((entry) => Number(entry.event.depth))) + 1, Number.MAX_SAFE_INTEGER),
      origin_server_ts: Date.now(),
      prev_events: latest.map((entry) => this.#linkTo(entry)),
    };
    const auth = authSlots(event, this.rules).flatMap((slot) => state.get(slot) ?? []);
    return { ...event, auth_events: auth.map((entry) => this.#linkTo(entry)) };
  }

  /**
   * Adds an event that a server of the federation makes and signs.
   *
   * @throws {@link OptionError} `ERR_INPUT` when the room does not let it in, no server would take its form or its size,
   * or no server of the federation can sign it.
   * @throws {@link SignError} `ERR_CANONICAL_JSON` when it has no canonical JSON.
   */
  add(fields: NewEvent): LogEntry {
    const server = serverOfUser(fields.sender);
    // A copy, for the caller may go on with the content.
    let event = this.template({ ...fields, content: structuredClone(fields.content) });
    const reason = refusal(event, this.state, this.rules);
    if (reason !== undefined) throw new OptionError("ERR_INPUT", `The test room refuses the event: ${reason}.`);
    if (this.rules.eventIds === "inEvent") event.event_id = `$${randomId()}:${server}`;
    event = signEvent(event, this.version, server, this.#signer(server));
    for (const other of this.#otherSigners(event, server)) event = this.countersigned(event, other);
    const fault = eventFault(event, this.version);
    if (fault !== undefined) throw new OptionError("ERR_INPUT", `No server would take the event: ${fault}.`);
    return this.#append(eventIdOf(event, this.version), event);
  }

  /**
   * Takes an event of any server: checks its form, hash and signatures and whether the room lets it in.
   *
   * @returns The event in the log, or why it is not taken.
   */
  accept(event: unknown): LogEntry | string {
    const verified = verifyEvent(event, this.version, this.#world.keyOf);
    if (verified.kind === "invalid") return verified.reason;
    const known = this.log.get(verified.eventId);
    if (known) return known;
    const { event: taken } = verified;
    if (taken.room_id !== this.roomId) return "it is of another room";
    const prev = this.log.find(linkedIds(taken.prev_events));
    if (prev.length === 0 || prev.length < linkedIds(taken.prev_events).length) return "its prev_events are unknown";
    if (this.log.find(linkedIds(taken.auth_events)).length < linkedIds(taken.auth_events).length) {
      return "its auth_events are unknown";
    }
    const auth = new Map(this.log.authOf(taken).map((entry) => [slotOf(entry.event) ?? "", entry]));
    const reason = refusal(taken, auth, this.rules) ?? refusal(taken, this.log.stateAfter(prev), this.rules);
    return reason ?? this.#append(verified.eventId, taken);
  }

  /** The id of an event that somebody sent; undefined when it can have none. */
  idOf(event: JsonObject): string | undefined {
    try {
      return eventIdOf(event, this.version);
    } catch {
      return undefined;
    }
  }

  /** An event with the signature of one more server of the federation. */
  countersigned(event: JsonObject, server: string): JsonObject {
    return countersignEvent(event, this.version, server, this.#signer(server));
  }

  /** A user on one of these servers who may authorise a join of the restricted room; undefined when there is none. */
  authoriser(isOf: (server: string) => boolean): string | undefined {
    const { state } = this;
    for (const user of joinedUsers(state)) {
      if (isOf(serverOf(user) ?? "") && mayAuthorise(state, user, this.rules)) return user;
    }
    return undefined;
  }

  /** Whether a join needs a user who authorises it. */
  needsAuthoriser(user: string): boolean {
    const { state } = this;
    const membership = membershipOf(state, user);
    return joinRule(state, this.rules) === "restricted" && membership !== "join" && membership !== "invite";
  }

  /** Whether a user is in one of the rooms whose members may join this one. */
  isAllowed(user: string): boolean {
    const { allow } = contentOf(this.state.get(stateSlot("m.room.join_rules"))?.event);
    if (!Array.isArray(allow)) return false;
    return allow.some((rule) => isObject(rule) && this.#world.isMember(rule.room_id, user));
  }

  /** An event as servers hand it out: in its redacted form once it was redacted. */
  served(entry: LogEntry): JsonObject {
    return this.#redacted.has(entry) ? redactEvent(entry.event, this.version) : entry.event;
  }

  #append(eventId: string, event: JsonObject): LogEntry {
    const entry = this.log.append(eventId, event);
    if (event.type === "m.room.redaction") {
      const redacts = this.rules.redaction.content["m.room.redaction"] ? contentOf(event).redacts : event.redacts;
      const target = typeof redacts === "string" ? this.log.get(redacts) : undefined;
      const state = this.log.stateBefore(entry);
      if (target && mayRedact(event, target.event, state, this.rules)) this.#redacted.add(target);
    }
    return entry;
  }

  /** An invite is signed by the invited user's server too, a restricted join by the server that authorises it. */
  #otherSigners(event: JsonObject, server: string): string[] {
    if (event.type !== "m.room.member") return [];
    const { membership, join_authorised_via_users_server: authoriser } = contentOf(event);
    const others = [
      membership === "invite" ? event.state_key : undefined,
      membership === "join" ? authoriser : undefined,
    ];
    const servers = others.flatMap((user) => (typeof user === "string" ? (serverOf(user) ?? []) : []));
    return servers.filter((other) => other !== server && this.#world.signerOf(other) !== undefined);
  }

  #signer(server: string): SigningKey {
    const key = this.#world.signerOf(server);
    if (!key)
      throw new OptionError("ERR_INPUT", `The test federation has no server named ${quoted(server)} that signs.`);
    return key;
  }

  #linkTo({ eventId, event }: RoomEvent): JsonValue {
    return this.rules.eventIds === "inEvent" ? [eventId, { sha256: referenceHash(event, this.version) }] : eventId;
  }
}

/** @throws {@link OptionError} `ERR_INPUT` when it is no user id. */
function serverOfUser(user: unknown): string {
  const server = typeof user === "string" && user.startsWith("@") ? serverOf(user) : undefined;
  if (server !== undefined) return server;
  throw new OptionError("ERR_INPUT", `${quoted(user)} is no user id; one looks like ${quoted("@alice:a.example")}.`);
}

/** The users in a room. */
function* joinedUsers(state: RoomState): Generator<string> {
  for (const { event } of state.values()) {
    if (event.type === "m.room.member" && contentOf(event).membership === "join") yield String(event.state_key);
  }
}
