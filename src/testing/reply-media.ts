import { randomBytes } from "node:crypto";

import type { JsonObject } from "../endpoint.js";
import type { Behaviour } from "./behaviour.js";
import { raw } from "./reply-plain.js";

/** A file as the media endpoints send it. */
export interface MediaReply {
  /** The file; empty when absent. */
  readonly body?: string | Uint8Array | undefined;
  /** Its media type; `application/octet-stream` when absent. */
  readonly contentType?: string | undefined;
  /** Its name, for `Content-Disposition`; without that header when absent. Any name, also one that is harmful. */
  readonly filename?: string | undefined;
  /** More headers of the file's part, or others instead of these; they are sent as they stand. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The JSON of the first part; an empty object when absent. */
  readonly metadata?: JsonObject | undefined;
}

/**
 * A file, for `media_download` and `media_thumbnail`: `multipart/mixed` with metadata and the file. To serve it
 * compressed, late or cut off, see the other replies, or write a {@link Behaviour} of your own.
 *
 * Spec: https://spec.matrix.org/latest/server-server-api/#content-repository
 */
export function media({ body = "", contentType, filename, headers, metadata }: MediaReply = {}): Behaviour {
  const part = {
    "content-type": contentType ?? "application/octet-stream",
    ...(filename !== undefined && {
      "content-disposition": `inline; filename*=utf-8''${encodeURIComponent(filename)}`,
    }),
    ...headers,
  };
  return multipart(metadata, part, body);
}

/**
 * No file, but where it is, for `media_download` and `media_thumbnail`: `multipart/mixed` with metadata and a `Location`.
 * The place has to begin with `https:`; another test server can serve it, for instance with `reply.raw`.
 */
export function mediaRedirect(location: string, metadata?: JsonObject): Behaviour {
  return multipart(metadata, { location }, "");
}

function multipart(
  metadata: JsonObject = {},
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
): Behaviour {
  // No file has it in it.
  const boundary = randomBytes(16).toString("hex");
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const json = `content-type: application/json\r\n\r\n${JSON.stringify(metadata)}`;
  return raw({
    headers: { "content-type": `multipart/mixed; boundary=${boundary}` },
    body: Buffer.concat([
      Buffer.from(`--${boundary}\r\n${json}\r\n--${boundary}\r\n${lines.join("")}\r\n`),
      Buffer.from(body),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  });
}
