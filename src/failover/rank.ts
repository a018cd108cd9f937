import type { PartialMemory } from "./partial-memory.js";
import type { ServerRecords } from "./server-records.js";

/** What the order of the candidates depends on. */
export interface RankContext {
  /** What is known of each server. */
  readonly records: ServerRecords;
  /** Which servers are still joining which room. */
  readonly partial: PartialMemory;
  /** Whether a server is known not to serve the endpoint. */
  readonly isUnsupported: (server: string) => boolean;
  /** The room, where the request is about one. */
  readonly roomId: string | undefined;
  /** The servers that sent us the event in question: they are obliged to answer. */
  readonly sentBy: readonly string[] | undefined;
  /** The servers to ask first. */
  readonly prefer: readonly string[] | undefined;
}

const tier = {
  obliged: 0,
  preferred: 1,
  healthy: 2,
  unknown: 3,
  troubled: 4,
  unsupported: 10,
  partial: 11,
  inBackoff: Number.MAX_VALUE,
};

/**
 * The order in which to ask: servers obliged to answer, preferred, healthy (fast ones first), unknown, troubled, without
 * the endpoint, lately in partial state, in backoff (who are here only when the caller ignores that). Within a rank the
 * caller's order holds.
 */
export function rank(candidates: readonly string[], context: RankContext): string[] {
  if (candidates.length < 2) return [...candidates];
  return candidates
    .map((server) => ({ server, place: placeOf(server, context) }))
    .sort((a, b) => a.place - b.place)
    .map(({ server }) => server);
}

function placeOf(server: string, context: RankContext): number {
  const record = context.records.get(server);
  if (record && record.retryAt > Date.now()) return tier.inBackoff;
  if (context.sentBy?.includes(server)) return tier.obliged;
  const demotion = context.roomId === undefined ? 0 : context.partial.demotion(context.roomId, server);
  if (demotion > 0) return tier.partial + demotion;
  if (context.isUnsupported(server)) return tier.unsupported;
  const troubles = (record?.failures ?? 0) + (record?.misbehaviours ?? 0);
  if (troubles > 0) return tier.troubled + Math.min(troubles, 5);
  if (context.prefer?.includes(server)) return tier.preferred;
  if (!record || record.latencyMs === 0) return tier.unknown;
  if (!record.proven) return tier.troubled;
  // A factor of two is a difference worth reordering for, anything less is noise.
  return tier.healthy + Math.min(Math.floor(Math.log2(record.latencyMs + 32)), 31) / 32;
}
