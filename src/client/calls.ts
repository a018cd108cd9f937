import type { Audience, Endpoint } from "../endpoint.js";
import type { AnyFederationError } from "../errors.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { Attempt } from "../failover/attempt.js";
import type { CallOptions, RoomCallOptions } from "../options.js";
import type { DroppedEvent } from "../validate/events.js";

/** An answer, who gave it, and how it was come by. */
export interface Answer<Output> {
  /** The answer: the parsed JSON itself. Callers that ask for the same thing at the same time share it; do not change it. */
  readonly value: Output;
  /** What was left out of it, because it can be no event or does not hold: the first thousand. */
  readonly dropped: readonly DroppedEvent[];
  /**
   * The ids of the events of which only the redacted form is there: their content's hash does not hold, and no other server
   * had them whole. The first thousand.
   */
  readonly redacted: readonly string[];
  /** The room's version, where events were verified; else undefined. */
  readonly roomVersion: RoomVersion | undefined;
  /** The server that gave it. */
  readonly via: string;
  /** Every request that was made, in order, with its verdict. */
  readonly attempts: readonly Attempt[];
}

/** The result of a call that does not throw. */
export type SafeAnswer<Output> =
  | ({
      /** There is an answer. */
      readonly ok: true;
    } & Answer<Output>)
  | {
      /** There is none. */
      readonly ok: false;
      /** What the throwing twin would have thrown. */
      readonly error: AnyFederationError;
      /** Every request that was made, in order, with its verdict. */
      readonly attempts: readonly Attempt[];
    };

/** A call to one server. */
export type ServerCall<Input, Output> = (server: string, input: Input, options?: CallOptions) => Promise<Output>;

/** A call that any server in the room may answer. */
export type RoomCall<Input, Output> = (
  input: Omit<Input, "roomId">,
  options?: RoomCallOptions,
) => Promise<Answer<Output>>;

/** The same calls, which return errors instead of throwing them. An abort by the caller still rejects. */
export type SafeTwin<Calls> = {
  readonly [Name in keyof Calls]: Calls[Name] extends (...args: infer Args) => Promise<infer Result>
    ? (...args: Args) => Promise<SafeAnswer<Result extends Answer<infer Output> ? Output : Result>>
    : SafeTwin<Calls[Name]>;
};

/** An endpoint of any input: each call has the input of its own one, as the interfaces of the calls say. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type AnyEndpoint<Who extends Audience> = Endpoint<any, unknown, Who>;
