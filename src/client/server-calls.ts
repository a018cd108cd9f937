import type { JsonObject } from "../endpoint.js";
import type { InviteInput, InviteResponse } from "../endpoints/invites.js";
import { invite } from "../endpoints/invites.js";
import type { QueryKeysInput, QueryKeysResponse, QueryServerKeysInput, ServerKeys } from "../endpoints/keys.js";
import { queryKeys, queryServerKeys, serverKeys } from "../endpoints/keys.js";
import type { EmptyResponse } from "../endpoints/membership.js";
import type {
  OpenIdUserinfoResponse,
  QueryDirectoryInput,
  QueryDirectoryResponse,
  QueryInput,
  QueryProfileInput,
  QueryProfileResponse,
  SendInput,
  SendResponse,
  VersionResponse,
} from "../endpoints/one-server.js";
import { query, queryDirectory, queryProfile, send, version } from "../endpoints/one-server.js";
import type { PolicySignInput, PolicySignResponse } from "../endpoints/policy.js";
import { policySign } from "../endpoints/policy.js";
import type { PublicRoomsInput, PublicRoomsResponse, SearchPublicRoomsInput } from "../endpoints/public-rooms.js";
import { publicRooms, searchPublicRooms } from "../endpoints/public-rooms.js";
import type { OnBindThirdPartyIdentifierInput } from "../endpoints/third-party-invites.js";
import { onBindThirdPartyIdentifier } from "../endpoints/third-party-invites.js";
import type {
  ClaimUserKeysInput,
  ClaimUserKeysResponse,
  QueryUserKeysInput,
  QueryUserKeysResponse,
  UserDevicesInput,
  UserDevicesResponse,
} from "../endpoints/users.js";
import { claimUserKeys, queryUserKeys, userDevices } from "../endpoints/users.js";
import type { CallOptions } from "../options.js";
import type { AnyEndpoint, ServerCall } from "./calls.js";

/** The calls about OpenID tokens, which users give to services that want to know who they are. */
export interface OpenIdCalls {
  /**
   * `GET /_matrix/federation/v1/openid/userinfo`: the user who gave out a token. Unsigned. 10 seconds for each try. It is
   * made sure that the user is one of the server's own; which server to ask you must know by other means.
   * @throws {@link MatrixError} `M_UNKNOWN_TOKEN` when the token is wrong or has expired.
   * @throws {@link ResponseError} `ERR_RESPONSE_INVALID` when the server vouches for a user of another server.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1openiduserinfo
   */
  userinfo(server: string, accessToken: string, options?: CallOptions): Promise<OpenIdUserinfoResponse>;
}

/** The calls that ask one named server. */
export interface ServerCalls {
  /**
   * `GET /_matrix/federation/v1/version`: what a server runs. Unsigned. 10 seconds for each try.
   * @throws {@link MatrixError} of a code that depends on the server when it does not tell.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1version
   */
  version(server: string, options?: CallOptions): Promise<VersionResponse>;
  /**
   * `GET /_matrix/key/v2/server`: the keys that a server signs with. Unsigned. 10 seconds for each try. Times in
   * the answer are Unix times in milliseconds. The signatures are not checked.
   * @throws {@link ResponseError} `ERR_RESPONSE_INVALID` when the answer has not the form of a key document, or is that
   * of another server.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixkeyv2server
   */
  serverKeys(server: string, options?: CallOptions): Promise<ServerKeys>;
  /**
   * `GET /_matrix/key/v2/query/{serverName}`: another server's keys, from the notary that is asked. Unsigned. 20 seconds
   * for each try. No signature is checked; `isServerKeys` of `matrix-federation-sdk/endpoints` tells the documents that
   * have the right form.
   * @throws {@link ResponseError} `ERR_NOT_MATRIX`, or {@link MatrixError} `M_UNRECOGNIZED`, when the server is no
   * notary: Dendrite serves only `queryKeys`, the servers of the Conduit family none of the two.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixkeyv2queryservername
   */
  queryServerKeys: ServerCall<QueryServerKeysInput, QueryKeysResponse>;
  /**
   * `POST /_matrix/key/v2/query`: the keys of several servers, from the notary that is asked. Unsigned. 20 seconds for
   * each try. A server whose keys the notary has not got is not in the answer. No signature is checked; `isServerKeys`
   * of `matrix-federation-sdk/endpoints` tells the documents that have the right form.
   * @throws {@link ResponseError} `ERR_NOT_MATRIX`, or {@link MatrixError} `M_UNRECOGNIZED`, when the server is no notary.
   * @see https://spec.matrix.org/latest/server-server-api/#post_matrixkeyv2query
   */
  queryKeys: ServerCall<QueryKeysInput, QueryKeysResponse>;
  /** Whom tokens of users are from. */
  readonly openid: OpenIdCalls;
  /**
   * `GET /_matrix/federation/v1/query/directory`: the room behind an alias; ask the server in the alias.
   * 10 seconds for each try.
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such alias.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1querydirectory
   */
  queryDirectory: ServerCall<QueryDirectoryInput, QueryDirectoryResponse>;
  /**
   * `GET /_matrix/federation/v1/query/profile`: a user's profile; ask the server in the user id.
   * 10 seconds for each try.
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such user.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1queryprofile
   */
  queryProfile: ServerCall<QueryProfileInput, QueryProfileResponse>;
  /**
   * `GET /_matrix/federation/v1/query/{queryType}`: a query of any type, with any parameters. 10 seconds for each try.
   * Only that the answer is an object is checked: for a type of query with an answer of its own, make an endpoint.
   * @throws {@link MatrixError} such as `M_UNRECOGNIZED` or `M_NOT_FOUND` when the server does not know the type.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1queryquerytype
   */
  query: ServerCall<QueryInput, JsonObject>;
  /**
   * `GET /_matrix/federation/v1/publicRooms`: a page of the server's room directory, up to 50 MiB. 60 seconds for each
   * try. Go on with `since: next_batch` until there is none.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the server does not show its directory to other servers.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1publicrooms
   */
  publicRooms: ServerCall<PublicRoomsInput, PublicRoomsResponse>;
  /**
   * `POST /_matrix/federation/v1/publicRooms`: a page of those rooms in the server's directory that fit a filter, up to
   * 50 MiB. 60 seconds for each try. Go on with `since: next_batch` and the same filter until there is none.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the server does not show its directory to other servers.
   * @see https://spec.matrix.org/latest/server-server-api/#post_matrixfederationv1publicrooms
   */
  searchPublicRooms: ServerCall<SearchPublicRoomsInput, PublicRoomsResponse>;
  /**
   * `GET /_matrix/federation/v1/user/devices/{userId}`: a user's devices and cross-signing keys; ask the server in the
   * user id. 30 seconds for each try. What the user's client uploaded is not checked: `isDeviceKeys` and
   * `isCrossSigningKey` of `matrix-federation-sdk/endpoints` tell its form, and nobody has looked at its signatures.
   * @throws {@link MatrixError} of a code that depends on the server when the user is not one of its own.
   * @throws {@link ResponseError} `ERR_RESPONSE_INVALID` when the answer is about a user who was not asked for.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1userdevicesuserid
   */
  userDevices: ServerCall<UserDevicesInput, UserDevicesResponse>;
  /**
   * `POST /_matrix/federation/v1/user/keys/claim`: takes a one-time key of each device; ask the server in the user ids.
   * 10 seconds for each try. A key is given out once: each try that the server took costs each device a key, whether its
   * answer came or not, and a second try of the same call may take others. With `rounds: 1` there is none.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether keys were taken.
   * @throws {@link MatrixError} of a code that depends on the server when a user is not one of its own.
   * @see https://spec.matrix.org/latest/server-server-api/#post_matrixfederationv1userkeysclaim
   */
  claimUserKeys: ServerCall<ClaimUserKeysInput, ClaimUserKeysResponse>;
  /**
   * `POST /_matrix/federation/v1/user/keys/query`: the identity keys of users' devices; ask the server in the user ids.
   * 10 seconds for each try. What the users' clients uploaded is not checked: `isDeviceKeys` and `isCrossSigningKey` of
   * `matrix-federation-sdk/endpoints` tell its form, and nobody has looked at its signatures.
   * @throws {@link MatrixError} of a code that depends on the server when a user is not one of its own; Dendrite leaves
   * such users out instead.
   * @throws {@link ResponseError} `ERR_RESPONSE_INVALID` when the answer is about a user who was not asked for.
   * @see https://spec.matrix.org/latest/server-server-api/#post_matrixfederationv1userkeysquery
   */
  queryUserKeys: ServerCall<QueryUserKeysInput, QueryUserKeysResponse>;
  /**
   * `POST /_matrix/policy/v1/sign`: asks a room's policy server to sign an event; ask the server that the room's
   * `m.room.policy` state names. 30 seconds for each try. The signature is not checked: only an answer that holds a valid
   * one is an approval. A server that knows only the endpoint of MSC4284 is asked that; it says `{}` of an event that it
   * refuses.
   * @throws {@link MatrixError} `M_FORBIDDEN` when the policy server refuses the event (400) or our server (403),
   * `M_BAD_JSON` or `M_NOT_JSON` for a wrong event, `M_NOT_FOUND` when it does not protect the room, `M_UNRECOGNIZED` when
   * the server is no policy server, `M_LIMIT_EXCEEDED` when it was asked too often.
   * @see https://spec.matrix.org/latest/server-server-api/#post_matrixpolicyv1sign
   */
  policySign: ServerCall<PolicySignInput, PolicySignResponse>;
  /**
   * `PUT /_matrix/federation/v1/send/{txnId}`: events for a server; at most 50, and 100 ephemeral ones.
   * 60 seconds for each try. The same `txnId` with the same content may be sent again.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the server took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1sendtxnid
   */
  sendTransaction: ServerCall<SendInput, SendResponse>;
  /**
   * `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`: invites a user; ask the server in the user id. The answer is
   * the event with that server's signature added. 60 seconds for each try. In rooms of version 1 and 2, a server that
   * knows only version 1 of the endpoint is asked that. With `ignoreBackoff`, the server is asked though it failed lately.
   * `roomVersion` takes what `isRoomVersion` has narrowed; of an answer of `makeJoin`, that is `room_version ?? "1"`.
   * @throws {@link MatrixError} `M_FORBIDDEN` or `M_INVITE_BLOCKED` when the server or the user takes no such invites,
   * `M_INCOMPATIBLE_ROOM_VERSION` (of some servers `M_UNSUPPORTED_ROOM_VERSION`) when the server cannot handle the room's
   * version, `M_INVALID_PARAM` for a wrong event or state, `M_UNRECOGNIZED` when the server knows only version 1 of the
   * endpoint and the room's version is 3 or later.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the server took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2inviteroomideventid
   */
  invite: ServerCall<InviteInput, InviteResponse>;
  /**
   * `PUT /_matrix/federation/v1/3pid/onbind`: an identity server tells a homeserver that an email address, say, was bound
   * to one of its users. Unsigned. 60 seconds for each try. Synapse and Dendrite take only a POST: a server that does not
   * know the PUT is asked that.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the server took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv13pidonbind
   */
  onBindThirdPartyIdentifier: ServerCall<OnBindThirdPartyIdentifierInput, EmptyResponse>;
}

type InputlessCalls = "version" | "serverKeys";

/** The endpoint behind each call to one server that takes an input. */
export const serverEndpoints: Readonly<
  Record<Exclude<keyof ServerCalls, InputlessCalls | "openid">, AnyEndpoint<"server">>
> = {
  queryServerKeys,
  queryKeys,
  queryDirectory,
  queryProfile,
  query,
  publicRooms,
  searchPublicRooms,
  userDevices,
  claimUserKeys,
  queryUserKeys,
  policySign,
  sendTransaction: send,
  invite,
  onBindThirdPartyIdentifier,
};

/** The endpoint behind each call to one server that takes no input. */
export const inputlessEndpoints: Readonly<Record<InputlessCalls, AnyEndpoint<"server">>> = { version, serverKeys };
