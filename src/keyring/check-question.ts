import { OptionError, quoted } from "../errors.js";
import { isObject } from "./key-document.js";
import type { KeyOptions, LearnedFrom } from "./keyring.js";
import type { KeyRequest } from "./known-key.js";

const wrong = (code: "ERR_INPUT" | "ERR_OPTION", name: string, value: unknown, right: string): OptionError =>
  new OptionError(code, `\`${name}\` is ${quoted(value)}; it must be ${right}.`);

/**
 * Checks what a key ring is asked for. What an object of the list has in it is another matter: it may be from an event.
 *
 * @throws {@link OptionError} `ERR_INPUT`, `ERR_OPTION`.
 */
export function checkQuestion(requests: readonly KeyRequest[], options: KeyOptions): void {
  if (!Array.isArray(requests)) throw wrong("ERR_INPUT", "requests", requests, "a list");
  const other = requests.findIndex((request) => !isObject(request));
  if (other >= 0) throw wrong("ERR_INPUT", `requests[${other}]`, requests[other], "an object");
  if (!isObject(options)) throw wrong("ERR_OPTION", "options", options, "an object");
  const { signal, timeout, onServer, onBehalfOf } = options;
  if (signal !== undefined && !(typeof signal === "object" && signal !== null && "aborted" in signal)) {
    throw wrong("ERR_OPTION", "signal", signal, "an AbortSignal");
  }
  if (timeout !== undefined && !(typeof timeout === "number" && Number.isFinite(timeout) && timeout > 0)) {
    throw wrong("ERR_OPTION", "timeout", timeout, "milliseconds, such as 20_000");
  }
  if (onServer !== undefined && typeof onServer !== "function") {
    throw wrong("ERR_OPTION", "onServer", onServer, "a function");
  }
  if (onBehalfOf !== undefined && (typeof onBehalfOf !== "object" || onBehalfOf === null)) {
    throw wrong("ERR_OPTION", "onBehalfOf", onBehalfOf, "an object");
  }
}

/**
 * Checks that a name is text.
 *
 * @throws {@link OptionError} `ERR_INPUT`.
 */
export function checkText(name: string, value: unknown): void {
  if (typeof value !== "string") throw wrong("ERR_INPUT", name, value, "text");
}

/**
 * Checks who a document is said to be from.
 *
 * @throws {@link OptionError} `ERR_INPUT`.
 */
export function checkOrigin(from: LearnedFrom): void {
  const named = isObject(from) ? ("server" in from ? from.server : from.notary) : undefined;
  if (typeof named === "string") return;
  throw wrong("ERR_INPUT", "from", from, 'an object such as { server: "a.example" } or { notary: "n.example" }');
}
