import type { Cancellation } from "../cancellation.js";
import { cleanText } from "../errors.js";
import type { StreamedResponse } from "../send/stream.js";
import type { Outcome } from "../validate/outcome.js";
import type { FileOrigin } from "./file-body.js";
import { createMedia, type Media, Redirection } from "./media.js";
import { InvalidMultipart, passOver, readMultipart } from "./multipart.js";

/** How long nothing may come of a file, or nothing be read, when the caller does not say: in milliseconds. */
export const IDLE_MS = 60_000;
/** How many bytes a second have to come of a file when the caller does not say: half of what an old modem brings. */
export const MIN_BYTES_PER_SECOND = 4_096;

/**
 * Reads a success into an {@link Outcome}: a file whose bytes are still to come, or where it is. What is neither is
 * malformed.
 *
 * @param maxBytes - How many bytes the file may have.
 * @param cancellation - Ends the reading until the first byte of the file.
 * @throws {@link TransportError} when the connection breaks before that.
 */
export async function readMedia(
  { status, headers, stream }: StreamedResponse,
  maxBytes: number,
  from: FileOrigin,
  cancellation: Cancellation,
): Promise<Outcome<Media | Redirection>> {
  const giveUp = (): void => void stream?.destroy(cancellation.reason as Error);
  const stopListening = cancellation.onAbort(giveUp);
  try {
    if (!stream) throw new InvalidMultipart("expected a body");
    if (cancellation.aborted) giveUp();
    const contentType = headers["content-type"];
    const head = await readMultipart(typeof contentType === "string" ? contentType : undefined, stream);
    const { metadata, file, header } = head;
    const location = header("location");
    if (location !== undefined) {
      // Nothing is expected in this part.
      passOver(file);
      return { kind: "answer", status, value: new Redirection(metadata, location) };
    }
    const limits = { maxBytes, idleMs: IDLE_MS, minBytesPerSecond: MIN_BYTES_PER_SECOND };
    const media = createMedia({ metadata, header, file, redirect: false }, limits, from);
    return { kind: "answer", status, value: media };
  } catch (error) {
    stream?.destroy();
    if (error instanceof InvalidMultipart || isUnreadable(error)) {
      return { kind: "malformed", status, issues: [{ path: "$", message: cleanText((error as Error).message) }] };
    }
    throw error;
  } finally {
    stopListening();
  }
}

/** What zlib says of bytes that are not in the encoding they claim to be in. */
const isUnreadable = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | null)?.code;
  return (
    typeof code === "string" && (code.startsWith("Z_") || code.includes("BROTLI") || code.startsWith("ERR__ERROR"))
  );
};
