import { describe, expect, test } from "vitest";

import { InvalidJson, parseJson } from "../../src/validate/parse-json.js";

const times = (text: string, count: number): string => Array(count).fill(text).join(",");

describe("a body that would cost far more than its size is refused before it is parsed:", () => {
  test("an array of very many numbers (bug: it ended the process)", () => {
    expect(parseJson(`{"pdus":[${"1,".repeat(140_000_000)}1],"auth_chain":[]}`)).toBeInstanceOf(InvalidJson);
  });

  test("an object of very many keys (bug: it held up everything for twelve seconds)", () => {
    const keys = Array.from({ length: 300_000 }, (_, at) => `"some-longer-key-${at}":true`).join(",");
    expect(parseJson(`{${keys}}`)).toBeInstanceOf(InvalidJson);
  });

  test("one that is nested too deep", () => {
    expect(parseJson("[".repeat(600) + "]".repeat(600))).toMatchObject({ message: /512/ });
  });
});

test("commas and brackets inside of strings count for nothing", () => {
  const text = JSON.stringify({ body: `${",".repeat(2_000_000)}\\"[{` });
  expect(parseJson(text)).toEqual(JSON.parse(text));
});

test("what real answers have passes", () => {
  const event = JSON.stringify({
    type: "m.room.member",
    sender: "@someone:example.org",
    state_key: "@someone:example.org",
    content: { membership: "join", displayname: "Someone", avatar_url: null },
    depth: 1234,
    origin_server_ts: 1_700_000_000_000,
    auth_events: ["$a".padEnd(44, "a"), "$b".padEnd(44, "b")],
    prev_events: ["$c".padEnd(44, "c")],
    hashes: { sha256: "h".repeat(43) },
    signatures: { "example.org": { "ed25519:a": "s".repeat(86) } },
  });
  expect(parseJson(`{"pdus":[${times(event, 20_000)}]}`)).toHaveProperty("pdus");
  expect(parseJson(`{"pdu_ids":[${times(`"${"$x".padEnd(44, "x")}"`, 500_000)}]}`)).toHaveProperty("pdu_ids");
});
