import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { FileBody } from "../../src/media/file-body.js";
import { type MultipartHead, readMultipart } from "../../src/media/multipart.js";
import type { Behaviour } from "../../src/testing.js";
import { createWorld, rejection } from "../client/world.js";
import { boundary, jsonPart, multipart, sendChunks } from "./multipart-replies.js";

const world = createWorld("a.example");
const contentType = `multipart/mixed; boundary=${boundary}`;
const from = { server: "a.example", endpoint: "media_download" };
const next = `\r\n--${boundary}\r\n`;

const read = (chunks: readonly Uint8Array[], type = contentType): Promise<MultipartHead> =>
  readMultipart(type, Readable.from(chunks.map(Buffer.from), { objectMode: false }));

async function fileOf({ file }: MultipartHead): Promise<string> {
  const chunks: Buffer[] = [];
  const limits = { maxBytes: 2 ** 30, idleMs: 5_000, minBytesPerSecond: 0 };
  for await (const chunk of new FileBody(file, limits, from)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

const download = (behaviour: Behaviour) => {
  world.on("a.example", behaviour, "media_download");
  return world.client().media.download("a.example", { mediaId: "abc" });
};

// Everything that means something to a parser, in any order.
const pieces = fc.constantFrom(
  `--${boundary}`,
  `\r\n--${boundary}`,
  `\r\n--${boundary}--`,
  `\r\n--${boundary}-`,
  next,
  "\r\n",
  "\r\n\r\n",
  "\r",
  "\n",
  "-",
  "--",
  ":",
  " ",
  "\0",
  "{}",
  "{",
  '{"__proto__":{"a":1}}',
  "Content-Type: application/json",
  "Location: https://cdn.example/",
  "__proto__: x",
  "constructor: y",
  "toString: z",
  " folded",
  "x".repeat(300),
  boundary,
);
const bodies = fc.array(pieces, { maxLength: 30 }).map((all) => all.join(""));

describe("whatever a server sends,", () => {
  test("it is a file or an error, and never neither", async () => {
    await fc.assert(
      fc.asyncProperty(bodies, fc.array(fc.nat(1_000), { maxLength: 10 }), fc.boolean(), async (tail, cuts, begun) => {
        const bytes = Buffer.from(begun ? `--${boundary}\r\n${jsonPart}${next}${tail}` : tail, "latin1");
        const ends = [...new Set(cuts.map((at) => at % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
        const chunks = ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end)).filter(({ length }) => length > 0);
        const ending = read(chunks).then(
          async (head) => {
            expect(head.header("hasownproperty")).toBeUndefined();
            await fileOf(head).catch((error: unknown) => expect(error).toMatchObject({ code: "ERR_RESPONSE_INVALID" }));
            return "over";
          },
          (error: unknown) => {
            expect(error).toBeInstanceOf(Error);
            expect((error as Error).message).toMatch(/expected|body ends before/);
            return "over";
          },
        );
        expect(await Promise.race([ending, new Promise((late) => setTimeout(late, 3_000, "hangs"))])).toBe("over");
      }),
      { numRuns: 2_000 },
    );
  });

  test("how it is cut makes no difference", async () => {
    const outcome = (chunks: readonly Uint8Array[]): Promise<string> =>
      read(chunks)
        .then(async (head) => `${head.header("content-type")} ${head.header("location")} ${await fileOf(head)}`)
        .catch(() => "an error");
    await fc.assert(
      fc.asyncProperty(bodies, async (tail) => {
        const bytes = Buffer.from(`--${boundary}\r\n${jsonPart}${next}${tail}`, "latin1");
        const inOne = await outcome([bytes]);
        expect(await outcome([...bytes].map((byte) => Uint8Array.of(byte)))).toBe(inOne);
      }),
      { numRuns: 200 },
    );
  });

  test("headers with names that objects have do no harm, and are not found where they are not", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__"];
    const lines = names.map((name) => `${name}: x\r\n`).join("");
    const first = `${lines}Content-Type: application/json\r\n\r\n{"__proto__":{"polluted":1},"constructor":2}`;
    const media = await download(sendChunks([multipart({ first, second: `${lines}Content-Type: image/png\r\n\r\n` })]));
    expect(media.contentType).toBe("image/png");
    expect((media as { polluted?: unknown }).polluted).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect((media.metadata as { polluted?: unknown }).polluted).toBeUndefined();
    media.cancel();
    const bare = await read([multipart({ second: "\r\n" })]);
    for (const name of names) expect(bare.header(name)).toBeUndefined();
  });

  test("of headers of the same name, the first counts; of too many, the first ones", async () => {
    const twice = "Content-Type: image/png\r\nContent-Type: text/html\r\n\r\n";
    expect((await read([multipart({ second: twice })])).header("content-type")).toBe("image/png");
    const many = Array.from({ length: 1_000 }, (_, at) => `X-${at}: y\r\n`).join("");
    const head = await read([multipart({ second: `Content-Type: image/png\r\n${many}\r\n` })]);
    expect(head.header("content-type")).toBe("image/png");
    expect(head.header("x-999")).toBeUndefined();
    expect(await fileOf(head)).toBe("file");
  });

  test.each([
    ["a header without an end", `--${boundary}\r\nX: `],
    ["headers without an end", `--${boundary}\r\nX: y\r\n`],
    ["metadata without an end", `--${boundary}\r\nContent-Type: application/json\r\n\r\n{"a":"`],
    ["a second part's headers without an end", `--${boundary}\r\n${jsonPart}${next}X: `],
  ])("%s is given up, and costs little, compressed too", async (_what, begin) => {
    const bomb = Buffer.concat([Buffer.from(begin), Buffer.alloc(50_000_000, "X: yyyyyyyyy\r\n".slice(0, 4))]);
    const headers = { "content-type": contentType, "content-encoding": "gzip" };
    const error = await rejection(download(sendChunks([gzipSync(bomb)], headers)));
    expect(error).toMatchObject({ code: "ERR_RESPONSE_INVALID", server: "a.example" });
    expect(error.message).toContain("no file in the first 65536 bytes");
  });

  test("JSON that is nested without an end is no metadata", async () => {
    const first = `Content-Type: application/json\r\n\r\n${"[".repeat(60_000)}`;
    expect(await rejection(download(sendChunks([multipart({ first })])))).toMatchObject({
      code: "ERR_RESPONSE_INVALID",
    });
    const deep = `Content-Type: application/json\r\n\r\n${'{"a":'.repeat(8_000)}1${"}".repeat(8_000)}`;
    const outcome = await read([multipart({ first: deep })]).then(fileOf, ({ message }: Error) => message);
    expect(["file", "expected a JSON object in the first part"]).toContain(outcome);
  });

  test("of a hundred thousand parts the second is the file", async () => {
    const more = `${next}Content-Type: text/plain\r\n\r\nmore`.repeat(100_000);
    const media = await download(sendChunks([multipart({ end: `${more}\r\n--${boundary}--\r\n` })]));
    const chunks: Buffer[] = [];
    for await (const chunk of media.body) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe("file");
    const empty = Buffer.from(`--${boundary}\r\n`.repeat(100_000));
    expect(await rejection(download(sendChunks([empty])))).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
    const preamble = Buffer.from("\r\n--".repeat(100_000));
    expect(await rejection(download(sendChunks([preamble])))).toMatchObject({ code: "ERR_RESPONSE_INVALID" });
  });

  test.each(["-", "--", "a--", "\\", "a b", "aaaaaaaaaa", "-".repeat(70), "0", "%0d%0a", "(((((", "a".repeat(200)])(
    "a file comes whole with the boundary %j",
    async (by) => {
      const file = `\r\n-\r\n--\r\n--${by.slice(1)}\r\n-${by}`.repeat(2);
      // With a file in which the boundary stands itself, nobody could tell.
      const isClear = !`\r\n${file}`.includes(`\r\n--${by}`);
      const type = `multipart/mixed; boundary="${by.replaceAll("\\", "\\\\")}"`;
      const head = await read([multipart({ by, file: isClear ? file : "file" })], type);
      expect(await fileOf(head)).toBe(isClear ? file : "file");
    },
  );

  test.each([
    'multipart/mixed; boundary="a\r\nb"',
    "multipart/mixed; boundary=é",
    "multipart/mixed; boundary= ",
    `multipart/mixed; x="; boundary=${boundary}"`,
    `text/html; multipart/mixed; boundary=${boundary}`,
    "multipart/mixed; __proto__=a; boundary*=utf-8''a",
  ])("no boundary is found in %j", async (type) => {
    expect((await rejection(read([multipart()], type))).message).toBe("expected multipart/mixed with a boundary");
  });
});

describe("with the last boundary before the file", () => {
  test.each([
    ["nothing", `--${boundary}--`, ""],
    ["metadata", `--${boundary}\r\n${jsonPart}\r\n--${boundary}--`, ""],
    ["metadata and a file behind it", `--${boundary}\r\n${jsonPart}\r\n--${boundary}--`, `${next}\r\nfile${next}`],
  ])("a body of %s is invalid at once, though it goes on (bug: it was waited for)", async (_what, first, second) => {
    let gone = false;
    const behaviour: Behaviour = async ({ response, signal }) => {
      signal.addEventListener("abort", () => {
        gone = true;
      });
      response.writeHead(200, { "content-type": contentType });
      await new Promise<void>((sent) => response.write(first, () => sent()));
      if (second !== "") response.write(second);
    };
    expect(await rejection(download(behaviour))).toMatchObject({ code: "ERR_RESPONSE_INVALID", server: "a.example" });
    await expect.poll(() => gone).toBe(true);
  });

  test("it is invalid however it is cut", async () => {
    const bytes = Buffer.from(`--${boundary}--${boundary}`);
    for (let at = 1; at < bytes.length; at++) {
      const error = await rejection(read([bytes.subarray(0, at), bytes.subarray(at)]));
      expect(error.message, `cut at ${at}`).toBe("the body ends before its second part does");
    }
  });
});

describe("without the last boundary", () => {
  test.each([
    ["nothing", ""],
    ["a line", "\r\n"],
    ["a part of it", `\r\n--${boundary.slice(0, -1)}`],
    ["another one", `\r\n--${boundary.slice(0, -1)}x--`],
    ["one that is not at the beginning of a line", `--${boundary}--`],
  ])("but %s, a file fails at its end", async (_what, end) => {
    const { body } = await download(sendChunks([multipart({ end })]));
    const error = await rejection(
      (async () => {
        for await (const _ of body);
      })(),
    );
    expect(error).toMatchObject({ code: "ERR_RESPONSE_INVALID", server: "a.example" });
  });
});
