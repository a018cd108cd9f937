import { MAX_TIMER_MS } from "../cancellation.js";
import type { Endpoint } from "../endpoint.js";
import { mediaDownload, mediaThumbnail } from "../endpoints/media.js";
import { OptionError, quoted } from "../errors.js";
import type { FileLimits } from "../media/file-body.js";
import { IDLE_MS, MIN_BYTES_PER_SECOND } from "../media/read-media.js";
import type { MediaOptions } from "./media-calls.js";

const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;

interface Rule {
  readonly isRight: (value: unknown) => boolean;
  /** What it has to be, for the message. */
  readonly right: string;
}

/** The fields of the input of an endpoint for files. */
const rules: Readonly<Record<string, Rule>> = {
  // What homeservers must refuse, so that no id leads out of a folder: no server has a file with another one.
  mediaId: {
    isRight: (value) => typeof value === "string" && /^[A-Za-z0-9_-]{1,255}$/.test(value),
    right: 'letters, digits, "_" and "-"; it is what follows the server\'s name in an mxc:// URI',
  },
  width: { isRight: isSize, right: "a positive number of pixels" },
  height: { isRight: isSize, right: "a positive number of pixels" },
  method: { isRight: (value) => value === "crop" || value === "scale", right: '"crop" or "scale"' },
  animated: { isRight: (value) => typeof value === "boolean", right: "true or false" },
  timeoutMs: {
    isRight: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    right: "a whole number of milliseconds",
  },
};

/**
 * The input of a download or a thumbnail, checked: a copy, for a getter may say something else each time. The endpoints
 * of others have fields of their own. What is missing is found elsewhere.
 *
 * Spec: https://spec.matrix.org/latest/client-server-api/#security-considerations-5
 *
 * @throws {@link OptionError} `ERR_INPUT` for a wrong field.
 */
export function checkedInput<Input extends object>(endpoint: Endpoint<Input, unknown>, input: Input): Input {
  if (typeof input !== "object" || input === null) return input;
  const fields = copyOf(input, endpoint.name);
  if (endpoint.path !== mediaDownload.path && endpoint.path !== mediaThumbnail.path) return fields;
  for (const [field, { isRight, right }] of Object.entries(rules)) {
    const value = (fields as Readonly<Record<string, unknown>>)[field];
    if (value === undefined || value === null || isRight(value)) continue;
    const message = `The field ${quoted(field)} is ${quoted(value)}; it must be ${right}.`;
    throw new OptionError("ERR_INPUT", message, { endpoint: endpoint.name });
  }
  return fields;
}

function copyOf<Input extends object>(input: Input, endpoint: string): Input {
  try {
    return { ...input };
  } catch (cause) {
    throw new OptionError("ERR_INPUT", "The input cannot be read.", { endpoint, cause });
  }
}

/**
 * What a call's options hold the file to.
 *
 * @throws {@link OptionError} `ERR_OPTION` for a wrong option.
 */
export function fileLimits(options: MediaOptions, endpoint: Endpoint<never, unknown>): FileLimits {
  const {
    maxBytes = endpoint.maxResponseBytes,
    idleTimeout: idleMs = IDLE_MS,
    minBytesPerSecond = MIN_BYTES_PER_SECOND,
  } = options ?? {};
  const wrong = (option: string, value: unknown, right: string): OptionError =>
    new OptionError("ERR_OPTION", `The option \`${option}\` is ${quoted(value)}; it must be ${right}.`);
  if (!isSize(maxBytes)) throw wrong("maxBytes", maxBytes, "a number of bytes");
  if (!(typeof idleMs === "number" && idleMs > 0 && idleMs <= MAX_TIMER_MS)) {
    throw wrong("idleTimeout", idleMs, "milliseconds, such as 60_000");
  }
  if (!(Number.isFinite(minBytesPerSecond) && minBytesPerSecond >= 0)) {
    throw wrong("minBytesPerSecond", minBytesPerSecond, "a number of bytes, or 0");
  }
  return { maxBytes, idleMs, minBytesPerSecond };
}
