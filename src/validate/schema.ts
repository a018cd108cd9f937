import { z } from "zod";
import type { JsonObject, ResponseSchema } from "../endpoint.js";

/**
 * A zod schema as the guard of a response. The type says what the guard has made sure of; the library hands out the
 * parsed JSON itself, for zod's own output is a copy with other bytes.
 */
export function guard<Output>(schema: z.ZodType): ResponseSchema<Output> {
  return schema as unknown as ResponseSchema<Output>;
}

/** Whether a value is a JSON object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A JSON object of which nothing more is asked. */
export const anyObject: z.ZodType = z.custom(isObject, "expected an object");

// One issue for the whole array: a hostile answer with a million wrong elements must not make a million issues.
/** An array of JSON objects, such as events. */
export const objects: z.ZodType = z.custom(
  (value) => Array.isArray(value) && value.every(isObject),
  "expected an array of objects",
);

/** An array whose elements are looked at one by one afterwards (`events` and `rooms` of the endpoint). */
export const elements: z.ZodType = z.custom(Array.isArray, "expected an array");

/** An array of exactly one event. */
export const oneEvent: z.ZodType = z.custom(
  (value) => Array.isArray(value) && value.length === 1,
  "expected an array of exactly one element",
);

/** An array of strings, such as event ids. */
export const strings: z.ZodType = z.custom(
  (value) => Array.isArray(value) && value.every((element) => typeof element === "string"),
  "expected an array of strings",
);

/** A whole number that canonical JSON can carry. */
export const integer: z.ZodType = z.int();
