/** The headers of a response, by lower-case name. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The shortest time that a valid answer is used, in milliseconds. It is Synapse's. */
export const MIN_LIFETIME_MS = 300_000;
/** The longest time that a valid answer is used, in milliseconds, as the specification recommends: 48 hours. */
export const MAX_LIFETIME_MS = 172_800_000;
/** The specification's recommendation where the headers say nothing: 24 hours. */
const DEFAULT_LIFETIME_MS = 86_400_000;

/** A directive of `Cache-Control`, with its argument where it has one. A comma inside quotes separates nothing. */
const DIRECTIVE = /([^\s,;="]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,;]*))?/g;

/** RFC 9110 section 5.6.7: today's form and RFC 850's, then that of C's asctime(), which is in GMT without saying so. */
const ZONED_DATE = /^[a-z]{3,9}, \d\d[ -][a-z]{3}[ -](?:\d\d|\d{4}) \d\d:\d\d:\d\d GMT$/i;
const ASCTIME_DATE = /^[a-z]{3} [a-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/i;

/** RFC 9111 section 4.2.1: the first of several values counts. */
const first = (value: string | string[] | undefined): string | undefined =>
  (Array.isArray(value) ? value[0] : value)?.trim();

/** Seconds as milliseconds; NaN where they are no whole number. */
const deltaMs = (seconds: string): number => (/^\d+$/.test(seconds) ? Number(seconds) * 1000 : Number.NaN);

/** A date as Unix time in milliseconds; NaN for everything else that Date.parse() would take for one, such as "0". */
function httpDate(text: string): number {
  if (ZONED_DATE.test(text)) return Date.parse(text);
  return ASCTIME_DATE.test(text) ? Date.parse(`${text} GMT`) : Number.NaN;
}

/** The directives by lower-case name, without the quotes of their arguments. */
function directivesOf(cacheControl: string | string[] | undefined): Map<string, string> {
  const directives = new Map<string, string>();
  for (const [, name = "", argument = ""] of [cacheControl ?? []].flat().join(",").matchAll(DIRECTIVE)) {
    const key = name.toLowerCase();
    if (!directives.has(key)) directives.set(key, argument.replace(/^"(.*)"$/, "$1"));
  }
  return directives;
}

/** How long the headers let the answer live, in milliseconds; NaN where what they say of it is unreadable. */
function askedLifetimeMs(headers: ResponseHeaders): number {
  // What a cache shared by many may do (s-maxage) does not concern this one.
  const directives = directivesOf(headers["cache-control"]);
  if (directives.has("no-store") || directives.has("no-cache")) return 0;
  const maxAge = directives.get("max-age");
  if (maxAge !== undefined) return deltaMs(maxAge);
  const expires = first(headers.expires);
  if (expires === undefined) return DEFAULT_LIFETIME_MS;
  // Counted on the server's own clock where it tells it, so that neither clock has to be right.
  const date = httpDate(first(headers.date) ?? "");
  return httpDate(expires) - (Number.isNaN(date) ? Date.now() : date);
}

/**
 * How long a valid `.well-known` answer may be used, in milliseconds, between 5 minutes and 48 hours: what
 * `Cache-Control` or else `Expires` says, or 24 hours, less the `Age` that the answer has from caches on its way.
 * Specification: RFC 9111 sections 4.2, 5.1, 5.2 and 5.3; Server-Server API, "Resolving server names", step 3.
 */
export function cacheLifetimeMs(headers: ResponseHeaders): number {
  // An unreadable age counts for nothing, an unreadable lifetime for one that is over (RFC 9111 sections 5.1 and 4.2.1).
  const ageMs = deltaMs(first(headers.age)?.split(",", 1)[0]?.trim() ?? "") || 0;
  const lifetimeMs = askedLifetimeMs(headers) - ageMs || 0;
  return Math.min(Math.max(lifetimeMs, MIN_LIFETIME_MS), MAX_LIFETIME_MS);
}
