import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { cacheLifetimeMs, type ResponseHeaders } from "../../src/resolve/cache-lifetime.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Case = [what: string, headers: ResponseHeaders, lifetimeMs: number];

afterEach(() => {
  vi.useRealTimers();
});

describe("a .well-known answer is used", () => {
  it.each<Case>([
    ["for 24 hours when the headers say nothing", {}, 24 * HOUR],
    ["for 24 hours when they say nothing of time", { "cache-control": "public, must-revalidate" }, 24 * HOUR],
    ["for 5 minutes at least", { "cache-control": "max-age=1" }, 5 * MINUTE],
    ["for 48 hours at most", { "cache-control": "max-age=172801" }, 48 * HOUR],
  ])("%s", (_what, headers, lifetimeMs) => {
    expect(cacheLifetimeMs(headers)).toBe(lifetimeMs);
  });
});

describe("Cache-Control", () => {
  it.each<Case>([
    ["max-age is seconds", { "cache-control": "max-age=3600" }, HOUR],
    ["names are of any case", { "cache-control": "PUBLIC, Max-Age=3600" }, HOUR],
    ["max-age may be quoted", { "cache-control": 'max-age="3600"' }, HOUR],
    ["spaces around = are excused", { "cache-control": "max-age = 3600" }, HOUR],
    ["several headers are one list", { "cache-control": ["public", "max-age=3600"] }, HOUR],
    ["the first max-age of several counts", { "cache-control": "max-age=3600, max-age=7200" }, HOUR],
    ["also over several headers", { "cache-control": ["max-age=3600", "max-age=7200"] }, HOUR],
    ["a huge max-age is the longest", { "cache-control": `max-age=${"9".repeat(400)}` }, 48 * HOUR],
    ["a negative max-age is over", { "cache-control": "max-age=-3600" }, 5 * MINUTE],
    ["a fraction is none, so it is over", { "cache-control": "max-age=3600.5" }, 5 * MINUTE],
    ["a max-age without a number is over", { "cache-control": "max-age" }, 5 * MINUTE],
    ["a max-age of words is over", { "cache-control": "max-age=long" }, 5 * MINUTE],
    ["a broken max-age is over, whatever Expires says", { "cache-control": "max-age=x", ...expires(2) }, 5 * MINUTE],
    ["s-maxage is for shared caches", { "cache-control": "s-maxage=7200" }, 24 * HOUR],
    ["s-maxage does not win over max-age", { "cache-control": "s-maxage=7200, max-age=3600" }, HOUR],
    ["other names that end in max-age are others", { "cache-control": "x-max-age=3600" }, 24 * HOUR],
    ["what another directive quotes is no directive", { "cache-control": 'x="a, max-age=3600"' }, 24 * HOUR],
    ["not even behind an escaped quote", { "cache-control": 'x="\\", max-age=3600", max-age=7200' }, 2 * HOUR],
    ["a quote that never closes hides nothing", { "cache-control": 'x="a, max-age=3600' }, HOUR],
    ["no-store is asked again soon", { "cache-control": "no-store, max-age=7200" }, 5 * MINUTE],
    ["no-cache is asked again soon", { "cache-control": "max-age=7200, No-Cache" }, 5 * MINUTE],
    ["no-cache of some fields as well", { "cache-control": 'no-cache="set-cookie", max-age=7200' }, 5 * MINUTE],
    ["max-age wins over Expires", { "cache-control": "max-age=3600", ...expires(2) }, HOUR],
    ["max-age wins over an Expires of 0", { "cache-control": "max-age=7200", expires: "0" }, 2 * HOUR],
  ])("%s", (_what, headers, lifetimeMs) => {
    expect(cacheLifetimeMs(headers)).toBe(lifetimeMs);
  });
});

/** Headers of an answer that expires some hours after it was written. */
function expires(hours: number): ResponseHeaders {
  const date = Date.UTC(2026, 0, 1);
  return { expires: new Date(date + hours * HOUR).toUTCString(), date: new Date(date).toUTCString() };
}

describe("Expires", () => {
  const date = "Sun, 06 Nov 1994 08:00:00 GMT";

  it.each<Case>([
    ["counts from the server's Date", expires(2), 2 * HOUR],
    ["counts where Cache-Control says nothing of time", { "cache-control": "public", ...expires(2) }, 2 * HOUR],
    ["is over when it is before the Date", expires(-2), 5 * MINUTE],
    ["may have RFC 850's form", { expires: "Sunday, 06-Nov-94 10:00:00 GMT", date }, 2 * HOUR],
    ["may have asctime()'s form, in GMT wherever we are", { expires: "Sun Nov  6 10:00:00 1994", date }, 2 * HOUR],
    ["may be of any case", { expires: "sun, 06 nov 1994 10:00:00 gmt", date }, 2 * HOUR],
    ["is over when it is 0", { expires: "0" }, 5 * MINUTE],
    ["is over when it is -1", { expires: "-1", date }, 5 * MINUTE],
    ["is over when it is a mere year", { expires: "9999", date }, 5 * MINUTE],
    ["is over when it is in another form", { expires: "2994-11-06T10:00:00Z", date }, 5 * MINUTE],
    ["is over when it is in another zone", { expires: "Sun, 06 Nov 2994 10:00:00 PST", date }, 5 * MINUTE],
    ["is over when it is empty", { expires: "", date }, 5 * MINUTE],
    ["is over when it is no time of day", { expires: "Sun, 06 Nov 2994 99:00:00 GMT", date }, 5 * MINUTE],
    ["is the first of several", { expires: ["Sun, 06 Nov 1994 10:00:00 GMT", "0"], date }, 2 * HOUR],
  ])("%s", (_what, headers, lifetimeMs) => {
    expect(cacheLifetimeMs(headers)).toBe(lifetimeMs);
  });

  it.each([undefined, "yesterday"])("counts from our own time where the Date is %j", (header) => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(1994, 10, 6, 8) });
    expect(cacheLifetimeMs({ expires: "Sun, 06 Nov 1994 10:00:00 GMT", date: header })).toBe(2 * HOUR);
  });
});

describe("Age", () => {
  const twoHours = { "cache-control": "max-age=7200" };

  it.each<Case>([
    ["is subtracted from max-age", { ...twoHours, age: "3600" }, HOUR],
    ["is subtracted from Expires", { ...expires(2), age: "3600" }, HOUR],
    ["is subtracted from the 24 hours as well", { age: "3600" }, 23 * HOUR],
    ["leaves 5 minutes at least", { ...twoHours, age: "999999" }, 5 * MINUTE],
    ["is subtracted before the longest time is cut", { "cache-control": "max-age=180000", age: "3600" }, 48 * HOUR],
    ["may be huge", { "cache-control": `max-age=${"9".repeat(400)}`, age: "9".repeat(400) }, 5 * MINUTE],
    ["is the first of several", { ...twoHours, age: "3600, 7200" }, HOUR],
    ["also over several headers", { ...twoHours, age: ["3600", "7200"] }, HOUR],
    ["counts for nothing when it is negative", { ...twoHours, age: "-3600" }, 2 * HOUR],
    ["counts for nothing when it is no number", { ...twoHours, age: "old" }, 2 * HOUR],
    ["counts for nothing when it is empty", { ...twoHours, age: "" }, 2 * HOUR],
  ])("%s", (_what, headers, lifetimeMs) => {
    expect(cacheLifetimeMs(headers)).toBe(lifetimeMs);
  });
});

describe("whatever the headers say,", () => {
  const directive = fc.oneof(
    fc.constantFrom(
      "no-store",
      "no-cache",
      "max-age",
      "public",
      'private="x, y"',
      "max-age=",
      'max-age="',
      ",",
      ";",
      '"',
    ),
    fc.bigInt().map((seconds) => `max-age=${seconds}`),
    fc.double().map((seconds) => `Max-Age="${seconds}"`),
    fc.string(),
  );
  const anyValue = fc.oneof(
    fc.string(),
    fc.bigInt().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.array(directive).map((directives) => directives.join(", ")),
  );
  const anyHeader = fc.option(fc.oneof(anyValue, fc.array(anyValue)), { nil: undefined });

  it("the time lies between 5 minutes and 48 hours", () => {
    const anyHeaders = fc.record({ "cache-control": anyHeader, expires: anyHeader, date: anyHeader, age: anyHeader });
    fc.assert(
      fc.property(anyHeaders, (headers) => {
        const lifetimeMs = cacheLifetimeMs(headers);
        expect(lifetimeMs).toBeGreaterThanOrEqual(5 * MINUTE);
        expect(lifetimeMs).toBeLessThanOrEqual(48 * HOUR);
      }),
      { numRuns: 1_000 },
    );
  });

  it("a max-age between those is followed exactly, less the age", () => {
    const seconds = fc.integer({ min: 300, max: 172_800 });
    fc.assert(
      fc.property(seconds, fc.nat(1_000_000), anyHeader, (lifetime, age, otherExpires) => {
        const headers = { "cache-control": `private, max-age=${lifetime + age}`, age: `${age}`, expires: otherExpires };
        expect(cacheLifetimeMs(headers)).toBe(lifetime * 1000);
      }),
    );
  });

  it("an Expires between those is followed exactly, from the server's Date", () => {
    const dates = fc.date({ min: new Date(0), max: new Date(Date.UTC(9000, 0)), noInvalidDate: true });
    fc.assert(
      fc.property(dates, fc.integer({ min: 300, max: 172_800 }), (date, seconds) => {
        const at = (ms: number): string => new Date(date.getTime() + ms).toUTCString();
        expect(cacheLifetimeMs({ date: at(0), expires: at(seconds * 1000) })).toBe(seconds * 1000);
      }),
    );
  });

  it("reading a hostile header of 100 kB ends", () => {
    for (const text of ['x="', 'x="\\', " ", "x ", "x=", '"', "\\", "max-age"]) {
      const header = text.repeat(100_000 / text.length);
      expect(cacheLifetimeMs({ "cache-control": header, expires: header, age: header })).toBeGreaterThan(0);
    }
  });
});
