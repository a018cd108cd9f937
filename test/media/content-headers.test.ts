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
  ['inline; filename="/"', undefined],
  ['inline; filename=""', undefined],
  ["inline", undefined],
  ["", undefined],
  [undefined, undefined],
])("the name in %j is %j", (header, name) => {
  expect(filenameOf(header)).toBe(name);
});

test("a name is never a path, never long, and never takes long", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), (name) => {
      const found = filenameOf(`attachment; filename*=utf-8''${encodeURIComponent(Buffer.from(name).toString())}`);
      expect(found ?? "x").not.toMatch(/[/\\\p{Cc}]|^\.{0,2}$/u);
      expect([...(found ?? "")].length).toBeLessThanOrEqual(255);
    }),
  );
  const startedAt = performance.now();
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
