import { withinBudget } from "../connect/budget.js";
import { quoted } from "../errors.js";
import { isServerName, parseServerName } from "../name/server-name.js";
import { ABSENT_CODES, type Dns, LOOKUP_BUDGET_MS } from "./dns.js";
import { failureText } from "./failure-text.js";

/** A host that offers a service, as an SRV record names it (RFC 2782). */
export interface SrvRecord {
  /** The host: lower case, without a final dot; a name of DNS, never an IP address. */
  readonly hostname: string;
  /** The TCP port on that host, 1 to 65535. */
  readonly port: number;
  /** Hosts with the lowest value are asked first; 0 to 65535. */
  readonly priority: number;
  /** How large a share of the connections the host wants among those of its priority; 0 to 65535. */
  readonly weight: number;
}

/** What the SRV records of a name said. */
export type SrvAnswer =
  | {
      /** There is at least one usable record. */
      readonly kind: "found";
      /**
       * Every host and port once: ascending priority, inside one priority the greatest weight first. At most 16.
       * The order to ask them in is drawn anew for every connection (RFC 2782).
       */
      readonly records: readonly SrvRecord[];
    }
  | {
      /** The domain decidedly does not offer the service: the target is the root (RFC 2782). */
      readonly kind: "refused";
      /** What DNS said, for people to read. */
      readonly reason: string;
    }
  | {
      /** DNS says that there is no record. */
      readonly kind: "absent";
      /** What DNS said, for people to read. */
      readonly reason: string;
    }
  | {
      /** DNS did not say, or nothing usable: there may be records, so this is no absence. */
      readonly kind: "failed";
      /** What went wrong, for people to read. */
      readonly reason: string;
      /** The error. */
      readonly cause: unknown;
    };

/** More records than this would only let a hostile name make us look up and knock at a thousand hosts. */
const MAX_RECORDS = 16;
/** RFC 1035 section 3.1, without the root: what is longer fits into no query. */
const MAX_NAME_LENGTH = 253;

const isUint16 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535;

/** Whatever stands in a record: a `Dns` of the caller's may be JavaScript, and the records are a stranger's. */
function fieldsOf(record: unknown): Readonly<Record<string, unknown>> {
  return typeof record === "object" && record !== null ? (record as Record<string, unknown>) : {};
}

/** The root as a target, which Node tells as an empty name. */
function isRoot(record: unknown): boolean {
  const { name } = fieldsOf(record);
  return name === "" || name === ".";
}

/** The record as it may be used, or nothing where it names no host and port. */
function usable(record: unknown): SrvRecord | undefined {
  const { name, port, priority, weight } = fieldsOf(record);
  if (!isServerName(name) || !isUint16(port) || port === 0 || !isUint16(priority) || !isUint16(weight))
    return undefined;
  // RFC 2782 wants a host name here: no address, and no second port after a colon.
  const { kind, hostname, port: portInName } = parseServerName(name);
  if (kind !== "dns" || portInName !== undefined) return undefined;
  return { hostname: hostname.toLowerCase().replace(/\.$/, ""), port, priority, weight };
}

/** Every host and port once, at its best place, so that the cap drops what would have been asked last anyway. */
function ranked(records: readonly SrvRecord[]): SrvRecord[] {
  const inRank = [...records].sort((a, b) => a.priority - b.priority || b.weight - a.weight);
  const byPlace = new Map<string, SrvRecord>();
  for (const record of inRank) {
    const place = `${record.hostname} ${record.port}`;
    if (!byPlace.has(place)) byPlace.set(place, record);
  }
  return [...byPlace.values()].slice(0, MAX_RECORDS);
}

function judged(answer: unknown): SrvAnswer {
  if (!Array.isArray(answer)) throw new TypeError("resolveSrv gave no list of records");
  if (answer.length === 0) return { kind: "absent", reason: "ENODATA" };
  if (answer.every(isRoot)) return { kind: "refused", reason: 'the service is not offered (the target is ".")' };
  const records = answer.map(usable).filter((record) => record !== undefined);
  if (records.length > 0) return { kind: "found", records: ranked(records) };
  const { name, port } = fieldsOf(answer.find((record) => !isRoot(record)));
  const example = `${quoted(name)} port ${quoted(port)}`;
  throw new Error(`no usable record among ${answer.length}, such as ${example}`);
}

/**
 * Asks where a domain offers federation. Whatever DNS does is an answer, never an error.
 * Specification: Server-Server API, "Resolving server names", steps 3.3 and 4 (`_matrix-fed`), 3.4 and 5 (`_matrix`,
 * which is deprecated).
 *
 * @param service - The service's name; the records stand at `<service>._tcp.<hostname>`.
 * @param hostname - The host part of a server name.
 * @param signal - Ends the lookup, which then rejects with the signal's reason; nothing else makes it reject.
 */
export async function lookupSrv(
  dns: Dns,
  service: "_matrix-fed" | "_matrix",
  hostname: string,
  signal: AbortSignal,
): Promise<SrvAnswer> {
  signal.throwIfAborted();
  const name = `${service}._tcp.${hostname}`;
  // The host name alone may still fit into DNS. Resolvers call such a query an error, but no such record can exist.
  if (name.replace(/\.$/, "").length > MAX_NAME_LENGTH) {
    return { kind: "absent", reason: `longer than ${MAX_NAME_LENGTH} characters` };
  }
  try {
    return judged(await withinBudget(LOOKUP_BUDGET_MS, signal, async () => dns.resolveSrv(name)));
  } catch (error) {
    signal.throwIfAborted();
    const reason = failureText(error);
    return ABSENT_CODES.has(reason) ? { kind: "absent", reason } : { kind: "failed", reason, cause: error };
  }
}
