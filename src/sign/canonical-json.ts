import { walk } from "canonical-json";
import { cleanText, SignError } from "../errors.js";
import { isWellFormed } from "../name/well-formed.js";

/**
 * How deep arrays and objects may nest. Real events stay far below it; an event of 64 KB could nest 32,000 levels
 * and exhaust the stack.
 */
const MAX_DEPTH = 512;

/** The first thing in a value that canonical JSON cannot express. */
interface Flaw {
  /** Where it is, seen from the value in hand: `.content.a[3]`. */
  path: string;
  /** What is wrong there. */
  readonly problem: string;
}

/**
 * Encodes a value as canonical JSON: the one text that hashes and signatures are made of.
 * Specification: Appendices, "Canonical JSON", with the clarifications of MSC4458.
 *
 * Negative zero becomes `0`. Everything that has no canonical form is refused, also what `JSON.stringify` would leave
 * out or convert: properties that are undefined, floats, class instances, `toJSON` methods.
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON`; the message says where in the value.
 */
export function canonicalJson(value: unknown): string {
  const flaw = findFlaw(value, 0);
  if (flaw) {
    throw new SignError("ERR_CANONICAL_JSON", `No canonical JSON at ${cleanText(`$${flaw.path}`)}: ${flaw.problem}.`);
  }
  let text = "";
  walk(
    value,
    (chunk) => {
      text += chunk;
    },
    compareCodePoints,
  );
  return text;
}

/** Orders two well-formed texts by code points; `<` orders by UTF-16 units, which puts U+1F600 before U+FF61. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Surrogates stand for code points above every other UTF-16 unit. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

function findFlaw(value: unknown, depth: number): Flaw | undefined {
  switch (typeof value) {
    case "string":
      return isWellFormed(value) ? undefined : { path: "", problem: "text has an unpaired surrogate" };
    case "number":
      if (Number.isSafeInteger(value)) return undefined;
      return { path: "", problem: `the number ${value} is not an integer between -(2^53)+1 and (2^53)-1` };
    case "boolean":
      return undefined;
    case "object":
      return value === null ? undefined : findFlawInside(value, depth);
    default:
      return { path: "", problem: `${typeof value} is not a JSON type` };
  }
}

function findFlawInside(value: object, depth: number): Flaw | undefined {
  if (depth === MAX_DEPTH) return { path: "", problem: `more than ${MAX_DEPTH} levels, or a circle` };
  // A toJSON that is inherited or not enumerable is not among the keys, but the encoder would call it.
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    return { path: "", problem: "an object has a toJSON method" };
  }
  if (Array.isArray(value)) {
    // By index, so that the gaps of a sparse array are seen: they read as undefined.
    for (let index = 0; index < value.length; index++) {
      const flaw = findFlaw(value[index], depth + 1);
      if (flaw) return within(`[${index}]`, flaw);
    }
    return undefined;
  }
  if (!isPlain(value)) return { path: "", problem: "an object is not a plain object" };
  for (const key of Object.keys(value)) {
    if (!isWellFormed(key)) return { path: "", problem: "a key has an unpaired surrogate" };
    const flaw = findFlaw((value as Record<string, unknown>)[key], depth + 1);
    if (flaw) return within(/^[\w.]{1,60}$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 60))}]`, flaw);
  }
  return undefined;
}

function within(place: string, flaw: Flaw): Flaw {
  flaw.path = place + flaw.path;
  return flaw;
}

/** Whether it is what `{}` and `JSON.parse` make. Of another realm is fine: test runners hand such objects over. */
function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
