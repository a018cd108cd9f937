import type { JsonValue } from "../endpoint.js";
import { textOf } from "../sign/utf8.js";
import { InvalidJson } from "./parse-json.js";
import type { SplitElement } from "./split-json.js";

/** The value of each element; undefined where there is no text of it. Never throws. */
export function parseElements(elements: readonly SplitElement[]): (JsonValue | undefined)[] | InvalidJson {
  const values: (JsonValue | undefined)[] = [];
  try {
    for (let at = 0; at < elements.length; ) {
      const from = at;
      const first = elements[at++]?.bytes;
      // Those that lie side by side are parsed at once: only a comma and white space are between them.
      while (first && elements[at]?.bytes?.buffer === first.buffer && elements[at]?.field === elements[from]?.field)
        at++;
      const last = elements[at - 1]?.bytes;
      if (!first || !last) values.push(undefined);
      else {
        const length = last.byteOffset + last.length - first.byteOffset;
        const parsed = JSON.parse(`[${textOf(new Uint8Array(first.buffer, first.byteOffset, length))}]`) as JsonValue[];
        if (parsed.length !== at - from) return new InvalidJson("not JSON");
        values.push(...parsed);
      }
    }
  } catch {
    return new InvalidJson("not JSON");
  }
  return values;
}
