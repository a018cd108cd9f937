import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidJson, parseJson } from "../../src/validate/parse-json.js";
import { JsonSplitter, type SplitElement, type SplitLimits } from "../../src/validate/split-json.js";

const FIELDS = ["state", "auth_chain"];

/** A document in chunks of the given sizes, which begin again when they are used up. */
function* inChunks(document: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < document.length; turn++) {
    const size = sizes[turn % sizes.length] as number;
    // Memory of its own, as a chunk has that comes from a connection.
    yield Uint8Array.from(document.subarray(at, at + size));
    at += size;
  }
}

/** All that comes of chunks: the elements, and the skeleton or the fault. */
function split(
  chunks: Iterable<Uint8Array>,
  limits?: Partial<SplitLimits>,
): { elements: SplitElement[]; end: unknown } {
  const splitter = new JsonSplitter(FIELDS, limits);
  const elements: SplitElement[] = [];
  for (const chunk of chunks) {
    const found = splitter.push(chunk);
    if (found instanceof InvalidJson) {
      expect(splitter.push(chunk)).toBe(found);
      expect(splitter.end()).toBe(found);
      return { elements, end: found };
    }
    for (const element of found) elements.push(element);
  }
  return { elements, end: splitter.end() };
}

const refused = "refused";

/** The document put together again from what the splitter gives out. */
function rejoin(document: Uint8Array, sizes: readonly number[]): string {
  const { elements, end } = split(inChunks(document, sizes));
  if (end instanceof InvalidJson) return refused;
  const holder = (Array.isArray(end) ? end[1] : end) as Record<string, unknown[]>;
  for (const { field, index, value } of elements) {
    const array = holder[field] as unknown[];
    expect(array).toHaveLength(index);
    array.push(value);
  }
  return JSON.stringify(end);
}

/** What comes of the whole document at once. */
function parseWhole(document: Uint8Array): string {
  const value = parseJson(document);
  if (value instanceof InvalidJson) return refused;
  const names = namedFields(new TextDecoder().decode(document));
  return new Set(names).size < names.length ? refused : JSON.stringify(value);
}

/** The named fields of a document that is JSON, each as often as it is there. */
function namedFields(text: string): string[] {
  const open: string[] = [];
  const found: string[] = [];
  let outerCommas = 0;
  let string = "";
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}:,]/gs)) {
    const place = open.join("");
    if (token.startsWith('"')) string = token;
    else if (token === "[" || token === "{") open.push(token);
    else if (token === "]" || token === "}") open.pop();
    else if (token === ",") outerCommas += place.length === 1 ? 1 : 0;
    else if (place === "{" || (place === "[{" && outerCommas === 1)) found.push(JSON.parse(string));
  }
  return found.filter((name) => FIELDS.includes(name));
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A string in one of its spellings: each UTF-16 unit by itself, or escaped. */
const spelled = (text: string, isEscaped: boolean): string =>
  isEscaped
    ? `"${Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`
    : JSON.stringify(text);

const space = fc.constantFrom("", "", "", " ", "\n", "\r\n\t ");
const string = fc
  .tuple(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.constantFrom('"', "\\", '\\"', "]", "[{", "},", "é", "日本", "😀", "\ud83d", "\u0000"),
    ),
    fc.boolean(),
  )
  .map(([text, isEscaped]) => spelled(text, isEscaped));
const name = fc
  .tuple(
    fc.constantFrom("state", "state", "auth_chain", "event", "stat", "state\u0000", "__proto__", ""),
    fc.nat(5).map((n) => n === 0),
  )
  .map(([text, isEscaped]) => spelled(text, isEscaped));
const scalar = fc.oneof(
  string,
  fc.constantFrom("0", "-0", "1.5e3", "123456789012345678901234567890", "true", "false", "null"),
);
const list = (items: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(
      fc.tuple(space, items, space).map((parts) => parts.join("")),
      { maxLength: 5 },
    )
    .map((all) => all.join(","));
const fieldOf = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(name, space, space, value).map(([key, before, after, text]) => `${key}${before}:${after}${text}`);
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.tuple(space, list(tie("value"))).map((parts) => `[${parts.join("")}]`),
    fc.tuple(space, list(fieldOf(tie("value")))).map((parts) => `{${parts.join("")}}`),
  ),
}));
const holder = list(fieldOf(fc.oneof({ weight: 3, arbitrary: list(value).map((all) => `[${all}]`) }, value))).map(
  (fields) => `{${fields}}`,
);
/** Texts that look like answers, in every spelling, nearly all of them JSON. */
const documentText = fc
  .tuple(
    space,
    fc.oneof(
      { weight: 3, arbitrary: holder },
      { weight: 2, arbitrary: holder.map((text) => `[200,${text}]`) },
      list(fc.oneof(holder, value)).map((all) => `[${all}]`),
      value,
    ),
    space,
  )
  .map((parts) => parts.join(""));
const sizes = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }),
  fc.constantFrom([1], [7], [1_000_000]),
);
const byte = fc.oneof(
  fc.constantFrom(...bytesOf('[]{},:"\\ \n0atu')),
  fc.constantFrom(0x80, 0xbf, 0xc3, 0xed, 0xf0, 0xff),
  fc.nat(255),
);
const change = fc.record({
  where: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat(3),
  put: fc.array(byte, { maxLength: 2 }),
});

function mutate(document: Uint8Array, changes: readonly { where: number; cut: number; put: number[] }[]): Uint8Array {
  const bytes = [...document];
  for (const { where, cut, put } of changes) bytes.splice(Math.floor(where * bytes.length), cut, ...put);
  return Uint8Array.from(bytes);
}

const RUNS = 2_000;

describe("a document that is split is the one that JSON.parse makes of the whole,", () => {
  it("wherever its chunks end", () => {
    fc.assert(
      fc.property(documentText, sizes, (text, chunkSizes) => {
        expect(rejoin(bytesOf(text), chunkSizes)).toBe(parseWhole(bytesOf(text)));
      }),
      { numRuns: RUNS },
    );
  });

  it("or is refused as that is, whatever has happened to its bytes", () => {
    fc.assert(
      fc.property(
        documentText,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        sizes,
        (text, changes, chunkSizes) => {
          const document = mutate(bytesOf(text), changes);
          expect(rejoin(document, chunkSizes)).toBe(parseWhole(document));
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("or is refused as that is, wherever it is cut off", () => {
    fc.assert(
      fc.property(documentText, sizes, fc.double({ min: 0, max: 1, noNaN: true }), (text, chunkSizes, part) => {
        const document = bytesOf(text).subarray(0, Math.floor(part * text.length));
        expect(rejoin(document, chunkSizes)).toBe(parseWhole(document));
      }),
      { numRuns: RUNS / 4 },
    );
  });

  it("or is refused as that is, whatever bytes it has", () => {
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), sizes, (bytes, chunkSizes) => {
        const document = Uint8Array.from([...bytesOf('{"state":['), ...bytes]);
        expect(rejoin(document, chunkSizes)).toBe(parseWhole(document));
        expect(rejoin(Uint8Array.from(bytes), chunkSizes)).toBe(parseWhole(Uint8Array.from(bytes)));
      }),
      { numRuns: RUNS },
    );
  });
});

/** Objects as answers have them, with much in them that looks like the end of one. */
const manyObjects = fc
  .array(
    fc
      .record({
        type: fc.constantFrom("m.room.member", "},{", '"},{"', "\\", "é", "\u2028", "😀", "[{},{"),
        content: fc.oneof(
          fc.constantFrom({}, [{}, {}], { a: [{ b: 1 }, { c: [] }] }, "},{", null),
          fc.object({ maxDepth: 2, values: [fc.string(), fc.integer(), fc.constant({}), fc.constant([{}, {}])] }),
        ),
        depth: fc.integer(),
      })
      .map((event) => JSON.stringify(event)),
    { minLength: 1, maxLength: 60 },
  )
  .chain((events) => fc.tuple(fc.constant(events), fc.constantFrom(",", ",", " , ", ",\n")))
  .map(([events, comma]) => `{"origin":"a","state":[${events.join(comma)}],"auth_chain":[${events.join(comma)}]}`);
const anySizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 40, max: 4_000 })), {
  minLength: 1,
  maxLength: 6,
});

describe("elements that are read together", () => {
  it("are those that JSON.parse makes of the whole, wherever chunks end and whatever is in them", () => {
    fc.assert(
      fc.property(manyObjects, anySizes, (text, chunkSizes) => {
        expect(rejoin(bytesOf(text), chunkSizes)).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: RUNS / 4 },
    );
  });

  it("or the document is refused as JSON.parse refuses it, whatever has happened to its bytes", () => {
    fc.assert(
      fc.property(
        manyObjects,
        fc.array(change, { minLength: 1, maxLength: 2 }),
        anySizes,
        (text, changes, chunkSizes) => {
          const document = mutate(bytesOf(text), changes);
          expect(rejoin(document, chunkSizes)).toBe(parseWhole(document));
        },
      ),
      { numRuns: RUNS / 2 },
    );
  });

  it.each([
    ['{"a":1},{"a":[{},{}]}', "the last object ends in an array of an element"],
    ['{"a":1},{"a":"},{"}', "what looks like the end of an element is in a string"],
    ['"},{",{"a":1},{"a":2}', "an element is a string that looks like the end of one"],
    ['{"a":"\\"},{"},{"b":2}', "the string has a quote in it"],
    ['{},{},[{},{}],{"a":[[{},{}],{}]}', "arrays are elements"],
    ["0,{},{},1", "numbers are elements"],
  ])("are found in [%s], where %s", (list) => {
    const text = `{"state":[${list}]}`;
    for (const size of [1, 7, 1_000]) expect(rejoin(bytesOf(text), [size])).toBe(JSON.stringify(JSON.parse(text)));
  });

  it.each(['{"a":1},{"b":2},', '{"a":1}},{"b":2}', '{"a":1},{"b":2}],[{"c":3},{}', '{"a":1},,{"b":2}', "{},{}{},{}"])(
    "are none in [%s], which is no JSON",
    (list) => {
      for (const size of [1, 7, 1_000]) expect(rejoin(bytesOf(`{"state":[${list}]}`), [size])).toBe(refused);
    },
  );

  it("cost no more than the document, however often what looks like the end of an element is none", () => {
    const element = '{"type":"m.none","a":"},{"}';
    const chunk = bytesOf(`${element},`.repeat(1_000_000));
    const { elements, end } = split([bytesOf('{"state":['), chunk, bytesOf("{}]}")], {});
    expect(elements).toHaveLength(1_000_001);
    expect(elements.at(-2)).toMatchObject({ index: 999_999, value: JSON.parse(element) });
    expect(end).toEqual({ state: [] });
  });
});

/** The elements as texts, and the skeleton. */
function textsOf(text: string, chunkSizes: readonly number[] = [1_000_000]): { elements: string[]; end: string } {
  const { elements, end } = split(inChunks(bytesOf(text), chunkSizes));
  const texts = elements.map(({ field, index, value }) => `${field}[${index}] ${JSON.stringify(value)}`);
  return { elements: texts, end: JSON.stringify(end) };
}

describe("JsonSplitter", () => {
  it.each([
    ['{"a":1,"state":[{"b":[2]},3],"auth_chain":["x"]}', ['state[0] {"b":[2]}', "state[1] 3", 'auth_chain[0] "x"']],
    ['[200,{"state":[{}],"auth_chain":[]}]', ["state[0] {}"]],
    ['{"state":[ ],"auth_chain":[\r\n\t]}', []],
    ['{ "state" : [ 1 , null ] } ', ["state[0] 1", "state[1] null"]],
    [String.raw`{"st\u0061te":[1]}`, ["state[0] 1"]],
    [
      String.raw`{"state":["]","\"]","\\",",{"]}`,
      String.raw`state[0] "]"|state[1] "\"]"|state[2] "\\"|state[3] ",{"`.split("|"),
    ],
  ])("gives out the elements of %s", (text, elements) => {
    expect(textsOf(text).elements).toEqual(elements);
    expect(textsOf(text, [1]).elements).toEqual(elements);
    expect(rejoin(bytesOf(text), [1])).toBe(parseWhole(bytesOf(text)));
  });

  it.each([
    ['{"state":5}', "no array"],
    ['{"state":{"state":[1]}}', "no array, with such an array in it"],
    ['{"event":{"state":[1]},"list":[{"state":[2]}]}', "further inside"],
    ['[{"state":[1]}]', "in the first element of an array"],
    ['[200,[],{"state":[1]}]', "in the third element of an array"],
    ['["state",[1]]', "no field"],
    ['{"states":[1],"State":[2],"":[3]}', "of another name"],
  ])("leaves in the skeleton %s: %s", (text) => {
    expect(textsOf(text, [3])).toEqual({ elements: [], end: text });
  });

  it.each([
    ["", "nothing"],
    ['{"state":[1,,2]}', "two commas"],
    ['{"state":[,1]}', "a comma before the first element"],
    ['{"state":[1, ]}', "a comma after the last element"],
    ['{"state":[1 2]}', "no comma"],
    ['{"state":[{}{}]}', "no comma between objects"],
    ['{"state":[1}', "the wrong bracket"],
    ['{"state":[{"a":1]]}', "the wrong bracket in an element"],
    ['{"state":[1]', "an object that does not end"],
    ['{"state":[1', "an array that does not end"],
    ['{"state":["\\', "a string that does not end"],
    ['{"state":[1]} x', "something behind it"],
    ['{"state":[1]}{}', "a second document behind it"],
    ['{"state"[1]}', "no colon"],
    ['{"state":1[1]}', "an array behind a value"],
    ['{"state"::[1]}', "two colons"],
    ["{:[1]}", "no key"],
    ['\ufeff{"state":[1]}', "a byte order mark"],
    ['{"state":[\ufeff1]}', "a byte order mark before an element"],
    ['{"state":[\u00a01]}', "white space that JSON does not know"],
    ['{"state":["\u0000"]}', "a control character"],
  ])("refuses %j: %s", (text) => {
    for (const size of [1, 1_000_000]) expect(rejoin(bytesOf(text), [size])).toBe(refused);
    expect(parseWhole(bytesOf(text))).toBe(refused);
  });

  it.each(['{"state":["*"]}', '{"event":"*","state":[]}', '{"*":1,"state":[]}', '{"state":[1*]}'])(
    "refuses %s with bytes for * that are not UTF-8",
    (text) => {
      for (const wrong of ["\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf5\x80\x80\x80"]) {
        const document = Buffer.from(text.replace("*", wrong), "latin1");
        for (const size of [1, 2, 1_000_000]) expect(rejoin(document, [size])).toBe(refused);
      }
    },
  );

  it.each([
    '{"state":[1],"state":[2]}',
    '{"state":[1],"state":[]}',
    '{"state":[1],"state":5}',
    '{"state":5,"state":[1]}',
    String.raw`{"state":[1],"st\u0061te":[2]}`,
    String.raw`{"\u0073tate":[1],"auth_chain":[],"state":[2]}`,
    '[200,{"state":[1],"state":[2]}]',
  ])("refuses a named field that is there twice, which JSON.parse takes: %s", (text) => {
    for (const size of [1, 1_000_000]) {
      expect(split(inChunks(bytesOf(text), [size])).end).toEqual(new InvalidJson('more than one "state"'));
    }
    expect(JSON.parse(text)).toBeDefined();
  });

  it("gives elements out as soon as they are complete, and refuses the document when it goes wrong later", () => {
    const splitter = new JsonSplitter(FIELDS);
    expect(splitter.push(bytesOf('{"state":[{"a":1},{"b'))).toMatchObject([{ field: "state", index: 0 }]);
    expect(splitter.push(bytesOf('":2}'))).toEqual([]);
    expect(splitter.push(bytesOf(","))).toEqual([{ field: "state", index: 1, value: { b: 2 }, size: 7 }]);
    expect(splitter.push(bytesOf('3],"event":oops}'))).toMatchObject([{ index: 2 }]);
    expect(splitter.end()).toEqual(new InvalidJson("not JSON"));
  });

  it("gives elements out that do not change with the memory of a chunk", () => {
    const splitter = new JsonSplitter(FIELDS);
    const chunk = bytesOf('{"state":["one","tw');
    const one = splitter.push(chunk);
    chunk.fill(0);
    const two = splitter.push(bytesOf('o","thr'));
    const three = splitter.push(bytesOf('ee"]}'));
    expect([one, two, three]).toMatchObject([[{ value: "one" }], [{ value: "two" }], [{ value: "three" }]]);
  });

  it("gives an own __proto__ key of the skeleton out as such", () => {
    const { end } = split([bytesOf('{"__proto__":{"a":1},"state":[{"__proto__":2}]}')]);
    expect(Object.keys(end as object)).toEqual(["__proto__", "state"]);
  });
});

describe("the limits of a splitter:", () => {
  it.each([[1], [5], [1_000_000]])("an element may have its limit of bytes and no more, in chunks of %d", (size) => {
    const limits = { maxElementBytes: 10 };
    const held = (elements: string) => {
      const read = split(inChunks(bytesOf(`{"state":[${elements}]}`), [size]), limits);
      expect(read.end).toEqual({ state: [] });
      return read.elements.map(({ index, value, size }) => [index, value, size]);
    };
    expect(held('"12345678"')).toEqual([[0, "12345678", 10]]);
    expect(held('  "12345678",1')).toEqual([
      [0, "12345678", 10],
      [1, 1, 1],
    ]);
    expect(held('"123456789"')).toEqual([[0, undefined, 0]]);
    expect(held('"é234567ä"')).toEqual([[0, undefined, 0]]);
    expect(held('1,[["1,2"],"]",{"3":4}],"12345678901234567890","123456789\\"",5')).toEqual([
      [0, 1, 1],
      [1, undefined, 0],
      [2, undefined, 0],
      [3, undefined, 0],
      [4, 5, 1],
    ]);
  });

  it("objects beside the arrays and in them are counted together", () => {
    const many = Array(60_000).fill("[]").join(",");
    const document = bytesOf(`{"state":[${many}],"other":[${many}]}`);
    expect(split([document]).end).toEqual(new InvalidJson("more objects than so few bytes have use for"));
    expect(parseWhole(document)).toBe(refused);
  });

  it("an array has no more elements than any room's state", () => {
    const splitter = new JsonSplitter(FIELDS);
    const chunk = bytesOf("12345678,".repeat(10_000));
    splitter.push(bytesOf('{"state":["first",'));
    for (let pushed = 0; pushed < 500; pushed++) expect(splitter.push(chunk)).toHaveLength(10_000);
    expect(splitter.push(chunk)).toBeInstanceOf(InvalidJson);
  }, 60_000);

  it.each([[1], [5], [1_000_000]])("the skeleton may have its limit of bytes and no more, in chunks of %d", (size) => {
    const withLimit = (maxSkeletonBytes: number) =>
      split(inChunks(bytesOf('{"a": 1, "state":["longer than that"]}'), [size]), { maxSkeletonBytes }).end;
    expect(withLimit(20)).toEqual({ a: 1, state: [] });
    expect(withLimit(19)).toEqual(new InvalidJson("too much beside the arrays"));
  });

  it("no element has more than 1 MB, whatever is asked for", () => {
    const document = bytesOf(`{"state":["${"x".repeat(1_000_000)}"]}`);
    const limits = { maxElementBytes: Number.POSITIVE_INFINITY };
    expect(split([document], limits)).toEqual({
      elements: [{ field: "state", index: 0, size: 0 }],
      end: { state: [] },
    });
  });

  it("nothing is nested deeper than 512 levels, those around the array included", () => {
    const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    const deep = new InvalidJson("nested deeper than 512 levels");
    expect(split([bytesOf(`{"state":[${nested(510)}]}`)]).end).toEqual({ state: [] });
    expect(split([bytesOf(`{"state":[${nested(511)}]}`)]).end).toEqual(deep);
    expect(split([bytesOf(`[200,{"state":[${nested(509)}]}]`)]).end).toEqual([200, { state: [] }]);
    expect(split([bytesOf(`[200,{"state":[${nested(510)}]}]`)]).end).toEqual(deep);
    expect(split([bytesOf(`{"a":${nested(512)}}`)]).end).toEqual(deep);
    const among = (levels: number): unknown => split([bytesOf(`{"state":[{"a":${nested(levels)}},{},{}]}`)]).end;
    expect(among(509)).toEqual({ state: [] });
    expect(among(510)).toEqual(deep);
  });

  it.each([[100], [1_400], [16_384], [1_000_000]])(
    "commas in strings are no values, in chunks of %d (bug: one member could make a room unreadable)",
    (size) => {
      const event = JSON.stringify({ content: { reason: ",".repeat(7_000) }, pad: "y".repeat(600) });
      const text = `{"state":[${Array(40).fill(event).join(",")},{}]}`;
      expect(parseJson(bytesOf(text))).not.toBeInstanceOf(InvalidJson);
      expect(split(inChunks(bytesOf(text), [size])).end).toEqual({ state: [] });
    },
  );

  it.each([[100], [1_400], [16_384], [1_000_000]])("nor are brackets in strings objects, in chunks of %d", (size) => {
    const text = `{"state":[${'{"type":"m.none","a":"},{"},'.repeat(60_000)}{}]}`;
    expect(split(inChunks(bytesOf(text), [size])).end).toEqual({ state: [] });
  });

  it.each([[65_536], [300]])(
    "more objects or values than so few bytes have use for are refused, in chunks of %d",
    (size) => {
      const long = `"${"x".repeat(200_000)}"`;
      const rest = Array(50).fill(long).join(",");
      const many = (element: string, count: number): string => `${element},`.repeat(count);
      const answer = (elements: string): unknown =>
        split(inChunks(bytesOf(`{"state":[${elements}${rest}]}`), [size])).end;
      expect(answer(many("{}", 99_000))).toEqual({ state: [] });
      expect(answer(many("{}", 101_000))).toEqual(new InvalidJson("more objects than so few bytes have use for"));
      expect(answer(many("1", 99_000))).toEqual({ state: [] });
      expect(answer(many("1", 101_000))).toEqual(new InvalidJson("more values than so few bytes have use for"));
      expect(answer(many("[1,1]", 60_000))).toEqual(new InvalidJson("more values than so few bytes have use for"));
      expect(answer(many('{"a":[1,1,1,1]}', 40_000))).toEqual(
        new InvalidJson("more values than so few bytes have use for"),
      );
    },
  );
});

describe("a hostile document costs no more than the limits:", () => {
  const CHUNK = 64 * 1024;
  /** A beginning, and chunks of one byte without end; counts how many were asked for. */
  function endless(beginning: string, repeated: string): { chunks: Iterable<Uint8Array>; asked: () => number } {
    const chunk = bytesOf(repeated.repeat(CHUNK / repeated.length));
    let asked = 0;
    function* make(): Generator<Uint8Array> {
      yield bytesOf(beginning);
      for (; asked < 5_000; asked++) yield chunk;
    }
    return { chunks: make(), asked: () => asked };
  }

  it.each([
    ["brackets", "", "[", 0],
    ["brackets in an element", '{"state":[', "[", 0],
    ["one element, a string", '{"state":["', "x", 20],
    ["one element, a string of backslashes", '{"state":["', "\\", 20],
    ["one element, a number", '{"state":[', "1", 20],
    ["white space behind an element", '{"state":[1', " ", 20],
    ["a string beside the arrays", '{"state":[1],"a":"', "x", 16],
    ["a key", '{"', "x", 16],
    ["white space", "", " ", 16],
    ["numbers beside the arrays", '{"a":[', "1,", 16],
    ["closing brackets", "", "]", 16],
    ["quotes", "", '"', 16],
    ["keys that are none", "{", '"\\x":', 1],
    ["colons after a long key", `{"${"x".repeat(900_000)}"`, ":", 2],
    ["elements that are tiny", '{"state":[', "1,", 4],
    ["elements that are empty objects", '{"state":[', "{},[],0,", 7],
  ])("%s without end", (_what, beginning, repeated, atMost) => {
    const { chunks, asked } = endless(beginning, repeated);
    expect(split(chunks).end).toBeInstanceOf(InvalidJson);
    expect(asked()).toBeLessThanOrEqual(atMost);
  });

  it("the same in one chunk of 100 MB", () => {
    for (const [beginning, repeated] of [
      ["", "["],
      ['{"state":["', "x"],
      ['{"state":[', "1,"],
      ["", " "],
    ] as const) {
      const chunk = Buffer.alloc(100_000_000, repeated);
      chunk.write(beginning);
      expect(new JsonSplitter(FIELDS).push(chunk)).toBeInstanceOf(InvalidJson);
    }
  });

  it("very many keys beside the arrays", () => {
    const keys = Array.from({ length: 300_000 }, (_, at) => `"${at}":1`).join(",");
    expect(split([bytesOf(`{${keys}}`)], { maxSkeletonBytes: 10_000_000 }).end).toBeInstanceOf(InvalidJson);
  });

  it("white space between elements is not held at all", () => {
    const spaces = bytesOf(" ".repeat(CHUNK));
    const chunks = [bytesOf('{"state":[1,'), ...Array<Uint8Array>(200).fill(spaces), bytesOf("2]}")];
    const { elements, end } = split(chunks);
    expect(elements).toMatchObject([
      { value: 1, size: 1 },
      { value: 2, size: 1 },
    ]);
    expect(end).toEqual({ state: [] });
  });

  it("a million elements of an ordinary size pass", () => {
    const element = '{"event_id":"$0123456789"}';
    const chunk = bytesOf(`${element},`.repeat(10_000));
    const { elements, end } = split([
      bytesOf('{"state":['),
      ...Array<Uint8Array>(100).fill(chunk),
      bytesOf(`${element}]}`),
    ]);
    expect(elements).toHaveLength(1_000_001);
    expect(elements.at(-1)).toEqual({
      field: "state",
      index: 1_000_000,
      value: JSON.parse(element),
      size: element.length,
    });
    expect(end).toEqual({ state: [] });
  });
});
