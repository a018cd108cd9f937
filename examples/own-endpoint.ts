// Calls an endpoint that the library does not know: GET …/extremities/{roomId} of MSC4370, under its unstable path.
import { createClient, defineEndpoint, SigningKey } from "matrix-federation-sdk";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";
import { z } from "zod";

const extremities = defineEndpoint<{ roomId: string }, { prev_events: string[] }, "resident">({
  name: "extremities",
  method: "GET",
  path: "/_matrix/federation/unstable/org.matrix.msc4370/extremities/{roomId}",
  authentication: "signature",
  audience: "resident",
  repeatable: "anyServer",
  timeoutMs: 20_000,
  maxResponseBytes: 1024 * 1024,
  nextResidentOn: [{ errcode: "M_NOT_FOUND" }, { errcode: "M_FORBIDDEN" }],
  partialState: "possible",
  response: z.looseObject({ prev_events: z.array(z.string()).min(1) }),
  spec: "https://github.com/matrix-org/matrix-spec-proposals/pull/4370",
});

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
await using federation = await createTestFederation({ servers: ["joining.example", "member.example"] });
federation.server("joining.example").on(extremities, reply.partialState());
federation.server("member.example").on(extremities, reply.json({ prev_events: ["$latest"] }));
const { clientOptions } = federation;

// The example.
await using client = createClient({ serverName: "me.example", signingKey: SigningKey.generate(), ...clientOptions });
const roomId = "!cats:member.example";

const room = client.room(roomId, { residents: ["joining.example", "member.example"] });
const { value, via, attempts } = await room.request(extremities, {});
console.log(`Any resident: ${via}, after ${attempts.length} requests:`, value.prev_events);

const latest = await client.request("member.example", extremities, { roomId });
console.log("One server, without failover:", latest.prev_events);
