import { OptionError, quoted } from "../errors.js";
import { rulesOf } from "../events/room-versions.js";
import type { KeyOf } from "../events/verify-event.js";
import { SigningKey } from "../sign/signing-key.js";
import { type CrowdOptions, TestRoom, type TestRoomOptions } from "./room.js";
import type { HostedRooms } from "./room-host.js";
import { HostedRoom, type RoomWorld } from "./room-hosted.js";
import { membershipOf } from "./room-rules.js";

const JOIN_RULES = '"public", "invite" and "restricted"';
const isJoinRule = (rule: unknown): boolean => rule === "public" || rule === "invite" || rule === "restricted";

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
      const room = typeof roomId === "string" ? rooms.byId.get(roomId) : undefined;
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
  const crowdServers = ({ servers = names }: CrowdOptions): readonly string[] => {
    if (typeof servers !== "number") return servers;
    if (!Number.isSafeInteger(servers)) throw new OptionError("ERR_INPUT", `${servers} is no number of servers.`);
    return Array.from({ length: servers }, (_, index) => madeUp(index));
  };

  return ({ version = "10", creator, joinRule = "public", allow = [], alias, name }) => {
    if (!isJoinRule(joinRule)) {
      throw new OptionError("ERR_INPUT", `A test room has no join rule ${quoted(joinRule)}; there are ${JOIN_RULES}.`);
    }
    if (joinRule === "restricted" && !rulesOf(version).restrictedJoins) {
      throw new OptionError("ERR_INPUT", `Rooms of version ${version} cannot be restricted; those from 8 on can.`);
    }
    if (!Array.isArray(allow)) throw new OptionError("ERR_INPUT", "allow is no array of room ids.");
    if (alias !== undefined && !/^#[^:]*:./.test(alias)) {
      throw new OptionError("ERR_INPUT", `${quoted(alias)} is no room alias; one looks like "#room:a.example".`);
    }
    if (alias !== undefined && rooms.byAlias.has(alias)) {
      throw new OptionError("ERR_INPUT", `The test federation has a room with the alias ${quoted(alias)}.`);
    }
    const room = new HostedRoom({ version, creator, joinRule, allow, alias, name }, world);
    rooms.byId.set(room.roomId, room);
    if (alias !== undefined) rooms.byAlias.set(alias, room);
    return new TestRoom(room, crowdServers);
  };
}
