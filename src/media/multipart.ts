import type { Readable } from "node:stream";
import { Dicer } from "@fastify/busboy";
import type { JsonObject } from "../endpoint.js";
import { InvalidJson, parseJson } from "../validate/parse-json.js";
import { boundaryOf, headerText } from "./content-headers.js";

/** A `multipart/mixed` body up to the first byte of the file. */
export interface MultipartHead {
  /** What the first part says. */
  readonly metadata: JsonObject;
  /** A header of the second part, by its name in lower case. */
  readonly header: (name: string) => string | undefined;
  /** The bytes of the second part. It ends at the part's end, and fails where the body ends before. */
  readonly file: Readable;
}

/** A body that is not what it should be. */
export class InvalidMultipart extends Error {}

/** Everything that comes before the file: a preamble, the parts' headers and the metadata. */
const MAX_LEAD_IN_BYTES = 64 * 1024;
/** What may follow the file, and how long that may take in milliseconds, before the connection is given up. */
const MAX_PASSED_OVER_BYTES = 64 * 1024;
const PASS_OVER_MS = 2_000;
const EMPTY = Buffer.alloc(0);

type PartHeaders = Readonly<Record<string, readonly string[]>>;

/**
 * Reads a body up to the first byte of the file in it: a first part of JSON, and a second one, which is the file. What
 * follows that is passed over.
 *
 * @param contentType - The `Content-Type` of the response.
 * @param body - The body. It is destroyed when this rejects, and when the file is.
 * @throws {@link InvalidMultipart} when it has not this form, and the body's own error when that fails.
 */
export function readMultipart(contentType: string | undefined, body: Readable): Promise<MultipartHead> {
  return new Promise<MultipartHead>((resolve, reject) => {
    const boundary = boundaryOf(contentType);
    if (boundary === undefined) throw new InvalidMultipart("expected multipart/mixed with a boundary");
    const dicer = new Dicer({ boundary, maxHeaderPairs: 64 });
    let parts = 0;
    let leadIn = 0;
    let metadata: JsonObject | undefined;
    let headers: PartHeaders | undefined;
    let file: Readable | undefined;
    let isWhole = false;

    const settled = (): boolean => metadata !== undefined && headers !== undefined;
    const fail = (error: Error): void => {
      if (settled() && isWhole) return;
      body.destroy();
      if (settled()) file?.destroy(error);
      else reject(error);
    };
    const settle = (): void => {
      if (!metadata || !headers || !file) return;
      const found = headers;
      const header = (name: string): string | undefined => {
        const value = Object.hasOwn(found, name) ? found[name]?.[0] : undefined;
        return value === undefined ? undefined : headerText(value.trim());
      };
      resolve({ metadata, header, file });
    };

    const takeMetadata = (part: Readable): void => {
      const chunks: Buffer[] = [];
      part.on("data", (chunk: Buffer) => chunks.push(chunk));
      part.on("end", () => {
        const json = parseJson(Buffer.concat(chunks));
        if (json instanceof InvalidJson || typeof json !== "object" || json === null || Array.isArray(json)) {
          return fail(new InvalidMultipart("expected a JSON object in the first part"));
        }
        metadata = json as JsonObject;
        settle();
      });
    };
    const takeFile = (part: Readable): void => {
      file = part;
      part.on("header", (found: PartHeaders) => {
        headers = found;
        settle();
      });
      // The parser ends the part as soon as the next boundary has come: the file is whole, whatever follows.
      const push = part.push.bind(part);
      part.push = (chunk, ...rest) => {
        if (chunk === null && !isWhole) {
          if (!headers) fail(new InvalidMultipart("expected headers in the second part"));
          isWhole = true;
          passOver(body);
        }
        return push(chunk, ...rest);
      };
      part.on("close", () => {
        if (!isWhole) body.destroy();
      });
    };

    const truncated = new InvalidMultipart("the body ends before its second part does");
    dicer.on("error", fail);
    // After the last boundary the parser takes nothing more, and the rest would wait for it for ever.
    dicer.on("finish", () => {
      if (!file) fail(truncated);
    });
    dicer.on("part", (part) => {
      parts += 1;
      part.on("error", () => {});
      if (parts === 1) takeMetadata(part);
      else if (parts === 2) takeFile(part);
      else part.resume();
    });
    body.on("error", fail);
    body.on("close", () => {
      if (!body.readableEnded) fail(new InvalidMultipart("the response was given up"));
    });
    body.pipe(dicer, { end: false });
    // After the parser has seen the piece.
    body.on("data", (chunk: Buffer) => {
      leadIn += headers ? 0 : chunk.length;
      if (leadIn > MAX_LEAD_IN_BYTES) fail(new InvalidMultipart(`no file in the first ${MAX_LEAD_IN_BYTES} bytes`));
    });
    // An empty piece comes after all others, those included that wait for the reader.
    body.on("end", () => dicer.write(EMPTY, () => setImmediate(() => fail(truncated))));
  });
}

/** Reads what nobody needs, so that the connection can be used again; what is long or slow is not worth it. */
export function passOver(stream: Readable): void {
  let bytes = 0;
  const timer = setTimeout(() => stream.destroy(), PASS_OVER_MS);
  stream.on("close", () => clearTimeout(timer));
  stream.unpipe();
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_PASSED_OVER_BYTES) stream.destroy();
  });
  stream.resume();
}
