import type { RoomVersion } from "../events/room-versions.js";

/** What events are held against. */
export interface EventRules {
  /** The room's version. */
  readonly version: RoomVersion;
  /** The room that they have to be of; any when absent. */
  readonly roomId: string | undefined;
}

/** A key that is needed to verify an event. */
export interface NeededKey {
  /** Whose key. */
  readonly server: string;
  /** Its id, such as `ed25519:a_abcd`. */
  readonly keyId: string;
}

/** What was found out about one event. */
export interface CheckedEvent {
  /**
   * `valid`: everything holds. `redacted`: the signatures hold, but the content's hash does not; what was signed is the
   * redacted form. `keyless`: it may hold, but no key to tell is at hand. `invalid`: it does not hold.
   */
  readonly kind: "valid" | "redacted" | "keyless" | "invalid";
  /** Its id, where it has the form of an event. */
  readonly eventId: string | undefined;
  /** Whether it came without what redaction removes, and so may only have been withheld. */
  readonly isRedactedCopy?: boolean;
  /** What is wrong with it. */
  readonly reason?: string;
  /** Whether it is `invalid` since the keys had expired when it was made. */
  readonly keysExpired?: boolean;
  /** The keys that are needed, when it is `keyless`. */
  readonly needed?: readonly NeededKey[];
  /** When it was made, by its own word: Unix time in milliseconds; when it is `keyless`. */
  readonly at?: number;
}

/** Whether an event does not hold for lack of keys alone: no other server has better ones, and whoever told it may be honest. */
export const lacksKeys = ({ kind, keysExpired = false }: CheckedEvent): boolean => kind === "keyless" || keysExpired;
