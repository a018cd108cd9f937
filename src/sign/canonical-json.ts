import type { Numbers } from "./canonical-fault.js";
import { withWriter } from "./canonical-writer.js";
import { textOf } from "./utf8.js";

/**
 * Encodes a value as canonical JSON: the one text that hashes and signatures are made of.
 * Specification: Appendices, "Canonical JSON", with the clarifications of MSC4458.
 *
 * Negative zero becomes `0`. Everything that has no canonical form is refused, also what `JSON.stringify` would leave
 * out or convert: properties that are undefined, floats, class instances, `toJSON` methods.
 *
 * @throws {@link SignError} `ERR_CANONICAL_JSON`; the message says where in the value.
 */
export function canonicalJson(value: unknown): string {
  return encodeCanonical(value, "integers");
}

/** As {@link canonicalJson}, with the numbers that are said. */
export function encodeCanonical(value: unknown, numbers: Numbers): string {
  return withWriter((writer) => {
    writer.write(value, numbers);
    return textOf(writer.read(0, writer.length));
  });
}
