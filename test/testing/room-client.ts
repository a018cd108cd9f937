import type { RoomVersion } from "../../src/events/room-versions.js";
import { verifyEvent } from "../../src/events/verify-event.js";
import { type Client, type ClientOptions, createClient } from "../../src/index.js";
import { decodeBase64 } from "../../src/sign/base64.js";
import { authorizationHeaders } from "../../src/sign/sign-request.js";
import type { TestFederation } from "../../src/testing.js";
import { type Answer, ask } from "./ask.js";

/** A client that speaks for one of the federation's servers. */
export function clientOf(federation: TestFederation, serverName: string, options: ClientOptions = {}): Client {
  const { signingKey } = federation.server(serverName);
  return createClient({ ...federation.clientOptions, serverName, signingKey, ...options });
}

/** What a server that got an event makes of it. */
export function verdictOn(federation: TestFederation, event: unknown, version: RoomVersion): string {
  const verified = verifyEvent(event, version, (server, keyId) => {
    const publicKey = decodeBase64(federation.publicKeys.get(server)?.get(keyId));
    return publicKey && { publicKey };
  });
  return verified.kind === "invalid" ? verified.reason : verified.kind;
}

/** One signed request of a server of the federation, whose answer nobody judges. */
export async function askAs(
  federation: TestFederation,
  origin: string,
  destination: string,
  path: string,
): Promise<Answer> {
  const { signingKey } = federation.server(origin);
  const request = { method: "GET", uri: path, destination };
  const [authorization = ""] = await authorizationHeaders(request, origin, [signingKey]);
  return await ask(federation, destination, { path, headers: { authorization } });
}
