import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { redactEvent } from "../../src/events/redact-event.js";
import { isRoomVersion, type RoomVersion, roomVersions } from "../../src/events/room-versions.js";
import { anyEvent } from "./any-event.js";

const versions = Object.keys(roomVersions) as RoomVersion[];
const contentOf = (type: string, content: JsonObject, version: RoomVersion): unknown =>
  redactEvent({ type, content }, version).content;

describe("the room versions", () => {
  it("are 1 to 12, and nothing else is one", () => {
    expect(versions).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
    for (const version of versions) expect(isRoomVersion(version)).toBe(true);
    for (const other of ["0", "13", "org.example", "", "__proto__", "toString", 1, null, undefined, ["1"]]) {
      expect(isRoomVersion(other)).toBe(false);
    }
  });
});

describe("redaction", () => {
  it.each([
    ["m.room.member", "membership", 1, 12],
    ["m.room.member", "join_authorised_via_users_server", 9, 12],
    ["m.room.create", "creator", 1, 12],
    ["m.room.create", "anything", 11, 12],
    ["m.room.join_rules", "join_rule", 1, 12],
    ["m.room.join_rules", "allow", 8, 12],
    ["m.room.power_levels", "users_default", 1, 12],
    ["m.room.power_levels", "invite", 11, 12],
    ["m.room.power_levels", "notifications", 99, 0],
    ["m.room.aliases", "aliases", 1, 5],
    ["m.room.history_visibility", "history_visibility", 1, 12],
    ["m.room.redaction", "redacts", 11, 12],
    ["m.room.message", "body", 99, 0],
    ["constructor", "name", 99, 0],
    ["__proto__", "toString", 99, 0],
  ])("keeps of %s the content's key %s from version %i to %i", (type, key, first, last) => {
    const keeping = versions.filter((version) => Object.hasOwn(contentOf(type, { [key]: 1 }, version) as object, key));
    expect(keeping).toEqual(versions.filter((version) => Number(version) >= first && Number(version) <= last));
  });

  it.each([
    ["prev_state", 1, 10],
    ["membership", 1, 10],
    ["origin", 1, 10],
    ["event_id", 1, 12],
    ["room_id", 1, 12],
    ["state_key", 1, 12],
    ["redacts", 99, 0],
    ["unsigned", 99, 0],
    ["__proto__", 99, 0],
  ])("keeps the key %s from version %i to %i", (key, first, last) => {
    const event = JSON.parse(`{"type":"m","content":{},"${key}":{"a":1}}`);
    const keeping = versions.filter((version) => Object.hasOwn(redactEvent(event, version), key));
    expect(keeping).toEqual(versions.filter((version) => Number(version) >= first && Number(version) <= last));
  });

  it("keeps `signed` of a third-party invite from version 11 on, and of nothing else", () => {
    const content = { membership: "invite", third_party_invite: { display_name: "a", signed: { token: "t" } } };
    expect(contentOf("m.room.member", content, "10")).toEqual({ membership: "invite" });
    expect(contentOf("m.room.member", content, "11")).toEqual({
      membership: "invite",
      third_party_invite: { signed: { token: "t" } },
    });
    expect(contentOf("m.room.member", { third_party_invite: { a: 1 } }, "12")).toEqual({ third_party_invite: {} });
    expect(contentOf("m.room.member", { third_party_invite: "a" }, "12")).toEqual({});
    expect(contentOf("m.room.power_levels", content, "11")).toEqual({});
  });

  it("takes the room id from the create event of version 12, whose own id it is", () => {
    const create = { type: "m.room.create", room_id: "!a", content: {} };
    expect(redactEvent(create, "12")).toEqual({ type: "m.room.create", content: {} });
    expect(redactEvent(create, "11")).toEqual(create);
    expect(redactEvent({ ...create, type: "m" }, "12")).toEqual({ ...create, type: "m" });
  });

  it("leaves an empty content in place of one that is no object, and makes none where there is none", () => {
    for (const content of [null, 1, "a", [{ membership: "join" }]]) {
      expect(redactEvent({ type: "m.room.create", content }, "12")).toEqual({ type: "m.room.create", content: {} });
    }
    expect(redactEvent({ type: "m" }, "1")).toEqual({ type: "m" });
  });

  it("is the same when it is done twice, and changes nothing of the event", () => {
    fc.assert(
      fc.property(fc.constantFrom(...versions), anyEvent, (version, event) => {
        const before = structuredClone(event);
        const once = redactEvent(event, version);
        expect(redactEvent(once, version)).toEqual(once);
        expect(event).toEqual(before);
        expect(Object.getPrototypeOf(once)).toBe(Object.prototype);
      }),
    );
  });
});
