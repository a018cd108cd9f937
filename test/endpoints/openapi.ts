/** Reads the OpenAPI description of the Server-Server API: operations, with every reference resolved. */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { parse } from "yaml";

import type { JsonObject, JsonValue } from "../../src/index.js";

/** A JSON Schema, as far as the specification uses it. References are resolved, `allOf` is not. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly JsonValue[];
  readonly example?: JsonValue;
}

/** An error that an operation documents. */
export interface OperationError {
  readonly status: number;
  /** The error codes of its examples. */
  readonly examples: readonly string[];
  /** All error codes that its text, its examples and its schema name. */
  readonly named: readonly string[];
}

/** One operation of the specification. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query: readonly { readonly name: string; readonly required: boolean }[];
  /** The names of the security schemes; none where the operation needs none. */
  readonly security: readonly string[];
  readonly hasBody: boolean;
  readonly errors: readonly OperationError[];
  /** The media type of a success; undefined where the specification says nothing of its body. */
  readonly mediaType: string | undefined;
  /** The schema of a success that is JSON. */
  readonly schema: Schema | undefined;
  /** The example of a success: the written one, else put together from the examples of its fields. */
  readonly example: JsonValue | undefined;
}

interface Media {
  readonly schema?: Schema;
  readonly example?: JsonValue;
  readonly examples?: Readonly<Record<string, { readonly value: JsonValue }>>;
}

interface Response {
  readonly content?: Readonly<Record<string, Media>>;
}

interface RawOperation {
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required?: boolean }[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, Response>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly servers: readonly [{ readonly variables: { readonly basePath: { readonly default: string } } }];
}

/** Every operation in the folder with the API's files. */
export function readOperations(folder: string): Operation[] {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort();
  return files.flatMap((name) => {
    const { paths, servers } = resolve(load(posix.join(folder, name)), posix.join(folder, name)) as unknown as Document;
    const base = servers[0].variables.basePath.default;
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, raw]) => readOperation(method.toUpperCase(), base + path, raw)),
    );
  });
}

function readOperation(method: string, path: string, raw: RawOperation): Operation {
  const [[mediaType, media] = []] = Object.entries(raw.responses["200"]?.content ?? {});
  const schema = mediaType === "application/json" ? media?.schema : undefined;
  return {
    method,
    path,
    query: (raw.parameters ?? [])
      .filter((parameter) => parameter.in === "query")
      .map(({ name, required = false }) => ({ name, required })),
    security: (raw.security ?? []).flatMap((each) => Object.keys(each)),
    hasBody: raw.requestBody !== undefined,
    errors: Object.entries(raw.responses)
      .filter(([status]) => Number(status) >= 300)
      .map(([status, response]) => readError(Number(status), response)),
    mediaType,
    schema,
    example: schema && (Object.values(media?.examples ?? {})[0]?.value ?? media?.example ?? exampleOf(schema)),
  };
}

function readError(status: number, response: Response): OperationError {
  const examples = Object.values(response.content ?? {}).flatMap((media) => Object.values(media.examples ?? {}));
  const codes = examples.map(({ value }) => String((value as JsonObject).errcode));
  // The schema of errors in general has an example of its own.
  const text = JSON.stringify(response, (name, value) => (name === "example" && value === "M_UNKNOWN" ? "" : value));
  return { status, examples: codes, named: [...new Set(text.match(/\bM_[A-Z_]+\b/g))].sort() };
}

const loaded = new Map<string, JsonValue>();

function load(file: string): JsonValue {
  const known = loaded.get(file) ?? (parse(readFileSync(file, "utf8")) as JsonValue);
  loaded.set(file, known);
  return known;
}

/** The value with each `$ref` replaced by what it refers to; what stands beside a reference wins over it. */
function resolve(value: JsonValue, file: string): JsonValue {
  if (Array.isArray(value)) return value.map((item) => resolve(item, file));
  if (typeof value !== "object" || value === null) return value;
  const { $ref, ...beside } = value;
  const resolved = Object.fromEntries(Object.entries(beside).map(([name, item]) => [name, resolve(item, file)]));
  if (typeof $ref !== "string") return resolved;
  const [path = "", pointer = ""] = $ref.split("#");
  const target = path === "" ? file : posix.join(posix.dirname(file), path);
  let found: JsonValue | undefined = load(target);
  for (const step of pointer.split("/").slice(1)) found = (found as JsonObject | undefined)?.[step];
  if (found === undefined) throw new Error(`${file} refers to ${$ref}, which is not there`);
  const referred = resolve(found, target);
  if (Object.keys(resolved).length === 0) return referred;
  return { ...(referred as JsonObject), ...resolved };
}

/** The schema with its `allOf` merged into it, and of an `anyOf` the one that a value is of. */
export function flatten(schema: Schema, value?: JsonValue): Schema {
  const { allOf = [], anyOf, oneOf, ...own } = schema;
  const choices = anyOf ?? oneOf ?? [];
  const chosen = choices.find((each) => value !== undefined && isOf(each, value)) ?? choices[0];
  const parts = [...allOf, ...(chosen ? [chosen] : [])].map((part) => flatten(part, value));
  const merged: { properties?: Record<string, Schema>; required?: string[] } = {};
  for (const part of [...parts, own]) {
    const { properties = {}, required = [], ...rest } = part;
    Object.assign(merged, rest);
    merged.required = [...new Set([...(merged.required ?? []), ...required])];
    for (const [name, property] of Object.entries(properties)) {
      merged.properties ??= {};
      const before = merged.properties[name];
      merged.properties[name] = before ? { allOf: [before, property] } : property;
    }
  }
  return merged;
}

function isOf(schema: Schema, value: JsonValue): boolean {
  const type = Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
  return [flatten(schema).type].flat().includes(type);
}

/** An example of a schema: its own, else put together from those of its parts. */
export function exampleOf(unmerged: Schema): JsonValue {
  const schema = flatten(unmerged);
  if (schema.example !== undefined) return schema.example;
  if (schema.enum?.[0] !== undefined) return schema.enum[0];
  switch ([schema.type].flat()[0]) {
    case "array":
      return schema.items ? [exampleOf(schema.items)] : [];
    case "integer":
    case "number":
      return 1;
    case "boolean":
      return true;
    case "string":
      return "text";
    default:
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, property]) => [name, exampleOf(property)]),
      );
  }
}
