/**
 * The endpoints of the Server-Server API, as values.
 *
 * @packageDocumentation
 */
export { allEndpoints } from "./endpoints/index.js";
export {
  type AnyInviteInput,
  type InviteInput,
  type InviteInputV1,
  type InviteInputV3,
  type InviteInputV12,
  type InviteResponse,
  invite,
  inviteV1,
  type PduWithId,
} from "./endpoints/invites.js";
export {
  type MakeJoinInput,
  makeJoin,
  type SendJoinInput,
  type SendJoinResponse,
  sendJoin,
  sendJoinV1,
} from "./endpoints/joins.js";
export {
  type MakeKnockInput,
  type MakeKnockResponse,
  makeKnock,
  type SendKnockInput,
  type SendKnockResponse,
  sendKnock,
} from "./endpoints/knocks.js";
export { type MakeLeaveInput, makeLeave, type SendLeaveInput, sendLeave, sendLeaveV1 } from "./endpoints/leaves.js";
export type { EmptyResponse, MakeMembershipResponse } from "./endpoints/membership.js";
export {
  type QueryDirectoryInput,
  type QueryDirectoryResponse,
  type QueryProfileInput,
  type QueryProfileResponse,
  queryDirectory,
  queryProfile,
  type SendInput,
  type SendPduResult,
  type SendResponse,
  send,
  type VersionResponse,
  version,
} from "./endpoints/one-server.js";
export {
  type HierarchyInput,
  type HierarchyResponse,
  hierarchy,
  type TimestampToEventInput,
  type TimestampToEventResponse,
  timestampToEvent,
} from "./endpoints/room-lookups.js";
export {
  type BackfillInput,
  type BackfillResponse,
  backfill,
  type EventAuthInput,
  type EventAuthResponse,
  type EventInput,
  type EventResponse,
  event,
  eventAuth,
  getMissingEvents,
  type MissingEventsInput,
  type MissingEventsResponse,
  type Pdu,
  type StateIdsResponse,
  type StateInput,
  type StateResponse,
  state,
  stateIds,
} from "./endpoints/room-reads.js";
export {
  type ExchangeThirdPartyInviteInput,
  exchangeThirdPartyInvite,
  type OnBindThirdPartyIdentifierInput,
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
  type PendingThirdPartyInvite,
  type SignedThirdPartyInvite,
} from "./endpoints/third-party-invites.js";
