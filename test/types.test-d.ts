import { describe, expectTypeOf, test } from "vitest";
import { addHashes, type countersignEvent, signEvent } from "../src/crypto.js";
import type { MediaThumbnailInput, SpaceRoom } from "../src/endpoints.js";
import type {
  CallProgress,
  EachBackfilledInput,
  EachInHierarchyInput,
  EachPublicRoomInput,
  JsonObject,
  JsonValue,
  KeyRequest,
  Keyring,
  Room,
  RoomInHierarchy,
  RoomVersion,
  SigningKey,
  VerifiedEvent,
} from "../src/index.js";
import { isRoomVersion } from "../src/index.js";

declare const room: Room;
declare const from: string[];

describe("iterations", () => {
  test("take options that may be undefined", () => {
    expectTypeOf<{ limit: undefined; pageSize: undefined }>().toExtend<EachPublicRoomInput>();
    expectTypeOf<{
      limit: undefined;
      suggestedOnly: undefined;
      maxDepth: undefined;
    }>().toExtend<EachInHierarchyInput>();
    expectTypeOf<{ from: string[]; onDropped: undefined }>().toExtend<EachBackfilledInput>();
    expectTypeOf<{
      mediaId: string;
      width: number;
      height: number;
      method: undefined;
      animated: undefined;
      timeoutMs: undefined;
    }>().toExtend<MediaThumbnailInput>();
  });

  test("tell of a room in a space what servers say of it, unknown fields too", () => {
    expectTypeOf<RoomInHierarchy["room"]>().toExtend<SpaceRoom>();
    expectTypeOf<RoomInHierarchy["room"]["room_id"]>().toEqualTypeOf<string>();
    expectTypeOf<RoomInHierarchy["room"]["org.example.field"]>().toEqualTypeOf<JsonValue>();
  });

  test("hand out events themselves, not to a listener", () => {
    room.eachBackfilled({ from }, { timeout: 5_000, verify: "none" });
    // @ts-expect-error the loop gets the events
    room.eachBackfilled({ from }, { onEvent: () => undefined });
  });
});

describe("verified events", () => {
  test("have types that can be named", () => {
    expectTypeOf<Parameters<Keyring["keys"]>[0]>().toEqualTypeOf<readonly KeyRequest[]>();
    expectTypeOf<VerifiedEvent["via"]>().toEqualTypeOf<CallProgress["via"]>();
    const version: unknown = "11";
    if (isRoomVersion(version)) expectTypeOf(version).toEqualTypeOf<RoomVersion>();
  });
});

describe("a signed event", () => {
  const signed = (key: SigningKey) => signEvent({ type: "a", content: { a: 1 } }, "10", "a.example", key);

  test("is JSON as the event was (bug: its hashes and signatures made it none)", () => {
    expectTypeOf<ReturnType<typeof signed>>().toExtend<JsonObject>();
    expectTypeOf(addHashes({ content: {} }, "10")).toExtend<JsonObject>();
    expectTypeOf<typeof countersignEvent<{ type: string }>>().returns.toExtend<JsonObject>();
  });
});
