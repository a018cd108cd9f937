/**
 * The endpoints of the Server-Server API, as values.
 *
 * @packageDocumentation
 */
export { allEndpoints } from "./endpoints/index.js";
export {
  type AnyInviteInput,
  type InviteInput,
  type InviteInputOfAnyVersion,
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
  isServerKeys,
  type KeyCriteria,
  type OldVerifyKey,
  type QueryKeysInput,
  type QueryKeysResponse,
  type QueryServerKeysInput,
  queryKeys,
  queryServerKeys,
  type ServerKeys,
  serverKeys,
  type VerifyKey,
} from "./endpoints/keys.js";
export {
  type MakeKnockInput,
  type MakeKnockResponse,
  makeKnock,
  type SendKnockInput,
  type SendKnockResponse,
  sendKnock,
} from "./endpoints/knocks.js";
export { type MakeLeaveInput, makeLeave, type SendLeaveInput, sendLeave, sendLeaveV1 } from "./endpoints/leaves.js";
export { type MediaDownloadInput, type MediaThumbnailInput, mediaDownload, mediaThumbnail } from "./endpoints/media.js";
export type { EmptyResponse, MakeMembershipResponse } from "./endpoints/membership.js";
export {
  isSubjectOf,
  type OpenIdUserinfoInput,
  type OpenIdUserinfoResponse,
  openIdUserinfo,
  type QueryDirectoryInput,
  type QueryDirectoryResponse,
  type QueryInput,
  type QueryProfileInput,
  type QueryProfileResponse,
  query,
  queryDirectory,
  queryProfile,
  type SendInput,
  type SendPduResult,
  type SendResponse,
  send,
  type VersionResponse,
  version,
} from "./endpoints/one-server.js";
export { type PolicySignInput, type PolicySignResponse, policySign, policySignUnstable } from "./endpoints/policy.js";
export {
  type PublicRoomsFilter,
  type PublicRoomsInput,
  type PublicRoomsResponse,
  type PublishedRoom,
  publicRooms,
  type SearchPublicRoomsInput,
  searchPublicRooms,
} from "./endpoints/public-rooms.js";
export {
  type HierarchyInput,
  type HierarchyResponse,
  hierarchy,
  type SpaceRoom,
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
  type PduFields,
  type PduLike,
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
export {
  type ClaimManyUserKeysInput,
  claimManyUserKeys,
  type EventRelationshipsInput,
  type EventRelationshipsResponse,
  type ExtremitiesInput,
  type ExtremitiesResponse,
  eventRelationships,
  extremities,
  type PolicyCheckInput,
  type PolicyCheckResponse,
  policyCheck,
  type RoomComplexityInput,
  type RoomComplexityResponse,
  roomComplexity,
} from "./endpoints/unstable.js";
export {
  type ClaimUserKeysInput,
  type ClaimUserKeysResponse,
  type CrossSigningKey,
  claimUserKeys,
  type DeviceKeys,
  isCrossSigningKey,
  isDeviceKeys,
  type OneTimeKey,
  type QueryUserKeysInput,
  type QueryUserKeysResponse,
  queryUserKeys,
  type UserDevice,
  type UserDevicesInput,
  type UserDevicesResponse,
  userDevices,
} from "./endpoints/users.js";
export { type DiscoveryOperation, type WellKnownServerResponse, wellKnownServer } from "./endpoints/well-known.js";
