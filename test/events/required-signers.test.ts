import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/endpoint.js";
import { requiredSigners } from "../../src/events/required-signers.js";
import type { RoomVersion } from "../../src/events/room-versions.js";
import { aMember, aMessage } from "./some-events.js";

const signers = (event: JsonObject, version: RoomVersion = "10"): string[] =>
  requiredSigners(event, version).map(({ server, because }) => `${server}: ${because}`);
const join = { membership: "join", join_authorised_via_users_server: "@admin:[::1]:8448" };
const invite = { membership: "invite", third_party_invite: {} };

describe("who has to sign an event", () => {
  it.each<[string, JsonObject, RoomVersion, string[]]>([
    ["a message", aMessage("10"), "10", ["domain: sender"]],
    ["an old message", aMessage("1"), "1", ["domain: sender"]],
    [
      "an old message with another's id",
      { ...aMessage("2"), event_id: "$1:other" },
      "2",
      ["domain: sender", "other: eventId"],
    ],
    ["a restricted join", aMember("8", join), "8", ["domain: sender", "[::1]:8448: authoriser"]],
    ["the same before there were any", aMember("7", join), "7", ["domain: sender"]],
    [
      "a restricted join by the server itself",
      aMember("8", { ...join, join_authorised_via_users_server: "@a:domain" }),
      "8",
      ["domain: sender"],
    ],
    ["a leave with an authoriser", aMember("8", { ...join, membership: "leave" }), "8", ["domain: sender"]],
    ["a message with an authoriser", { ...aMessage("8"), content: join }, "8", ["domain: sender"]],
    ["a third-party invite", aMember("10", invite), "10", []],
    [
      "an old third-party invite with another's id",
      { ...aMember("1", invite), event_id: "$1:other" },
      "1",
      ["other: eventId"],
    ],
    ["a third-party join", aMember("10", { ...invite, membership: "join" }), "10", ["domain: sender"]],
    ["a message with a third-party invite", { ...aMessage("10"), content: invite }, "10", ["domain: sender"]],
  ])("%s", (_, event, version, expected) => {
    expect(signers(event, version)).toEqual(expected);
  });

  it("is not known where an identifier names no server", () => {
    const code = (name: string): unknown => expect.objectContaining({ name: "NameError", code: name });
    expect(() => signers({ ...aMessage("10"), sender: "@a" })).toThrow(code("ERR_USER_ID"));
    expect(() => signers({ ...aMessage("1"), event_id: "$a" }, "1")).toThrow(code("ERR_EVENT_ID"));
    const odd = { ...join, join_authorised_via_users_server: null };
    expect(() => signers(aMember("8", odd), "8")).toThrow(code("ERR_USER_ID"));
    expect(() => signers([] as never)).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
    expect(() => signers(aMessage("10"), "13" as never)).toThrow(expect.objectContaining({ code: "ERR_INPUT" }));
  });
});
