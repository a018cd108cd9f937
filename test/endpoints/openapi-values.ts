/** Variations of an example, led by its schema: with more fields, with one less, with the required ones only. */
import type { JsonObject, JsonValue } from "../../src/index.js";
import { flatten, type Schema } from "./openapi.js";

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The schemas of an object's fields; of a map, `*` stands for all of its keys. */
function fieldsOf(schema: Schema, value: JsonObject): [name: string, place: string, field: Schema][] {
  const rest = Object.values(schema.patternProperties ?? {})[0] ?? schema.additionalProperties;
  return Object.keys(value).flatMap((name): [string, string, Schema][] => {
    const own = schema.properties?.[name];
    if (own) return [[name, `.${name}`, own]];
    return typeof rest === "object" ? [[name, ".*", rest]] : [];
  });
}

/** Whether the schema names fields: other objects are maps, in which an unknown key is no unknown field. */
const hasNamedFields = ({ properties = {}, additionalProperties }: Schema): boolean =>
  Object.keys(properties).length > 0 && !(typeof additionalProperties === "object" && additionalProperties.type);

function mapInside(
  value: JsonValue,
  unmerged: Schema,
  change: (value: JsonValue, schema: Schema) => JsonValue,
): JsonValue {
  const schema = flatten(unmerged, value);
  if (Array.isArray(value)) return value.map((item) => (schema.items ? change(item, schema.items) : item));
  if (!isObject(value)) return value;
  const changed = fieldsOf(schema, value).map(([name, , field]) => [name, change(value[name] as JsonValue, field)]);
  return { ...value, ...Object.fromEntries(changed) };
}

/** The value with an unknown field in every object that has named ones. */
export function withUnknownFields(value: JsonValue, schema: Schema): JsonValue {
  const inside = mapInside(value, schema, withUnknownFields);
  if (!isObject(inside) || !hasNamedFields(flatten(schema, value))) return inside;
  return { "org.example.unknown": { of: ["any", 1, null] }, ...inside };
}

/** The value without all fields that its schema names and does not require. */
export function onlyRequired(value: JsonValue, schema: Schema): JsonValue {
  const inside = mapInside(value, schema, onlyRequired);
  if (!isObject(inside)) return inside;
  const { properties = {}, required = [] } = flatten(schema, value);
  return Object.fromEntries(
    Object.entries(inside).filter(([name]) => !(name in properties) || required.includes(name)),
  );
}

/** A value that lacks one field. */
export interface Lacking {
  /** The field, such as `devices[].device_id`. */
  readonly field: string;
  /** All of the value but the field. */
  readonly value: JsonValue;
}

/** The value without each of its required fields in turn: of an array, of its first element. */
export function withoutEachRequired(value: JsonValue, unmerged: Schema): Lacking[] {
  const schema = flatten(unmerged, value);
  if (Array.isArray(value)) {
    // Pairs: the second element is the answer proper.
    const at = value.findIndex(isObject);
    const item = value[at];
    if (item === undefined || !schema.items) return [];
    return withoutEachRequired(item, schema.items).map(({ field, value: lacking }) => ({
      field: `[]${field}`,
      value: value.with(at, lacking),
    }));
  }
  if (!isObject(value)) return [];
  const here = (schema.required ?? [])
    .filter((name) => name in value)
    .map((name) => {
      const { [name]: _, ...others } = value;
      return { field: `.${name}`, value: others };
    });
  const seen = new Set<string>();
  const inside = fieldsOf(schema, value).flatMap(([name, place, field]) => {
    if (seen.has(place)) return [];
    seen.add(place);
    return withoutEachRequired(value[name] as JsonValue, field).map((lacking) => ({
      field: place + lacking.field,
      value: { ...value, [name]: lacking.value },
    }));
  });
  return [...here, ...inside];
}
