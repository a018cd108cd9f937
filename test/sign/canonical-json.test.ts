import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalFault } from "../../src/sign/canonical-fault.js";
import { canonicalJson, encodeCanonical } from "../../src/sign/canonical-json.js";
import { compareCodePoints, sortedKeys } from "../../src/sign/canonical-order.js";

const text = fc.string({ unit: "binary" });
const key = fc.oneof(
  text,
  fc.nat(99).map(String),
  fc.constantFrom("__proto__", "constructor", "toString", "\uff61", "😀", "\ue000"),
);
/** What JSON.parse could have made, own `__proto__` keys included. */
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    text,
    fc.array(tie("value")),
    fc.array(fc.tuple(key, tie("value"))).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

/** Canonical JSON by the letter of the specification, with code points for code points. */
function oracle(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oracle).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => naiveCompare(a, b));
  return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${oracle(item)}`).join(",")}}`;
}

function naiveCompare(a: string, b: string): number {
  const [left, right] = [a, b].map((it) => Array.from(it, (char) => char.codePointAt(0) as number)) as [
    number[],
    number[],
  ];
  const at = left.findIndex((point, index) => point !== right[index]);
  return at === -1 ? left.length - right.length : (left[at] as number) - (right[at] ?? -1);
}

describe("canonicalJson", () => {
  it.each([
    // The examples of the specification, version 1.19.
    ["{}", "{}"],
    ['{ "one": 1, "two": "Two" }', '{"one":1,"two":"Two"}'],
    ['{ "b": "2", "a": "1" }', '{"a":"1","b":"2"}'],
    [
      '{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"medium":"email","address":"john.doe@example.org"},{"medium":"msisdn","address":"123456789"}]}}}',
      '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    ],
    ['{"a":"日本語"}', '{"a":"日本語"}'],
    ['{"本":2,"日":1}', '{"日":1,"本":2}'],
    [String.raw`{"a":"\u65E5"}`, '{"a":"日"}'],
    ['{"a":null}', '{"a":null}'],
    ['{"a":-0,"b":1e10}', '{"a":0,"b":10000000000}'],
    // The test cases of MSC4458.
    [String.raw`{"😀":"smiley face","\uFB33":"dalet"}`, '{"\ufb33":"dalet","😀":"smiley face"}'],
    ['{"a":-0}', '{"a":0}'],
    [String.raw`"a \ud83d\ude00 b"`, '"a 😀 b"'],
    // Made with Python's canonicaljson 2.0.0, the library that Synapse uses.
    ['{"10":1,"9":2,"a":3,"!":4,"1":5}', '{"!":4,"1":5,"10":1,"9":2,"a":3}'],
    ['{"__proto__":{"b":1,"a":2},"constructor":null}', '{"__proto__":{"a":2,"b":1},"constructor":null}'],
    [String.raw`{"\uff61":1,"\ud83d\ude00":2,"z":3,"\ue000":4}`, '{"z":3,"\ue000":4,"\uff61":1,"\ud83d\ude00":2}'],
    [
      String.raw`{"s":"\u0000\u0001\b\t\n\f\r\u001f\u007f\u0080\u2028\"\\\/"}`,
      `${String.raw`{"s":"\u0000\u0001\b\t\n\f\r\u001f`}\u007f\u0080\u2028\\"\\\\/"}`,
    ],
    [
      '{"b":[[],{},[{"d":-9007199254740991,"c":9007199254740991}]],"":false}',
      '{"":false,"b":[[],{},[{"c":9007199254740991,"d":-9007199254740991}]]}',
    ],
    ["[-0,0,-1]", "[0,0,-1]"],
    [String.raw`{"aa":1,"a":2,"A":3,"ab":4,"a\u0000":5}`, String.raw`{"A":3,"a":2,"a\u0000":5,"aa":1,"ab":4}`],
    [String.raw`{"\u200d":"\ufeff\u00ad"}`, '{"\u200d":"\ufeff\u00ad"}'],
  ])("encodes %s", (input, expected) => {
    expect(canonicalJson(JSON.parse(input))).toBe(expected);
  });

  it("may be asked for by a getter of what is being encoded", () => {
    const inner = { b: "x".repeat(20_000), a: 1 };
    const outer = {
      a: "before",
      get m() {
        return canonicalJson(inner);
      },
      z: "after",
    };
    expect(canonicalJson(outer)).toBe(oracle({ ...outer }));
    expect(() =>
      canonicalJson({
        a: 1,
        get b() {
          throw new Error("no");
        },
      }),
    ).toThrow("no");
    expect(canonicalJson(inner)).toBe(oracle(inner));
  });

  it.each(["x", "é", "日", "😀", '"', "\u0001"])("takes a text of any length of %j", (char) => {
    for (const length of [0, 1, 8_190, 8_192, 300_000]) {
      const value = { text: char.repeat(length), after: [true, 1] };
      expect(canonicalJson(value)).toBe(oracle(value));
    }
  });

  it("is parsed back to the same value, and is its own canonical form", () => {
    fc.assert(
      fc.property(json, (value) => {
        const encoded = canonicalJson(value);
        expect(encoded).toBe(oracle(value));
        expect(JSON.parse(encoded)).toEqual(value);
        expect(canonicalJson(JSON.parse(encoded))).toBe(encoded);
      }),
    );
  });

  it("sorts by code points", () => {
    fc.assert(
      fc.property(fc.array(key), (keys) => {
        expect([...keys].sort(compareCodePoints)).toEqual([...keys].sort(naiveCompare));
      }),
    );
  });

  const sparse = [1];
  sparse[2] = 3;
  const circle: unknown[] = [];
  circle.push(circle, circle);
  const hidden = Object.defineProperty({ a: 1 }, "toJSON", { value: () => ({ a: 2 }), enumerable: false });
  class Sum {
    a = 1;
  }

  it.each([
    [{ content: { a: [0, 1, 2, 1.5] } }, "$.content.a[3]"],
    [{ a: Number.NaN }, "$.a"],
    [Number.POSITIVE_INFINITY, "$:"],
    [{ a: 2 ** 53 }, "$.a"],
    [{ a: -(2 ** 53) }, "$.a"],
    [1e21, "$:"],
    [{ a: { b: undefined } }, "$.a.b"],
    [undefined, "$:"],
    [[() => 1], "$[0]"],
    [[Symbol("a")], "$[0]"],
    [{ "a b": 1n }, '$["a b"]'],
    ["a \ud83d z", "$:"],
    [{ a: { "\udc00": 1 } }, "$.a:"],
    [sparse, "$[1]"],
    [circle, "circle"],
    [new Date(0), "toJSON"],
    [{ toJSON: () => 1 }, "toJSON"],
    [hidden, "toJSON"],
    [new Map(), "plain object"],
    [new Sum(), "plain object"],
    [Object.create({ a: 1 }), "plain object"],
    [new Uint8Array(1), "plain object"],
  ])("refuses what has no canonical form %#", (value, message) => {
    expect(() => canonicalJson(value)).toThrow(message);
    expect(() => canonicalJson(value)).toThrow(
      expect.objectContaining({ name: "SignError", code: "ERR_CANONICAL_JSON" }),
    );
  });

  it("takes 512 levels and no more, whatever the input", () => {
    const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));
    expect(canonicalJson(nested(512))).toHaveLength(1024);
    expect(() => canonicalJson(nested(513))).toThrow("512 levels");
    expect(() => canonicalJson(nested(32_000))).toThrow("512 levels");
  });

  it("caps and cleans the place in the message", () => {
    const deep = JSON.parse(`${'{"a\\u0007\\n":'.repeat(300)}1.5${"}".repeat(300)}`);
    const error = (() => {
      try {
        return canonicalJson(deep);
      } catch (caught) {
        return caught as Error;
      }
    })() as Error;
    expect(error.message.length).toBeLessThan(500);
    expect(error.message).not.toContain("\u0007");
  });

  it("writes every integer as JSON.stringify does, of whatever length", () => {
    const edges = [0, 1, 9, 10, 1e7, 1e8 - 1, 1e8, 1e8 + 1, 1e9, 2 ** 31, 2 ** 32, 1e15, Number.MAX_SAFE_INTEGER];
    const ofAnyLength = fc.nat(16).chain((digits) => fc.maxSafeInteger().map((it) => Math.trunc(it / 10 ** digits)));
    for (const edge of edges) expect(canonicalJson([edge, -edge])).toBe(JSON.stringify([edge, -edge]));
    fc.assert(
      fc.property(ofAnyLength, (it) => {
        expect(canonicalJson(it)).toBe(JSON.stringify(it));
      }),
    );
  });

  it("takes objects without a prototype", () => {
    expect(canonicalJson(Object.assign(Object.create(null), { b: 1, a: 2 }))).toBe('{"a":2,"b":1}');
  });
});

describe("canonical JSON of old rooms", () => {
  it("is that of all others, where there are only integers", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(encodeCanonical(value, "old")).toBe(canonicalJson(value));
        expect(canonicalFault(value, "old")).toBeUndefined();
      }),
    );
  });

  it.each([
    // Made with Python's json.dumps.
    [
      '{"\uff61":0.5,"\ud83d\ude00":1e-7,"a":[-1.5e-10,0.0001,123.25]}',
      '{"a":[-1.5e-10,0.0001,123.25],"\uff61":0.5,"😀":1e-07}',
    ],
    ["[1e-5,1e-100,5e-324,0.00012,4503599627370495.5]", "[1e-05,1e-100,5e-324,0.00012,4503599627370495.5]"],
    ['{"__proto__":0.5,"10":"1e-7","9":{"b":2.5,"a":-0}}', '{"10":"1e-7","9":{"a":0,"b":2.5},"__proto__":0.5}'],
  ])("writes the floats of %s as Python does", (input, expected) => {
    expect(encodeCanonical(JSON.parse(input), "old")).toBe(expected);
    expect(() => canonicalJson(JSON.parse(input))).toThrow("is not an integer");
  });

  it("refuses numbers that JSON.parse has lost", () => {
    for (const lost of [2 ** 53, -(2 ** 53), 1e21, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(() => encodeCanonical({ a: lost }, "old")).toThrow("$.a: the number");
    }
  });
});

describe("the order of keys", () => {
  it("is by code points, for few keys and for many", () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 60, size: "max" }), (keys) => {
        const object = Object.fromEntries(keys.map((name) => [name, 1]));
        expect(sortedKeys(object)).toEqual([...keys].sort(naiveCompare));
        expect(canonicalJson(object)).toBe(oracle(object));
      }),
    );
  });

  it("takes many keys in no more than the engine's time", () => {
    const object = Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`k${50_000 - at}`, 1]));
    expect(Object.keys(JSON.parse(canonicalJson(object)))).toEqual(Object.keys(object).sort());
  });
});
