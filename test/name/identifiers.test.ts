import { describe, expect, it } from "vitest";
import { checkEventId, checkRoomAlias, checkRoomId, checkUserId, serverOfUser } from "../../src/name/identifiers.js";

const hash = "Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg";
const checks = { checkRoomId, checkEventId, checkUserId, checkRoomAlias };

describe("identifiers", () => {
  it.each([
    ["checkRoomId", "!abc:example.org"],
    ["checkRoomId", "!a:[2001:db8::1]:8448"],
    ["checkRoomId", "!späß &?/%:example.org"],
    ["checkRoomId", `!${hash}`],
    ["checkEventId", "$143273582443PhrSn:example.org"],
    ["checkEventId", "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk"],
    ["checkEventId", `$${hash}`],
    ["checkUserId", "@alice:example.org"],
    ["checkUserId", "@:example.org"],
    ["checkUserId", "@Ällïcé \u0001/😀:example.org"],
    ["checkUserId", `@${"a".repeat(242)}:example.org`],
    ["checkRoomAlias", "#räume/2?:example.org"],
  ] as const)("%s accepts %j", (name, text) => {
    expect(checks[name](text)).toBe(text);
  });

  it.each([
    ["checkRoomId", "abc:example.org", "ERR_ROOM_ID"],
    ["checkRoomId", "!abc", "ERR_ROOM_ID"],
    ["checkRoomId", "!:example.org", "ERR_ROOM_ID"],
    ["checkRoomId", "!abc:", "ERR_ROOM_ID"],
    ["checkRoomId", "!abc:exa mple", "ERR_ROOM_ID"],
    ["checkRoomId", "!abc:d:example.org", "ERR_ROOM_ID"],
    ["checkRoomId", `!${hash}=`, "ERR_ROOM_ID"],
    ["checkEventId", "$", "ERR_EVENT_ID"],
    ["checkEventId", hash, "ERR_EVENT_ID"],
    ["checkEventId", "$a\0", "ERR_EVENT_ID"],
    ["checkUserId", "@alice", "ERR_USER_ID"],
    ["checkUserId", "alice:example.org", "ERR_USER_ID"],
    ["checkUserId", "@al\0ice:example.org", "ERR_USER_ID"],
    ["checkUserId", "@al\ud83dice:example.org", "ERR_USER_ID"],
    ["checkUserId", `@${"a".repeat(243)}:example.org`, "ERR_USER_ID"],
    ["checkUserId", `@${"ä".repeat(122)}:example.org`, "ERR_USER_ID"],
    ["checkRoomAlias", "#:example.org", "ERR_ROOM_ALIAS"],
    ["checkRoomAlias", "!room:example.org", "ERR_ROOM_ALIAS"],
    ["checkRoomAlias", null, "ERR_ROOM_ALIAS"],
  ] as const)("%s refuses %j", (name, text, code) => {
    expect(() => checks[name](text)).toThrow(expect.objectContaining({ name: "NameError", code }));
  });

  it("finds the server of a user", () => {
    expect(serverOfUser("@alice:example.org")).toBe("example.org");
    expect(serverOfUser("@bob:[2001:db8::1]:8448")).toBe("[2001:db8::1]:8448");
    expect(() => serverOfUser("@alice")).toThrow('a right one looks like "@alice:example.org"');
  });
});
