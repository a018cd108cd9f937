import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { createWorld } from "../client/world.js";

const world = createWorld("a.example");

test("a failure of DNS that is told again happened once (bug: each telling was counted)", async () => {
  let asked = 0;
  const fails = async (): Promise<never> => {
    asked += 1;
    throw Object.assign(new Error("the name server failed"), { code: "ESERVFAIL" });
  };
  const client = world.client({ dns: { resolve4: fails, resolve6: fails, resolveSrv: fails } });
  for (let call = 0; call < 4; call++) {
    await client.safe.version("a.example", { rounds: 1 });
    await sleep(5);
  }
  // A, AAAA, and one SRV record, whose failure is no absence.
  expect(asked).toBe(3);
  expect(await client.backoff.get("a.example")).toMatchObject({ failures: 1, retryAt: undefined });
});
