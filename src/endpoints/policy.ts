import { defineEndpoint, type Endpoint } from "../endpoint.js";
import { guard } from "../validate/schema.js";
import { signatures } from "./keys.js";
import type { PduLike } from "./room-reads.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";

/** The input of {@link policySign}. */
export interface PolicySignInput {
  /** The event to sign; any but the room's own `m.room.policy` state event. */
  event: PduLike;
}

/**
 * The answer of {@link policySign}: the policy server's signature, by server name and key id. The key id is
 * `ed25519:policy_server`. Add it to the event's own signatures, which are not in the answer.
 */
export type PolicySignResponse = Record<string, Record<string, string>>;

/**
 * `POST /_matrix/policy/unstable/org.matrix.msc4284/sign`: {@link policySign} as it was before it was in the specification.
 * MSC4284.
 *
 * Policyserv serves it. It has no error for an event that is refused: the answer is `{}`, without a signature.
 */
export const policySignUnstable: Endpoint<PolicySignInput, PolicySignResponse, "server"> = defineEndpoint({
  name: "policy_sign_unstable",
  method: "POST",
  path: "/_matrix/policy/unstable/org.matrix.msc4284/sign",
  body: ({ event }) => event,
  required: ["event"],
  forms: { event: "object" },
  audience: "server",
  // The same event gets the same signature.
  repeatable: "anyServer",
  timeoutMs: 30_000,
  maxResponseBytes: 64 * 1024,
  response: guard<PolicySignResponse>(signatures),
  spec: "https://github.com/matrix-org/matrix-spec-proposals/pull/4284",
});

/**
 * `POST /_matrix/policy/v1/sign`: asks a room's policy server to sign an event; it goes to the server that the room's
 * `m.room.policy` state names.
 *
 * The signature is not checked here: an event is approved only when the answer holds one that the policy server's key
 * proves. Policyserv answers `{}` when it fails to sign. A server that knows only {@link policySignUnstable} is asked
 * that, and says `{}` of an event that it refuses.
 */
export const policySign: Endpoint<PolicySignInput, PolicySignResponse, "server"> = defineEndpoint({
  name: "policy_sign",
  method: "POST",
  path: "/_matrix/policy/v1/sign",
  body: ({ event }) => event,
  required: ["event"],
  forms: { event: "object" },
  audience: "server",
  // The same event gets the same signature.
  repeatable: "anyServer",
  // Policy servers scan media; Synapse had 3 seconds and saw timeouts.
  timeoutMs: 30_000,
  maxResponseBytes: 64 * 1024,
  errors: [
    { status: 400, errcode: "M_BAD_JSON" },
    { status: 400, errcode: "M_NOT_JSON" },
    { status: 400, errcode: "M_FORBIDDEN" },
    { status: 403, errcode: "M_FORBIDDEN" },
    { status: 404, errcode: "M_NOT_FOUND" },
    { status: 404, errcode: "M_UNRECOGNIZED" },
    { status: 429, errcode: "M_LIMIT_EXCEEDED" },
  ],
  olderVersion: { endpoint: policySignUnstable },
  response: guard<PolicySignResponse>(signatures),
  spec: `${SPEC}#post_matrixpolicyv1sign`,
});
