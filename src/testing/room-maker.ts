import { OptionError, quoted } from "../errors.js";
import type { KeyOf } from "../events/verify-event.js";
import { SigningKey } from "../sign/signing-key.js";
import { type CrowdOptions, TestRoom, type TestRoomOptions } from "./room.js";
import type { HostedRooms } from "./room-host.js";
import { HostedRoom, type RoomWorld } from "./room-hosted.js";
import { membershipOf } from "./room-rules.js";

/** What rooms are made with. */
export interface RoomMakerParts {
  /** The names of the federation's servers. */
  readonly names: readonly string[];
  /** The signing keys of the federation's servers, by server name; those of servers that are made up are added. */
  readonly signers: Map<string, SigningKey>;
  /** The keys that signatures of events are checked with. */
  readonly keyOf: KeyOf;
  /** Makes a key one of them. */
  readonly trust: (serverName: string, keyId: string, publicKey: string) => void;
  /** Where the rooms are put, for the servers to find. */
  readonly rooms: HostedRooms;
}

/** Makes the function that makes a federation's rooms. */
export function createRoomMaker(parts: RoomMakerParts): (options: TestRoomOptions) => TestRoom {
  const { names, signers, keyOf, trust, rooms } = parts;
  const world: RoomWorld = {
    signerOf: (server) => signers.get(server),
    keyOf,
    isMember: (roomId, user) => {
      const room = rooms.byId.get(roomId);
      return room !== undefined && membershipOf(room.state, user) === "join";
    },
  };

  const madeUp = (index: number): string => {
    const name = `crowd-${index + 1}.invalid`;
    if (!signers.has(name)) {
      const key = SigningKey.generate();
      signers.set(name, key);
      trust(name, key.keyId, key.publicKey);
    }
    return name;
  };
  const crowdServers = ({ servers = names }: CrowdOptions): readonly string[] =>
    typeof servers === "number" ? Array.from({ length: servers }, (_, index) => madeUp(index)) : servers;

  return ({ version = "10", creator, joinRule = "public", allow = [], alias, name }) => {
    if (alias !== undefined && rooms.byAlias.has(alias)) {
      throw new OptionError("ERR_INPUT", `The test federation has a room with the alias ${quoted(alias)}.`);
    }
    const room = new HostedRoom({ version, creator, joinRule, allow, alias, name }, world);
    rooms.byId.set(room.roomId, room);
    if (alias !== undefined) rooms.byAlias.set(alias, room);
    return new TestRoom(room, crowdServers);
  };
}
