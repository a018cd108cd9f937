import type { Endpoint } from "../endpoint.js";
import { makeJoin, makeLeave, sendJoin } from "./joins.js";
import { queryDirectory, queryProfile, send, version } from "./one-server.js";
import { hierarchy, timestampToEvent } from "./room-lookups.js";
import { backfill, event, eventAuth, getMissingEvents, state, stateIds } from "./room-reads.js";

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
  makeLeave,
];
