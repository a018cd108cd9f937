/**
 * Canonical JSON of an event of 1 KB in the order in which servers send it, over JSON.stringify of the same; then what
 * reading and verifying that event costs over the bare verification of its signature. Ratios within one run.
 */
import { createPublicKey, verify } from "node:crypto";
import { canonicalJson, readEvent, SigningKey, signEvent, verifyReadEvent } from "../dist/crypto.js";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 25);
const EVENTS = 500;
const key = SigningKey.generate("a");
const publicKey = Uint8Array.from(atob(`${key.publicKey}=`), (char) => char.charCodeAt(0));
const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey).toString("base64url") };
const imported = createPublicKey({ key: jwk, format: "jwk" });

const events = Array.from({ length: EVENTS }, (_, at) => {
  const event = {
    auth_events: ["a", "b", "c"].map((char) => `$${char.repeat(43)}`),
    prev_events: [`$${"d".repeat(43)}`],
    type: "m.room.message",
    room_id: "!DHmIIVvxFASSFgDGzr:example.org",
    sender: "@somebody:example.org",
    content: {
      msgtype: "m.text",
      body: `Message ${at}, with enough text behind it to be of the size that is usual: wörld, 世界, and so on, and on`,
      "m.mentions": {},
      formatted_body: `<b>Message ${at}</b>, with enough text behind it to be of the size that is usual, and on and on`,
      format: "org.matrix.custom.html",
    },
    depth: 24 + at,
    origin: "example.org",
    origin_server_ts: 1_731_769_874_137,
    unsigned: { age_ts: 1_731_769_874_137 },
  };
  // As it comes from the network: strings of its own, no shapes shared with other code.
  return JSON.parse(JSON.stringify(signEvent(event, "10", "example.org", key)));
});
const read = events.map((event) => readEvent(event, "10"));

const contenders = {
  stringify: (at) => Buffer.from(JSON.stringify(events[at])),
  canonicalJson: (at) => Buffer.from(canonicalJson(events[at])),
  bareVerify: (at) => verify(null, read[at].signedBytes, imported, read[at].signatures[0].signature),
  verifyReadEvent: (at) => verifyReadEvent(read[at], () => ({ publicKey })),
  readEvent: (at) => readEvent(events[at], "10"),
};
/** The figures. */
export function benchCanonicalJson() {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = -5; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now();
      for (let at = 0; at < EVENTS; at++) run(at);
      if (round >= 0) times[name].push(((performance.now() - start) * 1000) / EVENTS);
    }
  }

  const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const micros = Object.fromEntries(
    Object.entries(times).map(([name, values]) => [name, Number(median(values).toFixed(2))]),
  );
  // Round by round, so that whatever else the machine does falls on both.
  const ratio = (name, over) => Number(median(times[name].map((value, at) => value / times[over][at])).toFixed(2));
  const ratios = {
    canonicalJsonOverStringify: ratio("canonicalJson", "stringify"),
    verifyReadEventOverBareVerify: ratio("verifyReadEvent", "bareVerify"),
    readEventOverBareVerify: ratio("readEvent", "bareVerify"),
  };
  return { eventBytes: JSON.stringify(events[0]).length, micros, ratios };
}
