import type { SigningKey } from "../sign/signing-key.js";
import type { Store } from "../store/store.js";
import type { FetchKeys } from "./direct-keys.js";
import type { DocumentFault } from "./key-document.js";
import type { KeyFault, KeyRequest, KnownKey } from "./known-key.js";
import type { QueryNotary } from "./notaries.js";
import type { Wait } from "./patience.js";

/** What a key ring is made of. */
export interface KeyringOptions {
  /** Our own server name; its keys are never asked for over the network. */
  readonly ownServerName: string | undefined;
  /** Our own keys in use. */
  readonly ownKeys: readonly SigningKey[];
  /** Our own keys out of use, in the form of `old_verify_keys`, for our old events. */
  readonly ownOldKeys?: Readonly<Record<string, { readonly key: string; readonly expired_ts: number }>> | undefined;
  /** The servers that are trusted to tell the keys of others, asked in this order; nobody when empty. */
  readonly notaries: readonly string[];
  /**
   * Public keys that notaries sign with: by name, then by key id, in Base64. One of them must have signed. A notary that
   * is not listed must have signed with a key that it publishes itself as its own, in use.
   */
  readonly trustedNotaryKeys?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
  /** Where keys are kept; they last as long as the process without one. */
  readonly store?: Store | undefined;
  /** `GET /_matrix/key/v2/server`: the document as it was parsed. */
  readonly fetchKeys: FetchKeys;
  /** `POST /_matrix/key/v2/query`: the documents as they were parsed. */
  readonly queryNotary: QueryNotary;
}

/** How long to look for keys. */
export interface KeyOptions {
  /** Stops the search: the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** After how many milliseconds the answer is what is there by then; 30 seconds when absent. */
  readonly timeout?: number | undefined;
  /**
   * Called with each server as soon as the search for its keys is over, while others are still looked for: `peek` has
   * what was found. Not called for servers whose keys were at hand. It is waited for; what it throws ends the search.
   */
  readonly onServer?: ((server: string) => void | Promise<void>) | undefined;
  /**
   * What the keys are needed for, such as an answer whose events are verified in parts: any object; this search alone
   * when absent. All searches with the same object count as one, where requests are shared out and where it is counted
   * how many servers one search asks.
   */
  readonly onBehalfOf?: object | undefined;
}

/**
 * Why there is no key for a request:
 *
 * - `unknownKey`: the server answered, and has no such key.
 * - `retired`: the server no longer used the key then.
 * - `outOfValidity`: the key is known, but nobody vouches for it until then; or nobody can, so far ahead.
 * - `unreachable`: neither the server nor a notary gave a key document.
 * - `badDocument`: the server gave one that cannot be believed.
 * - `tooMany`: no notary told, and the server was not asked, since the search asked 500 others. When the same is searched
 *   again, the next 500 are asked.
 * - `timeout`: the search was not over when its time was.
 * - `closed`: the key ring asks nobody any more.
 * - `badRequest`: no server name, no id of an Ed25519 key, or no time.
 */
export type MissingReason = KeyFault | "badRequest" | "badDocument" | "unreachable" | "tooMany" | "timeout" | "closed";

/** A request that no key was found for. */
export interface MissingKey {
  /** The server. */
  readonly server: string;
  /** The key id. */
  readonly keyId: string;
  /** When the key would have to be valid: Unix time in milliseconds. */
  readonly at: number;
  /** Why there is none. */
  readonly reason: MissingReason;
}

/** The keys that were found. */
export interface KeyAnswer {
  /**
   * A key that is good for at least one of the requests that named it. Where several requests name one key for
   * different times, `missing` tells those for which it is not.
   */
  get(server: string, keyId: string): KnownKey | undefined;
  /** The requests for which there is no key. */
  readonly missing: readonly MissingKey[];
}

/** What a key ring knows and does. */
export interface KeyringState {
  /** All keys of other servers. */
  readonly keys: readonly KnownKey[];
  /** The servers that are not asked for their keys for a while, after an answer or a failure. */
  readonly waits: readonly Wait[];
  /** The notaries that are not asked for a while. */
  readonly notaryWaits: readonly Wait[];
  /** The servers that are being asked for their own keys. */
  readonly inFlight: readonly string[];
  /** What notaries are being asked: the notary and the server, with a space between. */
  readonly notariesInFlight: readonly string[];
}

/** Where a document that came by other means was got: from the server itself over its own connection, or a notary. */
export type LearnedFrom =
  | {
      /** The server itself. */
      readonly server: string;
    }
  | {
      /** The notary. */
      readonly notary: string;
    };

/**
 * The keys of other servers: found, checked, remembered. The rules at a glance:
 *
 * - Asked: a few servers themselves, at the same time, then the notaries for those that did not help. For more than 20
 *   servers the notaries first, a hundred servers a request. Our own keys, never.
 * - How many: 50 servers are asked at once. One search has 40 of these requests at most, and what is free goes to the
 *   search with the fewest, so that a small one need not wait for a large one. A server that has not answered for two
 *   seconds is waited for, but no longer counts: hundreds that hang do not block the others. One search asks 500 servers
 *   at most: who writes events can name any number, and each of them would have to bear our connections. Set notaries for
 *   large rooms: what they tell does not count.
 * - Believed: documents that name the server that was asked for and that it signed itself (`readKeyDocument`); from a
 *   notary, those that it signed too.
 * - Good: `verify_keys` until `valid_until_ts`, for 7 days at most, which events of room versions 1 to 4 ignore;
 *   `old_verify_keys` for events alone, until `expired_ts` (`keyFault`).
 * - Kept: the better of two (`preferredKey`), in memory, and in the store for 180 days.
 * - Not asked again: a server that answered, for a minute; one that failed, for 15 seconds and then twice as long each
 *   time, up to an hour, or a minute for the keys of requests. Each is asked once at a time, and given 10 seconds.
 */
export interface Keyring {
  /**
   * Finds keys: those that are known and good are answered without a request. What cannot be had by the deadline is in
   * `missing`. It rejects with the reason of `signal`, and for no lack of keys.
   * @throws {@link OptionError} `ERR_INPUT` when `requests` is no list of objects, `ERR_OPTION` for a wrong option.
   */
  keys(requests: readonly KeyRequest[], options?: KeyOptions): Promise<KeyAnswer>;
  /**
   * What is at hand, valid or not.
   * @throws {@link OptionError} `ERR_INPUT` when a name is no text.
   */
  peek(server: string, keyId: string): KnownKey | undefined;
  /**
   * Takes a key document that came by other means; it is checked as all are.
   *
   * @returns why it is not believed, or `undefined` when it is.
   * @throws {@link OptionError} `ERR_INPUT` when `from` names neither a server nor a notary.
   */
  learn(document: unknown, from: LearnedFrom): Promise<DocumentFault | undefined>;
  /** What is known and under way. */
  inspect(): KeyringState;
  /**
   * Forgets a server, its keys in the store included, so that it is asked again; or what this process knows of all.
   * @throws {@link OptionError} `ERR_INPUT` when the name is no text.
   */
  forget(server?: string): void;
  /** Ends all requests; searches under way answer with what they have. Waits for the store. */
  close(): Promise<void>;
}
