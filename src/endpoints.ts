/**
 * The endpoints of the Server-Server API, as values.
 *
 * @packageDocumentation
 */
export { allEndpoints } from "./endpoints/index.js";
export {
  type MakeJoinInput,
  type MakeLeaveInput,
  type MakeMembershipResponse,
  makeJoin,
  makeLeave,
  type SendJoinInput,
  type SendJoinResponse,
  sendJoin,
} from "./endpoints/joins.js";
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
