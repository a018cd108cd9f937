import type { ServerResponse } from "node:http";

import type { RecordedRequest } from "./recorded-request.js";
import type { TestServer } from "./test-server.js";

/** One request that a test server has to answer, and what it can answer with. */
export interface Exchange {
  /** The request, read to its end. */
  readonly request: RecordedRequest;
  /** The server that got it. */
  readonly server: TestServer;
  /** Where the answer goes. */
  readonly response: ServerResponse;
  /** Aborted when the connection is gone or the server stops: whoever waits must stop waiting. */
  readonly signal: AbortSignal;
  /** Ends the connection with a TCP reset, with whatever was not sent yet lost. */
  readonly reset: () => void;
}

/**
 * How a test server answers: see `reply` for the ready-made ones. The exchange is over when the promise settles and
 * the response was ended. What a behaviour throws becomes a 500 that says so.
 */
export type Behaviour = (exchange: Exchange) => void | Promise<void>;

/** Settles when the exchange is over, for behaviours that go silent. */
export function untilOver(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
