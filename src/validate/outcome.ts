import type { ResponseIssue, TransportError, Unproved } from "../errors.js";
import type { RoomVersion } from "../events/room-versions.js";
import type { DroppedEvent } from "./events.js";

/** Why no response came back. `notAllowed`: our own address policy or proxy did not let the request out. */
export type FailureKind = "notAllowed" | "resolve" | "connect" | "tls" | "timeout" | "connectionLost";

/** Why no response came back, by the code of the error that says so. */
export const failureKinds: Readonly<Record<TransportError["code"], FailureKind>> = {
  ERR_CONNECT: "connect",
  ERR_ADDRESS_REFUSED: "notAllowed",
  ERR_PROXY: "notAllowed",
  ERR_TLS: "tls",
  ERR_CONNECTION_LOST: "connectionLost",
  ERR_TIMEOUT: "timeout",
};

/** What came of one attempt, before anybody says what it means. */
export type Outcome<Output = unknown> =
  | {
      /** A success whose body is valid. */
      readonly kind: "answer";
      /** The HTTP status. */
      readonly status: number;
      /** The body: the parsed JSON itself. */
      readonly value: Output;
      /** What was left out of it, because it can be no event or does not hold: the first thousand. */
      readonly dropped?: readonly DroppedEvent[];
      /** The room's version, where the events were verified. */
      readonly roomVersion?: RoomVersion;
      /** The ids of the events of which only the redacted form is there: the first thousand. */
      readonly redacted?: readonly string[];
      /** Whether the server has only the redacted form of what another one has whole: it is still joining the room. */
      readonly isWithheld?: boolean;
    }
  | {
      /** A success whose body is not what the endpoint promises, or larger than it may be. */
      readonly kind: "malformed";
      /** The HTTP status. */
      readonly status: number;
      /** What is wrong with the body. */
      readonly issues: readonly ResponseIssue[];
      /** Why it may be what it promises, and we have not got what it takes to tell. */
      readonly unproved?: Unproved;
      /** Whether the body was cut off because of its size. */
      readonly tooLarge?: boolean;
    }
  | {
      /** Any other status: a Matrix error, or something that no homeserver wrote. */
      readonly kind: "error";
      /** The HTTP status. */
      readonly status: number;
      /** The Matrix error code; absent when the body is no Matrix error. */
      readonly errcode?: string;
      /** The error text, or the beginning of a body that is no Matrix error: cleaned and capped. */
      readonly text: string;
      /** How long the server asks us to wait, in milliseconds: `Retry-After`, else `retry_after_ms`. */
      readonly retryAfterMs?: number;
    }
  | {
      /** No response. */
      readonly kind: "failure";
      /** Why. */
      readonly failure: FailureKind;
      /** Whether any byte of the request may have reached the server. */
      readonly requestSent: boolean;
    };
