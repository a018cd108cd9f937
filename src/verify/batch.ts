import type { RoomVersion } from "../events/room-versions.js";
import type { KnownKey } from "../keyring/known-key.js";

/** Events as JSON texts, one behind the other in one buffer. */
export interface Batch {
  /** The texts: UTF-8. Shared between threads, so nobody writes to it any more. */
  readonly bytes: Uint8Array;
  /** Where each text ends in `bytes`. */
  readonly ends: readonly number[];
}

/** What events are held against. */
export interface EventRules {
  /** The room's version. */
  readonly version: RoomVersion;
  /** The room that they have to be of; any when absent. */
  readonly roomId: string | undefined;
}

/** What the main thread asks another one. */
export interface BatchRequest extends Batch, EventRules {
  /** Tells the answers apart. */
  readonly id: number;
  /** Whose events they are: requests of one session share the keys that came with each of them. */
  readonly session: number;
  /** Keys that were needed before, and are known now. */
  readonly keys: readonly KnownKey[];
}

/** What a thread answers. */
export interface BatchAnswer {
  /** The request's. */
  readonly id: number;
  /** In the order of the request. A valid event is its id alone, for nearly all are valid. */
  readonly events: readonly (string | CheckedEvent)[];
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
   * redacted form. `keyless`: it may hold, but no key to tell is at hand. `invalid`: it does not hold. `notJson`: it is no
   * JSON, and so neither is what it came in.
   */
  readonly kind: "valid" | "redacted" | "keyless" | "invalid" | "notJson";
  /** Its id, where it has the form of an event. */
  readonly eventId: string | undefined;
  /** Whether it came without what redaction removes, and so may only have been withheld. */
  readonly isRedactedCopy?: boolean;
  /** What is wrong with it. */
  readonly reason?: string;
  /** The keys that are needed, when it is `keyless`. */
  readonly needed?: readonly NeededKey[];
  /** When it was made, by its own word: Unix time in milliseconds; when it is `keyless`. */
  readonly at?: number;
}
