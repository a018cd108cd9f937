import { type Channel, channel } from "node:diagnostics_channel";
import type { VerdictName } from "./verdict/judge.js";

/** What is published on `matrix-federation-sdk:request:start`. */
export interface RequestStartEvent {
  /** The server that is asked. */
  readonly server: string;
  /** The endpoint's name, such as `state_ids`. */
  readonly endpoint: string;
  /** The room, where the request is about one. */
  readonly roomId: string | undefined;
}

/** What is published on `matrix-federation-sdk:request:end`, also when the request was aborted. */
export interface RequestEndEvent extends RequestStartEvent {
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** The HTTP status, where there was a response. */
  readonly status: number | undefined;
}

/** What is published on `matrix-federation-sdk:verdict`. */
export interface VerdictEvent extends RequestEndEvent {
  /** What the outcome means. */
  readonly verdict: VerdictName;
  /** The rule of the verdict table that matched. */
  readonly rule: string;
  /** The Matrix error code, where there was one. */
  readonly errcode: string | undefined;
}

/** What is published on `matrix-federation-sdk:partial-state`: a server said that it is still joining a room. */
export interface PartialStateEvent {
  /** The server in partial state. */
  readonly server: string;
  /** The room. */
  readonly roomId: string;
  /** When it first said so: Unix time in milliseconds. */
  readonly since: number;
  /** How often it has said so. */
  readonly times: number;
}

/** What is published on `matrix-federation-sdk:backoff:open` and `matrix-federation-sdk:backoff:close`. */
export interface BackoffEvent {
  /** The server. */
  readonly server: string;
  /** How many failures were counted in a row. */
  readonly failures: number;
  /** When the server may be asked again: Unix time in milliseconds; absent when the backoff closes. */
  readonly retryAt: number | undefined;
}

/** The names of the diagnostics channels and what is published on each. */
export interface DiagnosticsEvents {
  /** An attempt begins. */
  "matrix-federation-sdk:request:start": RequestStartEvent;
  /** An attempt has ended. */
  "matrix-federation-sdk:request:end": RequestEndEvent;
  /** An attempt was judged. */
  "matrix-federation-sdk:verdict": VerdictEvent;
  /** A server said that it is in partial state. */
  "matrix-federation-sdk:partial-state": PartialStateEvent;
  /** A server's backoff opened: it is not asked for a while. */
  "matrix-federation-sdk:backoff:open": BackoffEvent;
  /** A server's backoff closed: it answered, or was marked alive or reset. */
  "matrix-federation-sdk:backoff:close": BackoffEvent;
}

const names: readonly (keyof DiagnosticsEvents)[] = [
  "matrix-federation-sdk:request:start",
  "matrix-federation-sdk:request:end",
  "matrix-federation-sdk:verdict",
  "matrix-federation-sdk:partial-state",
  "matrix-federation-sdk:backoff:open",
  "matrix-federation-sdk:backoff:close",
];

const channels = Object.fromEntries(names.map((name) => [name, channel(name)])) as unknown as Readonly<
  Record<keyof DiagnosticsEvents, Channel>
>;

/** Publishes what `describe` returns; calls it only when somebody listens. */
export function publish<Name extends keyof DiagnosticsEvents>(
  name: Name,
  describe: () => DiagnosticsEvents[Name],
): void {
  const to = channels[name];
  if (to.hasSubscribers) to.publish(describe());
}

/**
 * Listens to what the library does. Returns the function that stops listening.
 *
 * @param name - A channel's name, such as `matrix-federation-sdk:verdict`.
 * @param listener - Called with each event, while the request waits: it should be quick.
 */
export function observe<Name extends keyof DiagnosticsEvents>(
  name: Name,
  listener: (event: DiagnosticsEvents[Name]) => void,
): () => void {
  const onMessage = (message: unknown): void => listener(message as DiagnosticsEvents[Name]);
  channels[name].subscribe(onMessage);
  return () => void channels[name].unsubscribe(onMessage);
}
