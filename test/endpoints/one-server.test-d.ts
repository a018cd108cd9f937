import { describe, expectTypeOf, test } from "vitest";

import {
  type DeviceKeys,
  isDeviceKeys,
  isServerKeys,
  type PublicRoomsResponse,
  roomComplexity,
  type ServerKeys,
  serverKeys,
  userDevices,
  wellKnownServer,
} from "../../src/endpoints.js";
import type { Client, JsonValue, Room, SafeAnswer } from "../../src/index.js";

declare const client: Client;
declare const room: Room;
const a = "a.example";
const userId = "@alice:a.example";

describe("does not compile:", () => {
  test("a call without a field, or with a wrong one", () => {
    // @ts-expect-error no user
    void client.userDevices(a, {});
    // @ts-expect-error no server name
    void client.queryServerKeys(a, { minimumValidUntilTs: 5 });
    // @ts-expect-error a name as on the wire
    void client.queryKeys(a, { server_keys: {} });
    // @ts-expect-error a list of algorithms, which only the unstable endpoint takes
    void client.claimUserKeys(a, { oneTimeKeys: { [userId]: { DEV: ["signed_curve25519"] } } });
    // @ts-expect-error a time that is a text
    void client.queryServerKeys(a, { serverName: a, minimumValidUntilTs: "5" });
    // @ts-expect-error a filter where there can be none
    void client.publicRooms(a, { filter: {} });
    // @ts-expect-error a parameter that no query can carry
    void client.query(a, { queryType: "x", parameters: { x: { y: 1 } } });
  });

  test("a list of servers, or a room, for what only one server can answer", () => {
    // @ts-expect-error two servers
    void client.userDevices([a, "b.example"], { userId });
    // @ts-expect-error no endpoint about a room
    void room.request(userDevices, { userId });
    // @ts-expect-error no endpoint at all
    void client.request(a, wellKnownServer, {});
  });
});

describe("an answer", () => {
  test("is what the endpoint promises", () => {
    expectTypeOf(
      client.searchPublicRooms(a, { filter: { roomTypes: [null] } }),
    ).resolves.toEqualTypeOf<PublicRoomsResponse>();
    expectTypeOf(client.request(a, serverKeys, {})).resolves.toEqualTypeOf<ServerKeys>();
    expectTypeOf(client.safe.publicRooms(a, {})).resolves.toEqualTypeOf<SafeAnswer<PublicRoomsResponse>>();
    expectTypeOf(room.request(roomComplexity, {}).then(({ value }) => value.v1)).resolves.toBeNumber();
  });

  test("that others wrote is told apart with a guard", () => {
    const uploaded = {} as JsonValue;
    if (isDeviceKeys(uploaded)) expectTypeOf(uploaded.algorithms).toExtend<DeviceKeys["algorithms"]>();
    expectTypeOf(([] as object[]).filter(isServerKeys)).toEqualTypeOf<ServerKeys[]>();
  });
});
