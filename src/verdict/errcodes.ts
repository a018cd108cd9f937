/** The error code that MSC3895 proposes for "this server is still joining the room". */
export const PARTIAL_STATE_ERRCODE = "M_UNABLE_DUE_TO_PARTIAL_STATE";

/** The same while MSC3895 is unstable: what Synapse sends. */
export const UNSTABLE_PARTIAL_STATE_ERRCODE = "ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE";

/**
 * Whether a Matrix error code means that the answering server is still joining the room, and therefore cannot say
 * (MSC3895). The server is up; another resident of the room may answer.
 *
 * @param errcode - The `errcode` of an error body, or anything else.
 */
export function isPartialStateErrcode(errcode: unknown): boolean {
  return errcode === PARTIAL_STATE_ERRCODE || errcode === UNSTABLE_PARTIAL_STATE_ERRCODE;
}
