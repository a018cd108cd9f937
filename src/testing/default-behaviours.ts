import type { JsonObject } from "../endpoint.js";
import { quoted } from "../errors.js";
import type { KeyOf } from "../events/verify-event.js";
import { signJson } from "../sign/signed-json.js";
import type { SigningKey } from "../sign/signing-key.js";
import type { Behaviour } from "./behaviour.js";
import { invited } from "./invites.js";
import { json, matrixError } from "./reply-plain.js";
import { type HostedRooms, roomBehaviour } from "./room-host.js";
import { bodyOf, pathFields } from "./room-question.js";

const dayMs = 24 * 60 * 60 * 1000;

const version: Behaviour = json({ server: { name: "matrix-federation-sdk test server", version: "1" } });

/** Spec: https://spec.matrix.org/latest/server-server-api/#publishing-keys */
function keyDocument(name: string, signingKey: SigningKey): JsonObject {
  const document: JsonObject = {
    server_name: name,
    verify_keys: { [signingKey.keyId]: { key: signingKey.publicKey } },
    old_verify_keys: {},
    valid_until_ts: Date.now() + dayMs,
  };
  return signJson(document, name, signingKey);
}

const serverKeys: Behaviour = async (exchange) => {
  const { name, signingKey } = exchange.server;
  await json(keyDocument(name, signingKey))(exchange);
};

/**
 * Every server is a notary that knows the keys of all.
 * Spec: https://spec.matrix.org/latest/server-server-api/#querying-keys-through-another-server
 */
function notary({ signers }: DefaultAnswers): Behaviour {
  return async (exchange) => {
    const { request, server } = exchange;
    const { server_keys: wanted } = bodyOf(request);
    const names = request.method === "GET" ? pathFields(request).slice(0, 1) : Object.keys(wanted ?? {});
    const documents = names.flatMap((name) => {
      const key = signers.get(name);
      if (!key) return [];
      const document = keyDocument(name, key);
      return name === server.name ? [document] : [signJson(document, server.name, server.signingKey)];
    });
    await json({ server_keys: documents })(exchange);
  };
}

/** Says to whoever wrote the test what is missing in it. */
const unrecognized: Behaviour = async (exchange) => {
  const { endpoint, method, uri } = exchange.request;
  const [path = ""] = uri.split("?", 1);
  const target = endpoint === undefined ? `{ method: ${quoted(method)}, path: ${quoted(path)} }` : quoted(endpoint);
  const error = `Unrecognized request: nothing answers it here. Set what does with server.on(${target}, …).`;
  await matrixError(404, "M_UNRECOGNIZED", error)(exchange);
};

/** What the servers of a federation have in common. */
export interface DefaultAnswers {
  /** Their signing keys, and those of servers that were made up, by server name. */
  readonly signers: ReadonlyMap<string, SigningKey>;
  /** The public keys of all servers that the federation trusts. */
  readonly keyOf: KeyOf;
  /** Their rooms. */
  readonly rooms: HostedRooms;
}

/** What a server does with a request that no behaviour was set for. */
export function defaultBehaviour(endpoint: string | undefined, shared: DefaultAnswers): Behaviour {
  if (endpoint === "version") return version;
  if (endpoint === "server_keys") return serverKeys;
  if (endpoint === "query_keys" || endpoint === "query_server_keys") return notary(shared);
  if (endpoint === "invite") return invited(shared.keyOf);
  return roomBehaviour(endpoint, shared.rooms) ?? unrecognized;
}
