import type { Endpoint } from "../endpoint.js";
import { invite, inviteV1 } from "./invites.js";
import { makeJoin, sendJoin, sendJoinV1 } from "./joins.js";
import { makeKnock, sendKnock } from "./knocks.js";
import { makeLeave, sendLeave, sendLeaveV1 } from "./leaves.js";
import { queryDirectory, queryProfile, send, version } from "./one-server.js";
import { hierarchy, timestampToEvent } from "./room-lookups.js";
import { backfill, event, eventAuth, getMissingEvents, state, stateIds } from "./room-reads.js";
import {
  exchangeThirdPartyInvite,
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
} from "./third-party-invites.js";

/** The endpoint table: every endpoint of the specification that the library knows. */
// biome-ignore lint/suspicious/noExplicitAny: the table holds endpoints of every input and output
export const allEndpoints: ReadonlyArray<Endpoint<any, unknown>> = [
  version,
  queryDirectory,
  queryProfile,
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
];
