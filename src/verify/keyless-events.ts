import type { JsonObject } from "../endpoint.js";
import { utf8Bytes } from "../sign/utf8.js";
import type { CheckedEvent } from "./checked-event.js";
import type { Place } from "./verified-events.js";

/** What a batch that waits takes beside its events. */
const WAITING_BYTES = 16 * 1024;

/** An event of the answer, parsed, and where it was. */
export interface StreamedEvent extends Place {
  /** The event; undefined once it has been taken. */
  event: JsonObject | undefined;
}

/** Events that wait for keys. They are held as texts, for as objects they could take ten times the memory. */
export interface Keyless {
  /** The events as JSON, and where they were. */
  readonly events: readonly (Place & { readonly text: Uint8Array })[];
  /** What is known of each, and which keys it needs. */
  readonly checked: readonly CheckedEvent[];
  /** What they take. */
  readonly bytes: number;
}

/** Whether a key is needed first. */
export const isKeyless = (checked: CheckedEvent | undefined): boolean => checked?.kind === "keyless";

/** What is left of the events that wait for keys. */
export function keylessOf(all: readonly StreamedEvent[], allChecked: readonly CheckedEvent[]): Keyless {
  const checked = allChecked.filter(isKeyless);
  const events = all
    .filter((_, at) => isKeyless(allChecked[at]))
    .map(({ event, field, index }) => ({ field, index, text: utf8Bytes(JSON.stringify(event)) }));
  return { events, checked, bytes: events.reduce((sum, { text }) => sum + text.length, WAITING_BYTES) };
}
