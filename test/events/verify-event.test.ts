import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { eventIdOf } from "../../src/events/hash-event.js";
import { type ReadEvent, readEvent } from "../../src/events/read-event.js";
import { redactEvent } from "../../src/events/redact-event.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { addHashes, countersignEvent, signEvent } from "../../src/events/sign-event.js";
import {
  type EventKey,
  type EventVerification,
  type KeyOf,
  verifyEvent,
  verifyReadEventAsync,
} from "../../src/events/verify-event.js";
import { decodeBase64 } from "../../src/sign/base64.js";
import { SigningKey } from "../../src/sign/signing-key.js";
import { aMember, aMessage } from "./some-events.js";

const versions = Object.keys(roomVersions) as RoomVersion[];
const ours = SigningKey.fromSeed(new Uint8Array(32).fill(1), "a");
const theirs = SigningKey.fromSeed(new Uint8Array(32).fill(2), "b");
const publicKey = (key: SigningKey): Uint8Array => decodeBase64(key.publicKey) as Uint8Array;

/** The keys at hand: of `domain` ours, of `other` theirs. */
const keys: Record<string, EventKey> = {
  "domain ed25519:a": { publicKey: publicKey(ours) },
  "other ed25519:b": { publicKey: publicKey(theirs) },
};
const keyOf: KeyOf = (server, keyId) => keys[`${server} ${keyId}`];
const verify = (event: unknown, version: RoomVersion = "10", find = keyOf): EventVerification =>
  verifyEvent(event, version, find);
const signed = (event: JsonObject, version: RoomVersion = "10"): JsonObject =>
  signEvent(event, version, "domain", ours) as never;

describe("a signed event", () => {
  it("is what the specification's test vectors are", () => {
    const key = SigningKey.parse("ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1");
    const event = {
      content: { body: "Here is the message content" },
      event_id: "$0:domain",
      origin: "domain",
      origin_server_ts: 1000000,
      type: "m.room.message",
      room_id: "!r:domain",
      sender: "@u:domain",
      signatures: {},
      unsigned: { age_ts: 1000000 },
    };
    const before = structuredClone(event);
    expect(signEvent(event, "1", "domain", key)).toEqual({
      ...event,
      hashes: { sha256: "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g" },
      signatures: {
        domain: {
          "ed25519:1": "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
        },
      },
    });
    expect(event).toEqual(before);
  });

  it.each(versions)("is valid in room version %s, and so is its redacted copy, as one", async (version) => {
    const event = signed(aMessage(version), version);
    const eventId = eventIdOf(event, version);
    expect(verify(event, version)).toEqual({ kind: "valid", eventId, event });
    const redacted = redactEvent(event, version);
    const verdict = { kind: "redacted", eventId, event: redacted, wasRedacted: true };
    expect(verify(redacted, version)).toEqual(verdict);
    expect(await verifyReadEventAsync(readEvent(redacted, version), keyOf)).toEqual(verdict);
  });

  it("is redacted when its content was changed", () => {
    const event = signed(aMessage("10"));
    const changed = { ...event, content: { body: "changed" } };
    expect(verify(changed)).toEqual({
      kind: "redacted",
      eventId: eventIdOf(event, "10"),
      event: redactEvent(event, "10"),
      wasRedacted: false,
    });
    expect(verify({ ...event, more: 1 })).toMatchObject({ kind: "redacted", event: redactEvent(event, "10") });
  });

  it("keeps its verdict whatever is in unsigned and in others' signatures", () => {
    const event = signed(aMessage("10"));
    const more = { unsigned: { age: 1.5, a: { b: [] } }, signatures: { ...(event.signatures as object), x: 1, y: {} } };
    expect(verify({ ...event, ...more })).toMatchObject({ kind: "valid", eventId: eventIdOf(event, "10") });
  });

  it("takes hashes and signatures with padding and of the URL-safe alphabet", () => {
    const event = signed(aMessage("10")) as { hashes: { sha256: string }; signatures: Record<string, JsonObject> };
    const urlSafe = (text: string): string => text.replaceAll("+", "-").replaceAll("/", "_");
    const signature = event.signatures.domain?.["ed25519:a"] as string;
    const padded = { ...event, signatures: { domain: { "ed25519:a": `${signature}==` } } };
    expect(verify(padded).kind).toBe("valid");
    const safe = { ...event, signatures: { domain: { "ed25519:a": urlSafe(signature) } } };
    expect(verify(safe).kind).toBe("valid");
    expect(
      (readEvent({ ...event, hashes: { sha256: `${event.hashes.sha256}=` } }, "10") as ReadEvent).isHashRight,
    ).toBe(true);
  });

  it("is not valid when any bit of what is signed is flipped", () => {
    const { unsigned: _unsigned, ...event } = signed(aMember("10", { membership: "join" }));
    const text = JSON.stringify(event);
    const lastOfSignature = text.indexOf('"', text.indexOf("ed25519:a") + 12) - 1;
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(6), (at, bit) => {
        const flipped = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1);
        let changed: unknown;
        // Some bits of the last character of Base64 say nothing.
        if (at === lastOfSignature) return;
        try {
          changed = JSON.parse(flipped);
        } catch {
          return;
        }
        expect(verify(changed).kind).not.toBe("valid");
      }),
      { numRuns: 300 },
    );
  });

  it("is verified for its server only, at least one signature of which has to hold", () => {
    const event = signed(aMessage("10"));
    const bad = (signatures: unknown): EventVerification => verify({ ...event, signatures });
    const { domain } = event.signatures as { domain: JsonObject };
    expect(bad({})).toMatchObject({ kind: "invalid", reason: 'it has no signature of "domain"', missingKeys: [] });
    expect(bad({ domain: {} })).toMatchObject({ kind: "invalid", reason: 'it has no signature of "domain"' });
    expect(bad({ domain: { "other:a": domain["ed25519:a"] } })).toMatchObject({ kind: "invalid", missingKeys: [] });
    expect(bad({ other: domain })).toMatchObject({ kind: "invalid" });
    expect(bad({ domain: { ...domain, "ed25519:a": "AAAA" } })).toMatchObject({ reason: /is wrong/ });
    for (const odd of [1, null, "", "*", [], {}]) {
      expect(bad({ domain: { "ed25519:a": odd } })).toMatchObject({ kind: "invalid", missingKeys: [] });
    }
    expect(bad({ domain: { ...domain, "ed25519:unknown": "AAAA" } })).toMatchObject({ kind: "valid" });
  });

  it("is not valid when one signature by a key at hand is wrong, though another holds", () => {
    const event = countersignEvent(signed(aMessage("10")), "10", "domain", theirs) as JsonObject;
    const find: KeyOf = (_server, keyId) => ({ publicKey: publicKey(keyId === "ed25519:a" ? ours : theirs) });
    expect(verify(event, "10", find).kind).toBe("valid");
    const { domain } = event.signatures as { domain: JsonObject };
    const half = { ...event, signatures: { domain: { ...domain, "ed25519:b": domain["ed25519:a"] as string } } };
    expect(verify(half, "10", find)).toMatchObject({
      kind: "invalid",
      reason: 'the signature of "domain" with "ed25519:b" is wrong',
    });
  });
});

describe("keys", () => {
  const at = (version: RoomVersion, key: Partial<EventKey>): EventVerification =>
    verify(signed({ ...aMessage(version), origin_server_ts: 1000 }, version), version, () => ({
      publicKey: publicKey(ours),
      ...key,
    }));

  it("that are not at hand are told, apart from wrong signatures", () => {
    const event = signed(aMessage("10"));
    expect(verify(event, "10", () => undefined)).toEqual({
      kind: "invalid",
      eventId: eventIdOf(event, "10"),
      event,
      reason: "keys are missing",
      missingKeys: [{ server: "domain", keyId: "ed25519:a" }],
    });
  });

  it("have to be valid at the time of the event from room version 5 on, and may be asked for again", () => {
    for (const version of versions) {
      expect(at(version, { validUntilTs: 1000 }).kind).toBe("valid");
      const late = at(version, { validUntilTs: 999 });
      if (Number(version) < 5) expect(late.kind).toBe("valid");
      else expect(late).toMatchObject({ kind: "invalid", missingKeys: [{ server: "domain", keyId: "ed25519:a" }] });
    }
  });

  it("that are no longer used count until they expired", () => {
    for (const version of versions) {
      expect(at(version, { expiredTs: 1000 }).kind).toBe("valid");
      expect(at(version, { expiredTs: 999 })).toMatchObject({
        kind: "invalid",
        reason: 'the keys of "domain" had expired',
        missingKeys: [],
      });
    }
  });

  it("of a wrong form verify nothing", () => {
    for (const wrong of [new Uint8Array(), new Uint8Array(32), new Uint8Array(33)]) {
      expect(at("10", { publicKey: wrong })).toMatchObject({ kind: "invalid", missingKeys: [] });
    }
  });
});

describe("a restricted join", () => {
  const join = (version: RoomVersion): JsonObject =>
    signed(aMember(version, { membership: "join", join_authorised_via_users_server: "@admin:other" }), version);

  it("needs the signature of the server that authorised it, from room version 8 on", () => {
    for (const version of versions) {
      const alone = join(version);
      if (Number(version) < 8) expect(verify(alone, version).kind).toBe("valid");
      else expect(verify(alone, version)).toMatchObject({ reason: 'it has no signature of "other"' });
      expect(verify(countersignEvent(alone, version, "other", theirs), version).kind).toBe("valid");
    }
  });

  it("is no event when the authoriser is no user id", () => {
    for (const odd of [1, null, "admin:other", "@admin", "@admin:"]) {
      const event = signed(aMember("8", { membership: "join", join_authorised_via_users_server: odd as never }), "8");
      expect(verify(event, "8")).toMatchObject({ reason: "join_authorised_via_users_server is no user id" });
    }
  });
});

describe("an event of room version 1 or 2", () => {
  it("needs the signature of the server that its event id names, too", () => {
    for (const version of ["1", "2"] as const) {
      const event = signed({ ...aMessage(version), event_id: "$1:other" }, version);
      expect(verify(event, version)).toMatchObject({ reason: 'it has no signature of "other"' });
      expect(verify(countersignEvent(event, version, "other", theirs), version)).toMatchObject({
        kind: "valid",
        eventId: "$1:other",
      });
    }
  });
});

describe("a third-party invite", () => {
  const invite = (version: RoomVersion): JsonObject =>
    addHashes(aMember(version, { membership: "invite", third_party_invite: { signed: {} } }), version) as never;

  it("may be signed by any server, and has to be by one", () => {
    for (const version of versions) {
      const event = invite(version);
      expect(verify({ ...event, signatures: {} }, version)).toMatchObject({
        reason: "it has no signature of any server",
      });
      const byOther = countersignEvent({ ...event, signatures: {} }, version, "other", theirs);
      expect(verify(byOther, version).kind).toBe("valid");
      expect(verify({ ...byOther, signatures: { other: { "ed25519:b": "AAAA" } } }, version)).toMatchObject({
        reason: "no signature of any server is right",
      });
      expect(verify(byOther, version, () => undefined)).toMatchObject({
        missingKeys: [{ server: "other", keyId: "ed25519:b" }],
      });
    }
  });

  it("is none when its hash is wrong and redaction takes that away: a forged one would spare the sender's signature", () => {
    const plain = countersignEvent(
      { ...addHashes(aMember("10", { membership: "invite" }), "10"), signatures: {} },
      "10",
      "other",
      theirs,
    );
    const forged = { ...plain, content: { membership: "invite", third_party_invite: { signed: {} } } };
    expect(verify(forged)).toMatchObject({ kind: "invalid", reason: 'it has no signature of "domain"' });
  });
});

describe("what is no event", () => {
  it("gets a verdict, never a throw", () => {
    fc.assert(
      fc.property(fc.constantFrom(...versions), fc.anything({ withBigInt: true }), (version, value) => {
        expect(verify(value, version)).toMatchObject({ kind: "invalid", missingKeys: [] });
      }),
    );
    const event = signed(aMessage("10"));
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(event)), fc.jsonValue(), (key, value) => {
        expect(() => verify({ ...event, [key]: value as never })).not.toThrow();
      }),
    );
  });

  it("is told with a thousand signatures as with sixteen: each costs a look for its key", () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`ed25519:${at}`, "AAAA"]));
    const read = readEvent({ ...signed(aMessage("10")), signatures: { domain: many } }, "10") as ReadEvent;
    expect(read.signatures).toHaveLength(16);
    const servers = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`s${at}`, { "ed25519:a": "AAAA" }]));
    const invite = addHashes(aMember("10", { membership: "invite", third_party_invite: {} }), "10");
    expect((readEvent({ ...invite, signatures: servers }, "10") as ReadEvent).signatures).toHaveLength(16);
  });
});

describe("a key that is none", () => {
  const badKeys: readonly [what: string, key: unknown][] = [
    ["a key of 31 bytes", { publicKey: new Uint8Array(31) }],
    ["a key as text", { publicKey: ours.publicKey }],
    ["the bytes alone", publicKey(ours)],
    ["text alone", ours.publicKey],
    ["a promise of a key, from an async keyOf", Promise.resolve({ publicKey: publicKey(ours) })],
  ];
  it.each(badKeys)("is told, and not that the signature is wrong (bug): %s", (_, key) => {
    const reason = 'the key "ed25519:a" of "domain" is no `publicKey` of 32 bytes';
    const found = verify(signed(aMessage("10")), "10", () => key as EventKey);
    expect(found).toMatchObject({ kind: "invalid", reason, missingKeys: [] });
  });
});
