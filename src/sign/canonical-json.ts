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
 * Which numbers may be in a value. `integers` takes those of the specification, in ±(2^53-1). `old` is for events of
 * room versions 1 to 5: it takes floats too, and writes them as Python does, which wrote them at the time.
 */
export type Numbers = "integers" | "old";

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
  return encodeCanonical(value, "integers");
}

/** As {@link canonicalJson}, with the numbers that are said. */
export function encodeCanonical(value: unknown, numbers: Numbers): string {
  return encodeOrdinary(value, 0) || encodeAny(value, numbers);
}

/** What is wrong with a value that has no canonical JSON, and where; undefined for one that has. */
export function canonicalFault(value: unknown, numbers: Numbers): string | undefined {
  const flaw = findFlaw(value, 0, numbers);
  return flaw && `no canonical JSON at ${cleanText(`$${flaw.path}`)}: ${flaw.problem}`;
}

/** Text that needs no escape and sorts by UTF-16 units as it does by code points: nothing from U+D800 on. */
const UNPLAIN = /[^ !#-[\]-\ud7ff]/;

/**
 * The canonical JSON of what is in nearly every event, in little more than the time of `JSON.stringify`. It answers ""
 * for the rest, right or wrong: keys beyond U+D7FF, floats, everything that is no JSON.
 */
function encodeOrdinary(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return encodeText(value);
    case "number":
      return Number.isSafeInteger(value) ? String(value) : "";
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      return "";
  }
  if (value === null) return "null";
  if (depth === MAX_DEPTH || (value as { toJSON?: unknown }).toJSON !== undefined) return "";
  if (Array.isArray(value)) {
    let text = "";
    for (let index = 0; index < value.length; index++) {
      const item = encodeOrdinary(value[index], depth + 1);
      if (item === "") return "";
      text += index === 0 ? item : `,${item}`;
    }
    return `[${text}]`;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return "";
  const keys = Object.keys(value);
  sortByUnits(keys);
  let text = "";
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    const item = encodeOrdinary((value as Record<string, unknown>)[key], depth + 1);
    if (item === "" || !isBelowSurrogates(key)) return "";
    text += index === 0 ? `${encodeText(key)}:${item}` : `,${encodeText(key)}:${item}`;
  }
  return `{${text}}`;
}

/** The JSON of a text; "" when it has an unpaired surrogate. */
function encodeText(text: string): string {
  if (!UNPLAIN.test(text)) return `"${text}"`;
  return isWellFormed(text) ? JSON.stringify(text) : "";
}

/** Whether a text, which is short, sorts by UTF-16 units as it does by code points. */
function isBelowSurrogates(text: string): boolean {
  return !UNPLAIN.test(text) || !/[\ud800-\uffff]/.test(text);
}

/** More keys than this are left to the engine's sort, which is slow to start and does not go by the square. */
const FEW_KEYS = 24;

/** Sorts by UTF-16 units. Objects have few keys, and many of them come sorted. */
function sortByUnits(keys: string[]): void {
  if (keys.length > FEW_KEYS) {
    keys.sort();
    return;
  }
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index] as string;
    let at = index - 1;
    while (at >= 0 && (keys[at] as string) > key) {
      keys[at + 1] = keys[at] as string;
      at--;
    }
    keys[at + 1] = key;
  }
}

/** The canonical JSON of any value that has one. */
function encodeAny(value: unknown, numbers: Numbers): string {
  const fault = canonicalFault(value, numbers);
  if (fault) throw new SignError("ERR_CANONICAL_JSON", `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`);
  let text = "";
  walk(
    value,
    (chunk) => {
      text += numbers === "old" && /^-?\d/.test(chunk) ? formatOldNumber(Number(chunk)) : chunk;
    },
    compareCodePoints,
  );
  return text;
}

/** A number as Python's `json.dumps` writes it: its exponents start sooner, and have two digits. */
function formatOldNumber(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e-(\d)$/, "e-0$1");
}

/** The object's own keys in canonical order. */
export function sortedKeys(object: object): string[] {
  const keys = Object.keys(object);
  if (keys.every(isBelowSurrogates)) sortByUnits(keys);
  else keys.sort(compareCodePoints);
  return keys;
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
function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
