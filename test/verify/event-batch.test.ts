import { describe, expect, test } from "vitest";
import { Cancellation } from "../../src/cancellation.js";
import type { JsonObject } from "../../src/endpoint.js";
import { EventEncoder } from "../../src/events/encode-event.js";
import { signEvent } from "../../src/events/sign-event.js";
import { type EventKey, verifyEvent } from "../../src/events/verify-event.js";
import { SigningKey } from "../../src/index.js";
import type { Keyring } from "../../src/keyring/keyring.js";
import { engine } from "../../src/sign/ed25519.js";
import { EventBatch } from "../../src/verify/event-batch.js";
import { VerifyPool } from "../../src/verify/pool.js";
import { isRightAt } from "../../src/verify/signature-batch.js";
import { Verifier } from "../../src/verify/verifier.js";

const server = "a.example";
const key = SigningKey.generate();
const publicKey = new Uint8Array(Buffer.from(key.publicKey, "base64"));
const rules = { version: "10", roomId: "!r:a.example" } as const;

function anEvent(at: number, more: JsonObject = {}, signer: string = server): JsonObject {
  const event: JsonObject = {
    type: "m.room.message",
    sender: "@u:a.example",
    room_id: rules.roomId,
    content: { body: `No. ${at} – “é😀”` },
    origin_server_ts: at,
    depth: at,
    prev_events: [],
    auth_events: [],
    ...more,
  };
  return signEvent(event, rules.version, signer, key);
}

const withSignature = (event: JsonObject, signature: string): JsonObject => ({
  ...event,
  signatures: { [server]: { [key.keyId]: signature } },
});

const wrong = (batch: EventBatch): number[] => {
  const signatures = batch.signatures();
  return [...signatures.ends.keys()].filter((at) => !isRightAt(signatures, at, engine));
};

/** Of each kind some, in no order. */
const events: unknown[] = Array.from({ length: 60 }, (_, at) => {
  const event = anEvent(at);
  const kinds: unknown[] = [
    event,
    withSignature(event, Buffer.alloc(64, at).toString("base64")),
    withSignature(event, "AAAA"),
    { ...event, content: { body: "changed" } },
    { ...event, depth: at + 1 },
    anEvent(at, { sender: "@u:unknown.example" }, "unknown.example"),
    { ...anEvent(at), signatures: {} },
    { ...event, room_id: 5 },
    [event],
    at,
    null,
    anEvent(at, { content: { body: "x".repeat(60_000) } }),
  ];
  return kinds[(at * 7) % kinds.length];
});

describe("a batch of events", () => {
  test("is found to be what each of its events is found to be alone, in their order", () => {
    const keyOf = (name: string): EventKey | undefined => (name === server ? { publicKey } : undefined);
    const batch = new EventBatch(rules, { keyOf }, new EventEncoder());
    for (const event of events) batch.add(event);
    const checked = batch.checked(wrong(batch));
    expect(checked).toHaveLength(events.length);
    for (const [at, event] of events.entries()) {
      const alone = verifyEvent(event, rules.version, keyOf);
      const isKeyless = alone.kind === "invalid" && alone.missingKeys.length > 0;
      expect(checked[at]).toMatchObject({ kind: isKeyless ? "keyless" : alone.kind, eventId: alone.eventId });
    }
    expect(new Set(checked.map(({ kind }) => kind))).toEqual(new Set(["valid", "invalid", "redacted", "keyless"]));
  });

  test("holds each event against the keys that were known when it was added, though others come meanwhile", () => {
    let known: EventKey | undefined = { publicKey };
    const batch = new EventBatch(rules, { keyOf: () => known }, new EventEncoder());
    batch.add(anEvent(1));
    batch.add(withSignature(anEvent(2), Buffer.alloc(64).toString("base64")));
    known = undefined;
    batch.add(anEvent(3));
    expect(batch.checked(wrong(batch)).map(({ kind }) => kind)).toEqual(["valid", "invalid", "keyless"]);
  });

  test("is empty once it has been judged, and may be used again", () => {
    const keyOf = (name: string): EventKey | undefined => (name === server ? { publicKey } : undefined);
    const batch = new EventBatch(rules, { keyOf }, new EventEncoder(), 1);
    const first = events.slice(0, 30);
    for (const event of [...first, ...events]) batch.add(event);
    const all = batch.checked(wrong(batch));
    expect(batch.size).toBe(0);
    expect(batch.signatures().ends).toEqual([]);
    for (const event of first) batch.add(event);
    expect(batch.checked(wrong(batch))).toEqual(all.slice(0, first.length));
  });

  test("holds events of another room to be none of this one, whoever signed them", () => {
    const batch = new EventBatch(
      { ...rules, roomId: "!other:a.example" },
      { keyOf: () => ({ publicKey }) },
      new EventEncoder(),
    );
    batch.add(anEvent(1));
    expect(batch.checked(wrong(batch))).toEqual([
      { kind: "invalid", eventId: undefined, reason: "it is of another room" },
    ]);
  });

  test("encodes its events where the other batches of its session do (bug: each held memory of its own)", () => {
    const keyring = { peek: () => undefined } as unknown as Keyring;
    const session = new Verifier(keyring, new VerifyPool()).openSession(rules);
    const large = anEvent(1, { content: { body: `é${"x".repeat(60_000)}` } });
    const before = process.memoryUsage().arrayBuffers;
    const batches = Array.from({ length: 300 }, () => session.newBatch(1));
    for (const batch of batches) batch.add(large);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    expect(batches.every(({ size }) => size === 1)).toBe(true);
  });

  test("is told what is wrong with a huge event of an answer that came whole, and reads no more of it than that takes", async () => {
    const huge = {
      ...anEvent(2),
      content: {
        a: "x".repeat(70_000),
        get z() {
          throw new Error("it was read to its end");
        },
      },
    };
    const bad = withSignature(anEvent(3), Buffer.alloc(64).toString("base64"));
    const keyring = { peek: () => ({ publicKey }) } as unknown as Keyring;
    const verifier = new Verifier(keyring, new VerifyPool());
    const checked = await verifier.check([anEvent(1), huge, bad, anEvent(4)], rules, new Cancellation());
    expect(checked.map(({ kind }) => kind)).toEqual(["valid", "invalid", "invalid", "valid"]);
    expect(checked[1]).toEqual({ kind: "invalid", eventId: undefined, reason: "it has more than 65536 bytes" });
  });
});
