import { z } from "zod";
import type { EndpointDefinition } from "../endpoint.js";
import { guard } from "../validate/schema.js";

/** What a `.well-known/matrix/server` document is. */
export interface WellKnownServerResponse {
  /** The server name that federation requests go to, with an optional port. */
  "m.server": string;
}

/**
 * An operation of the specification that is no request to a homeserver, so that neither `client.request` nor
 * `room.request` takes it.
 */
export type DiscoveryOperation<Output> = Readonly<
  Required<
    Pick<
      EndpointDefinition<object, Output, "server">,
      "name" | "method" | "path" | "authentication" | "response" | "spec"
    >
  >
>;

/**
 * `GET /.well-known/matrix/server`: where a server's federation requests go. It is asked of the host in the server name,
 * on port 443, before it is known which server that is: the client's resolver asks it, follows redirects, caps and
 * remembers it by rules of their own. Here it stands so that the table is complete.
 */
export const wellKnownServer: DiscoveryOperation<WellKnownServerResponse> = Object.freeze({
  name: "well_known",
  method: "GET",
  path: "/.well-known/matrix/server",
  authentication: "none",
  response: guard<WellKnownServerResponse>(z.looseObject({ "m.server": z.string() })),
  spec: "https://spec.matrix.org/latest/server-server-api/#getwell-knownmatrixserver",
});
