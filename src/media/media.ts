import type { Readable } from "node:stream";
import type { JsonObject } from "../endpoint.js";
import { filenameOf, lengthOf, mediaTypeOf } from "./content-headers.js";
import { FileBody, type FileLimits, type FileOrigin } from "./file-body.js";

/** A file from a server's content repository, its bytes still to be read. */
export interface Media {
  /** What the server says of the file; nothing so far: an empty object. */
  readonly metadata: JsonObject;
  /**
   * The file's media type, as the server says; `application/octet-stream` where it says none. Who uploaded the file has
   * chosen it: never let a browser show a type that can carry scripts.
   */
  readonly contentType: string;
  /** The `Content-Disposition` header as it came; `undefined` where there is none, as with Dendrite. */
  readonly contentDisposition: string | undefined;
  /**
   * The file's name in that header (RFC 6266), without any path and without characters that no name should have;
   * `undefined` where there is none.
   */
  readonly filename: string | undefined;
  /** How many bytes the file has, where the server says so: mostly it does only with a redirect. */
  readonly contentLength: number | undefined;
  /**
   * The file's bytes. They come no faster than they are read, and take a connection until they are read or destroyed:
   * iterate over it, pipe it with `pipeline`, or make a web stream of it with `Readable.toWeb(media.body)`. It ends when
   * the file is whole, and fails otherwise: with {@link TransportError} `ERR_CONNECTION_LOST`, or `ERR_TIMEOUT` when for
   * the option `idleTimeout` nothing came or nothing was read; {@link ResponseError} `ERR_RESPONSE_TOO_LARGE` beyond the
   * option `maxBytes`, or `ERR_RESPONSE_INVALID` when the file was cut off; {@link OptionError} `ERR_CLOSED` when the
   * client was closed; the signal's reason when it aborted.
   */
  readonly body: Readable;
  /** Whether the server did not send the file itself, but said where it is (`Location`). */
  readonly redirect: boolean;
  /** Gives the file up and frees the connection. Nothing happens when it was read to its end. */
  readonly cancel: () => void;
}

/** Who says where the file is, instead of sending it. */
export class Redirection {
  /** What the server says of the file. */
  readonly metadata: JsonObject;
  /** The `Location` header. */
  readonly location: string;

  /** With what the server says. */
  constructor(metadata: JsonObject, location: string) {
    this.metadata = metadata;
    this.location = location;
  }
}

/** A file and its headers, from wherever they came. */
export interface FileSource {
  /** What the server says of the file. */
  readonly metadata: JsonObject;
  /** A header of the file, by its name in lower case. */
  readonly header: (name: string) => string | undefined;
  /** The bytes. */
  readonly file: Readable;
  /** Whether the server redirected to it. */
  readonly redirect: boolean;
}

const bodies = new WeakMap<Media, FileBody>();

/** Makes the file that a caller gets. */
export function createMedia(
  { metadata, header, file, redirect }: FileSource,
  limits: FileLimits,
  from: FileOrigin,
): Media {
  const body = new FileBody(file, limits, from);
  const contentDisposition = header("content-disposition");
  const media: Media = {
    metadata,
    contentType: mediaTypeOf(header("content-type")),
    contentDisposition,
    filename: filenameOf(contentDisposition),
    contentLength: lengthOf(header("content-length")),
    body,
    redirect,
    cancel: () => void body.destroy(),
  };
  bodies.set(media, body);
  return media;
}

/** Holds a file to other limits, before anything of it has been read. */
export function limitMedia(media: Media, limits: FileLimits): void {
  bodies.get(media)?.limit(limits);
}
