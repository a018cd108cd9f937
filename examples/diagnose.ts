// Says what is wrong with servers as a federation tester does, and what to do about it.
import { createClient, type Diagnosis } from "matrix-federation-sdk";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";

// Set-up: servers in this process that stand in for the federation. The public one needs none of this.
await using federation = await createTestFederation({
  servers: ["healthy.example", "broken.example", { name: "wrong-name.example", certificateFor: "other.example" }],
});
federation.server("broken.example").on("version", reply.htmlError(404));
federation.server("broken.example").on("well_known", reply.json({ "m.server": "https://broken.example" }));

// The example. It needs no server name and no signing key.
await using client = createClient(federation.clientOptions);
for (const server of ["healthy.example", "broken.example", "wrong-name.example", "nowhere.example"]) {
  print(await client.diagnose(server, { timeout: 10_000 }));
}

function print({ server, ok, ms, resolution, addresses, findings }: Diagnosis): void {
  console.log(`${server}: ${ok ? "OK" : "BROKEN"} (${ms} ms)`);
  for (const { step, query, result } of resolution.steps) console.log(`  ${step} ${query}: ${result}`);
  for (const { address, port, tls, version, ok } of addresses) {
    const runs = version?.name === undefined ? "no version" : `${version.name} ${version.version}`;
    const until = new Date(tls?.chain[0]?.validTo ?? 0).toISOString().slice(0, 10);
    console.log(`  ${ok ? "good" : "bad"} address ${address} port ${port}: ${runs}; certificate until ${until}`);
  }
  for (const { severity, code, about, message, advice } of findings) {
    console.log(`  ${severity} ${code} at ${about}\n    ${message}\n    ${advice}`);
  }
}
