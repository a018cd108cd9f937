import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeSegment, fillPath, fillQuery } from "../../src/name/path.js";

/** Any text with a UTF-8 form, with the characters that mean something in a URL often among it. */
const text = fc.string({
  unit: fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    fc.constantFrom(..."/?#%&=+.'\"\\;:@\t\n "),
  ),
});
const segment = text.filter((it) => it !== "" && it !== "." && it !== "..");

describe("encodeSegment", () => {
  it("encodes every identifier into one segment that URL parsers leave alone", () => {
    fc.assert(
      fc.property(segment, (it) => {
        const path = `/_matrix/${encodeSegment(it)}/end`;
        expect(new URL(`https://h${path}`).pathname).toBe(path);
        expect(path.split("/")).toHaveLength(4);
        expect(decodeURIComponent(encodeSegment(it))).toBe(it);
      }),
    );
  });

  it.each(["", ".", "..", "\ud800", "a\udc00b"])("refuses %j", (it) => {
    expect(() => encodeSegment(it)).toThrow(expect.objectContaining({ name: "NameError", code: "ERR_PATH_SEGMENT" }));
  });

  it.each([
    ["%2e%2e", "%252e%252e"],
    ["...", "..."],
    ["!r:a.example", "!r%3Aa.example"],
    ["$a/b+c", "%24a%2Fb%2Bc"],
    ["it's", "it%27s"],
  ])("encodes %j", (from, to) => expect(encodeSegment(from)).toBe(to));
});

describe("fillPath", () => {
  it("fills every place", () => {
    const path = "/_matrix/federation/v2/send_join/{roomId}/{eventId}";
    expect(fillPath(path, { roomId: "!a:b", eventId: "$c/d" })).toBe(
      "/_matrix/federation/v2/send_join/!a%3Ab/%24c%2Fd",
    );
    expect(fillPath("/x/{ts}", { ts: 12 })).toBe("/x/12");
    expect(fillPath("/x/{a}", { a: "{b}$&", b: "no" })).toBe("/x/%7Bb%7D%24%26");
  });

  it("gives back the fields when it is taken apart", () => {
    fc.assert(
      fc.property(segment, segment, (a, b) => {
        const [, , first, second] = new URL(`https://h${fillPath("/x/{a}/{b}", { a, b })}`).pathname.split("/");
        expect([first, second].map((it) => decodeURIComponent(it ?? ""))).toEqual([a, b]);
      }),
    );
  });

  it.each([undefined, null, {}, ["a"], Number.NaN, true])("refuses the field %j", (a) => {
    expect(() => fillPath("/x/{a}", { a })).toThrow(
      expect.objectContaining({ name: "OptionError", code: "ERR_INPUT" }),
    );
  });
});

describe("fillQuery", () => {
  it("is empty where there is nothing to say", () => {
    expect(fillQuery(undefined, { a: 1 })).toBe("");
    expect(fillQuery({ a: "a" }, { a: undefined, b: 2 })).toBe("");
    expect(fillQuery({ a: "a" }, { a: [] })).toBe("");
  });

  it("repeats arrays and writes numbers and booleans", () => {
    const query = { ver: "versions", limit: "limit", omit_members: "partial" };
    expect(fillQuery(query, { versions: ["1", "10", undefined], limit: 0, partial: true })).toBe(
      "?ver=1&ver=10&limit=0&omit_members=true",
    );
  });

  it("gives back the fields when it is parsed, and URL parsers leave it alone", () => {
    fc.assert(
      fc.property(text, fc.array(text), (a, list) => {
        const query = fillQuery({ "a'&": "a", list: "list" }, { a, list });
        const url = new URL(`https://h/x${query}`);
        expect(url.search).toBe(query);
        expect(url.searchParams.get("a'&")).toBe(a);
        expect(url.searchParams.getAll("list")).toEqual(list);
      }),
    );
  });

  it.each([null, {}, [null], [["a"]], Number.POSITIVE_INFINITY, "\ud800"])("refuses the field %j", (a) => {
    expect(() => fillQuery({ a: "a" }, { a })).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
  });
});
