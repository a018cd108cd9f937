import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../../src/endpoint.js";
import { eventFault, hugeFault } from "../../src/events/event-fault.js";
import { readEvent } from "../../src/events/read-event.js";
import { type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { addHashes } from "../../src/events/sign-event.js";
import { anyJson } from "./any-event.js";
import { aMember, aMessage } from "./some-events.js";

const versions = Object.keys(roomVersions) as RoomVersion[];
const whole = (version: RoomVersion): JsonObject =>
  ({ ...addHashes(aMessage(version), version), signatures: {} }) as JsonObject;
const withField = (name: string, value: JsonValue | undefined, version: RoomVersion = "10"): unknown => {
  const { [name]: _, ...event } = whole(version);
  return value === undefined ? event : { ...event, [name]: value };
};

describe.each(versions)("an event of room version %s", (version) => {
  const isOld = version === "1" || version === "2";

  it("has no fault", () => {
    expect(eventFault(whole(version), version)).toBeUndefined();
  });

  it("has every field that it needs", () => {
    const needed = Object.keys(whole(version)).filter((name) => name !== "unsigned");
    expect(needed.includes("event_id")).toBe(isOld);
    for (const name of needed) expect(eventFault(withField(name, undefined, version), version), name).toContain(name);
  });

  it("links to events as its version does: with their hashes, or by their ids alone", () => {
    const pair: JsonValue = ["$a:domain", { sha256: "AAAA" }];
    for (const name of ["prev_events", "auth_events"]) {
      expect(eventFault(withField(name, [pair], version), version) === undefined).toBe(isOld);
      expect(eventFault(withField(name, ["$a"], version), version) === undefined).toBe(!isOld);
      for (const odd of [null, 1, {}, [], ["$a:domain"], ["$a:domain", 1], [1, {}], ["$a:domain", {}, {}]]) {
        expect(eventFault(withField(name, [odd as never], version), version)).toBe(
          `${name} has an element that is none`,
        );
      }
    }
  });

  it("says with event_id what its id is only where no hash does", () => {
    const fault = eventFault(withField("event_id", "$a:domain", version), version);
    expect(fault === undefined).toBe(isOld);
  });

  it("is in a room, whose id is a hash in version 12", () => {
    const hash = `!${"b".repeat(43)}`;
    expect(eventFault(withField("room_id", "!room:domain", version), version) === undefined).toBe(version !== "12");
    expect(eventFault(withField("room_id", hash, version), version)).toBeUndefined();
    for (const odd of ["", "room:domain", "#room:domain", 1, null, {}]) {
      expect(eventFault(withField("room_id", odd as never, version), version)).toContain("room_id");
    }
  });

  it("has integers in ±(2^53-1) from version 6 on, and none that is not known exactly", () => {
    const isStrict = Number(version) >= 6;
    const content = (value: number): string | undefined =>
      eventFault(withField("content", { a: value }, version), version);
    for (const right of [0, -0, 1, -(2 ** 53) + 1, 2 ** 53 - 1]) expect(content(right)).toBeUndefined();
    for (const wrong of [2 ** 53, -(2 ** 63), 1e30]) expect(content(wrong)).toContain("$.content.a");
    for (const float of [0.5, 1e-9]) expect(content(float) !== undefined).toBe(isStrict);
    for (const name of ["depth", "origin_server_ts"]) {
      for (const wrong of [1.5, 2 ** 53, "1", null]) {
        expect(eventFault(withField(name, wrong, version), version)).toContain(name);
      }
    }
    expect(eventFault(withField("depth", -1, version), version)).toContain("depth");
  });
});

describe("the sizes", () => {
  const canonicalBytes = (event: JsonObject): number => new TextEncoder().encode(JSON.stringify(event)).length;

  it("are 65,536 bytes for the whole event, with its signatures and what is unsigned", () => {
    for (const name of ["content", "unsigned", "signatures"]) {
      const event = whole("10");
      const room = 65_536 - canonicalBytes(event);
      const fill = (bytes: number): string => "ä".repeat(Math.floor(bytes / 2)) + "a".repeat(bytes % 2);
      const padded = (bytes: number): JsonObject => {
        const value = event[name] as JsonObject;
        const isFirst = Object.keys(value).length === 0;
        const key = name === "signatures" ? "s" : "p";
        // The member's own quotes, colon and comma are among the bytes.
        const left = bytes - (isFirst ? 6 : 7);
        return { ...event, [name]: { ...value, [key]: fill(left) } };
      };
      expect(canonicalBytes(padded(room))).toBe(65_536);
      expect(eventFault(padded(room), "10"), name).toBeUndefined();
      expect(eventFault(padded(room + 1), "10"), name).toBe("it has more than 65536 bytes");
      expect(readEvent(padded(room + 1), "10").fault, name).toBe("it has more than 65536 bytes");
    }
  });

  it("of an event that is far too large are known before it is read to its end (bug: 11 MB were encoded first, for 1.7 s)", () => {
    const content = {
      a: Array.from({ length: 70_000 }, () => 1),
      get z() {
        throw new Error("it was read to its end");
      },
    };
    for (const version of versions) {
      const event = withField("content", content as unknown as JsonValue, version);
      expect(eventFault(event, version)).toBe("it has more than 65536 bytes");
      expect(readEvent(event, version).fault).toBe("it has more than 65536 bytes");
    }
  });

  const big = "x".repeat(70_000);

  it("are counted of an event so that none is called huge that is not", () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const padded = (bytes: number): JsonObject => ({
          content: { value },
          unsigned: { value, p: "x".repeat(bytes) },
        });
        const event = padded(65_536 - canonicalBytes(padded(0)));
        expect(canonicalBytes(event)).toBe(65_536);
        for (const version of versions) expect(hugeFault(event, roomVersions[version])).toBeUndefined();
      }),
    );
  });

  it.each<[string, object]>([
    ["of members that are undefined", { a: undefined, [big]: undefined }],
    ["of what is no plain object", { a: new String("x".repeat(9_000)), b: Object.assign(new Number(1), { big }) }],
    ["of an object that makes something else of itself", { big, toJSON: () => ({}) }],
  ])("are not those %s in what is unsigned, which need not be JSON", (_, unsigned) => {
    expect(eventFault({ ...whole("10"), unsigned }, "10")).toBeUndefined();
    expect(readEvent({ ...whole("10"), unsigned }, "10").fault).toBeUndefined();
  });

  it("are not those of what an event inherits", () => {
    const event = Object.assign(Object.create({ big }), whole("10"));
    expect(eventFault(event, "10")).toBeUndefined();
    expect(readEvent(event, "10").fault).toBeUndefined();
  });

  it("come behind what is wrong with the form of an event, huge or not", () => {
    for (const name of Object.keys(whole("10"))) {
      const { [name]: _, ...event } = { ...whole("10"), more: big } as JsonObject;
      expect(readEvent(event, "10").fault, name).toBe(eventFault(event, "10"));
      expect(eventFault(event, "10"), name).toContain(name === "unsigned" ? "65536" : name);
    }
  });

  it("are 255 bytes for the type, the state key and the identifiers", () => {
    const long = (sigil: string, bytes: number): string => `${sigil}${"ä".repeat(40)}${"a".repeat(bytes - 88)}:domain`;
    for (const [name, sigil] of [
      ["type", ""],
      ["state_key", "s"],
      ["room_id", "!"],
      ["sender", "@"],
      ["event_id", "$"],
    ] as const) {
      const length = sigil === "" ? 256 : 255;
      expect(new TextEncoder().encode(long(sigil, length)).length, name).toBe(255);
      expect(eventFault(withField(name, long(sigil, length), "1"), "1"), name).toBeUndefined();
      expect(eventFault(withField(name, long(sigil, length + 1), "1"), "1")).toBe(`${name} has more than 255 bytes`);
    }
  });

  it("are 20 previous events and 10 that authorise it", () => {
    const links = (count: number): JsonValue => Array.from({ length: count }, (_, at) => `$${at}`);
    expect(eventFault(withField("prev_events", links(20)), "10")).toBeUndefined();
    expect(eventFault(withField("prev_events", links(21)), "10")).toBe("prev_events has more than 20 elements");
    expect(eventFault(withField("auth_events", links(10)), "10")).toBeUndefined();
    expect(eventFault(withField("auth_events", links(11)), "10")).toBe("auth_events has more than 10 elements");
  });
});

describe("the fields", () => {
  it.each([
    ["type", 1, "type is no string"],
    ["type", null, "type is no string"],
    ["state_key", 1, "state_key is no string"],
    ["state_key", null, "state_key is no string"],
    ["sender", "user:domain", "sender is no user id"],
    ["sender", "@user", "sender is no user id"],
    ["sender", "@user:", "sender is no user id"],
    ["sender", "@user:a b", "sender is no user id"],
    ["sender", "@user:a/b", "sender is no user id"],
    ["content", [], "content is no object"],
    ["content", null, "content is no object"],
    ["hashes", "a", "hashes is no object"],
    ["hashes", {}, "hashes has no sha256 in Base64"],
    ["hashes", { sha256: 1 }, "hashes has no sha256 in Base64"],
    ["hashes", { sha256: "*" }, "hashes has no sha256 in Base64"],
    ["signatures", [], "signatures is no object"],
    ["unsigned", null, "unsigned is no object"],
    ["unsigned", "a", "unsigned is no object"],
    ["content", { a: "\ud800" }, "it has no canonical JSON at $.content.a: text has an unpaired surrogate"],
  ])("%s cannot be %j", (name, value, fault) => {
    expect(eventFault(withField(name, value as never), "10")).toBe(fault);
    expect(readEvent(withField(name, value as never), "10").fault).toBe(fault);
  });

  it("may be of any depth that a stack bears, and what is deeper is a fault", () => {
    const nested = (levels: number): JsonValue => JSON.parse(`{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`);
    expect(eventFault(withField("content", nested(500)), "10")).toBeUndefined();
    for (const name of ["content", "unsigned", "more"]) {
      expect(eventFault(withField(name, nested(30_000)), "10")).toMatch(/^it has /);
    }
  });

  it("may hold what JavaScript's objects have by nature", () => {
    const content = JSON.parse('{"toJSON":1,"__proto__":{"constructor":null},"hasOwnProperty":"x","10":1,"9":2}');
    expect(eventFault(withField("content", content), "10")).toBeUndefined();
  });
});

describe("room version 12", () => {
  const create = { ...whole("12"), type: "m.room.create", state_key: "", auth_events: [], prev_events: [] };
  const { room_id: roomId, ...right } = create as JsonObject;

  it("has create events without a room id", () => {
    expect(eventFault(right, "12")).toBeUndefined();
    expect(eventFault({ ...right, room_id: roomId as string }, "12")).toBe("the create event has a room_id");
    expect(eventFault({ ...right, room_id: null }, "12")).toContain("room_id");
    expect(eventFault({ ...right, state_key: "a" }, "12")).toBe("the create event has no empty state_key");
  });

  it("does not name the create event among those that authorise one: the room id does", () => {
    const event = aMember("12", { membership: "join" });
    const auth_events = [`$${"a".repeat(43)}`];
    const hashed = { ...addHashes({ ...event, auth_events }, "12"), signatures: {} };
    expect(eventFault(hashed, "12")).toBe("auth_events has the create event");
  });
});
