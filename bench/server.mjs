/**
 * A TLS server in its own process that answers every request with one event of about 1 KB, and with its number of open
 * connections where the path is /connections: only the other side sees those that the client has set aside.
 */
import { createServer } from "node:https";

const event = {
  type: "m.room.message",
  room_id: "!room:example.org",
  sender: "@user:example.org",
  origin_server_ts: 1_700_000_000_000,
  depth: 1234,
  content: { msgtype: "m.text", body: "x".repeat(400) },
  auth_events: ["$a".padEnd(44, "a"), "$b".padEnd(44, "b"), "$c".padEnd(44, "c")],
  prev_events: ["$d".padEnd(44, "d")],
  hashes: { sha256: "h".repeat(43) },
  signatures: { "example.org": { "ed25519:a_bcde": "s".repeat(86) } },
};
const body = Buffer.from(JSON.stringify({ origin: "example.org", origin_server_ts: 1, pdus: [event] }));
const headers = { "content-type": "application/json", "content-length": body.length };

process.once("message", ({ key, cert }) => {
  const server = createServer({ key, cert, keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.url !== "/connections") return response.writeHead(200, headers).end(body);
    server.getConnections((_error, count) => response.writeHead(200, { connection: "close" }).end(String(count - 1)));
  });
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
});
process.once("disconnect", () => process.exit());
