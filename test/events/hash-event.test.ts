import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { contentHash, eventIdOf, referenceHash, roomIdOf } from "../../src/events/hash-event.js";
import { redactEvent } from "../../src/events/redact-event.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { encodeCanonical } from "../../src/sign/canonical-json.js";
import { anyEvent } from "./any-event.js";

const versions = Object.keys(roomVersions) as RoomVersion[];
const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64").replace(/=+$/, "");

/** The two hashes by the letter of the specification, in several steps. */
function oracle(event: JsonObject, version: RoomVersion): { content: string; reference: string } {
  const numbers = roomVersions[version].strictNumbers ? "integers" : "old";
  const { unsigned: _1, signatures: _2, hashes: _3, age_ts: _4, outlier: _5, destinations: _6, ...content } = event;
  const { unsigned: _7, signatures: _8, ...reference } = redactEvent(event, version);
  return {
    content: sha256(encodeCanonical(content, numbers)),
    reference: sha256(encodeCanonical(reference, numbers)),
  };
}

describe("the content hash", () => {
  it.each([
    // Appendices, "Cryptographic Test Vectors".
    [
      {
        room_id: "!x:domain",
        sender: "@a:domain",
        origin: "domain",
        origin_server_ts: 1000000,
        signatures: {},
        hashes: {},
        type: "X",
        content: {},
        prev_events: [],
        auth_events: [],
        depth: 3,
        unsigned: { age_ts: 1000000 },
      },
      "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
    ],
    [
      {
        content: { body: "Here is the message content" },
        event_id: "$0:domain",
        origin: "domain",
        origin_server_ts: 1000000,
        type: "m.room.message",
        room_id: "!r:domain",
        sender: "@u:domain",
        signatures: {},
        unsigned: { age_ts: 1000000 },
      },
      "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
    ],
  ])("is that of the specification's test vector %#", (event, hash) => {
    expect(contentHash(event, "1")).toBe(hash);
  });

  it("covers what Synapse once left in events by mistake no more than what the specification names", () => {
    const event = { type: "m", content: {} };
    const more = { hashes: { a: "b" }, signatures: {}, unsigned: {}, age_ts: 1, outlier: true, destinations: [] };
    expect(contentHash({ ...event, ...more }, "10")).toBe(contentHash(event, "10"));
    expect(contentHash({ ...event, other: 1 }, "10")).not.toBe(contentHash(event, "10"));
  });
});

describe.each(versions)("the hashes of room version %s", (version) => {
  it("are those of the several steps of the specification", () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const { content, reference } = oracle(event, version);
        expect(contentHash(event, version)).toBe(content);
        expect(referenceHash(event, version)).toBe(reference);
      }),
      { numRuns: 50 },
    );
  });

  it("are not changed by unsigned and signatures; the reference hash is that of the redacted copy too", () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const other = { ...event, unsigned: { age: 1.5 }, signatures: { a: { "ed25519:b": "c" } } };
        expect(contentHash(other, version)).toBe(contentHash(event, version));
        expect(referenceHash(other, version)).toBe(referenceHash(event, version));
        expect(referenceHash(redactEvent(event, version), version)).toBe(referenceHash(event, version));
      }),
      { numRuns: 30 },
    );
  });
});

describe("the event id", () => {
  const event = { type: "m.room.message", content: {}, depth: 12 };

  it("is event_id in room versions 1 and 2, and has to name a server there", () => {
    expect(eventIdOf({ ...event, event_id: "$a:domain" }, "1")).toBe("$a:domain");
    for (const wrong of [undefined, 1, "", "$a", "a:domain", "$a:", "$a:b c", "$a:b/c"]) {
      expect(() => eventIdOf({ ...event, event_id: wrong }, "2")).toThrow(
        expect.objectContaining({ code: "ERR_EVENT_ID" }),
      );
    }
  });

  it("is the reference hash, from version 4 on in URL-safe Base64", () => {
    const hash = referenceHash(event, "3");
    expect(hash).toMatch(/[+/]/);
    expect(eventIdOf(event, "3")).toBe(`$${hash}`);
    expect(eventIdOf(event, "4")).toBe(`$${hash.replaceAll("+", "-").replaceAll("/", "_")}`);
  });

  it("makes the room id in version 12", () => {
    const create = { type: "m.room.create", state_key: "", content: { room_version: "12" } };
    expect(roomIdOf(create, "12")).toBe(`!${eventIdOf(create, "12").slice(1)}`);
    expect(roomIdOf({ ...create, room_id: "!a:domain" }, "11")).toBe("!a:domain");
    expect(roomIdOf({ type: "x", room_id: "!abc" }, "12")).toBe("!abc");
    for (const room_id of [undefined, 1, "a"]) {
      expect(() => roomIdOf({ type: "x", room_id }, "11")).toThrow(expect.objectContaining({ code: "ERR_ROOM_ID" }));
    }
  });
});

describe("the hashes of events that come one after the other", () => {
  it("are those that each has alone, whether or not they have the same keys in the same order", () => {
    const orders = fc.uniqueArray(fc.constantFrom(...extraKeys), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(orders, fc.boolean()), { minLength: 2, maxLength: 8 }), (list) => {
        for (const [extra, isFirst] of list) {
          const own = Object.fromEntries(extra.map((key, at) => [key, `${key} ${at}`]));
          const event: JsonObject = { ...(isFirst && own), ...anEvent, ...(!isFirst && own) };
          for (const version of ["1", "6", "11", "12"] as const) {
            const { content, reference } = oracle(event, version);
            expect([contentHash(event, version), referenceHash(event, version)]).toEqual([content, reference]);
          }
        }
      }),
    );
  });

  const extraKeys = [
    "origin",
    "age_ts",
    "zz",
    "a",
    "content2",
    "constructor",
    "x".repeat(1_000),
    "ﬀ",
    "😀",
    "signatures",
  ];
  const anEvent = { type: "m", content: { body: "hi" }, depth: 1, hashes: { sha256: "A" }, unsigned: { age: 1 } };
});

describe("what has no hash", () => {
  it("is refused with the place", () => {
    const flawed = { type: "m", content: { a: { b: [1.5] } } };
    expect(() => contentHash(flawed, "6")).toThrow("The event has no canonical JSON at $.content.a.b[0]");
    expect(() => contentHash(flawed, "6")).toThrow(expect.objectContaining({ code: "ERR_CANONICAL_JSON" }));
    expect(() => contentHash({ type: "m", unsigned: { a: 1n } }, "6")).toThrow("`unsigned` that is no JSON");
  });

  it("is not needed of an `unsigned` that is undefined (bug: an event with it could not be signed)", () => {
    const event = { type: "m", content: {} };
    expect(contentHash({ ...event, unsigned: undefined }, "10")).toBe(contentHash(event, "10"));
  });

  it("may be floats in room versions 1 to 5, as Python writes them, and no number that JSON.parse has lost", () => {
    const expected = '{"content":[0.1,1e-05,1.5e-07,-2.5e-300,0.0001,123456.789,0],"type":"m"}';
    const event = { type: "m", content: [0.1, 1e-5, 1.5e-7, -2.5e-300, 1e-4, 123456.789, -0] };
    expect(contentHash(event as never, "5")).toBe(sha256(expected));
    for (const number of [2 ** 53, -(2 ** 63), 1e21]) {
      expect(() => contentHash({ content: { number } }, "1")).toThrow("is not known exactly");
    }
  });

  it("is not the largest depth of room versions 1 to 5, which JSON.parse rounds up", () => {
    const event = JSON.parse('{"content":{},"depth":9223372036854775807,"type":"m"}');
    expect(contentHash(event, "5")).toBe(sha256('{"content":{},"depth":9223372036854775807,"type":"m"}'));
    expect(() => contentHash(event, "6")).toThrow("$.depth");
    expect(() => contentHash({ ...event, content: { depth: 2 ** 63 } }, "5")).toThrow("$.content.depth");
    expect(() => contentHash({ ...event, depth: 2 ** 64 }, "5")).toThrow("$.depth");
  });

  it("is no object, or of an unknown room version", () => {
    for (const wrong of [undefined, null, 1, "x", []]) {
      expect(() => contentHash(wrong as never, "1")).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
    }
    for (const version of ["0", "13", "__proto__", "constructor", 1, undefined]) {
      for (const call of [contentHash, referenceHash, eventIdOf, roomIdOf, redactEvent]) {
        expect(() => call({}, version as never)).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
      }
    }
  });
});
