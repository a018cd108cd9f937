import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatXMatrix, parseXMatrix } from "../../src/sign/x-matrix.js";

const plain = { origin: "a.example", destination: "b.example:8448", keyId: "ed25519:a_1", signature: "AB+/cd" };
const printable = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });

describe("X-Matrix", () => {
  it("is written as the oldest servers read it", () => {
    expect(formatXMatrix(plain)).toBe(
      'X-Matrix origin="a.example",destination="b.example:8448",key="ed25519:a_1",sig="AB+/cd"',
    );
    expect(formatXMatrix({ ...plain, destination: undefined })).toBe(
      'X-Matrix origin="a.example",key="ed25519:a_1",sig="AB+/cd"',
    );
  });

  it("reads back what it wrote", () => {
    fc.assert(
      fc.property(
        fc.record({
          origin: printable,
          destination: fc.option(printable, { nil: undefined }),
          keyId: printable,
          signature: printable,
        }),
        (it) => {
          expect(parseXMatrix(formatXMatrix(it))).toStrictEqual({ ...it });
        },
      ),
    );
  });

  it.each([
    'X-Matrix origin="a.example",destination="b.example:8448",key="ed25519:a_1",sig="AB+/cd"',
    'x-matrix  SIG="AB+/cd" , key="ed25519:a_1"\t,Destination="b.example:8448",origin="a.example"',
    "X-Matrix origin=a.example,destination=b.example:8448,key=ed25519:a_1,sig=AB+/cd",
    'X-Matrix origin = a.example,destination="b.example\\:8448",key="ed25519\\:a_1",sig="AB+/cd",',
    'X-Matrix origin=a.example,,destination="b.example:8448",key="ed25519:a_1",sig="AB+/cd",future="x,\\"y"',
  ])("reads %s", (header) => expect(parseXMatrix(header)).toEqual(plain));

  it("reads IPv6 names and empty unknown parameters, quoted or not", () => {
    expect(parseXMatrix('X-Matrix origin=[::1]:8448,key=ed25519:1,sig=AA==,x=""')).toEqual({
      origin: "[::1]:8448",
      destination: undefined,
      keyId: "ed25519:1",
      signature: "AA==",
    });
  });

  it.each([
    undefined,
    null,
    7,
    ["X-Matrix origin=a,key=b,sig=c"],
    "",
    "X-Matrix",
    "X-Matrix ",
    "Bearer abc",
    "X-Matrixorigin=a,key=b,sig=c",
    "X-Matrix origin=a,key=b",
    'X-Matrix origin="",key=b,sig=c',
    "X-Matrix origin=a,key=b,sig=c,origin=d",
    "X-Matrix origin=a,key=b,sig=c,ORIGIN=a",
    "X-Matrix origin=a,key=b,sig=c,x=1,x=1",
    "X-Matrix origin=a key=b,sig=c",
    'X-Matrix origin="a,key=b,sig=c',
    'X-Matrix origin="a"b,key=b,sig=c',
    "X-Matrix origin=a,key=b,sig=c,rubbish",
    "X-Matrix ,origin=a,key=b,sig=c",
    'X-Matrix origin="a\nb",key=b,sig=c',
    'X-Matrix origin="ä",key=b,sig=c',
    'X-Matrix origin="a",key=b,sig=c\n',
    `X-Matrix origin=a,key=b,sig=${"c".repeat(4096)}`,
  ])("refuses %j", (header) => expect(parseXMatrix(header)).toBeUndefined());

  it.each(["", "a\r\nX-Evil: 1", "ä", "\0"])("refuses to write %j", (origin) => {
    expect(() => formatXMatrix({ ...plain, origin })).toThrow(
      expect.objectContaining({ name: "OptionError", code: "ERR_INPUT" }),
    );
  });

  it("never throws and takes linear time", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseXMatrix(`X-Matrix ${text}`)));
    const start = performance.now();
    for (const part of [" ", "\t", "a", "a=", '"', "\\", '\\"', ",", "a=,", 'a="', "a =\t", "!"]) {
      for (const head of ["X-Matrix ", 'X-Matrix a="', "X-Matrix a=", "X-Matrix a=b"]) {
        parseXMatrix((head + part.repeat(4096)).slice(0, 4095));
        parseXMatrix(`${(head + part.repeat(4096)).slice(0, 4000)}\n`);
      }
    }
    expect(performance.now() - start).toBeLessThan(500);
  });
});
