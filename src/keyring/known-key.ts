/** How long a key is trusted at most after it was fetched, whatever its document says: 7 days, in milliseconds. */
export const MAX_VALIDITY_MS: number = 7 * 24 * 3_600_000;

/** Who told us of a key: we ourselves, the server over its own TLS connection, or a notary. */
export type KeySource = "own" | "direct" | `notary:${string}`;

/** A public key of a server. */
export interface KnownKey {
  /** Whose key it is. */
  readonly server: string;
  /** Its key id, such as `ed25519:a_abcd`. */
  readonly keyId: string;
  /** The Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Until when it may be used: Unix time in milliseconds, at most 7 days after `fetchedAt`. */
  readonly validUntilTs: number;
  /** When the server stopped using it (`old_verify_keys`): Unix time in milliseconds; absent while it is in use. */
  readonly expiredTs?: number;
  /** Who told us. */
  readonly source: KeySource;
  /** When we were told: Unix time in milliseconds. */
  readonly fetchedAt: number;
}

/** A key that somebody needs, and what for. */
export interface KeyRequest {
  /** Whose key it is. */
  readonly server: string;
  /** Its key id, such as `ed25519:a_abcd`. */
  readonly keyId: string;
  /** The time at which it has to be valid: Unix time in milliseconds; of an event, its `origin_server_ts`. */
  readonly at: number;
  /** What was signed. Requests are signed with keys in use alone, events may be older than that. */
  readonly use: "event" | "request";
  /** Whether `valid_until_ts` counts: for requests, and for events of room versions from 5 on. */
  readonly enforceValidity: boolean;
}

/** Why a key is not good for a request: not known, no longer in use, or not vouched for until then. */
export type KeyFault = "unknownKey" | "retired" | "outOfValidity";

/**
 * Why a key is not good for a request; `undefined` when it is good. The rules:
 *
 * - A key in use (`verify_keys`) is valid until `valid_until_ts`, and never longer than 7 days from now.
 * - For events of room versions 1 to 4 `valid_until_ts` does not count.
 * - A key out of use (`old_verify_keys`) is good for events alone, and for those until `expired_ts`.
 *
 * Specification: Server-Server API, "Publishing Keys"; Room Version 5, "Signing key validity period".
 */
export function keyFault(
  key: KnownKey | undefined,
  request: KeyRequest,
  now: number = Date.now(),
): KeyFault | undefined {
  if (!key) return "unknownKey";
  const { at, use, enforceValidity } = request;
  if (key.expiredTs !== undefined) return use === "event" && at <= key.expiredTs ? undefined : "retired";
  if (use === "event" && !enforceValidity) return undefined;
  // Seen from now as well: the clock may have been set back since the key was fetched.
  const until = key.source === "own" ? key.validUntilTs : Math.min(key.validUntilTs, now + MAX_VALIDITY_MS);
  return (use === "request" ? Math.max(at, now) : at) <= until ? undefined : "outOfValidity";
}

/** Whether a key that has a fault could be had by asking for it: no answer makes a key valid for longer than 7 days. */
export function canBeCured(key: KnownKey | undefined, request: KeyRequest, now: number = Date.now()): boolean {
  if (request.enforceValidity && request.at > now + MAX_VALIDITY_MS) return false;
  // What the server itself put out of use stays so. A notary may be wrong about it.
  return key === undefined || (key.source !== "own" && (key.expiredTs === undefined || key.source !== "direct"));
}

/**
 * Which of two keys with one id of one server to keep: good keys are never overwritten by worse.
 *
 * - The server's own word counts more than a notary's: a notary neither replaces, nor retires, nor brings back what the
 *   server itself told us.
 * - The same key is valid until the later of the two times: an older document does not shorten it.
 * - A key out of use stays out of use, from the earlier of the two times on.
 * - Another key under the same id replaces the known one only when the server itself says that it is in use. The
 *   specification is silent here; Synapse takes whatever came last.
 */
export function preferredKey(known: KnownKey | undefined, offered: KnownKey): KnownKey {
  if (!known) return offered;
  const [had, has] = [known.source === "direct", offered.source === "direct"];
  if (!isSameKey(known, offered)) return has && (!had || offered.expiredTs === undefined) ? offered : known;
  if (known.expiredTs === undefined && offered.expiredTs === undefined) {
    const longer = offered.validUntilTs >= known.validUntilTs ? offered : known;
    return { ...longer, source: had || !has ? known.source : "direct" };
  }
  if (had !== has) return has ? offered : known;
  return (offered.expiredTs ?? Number.POSITIVE_INFINITY) < (known.expiredTs ?? Number.POSITIVE_INFINITY)
    ? offered
    : known;
}

/** Whether two keys are the same 32 bytes. */
export function isSameKey({ publicKey: left }: KnownKey, { publicKey: right }: KnownKey): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
