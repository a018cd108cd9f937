import { afterEach, expect, test, vi } from "vitest";

import { createTestFederation } from "../../src/testing.js";

afterEach(() => vi.doUnmock("@peculiar/x509"));

test("without the certificate library the error says what to install", async () => {
  vi.doMock("@peculiar/x509", () => {
    throw new Error("Cannot find package");
  });
  const failure = createTestFederation({ servers: ["a.test"] });
  await expect(failure).rejects.toMatchObject({ code: "ERR_OPTION", message: expect.stringContaining("npm install") });
});

test("loading the certificate library leaves no trace on Reflect", async () => {
  const before = Reflect.ownKeys(Reflect);
  await (await createTestFederation({ servers: [] })).close();
  expect(Reflect.ownKeys(Reflect)).toEqual(before);
});
