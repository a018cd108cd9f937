import { z } from "zod";
import { defineEndpoint, type Endpoint, type JsonObject } from "../endpoint.js";
import { guard, integer, isObject } from "../validate/schema.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** The input of {@link publicRooms}. */
export interface PublicRoomsInput {
  /** The most rooms to return; when absent or 0, as many as the server likes: Synapse all of them, Dendrite 50. */
  limit?: number | undefined;
  /** Where to go on: `next_batch` or `prev_batch` of an earlier answer; at the beginning when null or absent. */
  since?: string | null | undefined;
  /** Whether to list the rooms of all bridged networks too; no when absent. */
  includeAllNetworks?: boolean | undefined;
  /** The one bridged network to list; not together with `includeAllNetworks`. */
  thirdPartyInstanceId?: string | undefined;
}

/** A room in a server's directory. */
export interface PublishedRoom {
  /** The value. Dendrite fills up a page with rooms whose id is empty when it lacks the state of some. */
  room_id: string;
  /** How many users are joined to it. */
  num_joined_members: number;
  /** Whether it can be read without joining. */
  world_readable: boolean;
  /** Whether guests may join. */
  guest_can_join: boolean;
  /** The room's name. */
  name?: string | null;
  /** The room's topic, as plain text. */
  topic?: string | null;
  /** The room's main alias. */
  canonical_alias?: string | null;
  /** The room's avatar: an `mxc:` URI. */
  avatar_url?: string | null;
  /** Who may join; `public` when absent. */
  join_rule?: string | null;
  /** The room's type, such as `m.space`. */
  room_type?: string | null;
}

/** The answer of {@link publicRooms} and {@link searchPublicRooms}. */
export interface PublicRoomsResponse {
  /** A page of rooms, in the server's own order. */
  chunk: PublishedRoom[];
  /** Where the next page begins; absent on the last one. */
  next_batch?: string | null;
  /** Where the page before begins; absent on the first one. */
  prev_batch?: string | null;
  /** About how many rooms there are in all. */
  total_room_count_estimate?: number | null;
}

const OPTIONAL_TEXTS = ["name", "topic", "canonical_alias", "avatar_url", "join_rule", "room_type"];

function isPublishedRoom(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value.room_id === "string" &&
    typeof value.num_joined_members === "number" &&
    typeof value.world_readable === "boolean" &&
    typeof value.guest_can_join === "boolean" &&
    OPTIONAL_TEXTS.every((name) => value[name] === undefined || value[name] === null || typeof value[name] === "string")
  );
}

const page = guard<PublicRoomsResponse>(
  z.looseObject({
    chunk: z.custom(
      (value) => Array.isArray(value) && value.every(isPublishedRoom),
      "expected an array of rooms with room_id, num_joined_members, world_readable and guest_can_join",
    ),
    next_batch: z.string().nullish(),
    prev_batch: z.string().nullish(),
    total_room_count_estimate: integer.nullish(),
  }),
);

/** `GET /_matrix/federation/v1/publicRooms`: a page of the rooms in a server's directory. */
export const publicRooms: Endpoint<PublicRoomsInput, PublicRoomsResponse, "server"> = defineEndpoint({
  name: "public_rooms",
  path: "/_matrix/federation/v1/publicRooms",
  query: {
    limit: "limit",
    since: "since",
    include_all_networks: "includeAllNetworks",
    third_party_instance_id: "thirdPartyInstanceId",
  },
  audience: "server",
  timeoutMs: 60_000,
  // Synapse returns all rooms at once when no limit is given.
  maxResponseBytes: 50 * MIB,
  response: page,
  spec: `${SPEC}#get_matrixfederationv1publicrooms`,
});

/** What the rooms of {@link searchPublicRooms} have to be like. */
export interface PublicRoomsFilter {
  /** A text to search for in name, topic and alias. */
  genericSearchTerm?: string | undefined;
  /** The types of rooms to return, null for rooms without a type; all types when absent. */
  roomTypes?: readonly (string | null)[] | undefined;
}

/** The input of {@link searchPublicRooms}. */
export interface SearchPublicRoomsInput extends PublicRoomsInput {
  /** What the rooms have to be like; anything when absent. Dendrite does not look at it. */
  filter?: PublicRoomsFilter | undefined;
}

/** `POST /_matrix/federation/v1/publicRooms`: a page of the rooms in a server's directory that fit a filter. */
export const searchPublicRooms: Endpoint<SearchPublicRoomsInput, PublicRoomsResponse, "server"> = defineEndpoint({
  name: "search_public_rooms",
  method: "POST",
  path: "/_matrix/federation/v1/publicRooms",
  body: ({ limit, since, filter, includeAllNetworks, thirdPartyInstanceId }) => ({
    ...(limit !== undefined && { limit }),
    ...(since !== undefined && since !== null && { since }),
    ...(filter !== undefined && { filter: filterOnTheWire(filter) }),
    ...(includeAllNetworks !== undefined && { include_all_networks: includeAllNetworks }),
    ...(thirdPartyInstanceId !== undefined && { third_party_instance_id: thirdPartyInstanceId }),
  }),
  forms: { filter: "object" },
  audience: "server",
  // It only reads.
  repeatable: "anyServer",
  timeoutMs: 60_000,
  maxResponseBytes: 50 * MIB,
  response: page,
  spec: `${SPEC}#post_matrixfederationv1publicrooms`,
});

function filterOnTheWire({ genericSearchTerm, roomTypes }: PublicRoomsFilter): JsonObject {
  return {
    ...(genericSearchTerm !== undefined && { generic_search_term: genericSearchTerm }),
    ...(roomTypes !== undefined && { room_types: [...roomTypes] }),
  };
}
