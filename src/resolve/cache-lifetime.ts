/** The headers of a response, by lower-case name. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The specification's recommendations for `.well-known`; the shortest time is Synapse's. In milliseconds. */
const DEFAULT_LIFETIME_MS = 86_400_000;
const MAX_LIFETIME_MS = 172_800_000;
const MIN_LIFETIME_MS = 300_000;

const joined = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(",") : value;

/** What the headers ask for, in milliseconds; undefined where they say nothing. RFC 9111, sections 5.2 and 5.3. */
function askedLifetimeMs(headers: ResponseHeaders): number | undefined {
  const cacheControl = joined(headers["cache-control"])?.toLowerCase() ?? "";
  if (/(?:^|[\s,])no-(?:store|cache)\b/.test(cacheControl)) return 0;
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?(\d+)/.exec(cacheControl)?.[1];
  if (maxAge !== undefined) return Number(maxAge) * 1000;
  const expires = joined(headers.expires);
  if (expires === undefined) return undefined;
  // Counted from the server's own clock where it tells it. An unreadable date, such as "0", means already expired.
  const from = Date.parse(joined(headers.date) ?? "");
  const lifetimeMs = Date.parse(expires) - (Number.isNaN(from) ? Date.now() : from);
  return Number.isNaN(lifetimeMs) ? 0 : lifetimeMs;
}

/** How long a valid `.well-known` answer is used, in milliseconds, between 5 minutes and 48 hours. */
export function cacheLifetimeMs(headers: ResponseHeaders): number {
  const asked = askedLifetimeMs(headers) ?? DEFAULT_LIFETIME_MS;
  return Math.min(Math.max(asked, MIN_LIFETIME_MS), MAX_LIFETIME_MS);
}
