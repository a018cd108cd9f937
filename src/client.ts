import type { Answer, AnyEndpoint } from "./client/calls.js";
import { checkCallOptions, checkRoomVersion } from "./client/check-options.js";
import type { Client, Room } from "./client/client.js";
import { eachBackfilled } from "./client/each-backfilled.js";
import { eachInHierarchy } from "./client/each-in-hierarchy.js";
import { eachPublicRoom } from "./client/iterate.js";
import { unwrapped } from "./client/landed.js";
import { createFileRunner, type FileCalls, mediaEndpoints } from "./client/media-calls.js";
import { residentsOf } from "./client/residents.js";
import { type DirectRoomCalls, roomEndpoints } from "./client/room-calls.js";
import { createRunner, type Job } from "./client/runner.js";
import { inputlessEndpoints, type ServerCalls, serverEndpoints } from "./client/server-calls.js";
import type { Audience, Endpoint } from "./endpoint.js";
import { openIdUserinfo } from "./endpoints/one-server.js";
import { publicRooms, searchPublicRooms } from "./endpoints/public-rooms.js";
import { hierarchy } from "./endpoints/room-lookups.js";
import { backfill } from "./endpoints/room-reads.js";
import { checkRoomId } from "./name/identifiers.js";
import { parseServerName } from "./name/server-name.js";
import {
  type CallOptions,
  type ClientOptions,
  DEFAULT_ROOM_ROUNDS,
  DEFAULT_SERVER_ROUNDS,
  type RoomCallOptions,
  type RoomOptions,
} from "./options.js";

/**
 * Creates a client. It makes no request and opens nothing.
 *
 * @throws {@link OptionError} `ERR_OPTION` for a wrong option.
 * @throws {@link NameError} `ERR_SERVER_NAME` when `serverName` does not follow the grammar.
 * @throws {@link SignError} `ERR_SIGNING_KEY` when there is a `signingKey` and no `serverName`.
 */
export function createClient(given: ClientOptions = {}): Client {
  const runner = createRunner(given);
  const { options, run, runSafely, failover, resolver, keyring, closing, close, origin } = runner;
  const files = createFileRunner(runner, options);

  const serverJob = <Input extends object, Output>(
    server: string,
    endpoint: Endpoint<Input, Output>,
    input: Input,
    callOptions: RoomCallOptions = {},
  ): Job<Input, Output> => ({
    endpoint,
    input,
    options: callOptions,
    roomId: undefined,
    oneServer: true,
    rounds: DEFAULT_SERVER_ROUNDS,
    candidates: () => [parseServerName(server).name],
  });

  // biome-ignore lint/suspicious/noExplicitAny: an endpoint of any input will do
  const runnerOf = (endpoint: Endpoint<any, unknown>, callOptions: RoomCallOptions | null = {}): typeof files =>
    // What has no options is wrong, and the runner says so.
    endpoint?.answer === "multipart" && callOptions !== null ? files : runner;
  const answer: ServerRequest = async (...args) => unwrapped(await runnerOf(args[1], args[3]).run(serverJob(...args)));
  const request: Client["request"] = async (...args) => (await answer(...args)).value;
  const requestSafely: Client["safe"]["request"] = async (...args) =>
    await runnerOf(args[1], args[3]).runSafely(serverJob(...args));

  function room(roomId: string, roomOptions: RoomOptions): Room {
    checkRoomId(roomId);
    const { residents, roomVersion } = roomOptions ?? {};
    if (roomVersion !== undefined) checkRoomVersion(roomVersion);
    const members = residentsOf(residents, roomId);
    const roomJob = <Input extends object, Output>(
      endpoint: Endpoint<Input, Output, "resident">,
      input: Omit<Input, "roomId">,
      callOptions: RoomCallOptions = {},
    ): Job<Input, Output> => ({
      endpoint,
      input: input as Input,
      // What has no options is wrong, and the runner says so.
      options: roomVersion === undefined || callOptions === null ? callOptions : { roomVersion, ...callOptions },
      roomId,
      oneServer: false,
      rounds: DEFAULT_ROOM_ROUNDS,
      // The servers that the caller names for this call are in the room as well.
      candidates: ({ sentBy = [], prefer = [] }) => {
        const named = [...sentBy, ...prefer];
        const told = members();
        return told instanceof Promise ? told.then((names) => [...named, ...names]) : [...named, ...told];
      },
    });
    const ask: Room["request"] = async (...args) => unwrapped(await run(roomJob(...args)));
    const askSafely: Room["safe"]["request"] = (...args) => runSafely(roomJob(...args));
    const bound = (call: typeof ask | typeof askSafely): Record<string, unknown> =>
      mapValues(
        roomEndpoints,
        (endpoint) => (input: object, callOptions?: RoomCallOptions) => call(endpoint, input, callOptions),
      );
    const safe = { ...bound(askSafely), request: askSafely };
    const each: Pick<Room, "eachBackfilled" | "eachInHierarchy"> = {
      eachBackfilled: (input, callOptions) =>
        eachBackfilled(
          // Whoever took the events would leave the pages empty.
          (page) => ask(backfill, page, callOptions && { ...callOptions, onEvent: undefined, onProgress: undefined }),
          input,
          callOptions?.roomVersion ?? roomVersion,
          callOptions?.signal,
        ),
      eachInHierarchy: (input = {}, callOptions = {}) =>
        eachInHierarchy(
          async (inside, via, page, pageOptions) => {
            if (inside === roomId) return await ask(hierarchy, page, pageOptions);
            const residents = async (): Promise<string[]> => [...via, ...(await members())];
            return await room(inside, { residents }).request(hierarchy, page, pageOptions);
          },
          roomId,
          input,
          callOptions,
        ),
    };
    return { ...bound(ask), ...each, roomId, safe, request: ask } as unknown as Room;
  }

  const bound = (
    call: typeof request | typeof requestSafely,
    callAboutRoom: ServerRequest | typeof requestSafely,
  ): Record<string, unknown> => ({
    ...mapValues(
      serverEndpoints,
      (endpoint: AnyEndpoint<Audience>) => (server: string, input: object, callOptions?: CallOptions) =>
        call(server, endpoint, input, callOptions),
    ),
    ...mapValues(
      roomEndpoints,
      (endpoint: AnyEndpoint<Audience>) => (server: string, input: object, callOptions?: RoomCallOptions) =>
        callAboutRoom(server, endpoint, input, callOptions),
    ),
    ...mapValues(
      inputlessEndpoints,
      (endpoint) => (server: string, callOptions?: CallOptions) => call(server, endpoint, {}, callOptions),
    ),
    media: mapValues(
      mediaEndpoints,
      (endpoint) => (server: string, input: object, callOptions?: CallOptions) =>
        call(server, endpoint, input, callOptions),
    ),
    openid: {
      userinfo: (server: string, accessToken: string, callOptions?: CallOptions) =>
        call(server, openIdUserinfo, { accessToken }, callOptions),
    },
  });

  const known = async (server: string): Promise<string> => {
    parseServerName(server);
    await failover.records.load([server]);
    return server;
  };
  const rest: Omit<Client, keyof ServerCalls | keyof DirectRoomCalls | keyof FileCalls | "safe"> = {
    serverName: origin === "" ? undefined : origin,
    resolver,
    backoff: {
      get: async (server) => failover.records.state(await known(server)),
      list: () => failover.records.list(),
      reset: async (server) => failover.records.forget(await known(server)),
    },
    partialState: {
      list: async (roomId) => {
        await failover.partial.load(checkRoomId(roomId));
        return failover.partial.list(roomId);
      },
    },
    room,
    request,
    eachPublicRoom: (server, input = {}, callOptions = {}) =>
      eachPublicRoom(
        (page) => request(server, page.filter === undefined ? publicRooms : searchPublicRooms, page, callOptions),
        input,
        callOptions?.signal,
      ),
    diagnose: async (server, callOptions = {}) => {
      checkCallOptions(callOptions);
      // Loaded when it is asked for: hardly any process ever does.
      const { diagnose } = await import("./diagnose/diagnose.js");
      return await diagnose(server, callOptions, options, closing);
    },
    keyring,
    markAlive: async (server) => failover.records.clear(await known(server)),
    close,
    [Symbol.asyncDispose]: close,
  };
  const safe = { ...bound(requestSafely, requestSafely), request: requestSafely };
  return { ...bound(request, answer), safe, ...rest } as unknown as Client;
}

/** {@link Client.request}, with all that is known of the answer. */
type ServerRequest = <Input extends object, Output>(
  server: string,
  endpoint: Endpoint<Input, Output>,
  input: Input,
  options?: RoomCallOptions,
) => Promise<Answer<Output>>;

function mapValues<Key extends string, From, To>(
  from: Readonly<Record<Key, From>>,
  to: (value: From) => To,
): Record<Key, To> {
  return Object.fromEntries(Object.entries<From>(from).map(([key, value]) => [key, to(value)])) as Record<Key, To>;
}
