import type { Endpoint } from "../endpoint.js";
import type { InviteInput, InviteResponse } from "../endpoints/invites.js";
import { invite } from "../endpoints/invites.js";
import type { EmptyResponse } from "../endpoints/membership.js";
import type {
  QueryDirectoryInput,
  QueryDirectoryResponse,
  QueryProfileInput,
  QueryProfileResponse,
  SendInput,
  SendResponse,
  VersionResponse,
} from "../endpoints/one-server.js";
import { queryDirectory, queryProfile, send, version } from "../endpoints/one-server.js";
import type { OnBindThirdPartyIdentifierInput } from "../endpoints/third-party-invites.js";
import { onBindThirdPartyIdentifier } from "../endpoints/third-party-invites.js";
import type { CallOptions } from "../options.js";
import type { AnyEndpoint, ServerCall } from "./calls.js";

/** The calls that ask one named server. */
export interface ServerCalls {
  /**
   * `GET /_matrix/federation/v1/version`: what a server runs. Unsigned.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1version
   */
  version(server: string, options?: CallOptions): Promise<VersionResponse>;
  /**
   * `GET /_matrix/federation/v1/query/directory`: the room behind an alias; ask the server in the alias.
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such alias.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1querydirectory
   */
  queryDirectory: ServerCall<QueryDirectoryInput, QueryDirectoryResponse>;
  /**
   * `GET /_matrix/federation/v1/query/profile`: a user's profile; ask the server in the user id.
   * @throws {@link MatrixError} `M_NOT_FOUND` when there is no such user.
   * @see https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1queryprofile
   */
  queryProfile: ServerCall<QueryProfileInput, QueryProfileResponse>;
  /**
   * `PUT /_matrix/federation/v1/send/{txnId}`: events for a server; at most 50, and 100 ephemeral ones.
   * The same `txnId` with the same content may be sent again.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the server took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1sendtxnid
   */
  sendTransaction: ServerCall<SendInput, SendResponse>;
  /**
   * `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`: invites a user; ask the server in the user id. The answer is
   * the event with that server's signature added. 60 seconds for each try. In rooms of version 1 and 2, a server that
   * knows only version 1 of the endpoint is asked that. With `ignoreBackoff`, the server is asked though it failed lately.
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
   * to one of its users. Unsigned. 60 seconds for each try. Synapse and Dendrite take only a POST: of a server that does
   * not know this, `request` the endpoint `onBindThirdPartyIdentifierByPost`.
   * @throws {@link MatrixError} `M_UNRECOGNIZED` when the server does not know the method.
   * @throws {@link FailoverError} `ERR_OUTCOME_UNKNOWN` when no answer says whether the server took it.
   * @see https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv13pidonbind
   */
  onBindThirdPartyIdentifier: ServerCall<OnBindThirdPartyIdentifierInput, EmptyResponse>;
}

/** The endpoint behind each call to one server that takes an input. */
export const serverEndpoints: Readonly<Record<Exclude<keyof ServerCalls, "version">, AnyEndpoint<"server">>> = {
  queryDirectory,
  queryProfile,
  sendTransaction: send,
  invite,
  onBindThirdPartyIdentifier,
};

/** The endpoint behind `version`, which takes no input. */
export const versionEndpoint: Endpoint<object, VersionResponse, "server"> = version;
