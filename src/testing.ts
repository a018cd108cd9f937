/**
 * A federation of real HTTPS servers in this process, for tests: of this library and of what is built on it. Its servers
 * host rooms whose events are hashed and signed. It needs the package `@peculiar/x509`.
 *
 * @packageDocumentation
 */
export { OptionError } from "./errors.js";
export type { IssuedCertificate } from "./testing/authority.js";
export type { Behaviour, Exchange } from "./testing/behaviour.js";
export {
  createTestFederation,
  type TestClientOptions,
  type TestFederation,
  type TestFederationOptions,
  type TestServerOptions,
} from "./testing/federation.js";
export type { LoopbackDns } from "./testing/loopback-dns.js";
export type { RecordedRequest } from "./testing/recorded-request.js";
export * as reply from "./testing/reply.js";
export type { CrowdOptions, TestRoom, TestRoomOptions } from "./testing/room.js";
export type { TestJoinRule } from "./testing/room-first-events.js";
export type { RoomEvent } from "./testing/room-log.js";
export type { MethodAndPath, RouteTarget } from "./testing/routes.js";
export { type StoreCase, storeConformance } from "./testing/store-conformance.js";
export type { Hold, HoldOptions, TestServer } from "./testing/test-server.js";
