import { NameError, OptionError, quoted } from "../errors.js";
import { isWellFormed } from "./well-formed.js";

/** Percent-encodes a well-formed text. URL parsers would encode the apostrophe in a query after we signed it. */
const encode = (text: string): string => encodeURIComponent(text).replaceAll("'", "%27");

/**
 * Percent-encodes a text into one path segment that every URL parser leaves as it is.
 *
 * @throws {@link NameError} `ERR_PATH_SEGMENT` for an empty text, for `.` and `..`, which URL parsers collapse even
 * when they are percent-encoded, and for unpaired surrogates, which have no UTF-8 form.
 */
export function encodeSegment(text: string): string {
  if (text === "" || text === "." || text === ".." || !isWellFormed(text)) {
    throw new NameError(
      "ERR_PATH_SEGMENT",
      `${quoted(text)} cannot be a path segment; a right one is well-formed text and not "", "." or "..".`,
    );
  }
  return encode(text);
}

/**
 * Fills the `{field}` places of a path, each with one percent-encoded segment.
 *
 * @throws {@link OptionError} `ERR_INPUT` when a field is missing or is neither a string nor a finite number.
 * @throws {@link NameError} `ERR_PATH_SEGMENT` when a field cannot be a path segment.
 */
export function fillPath(template: string, fields: Readonly<Record<string, unknown>>): string {
  return template.replace(/\{([^{}]*)\}/g, (_place, field: string) => encodeSegment(asText(field, fields[field])));
}

/**
 * The query string of a request, with its `?`; empty where there is nothing to say. Arrays repeat the parameter,
 * undefined is left out.
 *
 * @param query - The parameter's name on the wire to the field that fills it; `*` to one that holds parameters of any name.
 * @throws {@link OptionError} `ERR_INPUT` when a field holds what cannot stand in a query.
 */
export function fillQuery(
  query: Readonly<Record<string, string>> | undefined,
  fields: Readonly<Record<string, unknown>>,
): string {
  const parts: string[] = [];
  const pairs = Object.entries(query ?? {}).flatMap(([name, field]): [string, string, unknown][] =>
    name === "*"
      ? recordOf(field, fields[field]).map(([own, value]) => [own, `${field}.${own}`, value])
      : [[name, field, fields[field]]],
  );
  for (const [name, field, value] of pairs) {
    if (!isWellFormed(name)) {
      throw new OptionError("ERR_INPUT", `The parameter ${quoted(name)} has an unpaired surrogate in it.`);
    }
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item === undefined) continue;
      const text = typeof item === "boolean" ? String(item) : asText(field, item);
      if (!isWellFormed(text)) {
        throw new OptionError("ERR_INPUT", `The field ${quoted(field)} has an unpaired surrogate in it.`);
      }
      parts.push(`${encode(name)}=${encode(text)}`);
    }
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** The parameters in a field that holds parameters of any name; none where it is absent. */
function recordOf(field: string, value: unknown): [string, unknown][] {
  if (value === undefined) return [];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value);
  throw new OptionError("ERR_INPUT", `The field ${quoted(field)} has the wrong type; it has to be an object.`);
}

function asText(field: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  const what = value === undefined ? "is missing" : "has the wrong type";
  throw new OptionError("ERR_INPUT", `The field ${quoted(field)} ${what}; it has to be a string or a finite number.`);
}
