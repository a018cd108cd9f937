import { once } from "node:events";
import { connect, createServer } from "node:net";
import { Readable } from "node:stream";

/**
 * Passes the bytes of connections on to a port and back, TLS and all. When so many bytes have come back in a connection,
 * `cut` is called, and waited for before any more is read.
 */
export async function relayTo(port, { after, cut }) {
  const relay = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.on("error", () => far.destroy());
    far.on("error", () => near.destroy());
    near.pipe(far);
    void Readable.from(passed(far))
      .on("error", () => near.destroy())
      .pipe(near);
  });
  async function* passed(far) {
    let bytes = 0;
    let isOver = false;
    for await (const chunk of far) {
      bytes += chunk.length;
      yield chunk;
      if (bytes < after || isOver) continue;
      isOver = true;
      await cut();
    }
  }
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  return {
    port: relay.address().port,
    close: async () => {
      relay.close();
      await once(relay, "close");
    },
  };
}
