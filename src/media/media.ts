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
   * The file's name in that header (RFC 6266), fit to be a file's name on any system: without a path, without characters
   * that no name should have, without dots and spaces at both ends, with `_` before the name of a Windows device
   * (`_CON.txt`), and shortened to 255 bytes of UTF-8, its ending kept; `undefined` where there is none. It may still be
   * any name, such as `index.html`, and two files may have the same: give files names of your own where you keep them.
   */
  readonly filename: string | undefined;
  /** How many bytes the file has, where the server says so: mostly it does only with a redirect. */
  readonly contentLength: number | undefined;
  /**
   * The file's bytes. They come no faster than they are read, and take a connection until they are read or destroyed:
   * iterate over it, pipe it with `pipeline`, or make a web stream of it with `Readable.toWeb(media.body)`. It ends when
   * the file is whole, and fails otherwise: with {@link TransportError} `ERR_CONNECTION_LOST`, or `ERR_TIMEOUT` when for
   * the option `idleTimeout` nothing came or nothing was read, or less came than the option `minBytesPerSecond` says;
   * {@link ResponseError} `ERR_RESPONSE_TOO_LARGE` beyond the
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

/** A file that whoever asked for it has not got yet. */
interface Unclaimed {
  readonly body: FileBody;
  readonly letGo: NodeJS.Immediate;
}

const unclaimed = new WeakMap<Media, Unclaimed>();

/**
 * Makes the file that a caller gets. Who asked for it claims it in the same turn of the event loop; when nobody does, the
 * call was over before, and the file is let go.
 */
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
  unclaimed.set(media, { body, letGo: setImmediate(() => body.destroy()) });
  return media;
}

/** Keeps a file for who asked for it, and holds it to these limits from now on. Nothing of it has been read yet. */
export function claimMedia(media: Media, limits: FileLimits): void {
  const found = unclaimed.get(media);
  if (!found) return;
  unclaimed.delete(media);
  clearImmediate(found.letGo);
  found.body.limit(limits);
}
