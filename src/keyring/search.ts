import type { Cancellation } from "../cancellation.js";
import type { DirectKeys } from "./direct-keys.js";
import type { KeyRequest } from "./known-key.js";
import type { Notaries } from "./notaries.js";
import { afterTime } from "./shared-task.js";
import type { Share } from "./turns.js";

/** From how many servers on a notary is asked first: one request instead of hundreds. */
const MANY_SERVERS = 20;
/** How long notaries go first, in milliseconds: one that hangs must not take the time of all others. */
const HEAD_START_MS = 5000;

/** A search for keys. */
export interface Search {
  /** What is looked for. */
  readonly requests: readonly KeyRequest[];
  /** Whom to ask beside the servers themselves, in order. */
  readonly notaries: readonly string[];
  /** Whether a request still has no key, and asking may help. */
  readonly isOpen: (request: KeyRequest) => boolean;
  /** Asks the servers themselves. */
  readonly direct: DirectKeys;
  /** Asks notaries. */
  readonly asked: Notaries;
  /** Called off when the search is to end. */
  readonly leaving: Cancellation;
  /** What it has of the requests. */
  readonly share: Share;
  /** Gets the servers that are not asked, since so many others were. */
  readonly notAsked: { add(server: string): void };
  /** Called with each server that is no longer looked for; it is waited for. */
  readonly done: (server: string) => Promise<void>;
}

/**
 * Looks for keys, for each server by itself, so that a dead one costs only itself. A few servers are asked themselves,
 * and notaries where that did not help. For many servers the notaries are asked first, in batches.
 */
export async function findKeys({
  requests,
  notaries,
  isOpen,
  direct,
  asked,
  leaving,
  share,
  notAsked,
  done,
}: Search): Promise<void> {
  const byServer = new Map<string, KeyRequest[]>();
  for (const request of requests) {
    const ofServer = byServer.get(request.server) ?? [];
    ofServer.push(request);
    byServer.set(request.server, ofServer);
  }
  const open = new Set([...byServer.keys()].filter((server) => byServer.get(server)?.some(isOpen)));

  async function askNotaries(server: string, ofServer: readonly KeyRequest[]): Promise<void> {
    for (const notary of notaries.filter((name) => name !== server)) {
      const wanted = wantedKeys(ofServer.filter(isOpen));
      if (wanted.size === 0 || leaving.aborted) return;
      await asked.ask(notary, server, wanted, leaving, share);
    }
  }

  async function askDirectly(server: string, isUrgent: boolean): Promise<void> {
    if ((await direct.fetch(server, leaving, isUrgent, share)) === "tooMany") notAsked.add(server);
  }

  async function find(server: string, ofServer: readonly KeyRequest[], notariesFirst: boolean): Promise<void> {
    const isOver = (): boolean => leaving.aborted || !ofServer.some(isOpen);
    // Whoever sent us a request is alive, if it was them.
    const isUrgent = ofServer.some(({ use }) => use === "request");
    if (notariesFirst) {
      const first = askNotaries(server, ofServer);
      await withHeadStart(first, leaving);
      if (!isOver()) await firstToHelp([first, askDirectly(server, isUrgent)], isOver);
    } else {
      await askDirectly(server, isUrgent);
      await askNotaries(server, ofServer);
    }
    if (!leaving.aborted) await done(server);
  }

  const notariesFirst = notaries.length > 0 && open.size > MANY_SERVERS;
  const look = ([server, ofServer]: [string, readonly KeyRequest[]]): Promise<void> =>
    open.has(server) ? find(server, ofServer, notariesFirst) : done(server);
  await Promise.all([...byServer].map(look));
}

/** The keys that requests name, each until the latest of the times. Where validity does not count, any will do. */
function wantedKeys(requests: readonly KeyRequest[]): Map<string, number> {
  const wanted = new Map<string, number>();
  for (const { keyId, at, use, enforceValidity } of requests) {
    const until = use === "request" ? Math.max(at, Date.now()) : enforceValidity ? Math.max(at, 0) : 0;
    wanted.set(keyId, Math.max(until, wanted.get(keyId) ?? 0));
  }
  return wanted;
}

async function withHeadStart(first: Promise<void>, leaving: Cancellation): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      stopTimer();
      stopListening();
      resolve();
    };
    const stopTimer = afterTime(HEAD_START_MS, end);
    const stopListening = leaving.onAbort(end);
    void first.then(end);
  });
}

/** Waits until one of them has helped, or all are over. */
async function firstToHelp(attempts: readonly Promise<void>[], isOver: () => boolean): Promise<void> {
  const helpful = attempts.map(async (attempt) => {
    await attempt;
    if (!isOver()) throw new Error("It did not help.");
  });
  await Promise.any(helpful).catch(() => {});
}
