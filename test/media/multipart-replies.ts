import { once } from "node:events";

import type { Behaviour } from "../../src/testing.js";

export const boundary = "c8f3a1d2e4b54a6f9d7e0b1c2a3f4e5d";

/** A multipart answer, piece by piece. */
export interface Pieces {
  readonly preamble?: string;
  readonly first?: string;
  readonly second?: string;
  readonly file?: string | Uint8Array;
  /** What follows the file. */
  readonly end?: string;
  readonly by?: string;
}

export const jsonPart = "Content-Type: application/json\r\n\r\n{}";
const png = "Content-Type: image/png\r\nContent-Disposition: inline; filename=a.png\r\n\r\n";

/** As Synapse: an empty line first, and a newline after the end. */
export function multipart({
  preamble = "\r\n",
  first = jsonPart,
  second = png,
  file = "file",
  by = boundary,
  end = `\r\n--${by}--\r\n`,
}: Pieces = {}): Buffer {
  return Buffer.concat([
    Buffer.from(`${preamble}--${by}\r\n${first}\r\n--${by}\r\n${second}`),
    Buffer.from(file),
    Buffer.from(end),
  ]);
}

/** Sends a body in these chunks. */
export function sendChunks(
  chunks: readonly Uint8Array[],
  headers: Readonly<Record<string, string>> = { "content-type": `multipart/mixed; boundary=${boundary}` },
): Behaviour {
  return async ({ response }) => {
    response.writeHead(200, headers);
    for (const chunk of chunks) {
      // Each one leaves on its own.
      await new Promise<void>((sent) => response.write(chunk, () => sent()));
    }
    response.end();
  };
}

export const sendMultipart = (pieces: Pieces = {}, contentType?: string): Behaviour =>
  sendChunks([multipart(pieces)], {
    "content-type": contentType ?? `multipart/mixed; boundary=${pieces.by ?? boundary}`,
  });

/** A file of so many bytes, sent no faster than it is read. `sent` tells how much has left. */
export function sendLarge(bytes: number, sent: { bytes: number } = { bytes: 0 }): Behaviour {
  return async ({ response, signal }) => {
    response.writeHead(200, { "content-type": `multipart/mixed; boundary=${boundary}` });
    response.write(multipart({ file: "", end: "" }));
    const chunk = Buffer.alloc(64 * 1024, "x");
    for (let left = bytes; left > 0 && !signal.aborted; left -= chunk.length) {
      const piece = chunk.subarray(0, Math.min(left, chunk.length));
      sent.bytes += piece.length;
      if (!response.write(piece)) await once(response, "drain", { signal }).catch(() => undefined);
    }
    response.end(`\r\n--${boundary}--\r\n`);
  };
}
