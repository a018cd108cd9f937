import type { JsonObject } from "../endpoint.js";
import { signJson } from "../sign/signed-json.js";
import type { Behaviour } from "./behaviour.js";
import { json, matrixError } from "./reply-plain.js";

const dayMs = 24 * 60 * 60 * 1000;

const version: Behaviour = json({ server: { name: "matrix-federation-sdk test server", version: "1" } });

/** Spec: https://spec.matrix.org/latest/server-server-api/#publishing-keys */
const serverKeys: Behaviour = async (exchange) => {
  const { name, signingKey } = exchange.server;
  const document: JsonObject = {
    server_name: name,
    verify_keys: { [signingKey.keyId]: { key: signingKey.publicKey } },
    old_verify_keys: {},
    valid_until_ts: Date.now() + dayMs,
  };
  await json(signJson(document, name, signingKey))(exchange);
};

const unrecognized: Behaviour = matrixError(404, "M_UNRECOGNIZED", "Unrecognized request");

/** What a server does with a request that no behaviour was set for. */
export function defaultBehaviour(endpoint: string | undefined): Behaviour {
  if (endpoint === "version") return version;
  if (endpoint === "server_keys") return serverKeys;
  return unrecognized;
}
