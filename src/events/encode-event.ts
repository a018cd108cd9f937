import type { JsonObject, JsonValue } from "../endpoint.js";
import { SignError } from "../errors.js";
import { canonicalFault, type Numbers } from "../sign/canonical-fault.js";
import { encodeCanonical } from "../sign/canonical-json.js";
import { sortedKeys } from "../sign/canonical-order.js";
import { CanonicalWriter, withWriter } from "../sign/canonical-writer.js";
import { utf8Bytes } from "../sign/utf8.js";
import { isObject, keptContent, keptInvite, keptKeys } from "./redact-event.js";
import type { RoomVersionRules } from "./room-versions.js";

/** What an event's hashes and signatures are made of: canonical JSON, as UTF-8. */
export interface EncodedEvent {
  /** What the content hash is of. */
  readonly hashed: Uint8Array;
  /** What the reference hash is of and signatures cover: the redacted event without them. */
  readonly signed: Uint8Array;
  /** How many bytes the whole event has. */
  readonly size: number;
  /** Whether redaction would take nothing away. */
  readonly isRedacted: boolean;
}

/**
 * What the content hash does not cover. The specification names the first three; the others Synapse once left in
 * events by mistake, and Synapse and gomatrixserverlib pass over them since.
 */
const unhashed: ReadonlySet<string> = new Set([
  "hashes",
  "signatures",
  "unsigned",
  "age_ts",
  "destinations",
  "outlier",
]);

/** Encodes events once for all that is made of them, one after the other into memory that is used again. */
export class EventEncoder {
  readonly #full: CanonicalWriter;
  readonly #redacted: CanonicalWriter;

  /** With the memory for both forms of an event; its own when absent. */
  constructor(full: CanonicalWriter = new CanonicalWriter(), redacted: CanonicalWriter = new CanonicalWriter()) {
    this.#full = full;
    this.#redacted = redacted;
  }

  /**
   * Encodes an event, each of its values once. The bytes are lent: they are good until another event is encoded.
   *
   * @throws {@link SignError} `ERR_CANONICAL_JSON`; the message says where in the event.
   */
  encode(event: JsonObject, rules: RoomVersionRules): EncodedEvent {
    this.#full.clear();
    this.#redacted.clear();
    try {
      return encode(event, rules, this.#full, this.#redacted);
    } catch (cause) {
      // Again, from the top: the place is told as seen from the event.
      const { unsigned: _unsigned, ...covered } = isAtDepthLimit(event, rules) ? { ...event, depth: 0 } : event;
      const fault = canonicalFault(covered, numbersOf(rules)) ?? "`unsigned` that is no JSON";
      throw new SignError("ERR_CANONICAL_JSON", `The event has ${fault}.`, { cause });
    }
  }
}

/** Lends an encoder: what it encodes is good until `use` returns. Throws what `use` throws. */
export function withEncoder<Result>(use: (encoder: EventEncoder) => Result): Result {
  return withWriter((full) => withWriter((redacted) => use(new EventEncoder(full, redacted))));
}

/** As {@link EventEncoder.encode}; the bytes are good until `use` returns. Throws what `use` throws, too. */
export function withEncodedEvent<Result>(
  event: JsonObject,
  rules: RoomVersionRules,
  use: (encoded: EncodedEvent) => Result,
): Result {
  return withEncoder((encoder) => use(encoder.encode(event, rules)));
}

const numbersOf = ({ strictNumbers }: RoomVersionRules): Numbers => (strictNumbers ? "integers" : "old");

/**
 * Whether an event of an old room has the largest depth there is, 2^63-1, which rooms have reached. JSON.parse makes
 * 2^63 of it, and of no other depth that is allowed and likely.
 */
function isAtDepthLimit({ depth }: JsonObject, { strictNumbers }: RoomVersionRules): boolean {
  return !strictNumbers && depth === 2 ** 63;
}

function encode(
  event: JsonObject,
  rules: RoomVersionRules,
  full: CanonicalWriter,
  redacted: CanonicalWriter,
): EncodedEvent {
  const numbers = numbersOf(rules);
  const isDeepest = isAtDepthLimit(event, rules);
  let unhashedBytes = 0;
  let isRedacted = true;
  /** Where in `full` that begins of which `redacted` has no copy yet. */
  let uncopied = 0;
  for (const { key, name, isHashed, isKept } of membersOf(event, keptKeys(event.type, rules))) {
    const start = full.length;
    const value = event[key] as JsonValue;
    const isCopied = isKept && key !== "content" && key !== "signatures";
    if (!isCopied) redacted.copy(full, uncopied, start);
    full.writeBytes(name);
    if (key === "content") {
      redacted.writeBytes(name);
      if (!writeContent(event.type, value, rules, full, redacted)) isRedacted = false;
    } else if (key === "unsigned") {
      // No hash and no signature covers it, so that any number may be in it.
      if (!full.writeOrdinary(value)) full.writeText(JSON.stringify(value) ?? "");
    } else {
      if (isDeepest && key === "depth") full.writeText("9223372036854775807");
      else full.write(value, numbers);
      if (!isKept) isRedacted = false;
    }
    if (!isHashed) {
      if (isCopied) redacted.copy(full, uncopied, full.length);
      unhashedBytes += full.length - start;
      full.rewind(start);
    }
    if (!(isCopied && isHashed)) uncopied = full.length;
  }
  redacted.copy(full, uncopied, full.length);
  full.close(0);
  redacted.close(0);
  return {
    hashed: full.read(0, full.length),
    signed: redacted.read(0, redacted.length),
    size: full.length + unhashedBytes,
    isRedacted,
  };
}

/** A top-level key. */
interface Member {
  /** The key. */
  readonly key: string;
  /** The key as it is written, with the comma before it and the colon after it. */
  readonly name: Uint8Array;
  /** Whether the content hash covers it. */
  readonly isHashed: boolean;
  /** Whether redaction keeps it. */
  readonly isKept: boolean;
}

const memberOf = (key: string, isKept: boolean): Member => ({
  key,
  name: utf8Bytes(`,${encodeCanonical(key, "integers")}:`),
  isHashed: !unhashed.has(key),
  isKept,
});

/** What is more is not remembered. */
const MAX_KEYS_LENGTH = 1_000;

/** The members of events, of which redaction keeps the same. */
class Members {
  readonly #known: ReadonlyMap<string, Member>;
  /** The last event's keys as they came, and its members. */
  #lastKeys: readonly string[] = [];
  #last: readonly Member[] = [];

  /** With what redaction keeps. */
  constructor(kept: ReadonlySet<string>) {
    this.#known = new Map([...unhashed, ...kept].map((key) => [key, memberOf(key, kept.has(key))]));
  }

  /** Those of an event, in canonical order: mostly that of the last one, for servers write the keys in one order. */
  of(event: JsonObject): readonly Member[] {
    const keys = Object.keys(event);
    if (hasSameElements(this.#lastKeys, keys)) return this.#last;
    const members = sortedKeys(event, this.#known).map((key) => this.#known.get(key) ?? memberOf(key, false));
    if (keys.join().length <= MAX_KEYS_LENGTH) {
      this.#lastKeys = keys;
      this.#last = members;
    }
    return members;
  }
}

const allMembers = new WeakMap<ReadonlySet<string>, Members>();

function membersOf(event: JsonObject, kept: ReadonlySet<string>): readonly Member[] {
  let members = allMembers.get(kept);
  if (!members) {
    members = new Members(kept);
    allMembers.set(kept, members);
  }
  return members.of(event);
}

function hasSameElements(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}

/** Writes the content, and what redaction leaves of it; whether that is the same. */
function writeContent(
  type: unknown,
  content: JsonValue,
  rules: RoomVersionRules,
  full: CanonicalWriter,
  redacted: CanonicalWriter,
): boolean {
  const numbers = numbersOf(rules);
  const kept = keptContent(type, rules);
  const [start, redactedStart] = [full.length, redacted.length];
  if (!isObject(content) || kept === "all" || kept.length === 0) {
    full.write(content, numbers);
    if (isObject(content) && kept === "all") redacted.copy(full, start, full.length);
    else redacted.close(redactedStart);
    return isObject(content) && full.length - start === redacted.length - redactedStart;
  }
  const invite = keptInvite(type, content, rules);
  let isRedacted = true;
  for (const key of sortedKeys(content)) {
    const memberStart = full.length;
    full.writeKey(key);
    full.write(content[key], numbers);
    if (kept.includes(key)) redacted.copy(full, memberStart, full.length);
    else if (invite && key === "third_party_invite") {
      redacted.writeKey(key);
      redacted.write(invite, numbers);
    } else isRedacted = false;
  }
  full.close(start);
  redacted.close(redactedStart);
  return isRedacted;
}
