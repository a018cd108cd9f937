/**
 * Matrix server-to-server requests that know about partial-state rooms.
 *
 * @packageDocumentation
 */
export type { Answer, RoomCall, SafeAnswer, SafeTwin, ServerCall } from "./client/calls.js";
export type {
  BackoffControl,
  Client,
  PartialStateControl,
  Room,
  SafeRoomRequest,
  SafeServerRequest,
} from "./client/client.js";
export type {
  EachBackfilledInput,
  EachInHierarchyInput,
  EachOptions,
  EachPublicRoomInput,
  RoomInHierarchy,
} from "./client/iterate.js";
export type { FileCalls, MediaCalls, MediaOptions } from "./client/media-calls.js";
export type { DirectRoomCalls, InRoom, RoomCalls } from "./client/room-calls.js";
export type { OpenIdCalls, ServerCalls } from "./client/server-calls.js";
export { createClient } from "./client.js";
export type { AddressQuestion, AllowAddress } from "./connect/address-policy.js";
export type { ConnectOptions } from "./connect/connector.js";
export type { ProxyOption } from "./connect/proxy.js";
export type { ConnectAddress, ConnectTarget, ConnectTo, Destination, IpAddress, Target } from "./connect/target.js";
export type { CertificateReport, TlsReport } from "./connect/tls-inspection.js";
export type { TlsException } from "./connect/trust.js";
export type {
  AddressReport,
  AnswerFindingCode,
  ConnectionFailure,
  ConnectionFindingCode,
  DiagnosedStep,
  DiagnoseOptions,
  Diagnosis,
  Finding,
  FindingCode,
  KeyReport,
  KeysReport,
  RequestReport,
  ResolutionFindingCode,
  ResolutionReport,
  TlsFindingCode,
  VerifyKeyReport,
  VersionReport,
} from "./diagnose/report.js";
export {
  type Audience,
  type DocumentedError,
  defineEndpoint,
  type Endpoint,
  type EndpointDefinition,
  type EventProof,
  type FailoverErrcode,
  type FieldForm,
  type FillablePath,
  type JsonObject,
  type JsonValue,
  type OlderVersion,
  type PlacesOf,
  type ResponseSchema,
  type ResponseSchemaTypes,
  type SchemaIssue,
  type SchemaPathSegment,
  type SchemaResult,
  type SentEvent,
} from "./endpoint.js";
export {
  type AnyFederationError,
  FailoverError,
  type FailoverSummary,
  FederationError,
  type FederationErrorCode,
  type FederationErrorDetails,
  isFederationError,
  MatrixError,
  NameError,
  OptionError,
  ResolveError,
  ResponseError,
  type ResponseIssue,
  SignError,
  TransportError,
  type Unproved,
} from "./errors.js";
export { isRoomVersion, type RoomVersion } from "./events/room-versions.js";
export type { Attempt } from "./failover/attempt.js";
export type { PartialStateEntry } from "./failover/partial-memory.js";
export type { BackoffOptions, BackoffState } from "./failover/server-records.js";
export type { DocumentFault } from "./keyring/key-document.js";
export type {
  KeyAnswer,
  KeyOptions,
  Keyring,
  KeyringState,
  LearnedFrom,
  MissingKey,
  MissingReason,
} from "./keyring/keyring.js";
export type { KeyFault, KeyRequest, KeySource, KnownKey } from "./keyring/known-key.js";
export type { Wait } from "./keyring/patience.js";
export type { Media } from "./media/media.js";
export { isServerName, parseServerName, type ServerName } from "./name/server-name.js";
export {
  type BackoffEvent,
  type DiagnosticsEvents,
  observe,
  type PartialStateEvent,
  type RequestEndEvent,
  type RequestStartEvent,
  type VerdictEvent,
} from "./observe.js";
export type { CallOptions, ClientOptions, Residents, RoomCallOptions, RoomOptions } from "./options.js";
export type { Dns, DnsAddress, DnsLookupAddress, DnsSrvRecord } from "./resolve/dns.js";
export type { ResolvedServer, ResolveStep } from "./resolve/resolved-server.js";
export type { Resolver } from "./resolve/resolver.js";
export { canonicalJson } from "./sign/canonical-json.js";
export { type Signed, signJson, verifySignedJson } from "./sign/signed-json.js";
export { SigningKey } from "./sign/signing-key.js";
export { createMemoryStore } from "./store/memory-store.js";
export type { Store } from "./store/store.js";
export type { DroppedEvent } from "./validate/events.js";
export type { FailureKind, Outcome } from "./validate/outcome.js";
export { type AnsweredEndpoint, type HttpResponse, readOutcome } from "./validate/read-outcome.js";
export {
  isPartialStateErrcode,
  PARTIAL_STATE_ERRCODE,
  UNSTABLE_PARTIAL_STATE_ERRCODE,
} from "./verdict/errcodes.js";
export {
  type Consequence,
  consequences,
  type JudgeContext,
  type JudgedEndpoint,
  judge,
  type Verdict,
  type VerdictName,
  type VerdictRule,
  verdictRules,
} from "./verdict/judge.js";
export type { StreamProgress } from "./verify/event-stream.js";
export type { CallProgress, VerifiedEvent } from "./verify/verify-answer.js";
