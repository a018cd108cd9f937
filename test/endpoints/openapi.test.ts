/** The endpoint table is what the specification's OpenAPI description says, where that is at hand. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

import { allEndpoints } from "../../src/endpoints/index.js";
import { wellKnownServer } from "../../src/endpoints/well-known.js";
import type { DocumentedError, Endpoint, JsonValue, ResponseSchema } from "../../src/index.js";
import { type Operation, readOperations } from "./openapi.js";
import { misprinted, needed, stricter, tolerated } from "./openapi-exceptions.js";
import { onlyRequired, withoutEachRequired, withUnknownFields } from "./openapi-values.js";

const folder = fileURLToPath(new URL("../../../shared/spec/data/api/server-server", import.meta.url));
const there = existsSync(folder);
const operations = there ? readOperations(folder) : [];

// biome-ignore lint/suspicious/noExplicitAny: endpoints of every input
type Known = Partial<Endpoint<any, unknown>> & Pick<Endpoint<any, unknown>, "name" | "response">;

const nameOf = ({ method, path }: Operation): string => `${method} ${path}`;
const find = ({ method, path }: Operation): Known | undefined =>
  [...allEndpoints, wellKnownServer].find((each) => each.method === method && each.path === path);
const found = (operation: Operation): Known => {
  const endpoint = find(operation);
  if (!endpoint) throw new Error(`${nameOf(operation)} is no endpoint`);
  return endpoint;
};

async function faults(response: ResponseSchema<unknown>, value: JsonValue): Promise<string[]> {
  const { issues = [] } = await response["~standard"].validate(structuredClone(value));
  return issues.map(({ message, path = [] }) => {
    const place = path.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
    return `${place}: ${message}`;
  });
}

describe.skipIf(!there)("the specification's OpenAPI description", () => {
  test("has 36 operations, and each is in the table", () => {
    expect(operations).toHaveLength(36);
    expect(operations.filter((operation) => !find(operation)).map(nameOf)).toEqual([]);
  });

  test("is differed from only in endpoints that there are", () => {
    const names = operations.map((operation) => find(operation)?.name);
    const exceptions = [tolerated, needed].flatMap(Object.keys);
    expect(exceptions.filter((name) => !names.includes(name))).toEqual([]);
    expect(Object.keys(misprinted).filter((name) => !operations.map(nameOf).includes(name))).toEqual([]);
  });

  describe.each(operations.map((operation) => [nameOf(operation), operation] as const))("%s", (name, operation) => {
    const { query, security, hasBody, errors, mediaType, schema, example } = operation;

    test("has these query parameters", () => {
      const endpoint = found(operation);
      // "*" stands for any parameters, of which the specification names none.
      const { "*": _any, ...named } = endpoint.query ?? {};
      expect(Object.keys(named).sort(), `${name}: query parameters`).toEqual(query.map((each) => each.name).sort());
      for (const parameter of query) {
        const field = named[parameter.name] ?? "";
        const required = endpoint.required?.includes(field) ?? false;
        const expected = parameter.required || `${endpoint.name} ${parameter.name}` in stricter;
        expect(required, `${name}: ${parameter.name} is required`).toBe(expected);
      }
    });

    test("has this authentication", () => {
      const expected = misprinted[name]
        ? [misprinted[name]]
        : found(operation).authentication === "none"
          ? []
          : ["signedRequest"];
      expect(security, `${name}: authentication`).toEqual(expected);
    });

    test("has a body, or none", () => {
      expect(found(operation).body !== undefined, `${name}: has a body`).toBe(hasBody);
    });

    test("documents these errors", () => {
      const spec = errors.flatMap(({ status, named }): DocumentedError[] =>
        named.length === 0 ? [{ status }] : named.map((errcode) => ({ status, errcode })),
      );
      const asTexts = (all: readonly DocumentedError[]): string[] =>
        all.map(({ status, errcode = "without a code" }) => `${status} ${errcode}`).sort();
      expect(asTexts(found(operation).errors ?? []), `${name}: errors`).toEqual(asTexts(spec));
      // The examples are among them.
      for (const { status, examples, named } of errors) {
        for (const errcode of examples) expect(named, `${name}: the example of status ${status}`).toContain(errcode);
      }
    });

    if (mediaType !== "application/json" || !schema || example === undefined) {
      test("answers with no JSON that the specification describes", () => {
        const form = found(operation).answer === "multipart" ? "multipart/mixed" : undefined;
        expect(mediaType, `${name}: media type`).toBe(form);
      });
      return;
    }

    test("answers with its example", async () => {
      expect(await faults(found(operation).response, example), `${name}: example`).toEqual([]);
    });

    test("answers with its example and fields that are unknown", async () => {
      const more = withUnknownFields(example, schema);
      expect(await faults(found(operation).response, more), `${name}: unknown fields`).toEqual([]);
    });

    test("answers with the required fields alone", async () => {
      const { response, name: short } = found(operation);
      const wrong = await faults(response, onlyRequired(example, schema));
      if (short in needed) expect(wrong, `${name}: ${needed[short]}`).not.toEqual([]);
      else expect(wrong, `${name}: only the required fields`).toEqual([]);
    });

    test("without a required field is refused, but for those that may be missing", async () => {
      const { response, name: short } = found(operation);
      const taken: string[] = [];
      for (const { field, value } of withoutEachRequired(example, schema)) {
        if ((await faults(response, value)).length === 0) taken.push(field.replace(/^\./, ""));
      }
      expect(taken.sort(), `${name}: required fields that may be missing`).toEqual(
        [...(tolerated[short]?.fields ?? [])].sort(),
      );
    });
  });
});
