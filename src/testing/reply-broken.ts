import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createGzip } from "node:zlib";

import { type Behaviour, untilOver } from "./behaviour.js";

/** What an endless body is made of. */
export interface EndlessReply {
  /** What is sent over and over; 64 KiB of spaces, which are valid JSON so far, when absent. */
  readonly chunk?: string | Uint8Array | undefined;
  /** Whether the body is compressed with gzip, so that few bytes on the wire become very many; false when absent. */
  readonly gzip?: boolean | undefined;
}

/** Status 200 and a body that never ends. It is sent no faster than the client reads, and stops when the client goes. */
export function endless({ chunk = " ".repeat(64 * 1024), gzip = false }: EndlessReply = {}): Behaviour {
  return async ({ response, signal }) => {
    response.writeHead(200, {
      "content-type": "application/json",
      ...(gzip ? { "content-encoding": "gzip" } : {}),
    });
    const target = gzip ? createGzip() : response;
    if (target !== response) target.pipe(response);
    try {
      while (!signal.aborted) {
        if (!target.write(chunk)) await once(target, "drain", { signal });
      }
    } finally {
      if (target !== response) target.destroy();
    }
  };
}

/** Where a response falls silent. */
export interface StallReply {
  /** How many bytes of the body are sent before the silence; 0 (the headers alone) when absent. */
  readonly afterBytes?: number | undefined;
  /** The body, which `Content-Length` announces in full; an empty JSON object and some spaces when absent. */
  readonly body?: string | Uint8Array | undefined;
}

/** Status 200 and the headers, a part of the body, then silence with the connection open. */
export function stall({ afterBytes = 0, body = defaultBody }: StallReply = {}): Behaviour {
  return async ({ response, signal }) => {
    await writePart(response, Buffer.from(body), afterBytes);
    await untilOver(signal);
  };
}

/** Silence from the beginning: the request is read, and nothing is sent. */
export function stallBeforeHeaders(): Behaviour {
  return ({ signal }) => untilOver(signal);
}

/** When a connection is reset. */
export interface ResetReply {
  /** Before anything of the response was sent, or in the middle of its body; `beforeResponse` when absent. */
  readonly when?: "beforeResponse" | "midBody" | undefined;
}

/** The connection ends with a TCP reset. */
export function reset({ when = "beforeResponse" }: ResetReply = {}): Behaviour {
  return async ({ response, reset: resetConnection, signal }) => {
    if (when === "midBody") {
      await writePart(response, Buffer.from(defaultBody), defaultBody.length / 2);
      // A reset overtakes data on its way; the client shall have seen the headers and the first half.
      await sleep(20, undefined, { signal });
    }
    resetConnection();
  };
}

const defaultBody = `{}${" ".repeat(1022)}`;

async function writePart(response: ServerResponse, body: Uint8Array, bytes: number): Promise<void> {
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.flushHeaders();
  if (bytes > 0) await new Promise<void>((resolve) => response.write(body.subarray(0, bytes), () => resolve()));
}
