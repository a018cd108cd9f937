/** Every `code` that an error of this library can carry. */
export type FederationErrorCode =
  | "ERR_OPTION"
  | "ERR_INPUT"
  | "ERR_CLOSED"
  | "ERR_SERVER_NAME"
  | "ERR_ROOM_ID"
  | "ERR_EVENT_ID"
  | "ERR_USER_ID"
  | "ERR_ROOM_ALIAS"
  | "ERR_PATH_SEGMENT"
  | "ERR_RESOLVE"
  | "ERR_SIGNING_KEY"
  | "ERR_NO_SIGNING_KEY"
  | "ERR_CANONICAL_JSON"
  | "ERR_CONNECT"
  | "ERR_ADDRESS_REFUSED"
  | "ERR_PROXY"
  | "ERR_TLS"
  | "ERR_CONNECTION_LOST"
  | "ERR_TIMEOUT"
  | "ERR_RESPONSE_TOO_LARGE"
  | "ERR_RESPONSE_INVALID"
  | "ERR_NOT_MATRIX"
  | "ERR_MATRIX"
  | "ERR_PARTIAL_STATE"
  | "ERR_NO_RESIDENTS"
  | "ERR_ALL_FAILED"
  | "ERR_IN_BACKOFF"
  | "ERR_OUTCOME_UNKNOWN";

const SPEC = "https://spec.matrix.org/latest";
/**
 * Where a code is explained: the section of the specification or the MSC that the rule comes from. What is about one
 * endpoint links that one's section instead.
 */
export const docsUrls: Readonly<Record<FederationErrorCode, string | undefined>> = {
  ERR_OPTION: undefined,
  ERR_INPUT: `${SPEC}/server-server-api/`,
  ERR_CLOSED: undefined,
  ERR_SERVER_NAME: `${SPEC}/appendices/#server-name`,
  ERR_ROOM_ID: `${SPEC}/appendices/#room-ids`,
  ERR_EVENT_ID: `${SPEC}/appendices/#event-ids`,
  ERR_USER_ID: `${SPEC}/appendices/#user-identifiers`,
  ERR_ROOM_ALIAS: `${SPEC}/appendices/#room-aliases`,
  ERR_PATH_SEGMENT: `${SPEC}/server-server-api/#request-authentication`,
  ERR_RESOLVE: `${SPEC}/server-server-api/#resolving-server-names`,
  ERR_SIGNING_KEY: `${SPEC}/appendices/#signing-details`,
  ERR_NO_SIGNING_KEY: `${SPEC}/server-server-api/#request-authentication`,
  ERR_CANONICAL_JSON: `${SPEC}/appendices/#canonical-json`,
  ERR_CONNECT: `${SPEC}/server-server-api/#tls`,
  ERR_ADDRESS_REFUSED: undefined,
  ERR_PROXY: undefined,
  ERR_TLS: `${SPEC}/server-server-api/#tls`,
  ERR_CONNECTION_LOST: `${SPEC}/server-server-api/#api-standards`,
  ERR_TIMEOUT: `${SPEC}/server-server-api/#api-standards`,
  ERR_RESPONSE_TOO_LARGE: `${SPEC}/server-server-api/#api-standards`,
  ERR_RESPONSE_INVALID: `${SPEC}/server-server-api/#api-standards`,
  ERR_NOT_MATRIX: `${SPEC}/server-server-api/#api-standards`,
  ERR_MATRIX: `${SPEC}/client-server-api/#standard-error-response`,
  ERR_PARTIAL_STATE: "https://github.com/matrix-org/matrix-spec-proposals/pull/3895",
  ERR_NO_RESIDENTS: `${SPEC}/server-server-api/`,
  ERR_ALL_FAILED: `${SPEC}/server-server-api/`,
  ERR_IN_BACKOFF: undefined,
  ERR_OUTCOME_UNKNOWN: `${SPEC}/server-server-api/`,
};
