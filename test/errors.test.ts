import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { cleanText, quoted } from "../src/errors.js";
import {
  FailoverError,
  FederationError,
  MatrixError,
  NameError,
  OptionError,
  ResolveError,
  ResponseError,
  SignError,
  TransportError,
} from "../src/index.js";

const about = { server: "a.example", endpoint: "state_ids" };
const partial = { ...about, errcode: "M_UNABLE_DUE_TO_PARTIAL_STATE", status: 403, partialState: true };
const errors = [
  new OptionError("ERR_OPTION", "wrong"),
  new NameError("ERR_ROOM_ID", "wrong"),
  new ResolveError("ERR_RESOLVE", "wrong", about),
  new SignError("ERR_SIGNING_KEY", "wrong"),
  new TransportError("ERR_CONNECT", "wrong", { ...about, requestSent: false }),
  new ResponseError("ERR_NOT_MATRIX", "wrong", { ...about, status: 500 }),
  new MatrixError("wrong", partial),
  new FailoverError("ERR_ALL_FAILED", "wrong", { ...about, attempts: [], summary: "mixed" }),
];

describe("every error", () => {
  test("is an Error and a FederationError, with its class for a name", () => {
    for (const error of errors) {
      expect(error).toBeInstanceOf(Error);
      expect(error).toBeInstanceOf(FederationError);
      expect(error.name).toBe(error.constructor.name);
      expect(error.stack).toContain(error.name);
    }
  });

  test("has a message of a short line, then what it is about, line by line", () => {
    const error = new TransportError("ERR_TLS", "The certificate is wrong.", {
      ...about,
      requestSent: false,
      lines: ["Cause: expired"],
    });
    expect(error.message.split("\n")).toEqual([
      "The certificate is wrong.",
      "Server: a.example",
      "Endpoint: state_ids",
      "Cause: expired",
      "Docs: https://spec.matrix.org/latest/server-server-api/#tls",
    ]);
  });

  test("has a link to the rule that it is about, unless it is about an option of ours", () => {
    for (const error of errors) {
      if (error.code === "ERR_OPTION") expect(error.docsUrl).toBeUndefined();
      else expect(error.docsUrl).toMatch(/^https:\/\/(spec\.matrix\.org|github\.com\/matrix-org)\//);
    }
  });

  test("has a cause only where there was one", () => {
    const cause = new Error("why");
    expect(new ResolveError("ERR_RESOLVE", "x", { cause }).cause).toBe(cause);
    expect(Object.hasOwn(new ResolveError("ERR_RESOLVE", "x"), "cause")).toBe(false);
  });
});

test("a Matrix error's code says whether it means partial state", () => {
  expect(new MatrixError("x", partial).code).toBe("ERR_PARTIAL_STATE");
  expect(new MatrixError("x", { ...partial, partialState: false }).code).toBe("ERR_MATRIX");
});

test("a failover error's outcome is unknown only where its code says so", () => {
  const details = { attempts: [], summary: "allUnavailable" } as const;
  expect(new FailoverError("ERR_OUTCOME_UNKNOWN", "x", details).outcome).toBe("unknown");
  expect(new FailoverError("ERR_ALL_FAILED", "x", details).outcome).toBe("notDone");
});

describe("text of somebody else", () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  const unfit = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

  test("has no control, format or line-separator characters, no halves of characters, and a bounded length", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.integer({ min: 1, max: 300 }), (text, max) => {
        const clean = cleanText(text, max);
        expect(clean).not.toMatch(unfit);
        expect(clean).not.toMatch(/\p{Cs}/u);
        expect(clean.length).toBeLessThanOrEqual(max + 1);
      }),
    );
  });

  test("that is cut in the middle of a character leaves no half of it (bug: an unpaired surrogate)", () => {
    expect(cleanText(`${"x".repeat(199)}🐈 and more`)).toBe(`${"x".repeat(199)} …`);
  });

  test("that is harmless stays as it is", () => {
    expect(cleanText("Grüße, 🐈!")).toBe("Grüße, 🐈!");
  });

  test("is quoted, and other values are named without asking them for their text", () => {
    const nasty = {
      toString: () => {
        throw new Error("no");
      },
      toJSON: () => {
        throw new Error("no");
      },
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const values = ["a\nb", 5, undefined, null, [1], nasty, proxy, () => {}, Symbol("s"), 5n];
    expect(values.map(quoted)).toEqual([
      '"a b"',
      "5",
      "undefined",
      "null",
      "an array",
      "an object",
      "an object",
      "a function",
      "Symbol(s)",
      "5",
    ]);
    expect(quoted("x".repeat(1_000)).length).toBe(103);
  });
});
