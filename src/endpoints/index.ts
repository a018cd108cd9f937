import type { Endpoint } from "../endpoint.js";
import { invite, inviteV1 } from "./invites.js";
import { makeJoin, sendJoin, sendJoinV1 } from "./joins.js";
import { queryKeys, queryServerKeys, serverKeys } from "./keys.js";
import { makeKnock, sendKnock } from "./knocks.js";
import { makeLeave, sendLeave, sendLeaveV1 } from "./leaves.js";
import { mediaDownload, mediaThumbnail } from "./media.js";
import { openIdUserinfo, query, queryDirectory, queryProfile, send, version } from "./one-server.js";
import { policySign, policySignUnstable } from "./policy.js";
import { publicRooms, searchPublicRooms } from "./public-rooms.js";
import { hierarchy, timestampToEvent } from "./room-lookups.js";
import { backfill, event, eventAuth, getMissingEvents, state, stateIds } from "./room-reads.js";
import {
  exchangeThirdPartyInvite,
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
} from "./third-party-invites.js";
import { claimManyUserKeys, eventRelationships, extremities, policyCheck, roomComplexity } from "./unstable.js";
import { claimUserKeys, queryUserKeys, userDevices } from "./users.js";

/**
 * The endpoint table: every endpoint of the specification that is a request to a homeserver, and those that are in use
 * though unstable.
 */
// biome-ignore lint/suspicious/noExplicitAny: the table holds endpoints of every input and output
export const allEndpoints: ReadonlyArray<Endpoint<any, unknown>> = [
  version,
  serverKeys,
  queryServerKeys,
  queryKeys,
  queryDirectory,
  queryProfile,
  // After the queries that have an endpoint of their own: its path is theirs too.
  query,
  openIdUserinfo,
  publicRooms,
  searchPublicRooms,
  userDevices,
  claimUserKeys,
  queryUserKeys,
  policySign,
  mediaDownload,
  mediaThumbnail,
  send,
  stateIds,
  state,
  event,
  eventAuth,
  backfill,
  getMissingEvents,
  timestampToEvent,
  hierarchy,
  makeJoin,
  sendJoin,
  sendJoinV1,
  makeKnock,
  sendKnock,
  invite,
  inviteV1,
  makeLeave,
  sendLeave,
  sendLeaveV1,
  exchangeThirdPartyInvite,
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
  extremities,
  roomComplexity,
  eventRelationships,
  claimManyUserKeys,
  policySignUnstable,
  policyCheck,
];
