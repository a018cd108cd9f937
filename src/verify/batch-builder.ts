import type { Batch } from "./batch.js";

/** A quarter of a second's work for a thread would be 2,000 events: batches stay well below that. */
const MAX_EVENTS = 256;
const BYTES = 256 * 1024;

const EMPTY = new Uint8Array(0);

/** Where an event was in the answer. */
export interface Place {
  /** The answer's field. */
  readonly field: string;
  /** Its index in that. */
  readonly index: number;
}

/** A batch, and where its events were. */
export interface PlacedBatch extends Batch {
  /** In the order of the batch. */
  readonly places: readonly Place[];
}

/** Puts events one behind the other until they are worth a thread's while. */
export class BatchBuilder {
  readonly #maxBytes: number;
  readonly #maxEvents: number;
  /** Used again for each batch: what is handed out is as large as it has to be. */
  #bytes: Uint8Array = EMPTY;
  #length = 0;
  #ends: number[] = [];
  #places: Place[] = [];

  /** With what makes a batch full: so many bytes, or so many events. */
  constructor(maxBytes: number = BYTES, maxEvents: number = MAX_EVENTS) {
    this.#maxBytes = maxBytes;
    this.#maxEvents = maxEvents;
  }

  /** Adds an event's JSON text, which is copied; returns a batch when one is full. */
  add(text: Uint8Array, place: Place): PlacedBatch | undefined {
    const full = this.#length + text.length > this.#maxBytes ? this.flush() : undefined;
    if (text.length > this.#bytes.length) this.#bytes = new Uint8Array(Math.max(this.#maxBytes, text.length));
    this.#bytes.set(text, this.#length);
    this.#length += text.length;
    this.#ends.push(this.#length);
    this.#places.push(place);
    return full ?? (this.#ends.length === this.#maxEvents ? this.flush() : undefined);
  }

  /** What was added since the last batch; undefined when that is nothing. */
  flush(): PlacedBatch | undefined {
    if (this.#ends.length === 0) return undefined;
    // Shared, so that a thread can read what is still needed here.
    const bytes = new Uint8Array(new SharedArrayBuffer(this.#length));
    bytes.set(this.#bytes.subarray(0, this.#length));
    const batch = { bytes, ends: this.#ends, places: this.#places };
    this.#length = 0;
    this.#ends = [];
    this.#places = [];
    return batch;
  }
}

/** The text of one event of a batch. */
export function textAt({ bytes, ends }: Batch, at: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8", ends[at - 1] ?? 0, ends[at]);
}

/** A batch of some of a batch's events. */
export function onlyThose(batch: PlacedBatch, wanted: readonly number[]): PlacedBatch {
  const bytes = wanted.reduce((sum, at) => sum + (batch.ends[at] ?? 0) - (batch.ends[at - 1] ?? 0), 0);
  const builder = new BatchBuilder(bytes, batch.ends.length + 1);
  for (const at of wanted) {
    builder.add(batch.bytes.subarray(batch.ends[at - 1] ?? 0, batch.ends[at]), batch.places[at] as Place);
  }
  return builder.flush() as PlacedBatch;
}
