import fc from "fast-check";
import { expect, test } from "vitest";

import { boundaryOf, filenameOf, headerText, lengthOf, mediaTypeOf } from "../../src/media/content-headers.js";

test.each([
  ["inline; filename=a.png", "a.png"],
  ['attachment; filename="a b;c.png"', "a b;c.png"],
  [String.raw`attachment; filename="a \"b\".png"`, "a _b_.png"],
  ["attachment; filename*=utf-8''%e2%82%ac%20rates.txt", "€ rates.txt"],
  ["attachment; filename*=UTF-8'en'%E2%82%AC.txt; filename=euro.txt", "€.txt"],
  ["attachment; filename=euro.txt; filename*=iso-8859-1''%A3.txt", "£.txt"],
  ["attachment; filename=euro.txt; filename*=utf-8''%ff", "euro.txt"],
  ["attachment; filename=euro.txt; filename*=koi8-r''%ff", "euro.txt"],
  ["ATTACHMENT;FILENAME=a.txt", "a.txt"],
  ['inline; filename="../../etc/passwd"', "passwd"],
  [String.raw`inline; filename="C:\\Windows\\a.dll"`, "a.dll"],
  ["inline; filename*=utf-8''..%2f..%2fetc%2fpasswd", "passwd"],
  ["inline; filename*=utf-8''a%00b%0d%0ac.txt", "abc.txt"],
  ["inline; filename*=utf-8''gnp%E2%80%AEexe.png", "gnpexe.png"],
  ['inline; filename="a.txt:stream"', "a.txt_stream"],
  ['inline; filename="a.txt. . "', "a.txt"],
  ['inline; filename=".."', undefined],
  ['inline; filename=".htaccess"', "htaccess"],
  ['inline; filename=" . .. .bashrc"', "bashrc"],
  ["inline; filename*=utf-8''%E2%80%8B.profile", "profile"],
  ["inline; filename*=utf-8''%C2%A0.profile%C2%A0", "profile"],
  ['inline; filename="..."', undefined],
  ['inline; filename=". ."', undefined],
  ['inline; filename="a. ..  "', "a"],
  ["inline; filename=CON", "_CON"],
  ["inline; filename=con.", "_con"],
  ["inline; filename=.con", "_con"],
  ["inline; filename=nul.tar.gz", "_nul.tar.gz"],
  ["inline; filename=COM1.txt", "_COM1.txt"],
  ['inline; filename="Lpt9 .png"', "_Lpt9 .png"],
  ["inline; filename*=utf-8''com%C2%B9.txt", "_com\u00b9.txt"],
  ["inline; filename=a/AUX", "_AUX"],
  ['inline; filename="prn:x"', "prn_x"],
  ["inline; filename*=utf-8''C%00ON", "_CON"],
  ["inline; filename=CONIN$", "_CONIN$"],
  ["inline; filename=console.log", "console.log"],
  ["inline; filename=com10.txt", "com10.txt"],
  [`inline; filename=${"a".repeat(300)}.png`, `${"a".repeat(251)}.png`],
  [`inline; filename=${"a".repeat(300)}`, "a".repeat(255)],
  [`inline; filename=a.${"b".repeat(300)}`, `a.${"b".repeat(253)}`],
  [`inline; filename*=utf-8''${"%E2%82%AC".repeat(100)}.txt`, `${"\u20ac".repeat(83)}.txt`],
  [`inline; filename*=utf-8''${"%F0%9F%98%80".repeat(100)}`, "\u{1f600}".repeat(63)],
  [`inline; filename="${"a".repeat(250)}. .${"b".repeat(9)}.png"`, `${"a".repeat(250)}.png`],
  ['inline; filename="/"', undefined],
  ['inline; filename=""', undefined],
  ["inline", undefined],
  ["", undefined],
  [undefined, undefined],
])("the name in %j is %j", (header, name) => {
  expect(filenameOf(header)).toBe(name);
});

const harmful = fc.constantFrom(
  ".",
  " ",
  "/",
  "\\",
  ":",
  "CON",
  "nul",
  "lpt1",
  "\u00a0",
  "\u202e",
  "\0",
  "é",
  "\u{1f600}",
);
const names = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  fc.array(fc.oneof(harmful, fc.string({ maxLength: 5 })), { maxLength: 60 }).map((pieces) => pieces.join("")),
);

test("a name is never a path, a device or hidden, never long, and is itself when it is read again", () => {
  fc.assert(
    fc.property(names, (name) => {
      const headerOf = (text: string): string =>
        `attachment; filename*=utf-8''${encodeURIComponent(Buffer.from(text).toString())}`;
      const found = filenameOf(headerOf(name));
      if (found === undefined) return;
      expect(found).not.toMatch(/[/\\:\p{Cc}\p{Cf}\p{Cs}]|^[.\s]|[.\s]$|^$/u);
      expect(found).not.toMatch(/^(?:con|prn|aux|nul|com\d|lpt\d)\s*(?:\.|$)/i);
      expect(Buffer.byteLength(found)).toBeLessThanOrEqual(255);
      expect(filenameOf(headerOf(found))).toBe(found);
    }),
    { numRuns: 500 },
  );
});

test("a name never takes long", () => {
  const startedAt = performance.now();
  for (const dots of [". ", ".a", "a."]) filenameOf(`inline; filename="${dots.repeat(2_000)}a"`);
  for (const piece of [';a="\\"', ";a=\\", "; ", ';a="', "a=;"]) {
    filenameOf(piece.repeat(100_000));
    filenameOf(piece.repeat(4_000 / piece.length));
    boundaryOf(`multipart/mixed${piece.repeat(600)}`);
  }
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("media types are handed on only where they are some", () => {
  expect(mediaTypeOf("image/png")).toBe("image/png");
  expect(mediaTypeOf("text/plain; charset=utf-8")).toBe("text/plain; charset=utf-8");
  for (const wrong of [
    undefined,
    "",
    "image",
    "image/",
    "a/b\r\nx: y",
    "a/b; é",
    "a b/c",
    `a/b;${"x".repeat(5_000)}`,
  ]) {
    expect(mediaTypeOf(wrong)).toBe("application/octet-stream");
  }
});

test("lengths are whole numbers", () => {
  expect(lengthOf("12")).toBe(12);
  for (const wrong of [undefined, "", "-1", "1.5", "1e3", "9".repeat(20)]) expect(lengthOf(wrong)).toBeUndefined();
});

test("texts in Latin-1 stay, those in UTF-8 are read as such", () => {
  expect(headerText("é")).toBe("é");
  expect(headerText(Buffer.from("é€", "utf8").toString("latin1"))).toBe("é€");
  expect(headerText("€")).toBe("€");
});
