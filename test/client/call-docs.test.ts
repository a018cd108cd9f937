/** What the calls' documentation says of time is what their endpoints grant. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { mediaEndpoints } from "../../src/client/media-calls.js";
import { roomEndpoints } from "../../src/client/room-calls.js";
import { inputlessEndpoints, serverEndpoints } from "../../src/client/server-calls.js";

const files = ["room-calls", "server-calls", "media-calls"];
const source = files
  .map((file) => readFileSync(new URL(`../../src/client/${file}.ts`, import.meta.url), "utf8"))
  .join();
const timesOf = new Map(
  [...source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s+(?:readonly )?(\w+)[:(]/g)].map(([, doc = "", name = ""]) => [
    name,
    [...doc.replaceAll(/\s*\n\s*\*\s*/g, " ").matchAll(/(\d+) (seconds|minutes) for each (?:try|resident)/g)].map(
      ([, count, unit]) => Number(count) * (unit === "seconds" ? 1_000 : 60_000),
    ),
  ]),
);

const endpoints = { ...roomEndpoints, ...serverEndpoints, ...inputlessEndpoints, ...mediaEndpoints };
test.each(Object.entries(endpoints))("%s says how long each try may take", (name, { timeoutMs }) => {
  expect(timesOf.get(name)).toEqual([timeoutMs]);
});
