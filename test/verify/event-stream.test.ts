import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Cancellation } from "../../src/cancellation.js";
import { addHashes } from "../../src/events/sign-event.js";
import type { KeyAnswer, Keyring } from "../../src/keyring/keyring.js";
import { InvalidJson } from "../../src/validate/parse-json.js";
import { readEventStream } from "../../src/verify/event-stream.js";
import { VerifyPool } from "../../src/verify/pool.js";
import { Verifier } from "../../src/verify/verifier.js";

// No key is needed: nothing that is read here is an event.
const verifier = new Verifier({ peek: () => undefined } as unknown as Keyring, new VerifyPool());

/** What becomes of a document that comes in pieces: refused, or so many elements and the rest. */
async function readPieces(
  text: string,
  size: number,
  by: Verifier = verifier,
): Promise<"refused" | { dropped: string[]; skeleton: unknown }> {
  const bytes = Buffer.from(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  const read = await readEventStream(
    {
      chunks: Readable.from(pieces),
      fields: ["pdus", "auth_chain"],
      rules: { version: "10", roomId: undefined },
      maxBytes: 1_000_000,
      totalBytes: undefined,
      taker: {
        take: () => {
          throw new Error("nothing of it is an event");
        },
        progress: () => {},
      },
      arrived: () => {},
    },
    by,
    new Cancellation(),
  );
  if (read === "tooLarge" || read instanceof InvalidJson) return "refused";
  return { dropped: read.events.dropped.map(({ path }) => path), skeleton: read.skeleton };
}

const element = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom({}, [], "", 0, null, ",", "]", "{"));
const space = fc.constantFrom("", "", " ", "\n\t");
const list = fc
  .tuple(fc.array(element, { maxLength: 12 }), space)
  .map(([items, gap]) => `[${gap}${items.map((item) => JSON.stringify(item)).join(`${gap},${gap}`)}${gap}]`);
const document = fc.tuple(list, list).map(([pdus, chain]) => `{"a":[1],"pdus":${pdus},"auth_chain":${chain},"z":{}}`);
const size = fc.integer({ min: 1, max: 400 });

test("whatever the elements are and wherever the pieces end, each is looked at once", async () => {
  await fc.assert(
    fc.asyncProperty(document, size, async (text, pieceSize) => {
      const { pdus, auth_chain: chain } = JSON.parse(text) as { pdus: unknown[]; auth_chain: unknown[] };
      const paths = [...pdus.map((_, at) => `$.pdus[${at}]`), ...chain.map((_, at) => `$.auth_chain[${at}]`)];
      const read = await readPieces(text, pieceSize);
      expect(read).toEqual({ dropped: paths, skeleton: { a: [1], pdus: [], auth_chain: [], z: {} } });
    }),
    { numRuns: 300 },
  );
});

test("what JSON.parse refuses is refused, however little of it is wrong", async () => {
  const change = fc.tuple(fc.nat(), fc.constantFrom("", ",", "]", "}", "[", "{", '"', ":", "x", "\\"));
  await fc.assert(
    fc.asyncProperty(document, change, size, async (text, [place, other], pieceSize) => {
      const at = place % text.length;
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      const isJson = ((): boolean => {
        try {
          return JSON.parse(changed) !== undefined;
        } catch {
          return false;
        }
      })();
      const read = await readPieces(changed, pieceSize);
      if (!isJson) expect(read).toBe("refused");
    }),
    { numRuns: 500 },
  );
});

test.each([
  '{"pdus":[{"a":1],["b":2}]}',
  '{"pdus":[1,,2]}',
  '{"pdus":[,1]}',
  '{"pdus":[1,]}',
  '{"pdus":[1 2,3]}',
  '{"pdus":[{}}{,{}]}',
])("elements that are JSON only side by side, or not even so, are refused: %s", async (text) => {
  for (const pieceSize of [1, 5, 100]) expect(await readPieces(text, pieceSize)).toBe("refused");
});

test("an invite of a third party, of whose signatures one is wrong and one has no key, is dropped (bug: it ended the call)", async () => {
  const known = { publicKey: new Uint8Array(32).fill(7) };
  const keyring = {
    peek: (server: string) => (server === "known.example" ? known : undefined),
    keys: async () => ({ get: () => undefined, missing: [] }) satisfies KeyAnswer,
  } as unknown as Keyring;
  const invite = addHashes(
    {
      type: "m.room.member",
      sender: "@u:a.example",
      state_key: "@v:b.example",
      room_id: "!r:a.example",
      content: { membership: "invite", third_party_invite: { signed: {} } },
      origin_server_ts: 1,
      depth: 1,
      prev_events: [],
      auth_events: [],
      signatures: {
        "known.example": { "ed25519:a": "A".repeat(86) },
        "unknown.example": { "ed25519:b": "A".repeat(86) },
      },
    },
    "10",
  );
  const read = await readPieces(JSON.stringify({ pdus: [1, invite] }), 50, new Verifier(keyring, new VerifyPool()));
  expect(read).toEqual({ dropped: ["$.pdus[0]", "$.pdus[1]"], skeleton: { pdus: [] } });
});
