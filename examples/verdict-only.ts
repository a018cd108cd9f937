// Uses the verdict table alone, with an HTTP client of your own: here node:https. Signing the request is left out.
import { get } from "node:https";
import { buffer } from "node:stream/consumers";
import { type HttpResponse, judge, readOutcome } from "matrix-federation-sdk";
import { stateIds } from "matrix-federation-sdk/endpoints";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
const servers = ["joining.example", "proxy.example", "member.example"];
await using federation = await createTestFederation({ servers });
federation.server("joining.example").on("state_ids", reply.partialState());
federation.server("proxy.example").on("state_ids", reply.htmlError(502));
federation.server("member.example").on("state_ids", reply.json({ pdu_ids: ["$create"], auth_chain_ids: [] }));

function ask(servername: string, path: string): Promise<HttpResponse> {
  const { port } = federation.server(servername);
  const { ca } = federation.clientOptions;
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, servername, ca, agent: false }, (response) => {
      const { statusCode: status = 0, headers } = response;
      buffer(response).then((body) => resolve({ status, headers, body }), reject);
    }).on("error", reject);
  });
}

// The example.
for (const server of servers) {
  const response = await ask(server, "/_matrix/federation/v1/state_ids/!cats:member.example?event_id=$join");
  const outcome = await readOutcome(response, stateIds);
  const verdict = judge(outcome, stateIds, { server });
  console.log(`${server}: HTTP ${response.status} is "${verdict.name}", by the rule: ${verdict.rule}.`);
  console.log(`  next: ${verdict.next}; the server's backoff: ${verdict.backoff}`);
  if (outcome.kind === "answer") console.log("  the answer:", outcome.value);
}
