import type { KeyOf } from "../events/verify-event.js";
import type { KnownKey } from "../keyring/known-key.js";

/** The keys that the events of one call were signed with, as far as they are known. */
export class KeysAtHand {
  readonly #keys = new Map<string, KnownKey>();

  /** The key of a server. */
  readonly keyOf: KeyOf = (server, keyId) => this.#keys.get(nameOf(server, keyId));

  /** Adds one, or replaces what was known of it. */
  add(key: KnownKey): void {
    this.#keys.set(nameOf(key.server, key.keyId), key);
  }
}

const nameOf = (server: string, keyId: string): string => `${server} ${keyId}`;
