export {
  type EndlessReply,
  endless,
  type ResetReply,
  reset,
  type StallReply,
  stall,
  stallBeforeHeaders,
} from "./reply-broken.js";
export { delay, type HeldBehaviour, held, sequence } from "./reply-flow.js";
export { type MediaReply, media, mediaRedirect } from "./reply-media.js";
export {
  approximateMembership,
  garbage,
  gzip,
  htmlError,
  json,
  matrixError,
  notFullyJoined,
  type PartialStateReply,
  partialState,
  type RateLimitHints,
  type RawReply,
  rateLimited,
  raw,
  redirect,
} from "./reply-plain.js";
