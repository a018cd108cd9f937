import { cleanText } from "../errors.js";
import { isWellFormed } from "../name/well-formed.js";

/**
 * How deep arrays and objects may nest. Real events stay far below it; an event of 64 KB could nest 32,000 levels
 * and exhaust the stack.
 */
export const MAX_DEPTH = 512;

/** The first thing in a value that canonical JSON cannot express. */
interface Flaw {
  /** Where it is, seen from the value in hand: `.content.a[3]`. */
  path: string;
  /** What is wrong there. */
  readonly problem: string;
}

/**
 * Which numbers may be in a value. `integers` takes those of the specification, in ±(2^53-1). `old` is for events of
 * room versions 1 to 5: it takes floats too, and writes them as Python does, which wrote them at the time.
 */
export type Numbers = "integers" | "old";

/** What is wrong with a value that has no canonical JSON, and where; undefined for one that has. */
export function canonicalFault(value: unknown, numbers: Numbers): string | undefined {
  const flaw = findFlaw(value, 0, numbers);
  return flaw && `no canonical JSON at ${cleanText(`$${flaw.path}`)}: ${flaw.problem}`;
}

function findFlaw(value: unknown, depth: number, numbers: Numbers): Flaw | undefined {
  switch (typeof value) {
    case "string":
      return isWellFormed(value) ? undefined : { path: "", problem: "text has an unpaired surrogate" };
    case "number":
      return findNumberFlaw(value, numbers);
    case "boolean":
      return undefined;
    case "object":
      return value === null ? undefined : findFlawInside(value, depth, numbers);
    default:
      return { path: "", problem: `${typeof value} is not a JSON type` };
  }
}

function findNumberFlaw(value: number, numbers: Numbers): Flaw | undefined {
  if (Number.isSafeInteger(value)) return undefined;
  if (numbers === "integers") {
    return { path: "", problem: `the number ${value} is not an integer between -(2^53)+1 and (2^53)-1` };
  }
  // JSON.parse has lost which of several numbers it was: an integer of many digits, or a float.
  return Math.abs(value) < 2 ** 53 ? undefined : { path: "", problem: `the number ${value} is not known exactly` };
}

function findFlawInside(value: object, depth: number, numbers: Numbers): Flaw | undefined {
  if (depth === MAX_DEPTH) return { path: "", problem: `more than ${MAX_DEPTH} levels, or a circle` };
  // A toJSON that is inherited or not enumerable is not among the keys, but the encoder would call it.
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    return { path: "", problem: "an object has a toJSON method" };
  }
  if (Array.isArray(value)) {
    // By index, so that the gaps of a sparse array are seen: they read as undefined.
    for (let index = 0; index < value.length; index++) {
      const flaw = findFlaw(value[index], depth + 1, numbers);
      if (flaw) return within(`[${index}]`, flaw);
    }
    return undefined;
  }
  if (!isPlain(value)) return { path: "", problem: "an object is not a plain object" };
  for (const key of Object.keys(value)) {
    if (!isWellFormed(key)) return { path: "", problem: "a key has an unpaired surrogate" };
    const flaw = findFlaw((value as Record<string, unknown>)[key], depth + 1, numbers);
    if (flaw) return within(/^[\w.]{1,60}$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 60))}]`, flaw);
  }
  return undefined;
}

function within(place: string, flaw: Flaw): Flaw {
  flaw.path = place + flaw.path;
  return flaw;
}

/** Whether it is what `{}` and `JSON.parse` make. Of another realm is fine: test runners hand such objects over. */
export function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}
