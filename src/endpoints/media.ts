import { defineEndpoint, type Endpoint } from "../endpoint.js";
import type { Media } from "../media/media.js";
import { anyObject, guard } from "../validate/schema.js";

const SPEC = "https://spec.matrix.org/latest/server-server-api/";
const MIB = 1024 * 1024;

/** A file is as large as its server lets users upload; more than most do. */
const MAX_FILE_BYTES = 100 * MIB;
/** A server waits up to 20 seconds for a file that is still being uploaded, and a thumbnail may have to be made. */
const TIMEOUT_MS = 60_000;

/**
 * What these say of a file with a status of 5xx is an answer: the server is well, and has to be left alone no more than
 * after a 404.
 */
const answersAbout = [{ errcode: "M_NOT_YET_UPLOADED" }, { errcode: "M_TOO_LARGE" }];

/** The input of {@link mediaDownload}. */
export interface MediaDownloadInput {
  /**
   * The media id: what follows the server's name in an `mxc://` URI. Ask the server of that name. Letters, digits, `_`
   * and `-`, at most 255: homeservers have to refuse other ids.
   * Spec: https://spec.matrix.org/latest/client-server-api/#security-considerations-5
   */
  mediaId: string;
  /**
   * How long the server may wait for a file that has not been uploaded yet, in milliseconds: a whole number; 20,000
   * when absent. The server may wait less.
   */
  timeoutMs?: number | undefined;
}

/** `GET /_matrix/federation/v1/media/download/{mediaId}`: a file. */
export const mediaDownload: Endpoint<MediaDownloadInput, Media, "server"> = defineEndpoint({
  name: "media_download",
  path: "/_matrix/federation/v1/media/download/{mediaId}",
  query: { timeout_ms: "timeoutMs" },
  audience: "server",
  timeoutMs: TIMEOUT_MS,
  maxResponseBytes: MAX_FILE_BYTES,
  errors: [
    { status: 429, errcode: "M_LIMIT_EXCEEDED" },
    { status: 502, errcode: "M_TOO_LARGE" },
    { status: 504, errcode: "M_NOT_YET_UPLOADED" },
  ],
  nextResidentOn: answersAbout,
  answer: "multipart",
  response: guard<Media>(anyObject),
  spec: `${SPEC}#get_matrixfederationv1mediadownloadmediaid`,
});

/** The input of {@link mediaThumbnail}. */
export interface MediaThumbnailInput extends MediaDownloadInput {
  /** The width that is wanted, in pixels: a positive whole number; the thumbnail may be larger. */
  width: number;
  /** The height that is wanted, in pixels: a positive whole number; the thumbnail may be larger. */
  height: number;
  /** Whether the thumbnail fits into the size (`scale`) or fills it (`crop`); as the server likes when absent. */
  method?: "crop" | "scale" | undefined;
  /** Whether an animated thumbnail is wanted where there can be one; not when absent. */
  animated?: boolean | undefined;
}

/** `GET /_matrix/federation/v1/media/thumbnail/{mediaId}`: a smaller picture of a file. */
export const mediaThumbnail: Endpoint<MediaThumbnailInput, Media, "server"> = defineEndpoint({
  name: "media_thumbnail",
  path: "/_matrix/federation/v1/media/thumbnail/{mediaId}",
  query: { width: "width", height: "height", method: "method", animated: "animated", timeout_ms: "timeoutMs" },
  required: ["width", "height"],
  audience: "server",
  timeoutMs: TIMEOUT_MS,
  maxResponseBytes: MAX_FILE_BYTES,
  errors: [
    { status: 400, errcode: "M_UNKNOWN" },
    { status: 413, errcode: "M_TOO_LARGE" },
    { status: 429, errcode: "M_LIMIT_EXCEEDED" },
    { status: 502, errcode: "M_TOO_LARGE" },
    { status: 504, errcode: "M_NOT_YET_UPLOADED" },
  ],
  nextResidentOn: answersAbout,
  answer: "multipart",
  response: guard<Media>(anyObject),
  spec: `${SPEC}#get_matrixfederationv1mediathumbnailmediaid`,
});
