export type { Behaviour, Exchange } from "./testing/behaviour.js";
export {
  type ConnectTarget,
  createTestFederation,
  type TestClientOptions,
  type TestFederation,
  type TestFederationOptions,
  type TestServerOptions,
} from "./testing/federation.js";
export type { DnsAddress, LoopbackDns } from "./testing/loopback-dns.js";
export type { RecordedRequest } from "./testing/recorded-request.js";
export * as reply from "./testing/reply.js";
export type { RouteTarget } from "./testing/routes.js";
export { type StoreCase, storeConformance } from "./testing/store-conformance.js";
export type { TestServer } from "./testing/test-server.js";
