import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { signJson } from "../../src/sign/signed-json.js";
import { SigningKey } from "../../src/sign/signing-key.js";
import { findingOf, homeserver, keyDocument, told, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

const name = "a.example";
const key = SigningKey.generate("a_test");

describe("/version", () => {
  it("tells what the server runs, cleaned", async () => {
    await world.healthy(name, "192.0.2.1", {
      version: (_, response) => response.end(JSON.stringify({ server: { name: "Syn\u001b[31mapse", version: "1" } })),
    });
    const diagnosis = await world.diagnose(name);

    expect(diagnosis.addresses).toMatchObject([{ version: { status: 200, name: "Syn [31mapse", version: "1" } }]);
  });

  it.each([
    ["a page of a web server", 200, "<html><h1>Welcome to nginx!</h1></html>", "body that is not JSON"],
    ["a page that is not found", 404, "<html><h1>404 Not Found</h1></html>", 'answered 404 "404 Not Found"'],
    ["a redirection", 301, "", "answered 301"],
    ["JSON of something else", 200, '{"server":"Apache"}', "$.server"],
  ])("that is %s comes from no homeserver", async (_, status, body, message) => {
    await world.healthy(name, "192.0.2.1");
    await world.serve("192.0.2.1", 8448, name, (_request, response) => response.writeHead(status).end(body));
    const diagnosis = await world.diagnose(name);

    expect(findingOf(diagnosis, "notHomeserver")).toMatchObject({
      severity: "error",
      about: "192.0.2.1:8448",
      message: expect.stringContaining(message),
      advice: expect.stringContaining("/_matrix/"),
    });
    expect(told(diagnosis)).not.toContain("error keysNotFetched");
  });

  it("that a reverse proxy answers with 502 means that the homeserver is down", async () => {
    await world.healthy(name, "192.0.2.1");
    const page = "<html><title>502</title><h1>Bad Gateway</h1></html>";
    await world.serve("192.0.2.1", 8448, name, (_, response) => response.writeHead(502).end(page));
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error versionFailed", "error keysNotFetched"]);
    expect(findingOf(diagnosis, "versionFailed").message).toContain("answered 502");
  });

  it("that is refused with a Matrix error is a warning where the keys are served", async () => {
    await world.healthy(name, "192.0.2.1", {
      version: (_, response) => response.writeHead(404).end('{"errcode":"M_UNRECOGNIZED","error":"No"}'),
    });
    expect(told(await world.diagnose(name))).toEqual(["warning versionFailed"]);
  });

  it("that a reverse proxy answers with 502 is an error, though a cache still serves the keys (bug: it was OK)", async () => {
    await world.healthy(name, "192.0.2.1", { version: (_, response) => response.writeHead(502).end("<html>nginx") });
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["error versionFailed"]);
    expect(diagnosis).toMatchObject({ ok: false, addresses: [{ ok: false }] });
  });

  it("that is slower than a third of a short timeout is no error (bug: it was versionFailed)", async () => {
    await world.healthy(name, "192.0.2.1", {
      version: async (_, response) => {
        await sleep(700);
        response.end("{}");
      },
    });
    const diagnosis = await world.diagnose(name, {}, 1_600);

    expect(told(diagnosis)).toEqual(["warning timeout"]);
    expect(findingOf(diagnosis, "timeout")).toMatchObject({
      about: "192.0.2.1:8448",
      message: expect.stringContaining("1600 ms in all, and a third of that, 533 ms, for each step"),
    });
    expect(diagnosis).toMatchObject({ ok: true, addresses: [{ ok: true, finished: false, version: undefined }] });
  });

  it("that does not come at all, nor the keys, leaves the server unjudged, and so not OK", async () => {
    await world.healthy(name, "192.0.2.1", { version: () => {}, keys: () => {} });
    const diagnosis = await world.diagnose(name, {}, 900);

    expect(told(diagnosis)).toEqual(["warning timeout"]);
    expect(diagnosis).toMatchObject({ ok: false, addresses: [{ ok: false, finished: false }] });
  });

  it("that takes three seconds is a warning", async () => {
    await world.healthy(name, "192.0.2.1", {
      version: async (_, response) => {
        await sleep(3_050);
        response.end("{}");
      },
    });
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["warning versionSlow"]);
    expect(findingOf(diagnosis, "versionSlow").message).toMatch(/ took [3-9]\.\d seconds/);
  });
});

describe("the keys", () => {
  const served = async (keys: object | ((...args: never[]) => unknown)) => {
    await world.healthy(name, "192.0.2.1", { keys });
    return await world.diagnose(name);
  };

  it("are told with whose they are and whether they signed", async () => {
    const diagnosis = await served(keyDocument(name, key));

    expect(told(diagnosis)).toEqual([]);
    expect(diagnosis.keys).toEqual({
      serverName: name,
      validUntil: expect.any(Number),
      keys: [{ keyId: "ed25519:a_test", publicKey: key.publicKey, signed: true }],
      oldKeyIds: [],
    });
    expect(diagnosis.addresses).toMatchObject([{ keys: { same: true, status: 200 } }]);
  });

  it("that cannot be fetched are an error", async () => {
    const diagnosis = await served((_: never, response: { writeHead(status: number): { end(): void } }) =>
      response.writeHead(404).end(),
    );
    expect(told(diagnosis)).toEqual(["error keysNotFetched"]);
    expect(findingOf(diagnosis, "keysNotFetched").message).toContain("answered 404");
  });

  it.each([
    ["no JSON", "<html>", "not JSON"],
    ["an array", "[]", "no JSON object"],
    ["no keys", '{"server_name":"a.example","valid_until_ts":1}', "verify_keys"],
    ["no date", '{"server_name":"a.example","verify_keys":{}}', "valid_until_ts"],
    ["no name", '{"valid_until_ts":1,"verify_keys":{}}', "server_name"],
  ])("that are %s are no key document", async (_, body, message) => {
    const diagnosis = await served((_request: never, response: { end(text: string): void }) => response.end(body));

    expect(told(diagnosis)).toEqual(["error keysInvalid"]);
    expect(findingOf(diagnosis, "keysInvalid").message).toContain(message);
  });

  it("of another server mean that the delegation leads to a wrong one", async () => {
    const diagnosis = await served(keyDocument("b.example", key));

    expect(told(diagnosis)).toEqual(["error keysWrongServer"]);
    expect(findingOf(diagnosis, "keysWrongServer").message).toContain("says that it is b.example, not a.example");
  });

  it("without a valid signature of their own are an error", async () => {
    const changed = { ...keyDocument(name, key), added_by_a_proxy: true };
    expect(told(await served(changed))).toEqual(["error keysUnsigned"]);
  });

  it("signed by a key that is not among them are an error", async () => {
    const { signatures: _, ...document } = keyDocument(name, key) as { signatures: unknown };
    const other = SigningKey.generate("a_other");
    expect(told(await served(signJson(document, name, other)))).toEqual(["error keysUnsigned"]);
  });

  it("that have expired are an error, that expire within the hour a warning", async () => {
    expect(told(await served(keyDocument(name, key, -1_000)))).toEqual(["error keysExpired"]);
    const soon = await served(keyDocument(name, key, 600_000));
    expect(told(soon)).toEqual(["warning keysExpiring"]);
    expect(findingOf(soon, "keysExpiring").message).toContain("10 minutes");
  });

  it("that differ from address to address are an error, documents of different times are not", async () => {
    await world.healthy(name, "192.0.2.1", { key });
    world.dns.set(name, "A", ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    await world.serve("192.0.2.2", 8448, name, homeserver({ name, key, validForMs: 7_200_000 }));
    await world.serve("192.0.2.3", 8448, name, homeserver({ name, key: SigningKey.generate("a_else") }));
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis).every((finding) => finding === "error keysDiffer")).toBe(true);
    const { message } = findingOf(diagnosis, "keysDiffer");
    expect(message).toContain("ed25519:a_test");
    expect(message).toContain("ed25519:a_else");
    const same = (address: string) => diagnosis.addresses.find((each) => each.address === address)?.keys?.same;
    expect(same("192.0.2.1")).toBe(same("192.0.2.2"));
    expect(same("192.0.2.3")).toBe(!same("192.0.2.1"));
  });

  it("that are hostile cost no more than 8 checks, and nothing crashes", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 500 }, (_, at) => [`ed25519:k${at}\n`, { key: "A".repeat(300) }]),
    );
    const json = `{"server_name":"a.example","valid_until_ts":1e300,"verify_keys":${JSON.stringify(many)},"old_verify_keys":{"__proto__":{}},"signatures":{"__proto__":[]}}`;
    const diagnosis = await served((_: never, response: { end(text: string): void }) => response.end(json));

    expect(told(diagnosis)).toEqual(["error keysUnsigned"]);
    expect(diagnosis.keys?.keys).toHaveLength(8);
    expect(diagnosis.keys?.keys[0]).toMatchObject({ keyId: "ed25519:k0 ", publicKey: `${"A".repeat(100)}…` });
  });
});

describe("the clock", () => {
  it.each([
    ["ahead", 10 * 60_000, "10 minutes ahead of"],
    ["behind", -10 * 60_000, "10 minutes behind"],
  ])("that is ten minutes %s is warned of", async (_, skewMs, message) => {
    await world.healthy(name, "192.0.2.1", { date: new Date(Date.now() + skewMs).toUTCString() });
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual(["warning clockSkew"]);
    expect(findingOf(diagnosis, "clockSkew").message).toContain(message);
  });

  it("that says nothing sensible is not judged", async () => {
    await world.healthy(name, "192.0.2.1", { date: "1" });
    const diagnosis = await world.diagnose(name);

    expect(told(diagnosis)).toEqual([]);
    expect(diagnosis.addresses[0]?.clockSkewMs).toBeUndefined();
  });
});
