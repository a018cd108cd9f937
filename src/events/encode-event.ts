import type { JsonObject, JsonValue } from "../endpoint.js";
import { SignError } from "../errors.js";
import { canonicalFault, encodeCanonical, type Numbers, sortedKeys } from "../sign/canonical-json.js";
import { isObject, keptContent, keptInvite, keptKeys } from "./redact-event.js";
import type { RoomVersionRules } from "./room-versions.js";

/** The texts that an event's hashes and signatures are made of. */
export interface EncodedEvent {
  /** What the content hash is of. */
  readonly hashed: string;
  /** What the reference hash is of and signatures cover: the redacted event without them. */
  readonly signed: string;
  /** What the event has beyond `hashed`, as canonical JSON: `hashes`, `signatures`, `unsigned`. */
  readonly rest: string;
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

/**
 * Encodes an event once for all that is made of it: each of its values is encoded once.
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON`; the message says where in the event.
 */
export function encodeEvent(event: JsonObject, rules: RoomVersionRules): EncodedEvent {
  try {
    return encode(event, rules);
  } catch (cause) {
    // Again, from the top: the place is told as seen from the event.
    const { unsigned: _unsigned, ...covered } = isAtDepthLimit(event, rules) ? { ...event, depth: 0 } : event;
    const fault = canonicalFault(covered, numbersOf(rules)) ?? "`unsigned` that is no JSON";
    throw new SignError("ERR_CANONICAL_JSON", `The event has ${fault}.`, { cause });
  }
}

const numbersOf = ({ strictNumbers }: RoomVersionRules): Numbers => (strictNumbers ? "integers" : "old");

/**
 * Whether an event of an old room has the largest depth there is, 2^63-1, which rooms have reached. JSON.parse makes
 * 2^63 of it, and of no other depth that is allowed and likely.
 */
function isAtDepthLimit({ depth }: JsonObject, { strictNumbers }: RoomVersionRules): boolean {
  return !strictNumbers && depth === 2 ** 63;
}

function encode(event: JsonObject, rules: RoomVersionRules): EncodedEvent {
  const numbers = numbersOf(rules);
  const isDeepest = isAtDepthLimit(event, rules);
  const kept = keptKeys(event.type, rules);
  let [hashed, signed, rest] = ["", "", ""];
  let isRedacted = true;
  for (const key of sortedKeys(event)) {
    const name = encodeCanonical(key, numbers);
    const value = event[key] as JsonValue;
    if (key === "unsigned") {
      // No hash and no signature covers it, so that any number may be in it.
      rest += `,${name}:${JSON.stringify(value)}`;
    } else if (key === "content") {
      const content = encodeContent(event.type, value, rules);
      hashed += `,${name}:${content.full}`;
      signed += `,${name}:${content.redacted}`;
      isRedacted &&= content.isRedacted;
    } else {
      const text = isDeepest && key === "depth" ? "9223372036854775807" : encodeCanonical(value, numbers);
      const member = `,${name}:${text}`;
      if (unhashed.has(key)) rest += member;
      else hashed += member;
      if (!kept.has(key)) isRedacted = false;
      else if (key !== "signatures") signed += member;
    }
  }
  return { hashed: `{${hashed.slice(1)}}`, signed: `{${signed.slice(1)}}`, rest, isRedacted };
}

interface EncodedContent {
  readonly full: string;
  readonly redacted: string;
  readonly isRedacted: boolean;
}

function encodeContent(type: unknown, content: JsonValue, rules: RoomVersionRules): EncodedContent {
  const numbers = numbersOf(rules);
  const kept = keptContent(type, rules);
  if (!isObject(content)) return { full: encodeCanonical(content, numbers), redacted: "{}", isRedacted: false };
  if (kept === "all" || kept.length === 0) {
    const full = encodeCanonical(content, numbers);
    return { full, redacted: kept === "all" ? full : "{}", isRedacted: kept === "all" || full === "{}" };
  }
  const invite = keptInvite(type, content, rules);
  let [full, redacted] = ["", ""];
  let isRedacted = true;
  for (const key of sortedKeys(content)) {
    const name = encodeCanonical(key, numbers);
    const member = `,${name}:${encodeCanonical(content[key], numbers)}`;
    full += member;
    if (kept.includes(key)) redacted += member;
    else if (invite && key === "third_party_invite") redacted += `,${name}:${encodeCanonical(invite, numbers)}`;
    else isRedacted = false;
  }
  return { full: `{${full.slice(1)}}`, redacted: `{${redacted.slice(1)}}`, isRedacted };
}
