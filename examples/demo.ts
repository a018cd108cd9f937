import { type Answer, type Attempt, createClient, SigningKey } from "matrix-federation-sdk";
import { createTestFederation, reply } from "matrix-federation-sdk/testing";

const roomId = "!room:good.example";
const eventId = "$KgUnf_Lh8NtLuNgmuAqtQmzLBVKpiTCzZHUTLZTz1TU";
const residents = [
  "partial-unstable.example",
  "partial-stable.example",
  "dead.example",
  "stalling.example",
  "garbage.example",
  "good.example",
];

await using federation = await createTestFederation({
  servers: residents.map((name) => (name === "dead.example" ? { name, dead: true } : name)),
});
const on = (server: string, behaviour: Parameters<ReturnType<typeof federation.server>["on"]>[1]): void => {
  federation.server(server).on("state_ids", behaviour);
};
on("partial-unstable.example", reply.partialState());
on("partial-stable.example", reply.partialState({ errcode: "M_UNABLE_DUE_TO_PARTIAL_STATE" }));
on("stalling.example", reply.stall());
on("garbage.example", reply.garbage());
on("good.example", reply.json({ pdu_ids: [eventId], auth_chain_ids: [] }));

await using client = createClient({
  serverName: "me.example",
  signingKey: SigningKey.generate(),
  ...federation.clientOptions,
});
const room = client.room(roomId, { residents });

const timed = async (): Promise<Answer<unknown> & { ms: number }> => {
  const startedAt = performance.now();
  const answer = await room.stateIds({ eventId });
  return { ...answer, ms: Math.round(performance.now() - startedAt) };
};
const calls = [await timed(), await timed()];
const backoff = client.backoff.list().filter(({ failures }) => failures > 0);
const partialState = await client.partialState.list(roomId);

if (process.argv.includes("--json")) {
  const line = ({ server, verdict, status, errcode, ms }: Attempt): object => ({
    server,
    verdict,
    status: status ?? null,
    errcode: errcode ?? null,
    ms: Math.round(ms),
  });
  const report = {
    calls: calls.map(({ via, ms, attempts }) => ({ via, ms, attempts: attempts.map(line) })),
    backoff: backoff.map(({ server, failures, retryAt }) => ({ server, failures, retryAt: retryAt ?? null })),
    partialState: partialState.map(({ server, since }) => ({ server, since })),
  };
  console.log(JSON.stringify(report, null, 2));
} else {
  for (const [index, call] of calls.entries()) printCall(index + 1, call);
  console.log("What the client remembers");
  for (const { server } of partialState) console.log(`  ${server.padEnd(26)} still joining the room; not in backoff`);
  for (const { server, failures, retryAt } of backoff) {
    const until = retryAt === undefined ? "may be asked again" : `left alone until ${new Date(retryAt).toISOString()}`;
    console.log(`  ${server.padEnd(26)} failures counted: ${failures}; ${until}`);
  }
}

function printCall(number: number, { via, ms, attempts }: Answer<unknown> & { ms: number }): void {
  console.log(`Call ${number}: the room's state_ids, from any of ${residents.length} residents`);
  const width = 32;
  const scale = width / Math.max(ms, 1);
  for (const { server, verdict, status, startMs, ms: tookMs } of attempts) {
    const from = Math.min(Math.round(startMs * scale), width - 1);
    const length = Math.max(1, Math.min(Math.round(tookMs * scale), width - from));
    const bar = `${" ".repeat(from)}${(verdict === "answered" ? "#" : "-").repeat(length)}`.padEnd(width);
    const what = status === undefined ? "" : ` (HTTP ${status})`;
    console.log(`  ${server.padEnd(26)} |${bar}| ${String(Math.round(tookMs)).padStart(5)} ms  ${verdict}${what}`);
  }
  console.log(
    `  Answered by ${via} after ${ms} ms, ${attempts.length} ${attempts.length === 1 ? "request" : "requests"}.\n`,
  );
}
