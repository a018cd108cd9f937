/** A TLS server in its own process that answers a send_join with very many events, which it made before. */
import { createServer } from "node:https";
import { eventOf } from "./events.mjs";

const count = Number(process.argv[2]);
const PIECE = 1_000;
const pieces = [Buffer.from('{"origin":"server0.bench.example","members_omitted":false,"auth_chain":[],"state":[')];
for (let from = 0; from < count; from += PIECE) {
  const events = Array.from({ length: Math.min(PIECE, count - from) }, (_, at) => JSON.stringify(eventOf(from + at)));
  pieces.push(Buffer.from(`${from > 0 ? "," : ""}${events.join(",")}`));
}
pieces.push(Buffer.from("]}"));
const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);

process.once("message", ({ key, cert }) => {
  const server = createServer({ key, cert }, async (request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json", "content-length": bytes });
    for (const piece of pieces) {
      if (!response.write(piece)) await new Promise((drained) => response.once("drain", drained));
    }
    response.end();
  });
  server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port, bytes }));
});
process.once("disconnect", () => process.exit());
