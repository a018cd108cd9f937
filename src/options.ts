import type { ConnectOptions } from "./connect/connector.js";
import type { OldVerifyKey } from "./endpoints/keys.js";
import type { RoomVersion } from "./events/room-versions.js";
import type { BackoffOptions } from "./failover/server-records.js";
import type { Dns } from "./resolve/dns.js";
import type { SigningKey } from "./sign/signing-key.js";
import type { Store } from "./store/store.js";
import type { CallProgress, VerifiedEvent } from "./verify/verify-answer.js";

/** What a client is made with. */
export interface ClientOptions extends ConnectOptions {
  /** Our own server name: the origin of signed requests. Without it the client can make unsigned requests only. */
  readonly serverName?: string | undefined;
  /** The key, or keys, that sign for {@link ClientOptions.serverName}. */
  readonly signingKey?: SigningKey | readonly SigningKey[] | undefined;
  /** Where backoffs, partial-state memories and the keys of other servers outlive the process; in memory only when absent. */
  readonly store?: Store | undefined;
  /** When a server that fails is left alone, and for how long. */
  readonly backoff?: BackoffOptions | undefined;
  /** Where DNS records come from: the DNS servers of this machine when absent. */
  readonly dns?: Dns | undefined;
  /** The `User-Agent` header; the library's name when absent. */
  readonly userAgent?: string | undefined;
  /**
   * Whether the events of answers are verified: `full` when absent. See {@link RoomCallOptions.verify}, which is about one
   * call.
   */
  readonly verify?: "full" | "none" | undefined;
  /**
   * Servers that are trusted to tell the keys of others (notaries), asked in this order: for keys of servers that do not
   * answer, and for those of many servers at once. Nobody when absent.
   */
  readonly notaries?: readonly string[] | undefined;
  /**
   * The public keys of notaries: by name, then by key id such as `ed25519:a_1`, 32 bytes in Base64. A notary that is not
   * listed must have signed with a key that it publishes itself.
   */
  readonly trustedNotaryKeys?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
  /** Our own keys out of use, as our server publishes them in `old_verify_keys`: our old events were signed with them. */
  readonly oldSigningKeys?: Readonly<Record<string, OldVerifyKey>> | undefined;
  /** How many connections there may be to one destination; 32 when absent. */
  readonly maxConnectionsPerServer?: number | undefined;
}

/** What every call takes. */
export interface CallOptions {
  /** Aborts the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the whole call may take, in milliseconds: all attempts, all waits, the last byte of the body. When absent,
   * a call may take three times what the endpoint grants one attempt.
   */
  readonly timeout?: number | undefined;
  /**
   * How many times the servers may be gone through. When absent: 4 for a room, since a server in partial state is
   * worth asking again; 2 for one server.
   */
  readonly rounds?: number | undefined;
  /** Whether servers in backoff are asked too, when nobody else is left; their failures then do not count. */
  readonly ignoreBackoff?: boolean | undefined;
}

/** What calls about a room take. */
export interface RoomCallOptions extends CallOptions {
  /** The servers to ask first, such as the one that answered last time; they need not be among the residents. */
  readonly prefer?: readonly string[] | undefined;
  /**
   * The servers that sent us the event in question: MSC3895 obliges them to answer, so they are asked first. They need
   * not be among the residents.
   */
  readonly sentBy?: readonly string[] | undefined;
  /** The server through which we joined the room a moment ago: a refusal by the others is then no last word. */
  readonly joinedVia?: string | undefined;
  /**
   * Whether the events of the answer are verified. `full`: their form, content hashes, signatures and ids; events that do
   * not hold are left out and told in `dropped`, or asked of another resident; of those that came redacted others are
   * asked too. `none`: the answer is what the server said. `full` when absent, here and in the options of the client.
   */
  readonly verify?: "full" | "none" | undefined;
  /** The room's version, without which no event can be verified; when absent, it is asked for, once. */
  readonly roomVersion?: RoomVersion | undefined;
  /**
   * Takes each event as soon as it is verified, one at a time and in no certain order; it is waited for. One that is in
   * two fields of the answer, such as `pdus` and `auth_chain`, comes twice. The arrays of events in the answer are then
   * empty, so that a large one needs little memory. Only once the call has succeeded is all of it true: see
   * {@link VerifiedEvent.answer}. No other server is asked beside one that is slow.
   */
  readonly onEvent?: ((event: VerifiedEvent) => void | Promise<void>) | undefined;
  /**
   * Is told from time to time how far the reading of a large answer is: of `state` and `sendJoin`. No other server is asked
   * beside one that is slow.
   */
  readonly onProgress?: ((progress: CallProgress) => void | Promise<void>) | undefined;
}

/**
 * The servers in a room: a list, something to iterate over, or a function of the room id that returns either. Our own
 * name and duplicates are dropped. In a list a wrong server name is an error; elsewhere it is skipped.
 */
export type Residents =
  | readonly string[]
  | Iterable<string>
  | AsyncIterable<string>
  | ((roomId: string) => Iterable<string> | AsyncIterable<string> | Promise<Iterable<string>>);

/** What a room handle is made with. */
export interface RoomOptions {
  /** The servers in the room. */
  readonly residents: Residents;
  /** The room's version, for all calls: see {@link RoomCallOptions.roomVersion}. */
  readonly roomVersion?: RoomVersion | undefined;
}

/** How many attempts' time a call has when the caller does not say: enough for two slow servers and a third. */
export const DEFAULT_TIMEOUT_FACTOR = 3;
/** One more try spans a restart; more would keep people waiting for a server that is down. */
export const DEFAULT_SERVER_ROUNDS = 2;
/** Three waits, growing to some seconds: partial state often ends while we wait, and never all at once. */
export const DEFAULT_ROOM_ROUNDS = 4;
/** More residents than anybody needs to choose from; a membership table may have tens of thousands. */
export const MAX_CANDIDATES = 1_000;
