import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { FileBody } from "../../src/media/file-body.js";
import { type MultipartHead, readMultipart } from "../../src/media/multipart.js";
import { rejection } from "../client/world.js";
import { boundary, jsonPart, multipart } from "./multipart-replies.js";

const contentType = `multipart/mixed; boundary=${boundary}`;
const from = { server: "a.example", endpoint: "media_download" };

/** In pieces that end at these positions. */
function cut(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const ends = [...new Set(positions.map((at) => at % bytes.length)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end)).filter(({ length }) => length > 0);
}

const read = (chunks: readonly Buffer[], type = contentType): Promise<MultipartHead> =>
  readMultipart(type, Readable.from(chunks, { objectMode: false }));

async function bytesOf({ file }: MultipartHead): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of new FileBody(file, { maxBytes: 2 ** 40, idleMs: 5_000, minBytesPerSecond: 0 }, from))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

const fileOf = async (chunks: readonly Buffer[], type?: string): Promise<string> =>
  (await bytesOf(await read(chunks, type))).toString("latin1");

// What a boundary is made of, and nearly is.
const lookAlikes = fc.constantFrom(
  "\r",
  "\n",
  "-",
  "--",
  "\r\n--",
  "\r\r\n--",
  "\r\n\r\n",
  `--${boundary}`,
  `--${boundary}--`,
  `\r\n--${boundary.slice(0, 7)}`,
  `\r\n--${boundary.slice(0, -1)}`,
  `\n--${boundary}`,
  `\r--${boundary}`,
);
const files = fc
  .array(fc.oneof(fc.uint8Array({ maxLength: 40 }), lookAlikes.map(Buffer.from)), { maxLength: 12 })
  .map((parts) => Buffer.concat(parts))
  // A file that has the boundary at the beginning of a line cannot be sent with that boundary.
  .filter((file) => !`\r\n${file.toString("latin1")}`.includes(`\r\n--${boundary}`));
// How Synapse, Dendrite and the servers of the Conduit family (ruma) end a body.
const ends = fc.constantFrom(`\r\n--${boundary}--\r\n`, `\r\n--${boundary}--`, `\r\n--${boundary}`);
const preambles = fc.constantFrom("", "\r\n", "read this with something better\r\n", "--nothing\r\n\r\n");
const positions = fc.array(fc.nat(4_000), { maxLength: 40 });

describe("a file", () => {
  test("arrives byte for byte, whatever is in it and however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(files, preambles, ends, positions, async (file, preamble, end, cuts) => {
        const head = await read(cut(multipart({ preamble, file, end }), cuts));
        expect(head.metadata).toEqual({});
        expect(head.header("content-type")).toBe("image/png");
        expect(head.header("content-disposition")).toBe("inline; filename=a.png");
        expect(await bytesOf(head)).toEqual(file);
      }),
      { numRuns: 500 },
    );
  });

  test("that is cut off fails, wherever that happens", async () => {
    const whole = multipart({ file: `a\r\n--${boundary.slice(0, 9)}b` });
    const enough = whole.lastIndexOf(boundary) + boundary.length;
    for (let length = 0; length < enough; length++) {
      const error = await rejection(fileOf(length === 0 ? [] : [whole.subarray(0, length)]));
      expect(error.message, `after ${length} bytes`).toMatch(/ended before the file did|body ends before|expected/);
    }
    for (let length = enough; length <= whole.length; length++) {
      expect(await fileOf([whole.subarray(0, length)])).toBe(`a\r\n--${boundary.slice(0, 9)}b`);
    }
  });

  test("in one byte each", async () => {
    const whole = multipart({ file: "\r\n--\r\n" });
    expect(await fileOf([...whole].map((byte) => Buffer.of(byte)))).toBe("\r\n--\r\n");
  });

  test("that is larger than every buffer arrives whole, and is cut off with an error", async () => {
    const file = Buffer.alloc(3_000_000, `line\r\n-\r\n--${boundary.slice(1)}\r\n`);
    const cuts = Array.from({ length: 60 }, (_, at) => at * 50_021);
    expect((await bytesOf(await read(cut(multipart({ file }), cuts)))).equals(file)).toBe(true);
    const short = await rejection(fileOf(cut(multipart({ file, end: "\r\n--" }), cuts)));
    expect(short).toMatchObject({ code: "ERR_RESPONSE_INVALID", server: "a.example", endpoint: "media_download" });
  });
});

describe("a body", () => {
  test.each([
    ["no Content-Type", undefined],
    ["another type", "application/json"],
    ["another multipart type", `multipart/form-data; boundary=${boundary}`],
    ["no boundary", "multipart/mixed"],
    ["an empty boundary", 'multipart/mixed; boundary=""'],
    ["a boundary that no line can be", `multipart/mixed; boundary=${"x".repeat(201)}`],
  ])("with %s is invalid", async (_what, type) => {
    const body = Readable.from([multipart()], { objectMode: false });
    expect((await rejection(readMultipart(type, body))).message).toBe("expected multipart/mixed with a boundary");
  });

  test.each([
    ["quotes", `multipart/mixed; boundary="${boundary}"`],
    ["capitals", `Multipart/Mixed; Boundary=${boundary}`],
    ["other parameters", `multipart/mixed;charset=utf-8 ; boundary="${boundary}"; x="a;boundary=b"`],
    ["no space", `multipart/mixed;boundary=${boundary}`],
  ])("whose boundary is given with %s is understood", async (_what, type) => {
    expect(await fileOf([multipart()], type)).toBe("file");
  });

  test.each(["a", "=_(),./:=? x", "x".repeat(70), "x".repeat(200)])(
    "with the boundary %j is understood",
    async (by) => {
      expect(await fileOf([multipart({ by })], `multipart/mixed; boundary="${by}"`)).toBe("file");
    },
  );

  test.each([
    ["the JSON is none", { first: "Content-Type: application/json\r\n\r\n{" }],
    ["the JSON is no object", { first: "Content-Type: application/json\r\n\r\n[]" }],
    ["the first part is empty", { first: "" }],
    ["the first part has no headers' end", { first: "Content-Type: application/json" }],
    ["the second part has no headers' end", { second: "Content-Type: image/png", file: "" }],
  ])("is invalid where %s", async (_what, pieces) => {
    expect((await rejection(fileOf([multipart(pieces)]))).message).toMatch(/^expected /);
  });

  test.each([
    ["garbage", Buffer.from("<html>nothing of the sort</html>")],
    ["only a preamble", Buffer.from("\r\n\r\n")],
    ["no part", Buffer.from(`--${boundary}--\r\n`)],
    ["one part", Buffer.from(`--${boundary}\r\n${jsonPart}\r\n--${boundary}--\r\n`)],
    ["line feeds alone", Buffer.from(multipart().toString("latin1").replaceAll("\r\n", "\n"))],
  ])("of %s is invalid", async (_what, bytes) => {
    expect((await rejection(fileOf([bytes]))).message).toMatch(/body ends before|expected/);
  });

  test("has a preamble and headers within bounds", async () => {
    const endless = function* (piece: Buffer): Generator<Buffer> {
      for (;;) yield piece;
    };
    for (const begin of ["", `--${boundary}\r\n`, `--${boundary}\r\n${jsonPart}\r\n--${boundary}\r\n`]) {
      let bytes = 0;
      const body = Readable.from(
        (function* () {
          yield Buffer.from(begin);
          for (const piece of endless(Buffer.alloc(1_000, "X-Header: value\r\n"))) {
            bytes += piece.length;
            yield piece;
          }
        })(),
        { objectMode: false },
      );
      const error = await rejection(readMultipart(contentType, body));
      expect(error.message).toBe("no file in the first 65536 bytes");
      expect(bytes).toBeLessThan(200_000);
      expect(body.destroyed).toBe(true);
    }
  });

  test("may have more parts, which are passed over", async () => {
    const third = `\r\n--${boundary}\r\nContent-Type: text/plain\r\n\r\nmore\r\n--${boundary}--\r\n`;
    expect(await fileOf([multipart({ end: third })])).toBe("file");
  });

  test("may go on after its end, but not for ever", async () => {
    const body = Readable.from(
      (function* () {
        yield multipart();
        for (;;) yield Buffer.alloc(10_000);
      })(),
      { objectMode: false },
    );
    expect((await bytesOf(await readMultipart(contentType, body))).toString()).toBe("file");
    await expect.poll(() => body.destroyed).toBe(true);
  });

  test("may hold an empty file, and one without headers", async () => {
    expect(await fileOf([multipart({ file: "" })])).toBe("");
    const bare = await read([multipart({ second: "\r\n" })]);
    expect(bare.header("content-type")).toBeUndefined();
    expect((await bytesOf(bare)).toString()).toBe("file");
  });

  test("may name its headers in any case, and write UTF-8 in them", async () => {
    const head = await read([multipart({ second: 'CONTENT-disposition:inline; filename="Ťext.png"\r\n\r\n' })]);
    expect(head.header("content-disposition")).toBe('inline; filename="Ťext.png"');
    expect((await bytesOf(head)).toString()).toBe("file");
  });
});
