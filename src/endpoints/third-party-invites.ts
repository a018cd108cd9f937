import { defineEndpoint, type Endpoint, type EndpointDefinition } from "../endpoint.js";
import { guard } from "../validate/schema.js";
import { type EmptyResponse, empty, notInRoomOrVersionUnknown, SEND_TIMEOUT_MS } from "./membership.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";

/** What an identity server has signed: that a user is the one who was invited by a third-party identifier. */
export interface SignedThirdPartyInvite {
  /** The user. */
  mxid: string;
  /** The signatures: by identity server, then by key id, in unpadded Base64. */
  signatures: { [identityServer: string]: { [keyId: string]: string } };
  /** The token of the invite: the `state_key` of the `m.room.third_party_invite` event. */
  token: string;
  /** Any other field. */
  // biome-ignore lint/suspicious/noExplicitAny: an interface has no index signature, and is taken only for one of any
  readonly [field: string]: any;
}

/** The input of {@link exchangeThirdPartyInvite}. */
export interface ExchangeThirdPartyInviteInput {
  /** The room. */
  roomId: string;
  /** The user who sent the `m.room.third_party_invite` event. */
  sender: string;
  /** The invited user; of our own server. */
  userId: string;
  /**
   * The name that the `m.room.third_party_invite` event shows instead of the third-party identifier. The specification
   * requires it; who has only what {@link onBindThirdPartyIdentifier} tells cannot know it, and Synapse leaves it out and
   * fills it in.
   */
  displayName?: string | undefined;
  /** What the identity server has signed. */
  signed: SignedThirdPartyInvite;
}

/**
 * `PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}`: lets a server that is in the room turn a third-party
 * invite into an invite. It sends that to us as an {@link invite} before it answers.
 */
export const exchangeThirdPartyInvite: Endpoint<ExchangeThirdPartyInviteInput, EmptyResponse, "resident"> =
  defineEndpoint({
    name: "exchange_third_party_invite",
    method: "PUT",
    path: "/_matrix/federation/v1/exchange_third_party_invite/{roomId}",
    body: ({ roomId, sender, userId, displayName, signed }) => ({
      type: "m.room.member",
      room_id: roomId,
      sender,
      state_key: userId,
      content: {
        membership: "invite",
        third_party_invite: { ...(displayName !== undefined && { display_name: displayName }), signed },
      },
    }),
    required: ["sender", "userId", "signed"],
    forms: { signed: "object" },
    audience: "resident",
    timeoutMs: SEND_TIMEOUT_MS,
    nextResidentOn: notInRoomOrVersionUnknown,
    response: guard<EmptyResponse>(empty),
    spec: `${SPEC}#put_matrixfederationv1exchange_third_party_inviteroomid`,
  });

/** An invite that waited until its third-party identifier was bound to a user. */
export interface PendingThirdPartyInvite {
  /** The kind of identifier, such as `email`. */
  medium: string;
  /** The identifier that was invited, such as an email address. */
  address: string;
  /** The user to whom the identifier is bound now. */
  mxid: string;
  /** The room. */
  room_id: string;
  /** The user who sent the invite. */
  sender: string;
  /** What the identity server has signed. */
  signed: SignedThirdPartyInvite;
  /** Any other field. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly [field: string]: any;
}

/** The input of {@link onBindThirdPartyIdentifier} and {@link onBindThirdPartyIdentifierByPost}. */
export interface OnBindThirdPartyIdentifierInput {
  /** The kind of identifier; only `email` is in use. */
  medium: string;
  /** The identifier, such as an email address. */
  address: string;
  /** The user to whom it is bound now; of the server that is asked. */
  mxid: string;
  /** The invites that waited for that. */
  invites: readonly PendingThirdPartyInvite[];
}

/** What both ways to tell of a binding have in common. */
const binding = {
  path: "/_matrix/federation/v1/3pid/onbind",
  body: ({ medium, address, mxid, invites }) => ({ medium, address, mxid, invites: [...invites] }),
  required: ["medium", "address", "mxid", "invites"],
  forms: { invites: "objects" },
  authentication: "none",
  audience: "server",
  // The server exchanges every invite with other servers before it answers.
  timeoutMs: SEND_TIMEOUT_MS,
  spec: `${SPEC}#put_matrixfederationv13pidonbind`,
} as const satisfies Partial<EndpointDefinition<OnBindThirdPartyIdentifierInput, unknown, "server">>;

/**
 * `POST /_matrix/federation/v1/3pid/onbind`: as {@link onBindThirdPartyIdentifier}, in the way that Synapse and Dendrite
 * serve it and Sydent sends it, other than the specification says
 * (https://github.com/matrix-org/matrix-spec-proposals/issues/2226). Unsigned.
 */
export const onBindThirdPartyIdentifierByPost: Endpoint<OnBindThirdPartyIdentifierInput, EmptyResponse, "server"> =
  defineEndpoint({
    ...binding,
    name: "3pid_onbind_by_post",
    method: "POST",
    response: guard<EmptyResponse>(empty),
  });

/**
 * `PUT /_matrix/federation/v1/3pid/onbind`: an identity server tells a homeserver that a third-party identifier was bound
 * to one of its users. Unsigned. Synapse and Dendrite know it only as {@link onBindThirdPartyIdentifierByPost}, which they are asked then.
 */
export const onBindThirdPartyIdentifier: Endpoint<OnBindThirdPartyIdentifierInput, EmptyResponse, "server"> =
  defineEndpoint({
    ...binding,
    name: "3pid_onbind",
    method: "PUT",
    olderVersion: { endpoint: onBindThirdPartyIdentifierByPost },
    response: guard<EmptyResponse>(empty),
  });
