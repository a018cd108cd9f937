import type { Endpoint } from "../endpoint.js";
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
}

/** The endpoint behind each call to one server that takes an input. */
export const serverEndpoints: Readonly<Record<Exclude<keyof ServerCalls, "version">, AnyEndpoint<"server">>> = {
  queryDirectory,
  queryProfile,
  sendTransaction: send,
};

/** The endpoint behind `version`, which takes no input. */
export const versionEndpoint: Endpoint<object, VersionResponse, "server"> = version;
