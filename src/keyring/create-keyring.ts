import { Cancellation, onSignalAbort } from "../cancellation.js";
import type { FederationErrorCode } from "../errors.js";
import { isServerName } from "../name/server-name.js";
import { decodeBase64, encodeBase64 } from "../sign/base64.js";
import { checkOrigin, checkQuestion, checkText } from "./check-question.js";
import { DirectKeys } from "./direct-keys.js";
import { type DocumentFault, isKeyId, type KeyDocument, oldKeysIn, readKeyDocument } from "./key-document.js";
import type {
  KeyAnswer,
  KeyOptions,
  Keyring,
  KeyringOptions,
  LearnedFrom,
  MissingKey,
  MissingReason,
} from "./keyring.js";
import { canBeCured, type KeyFault, type KeyRequest, type KnownKey, keyFault } from "./known-key.js";
import { KnownKeys } from "./known-keys.js";
import { Notaries } from "./notaries.js";
import { SavedKeys } from "./saved-keys.js";
import { findKeys } from "./search.js";
import { afterTime } from "./shared-task.js";
import { Share } from "./turns.js";

const DEFAULT_TIMEOUT_MS = 30_000;

/** Creates a key ring. It makes no request and opens nothing. */
export function createKeyring(options: KeyringOptions): Keyring {
  const { ownServerName, trustedNotaryKeys = {} } = options;
  const notaries = [...new Set(options.notaries)].filter((name) => name !== ownServerName && isServerName(name));
  const ownKeys = new Map(ownKeysIn(options).map((key) => [key.keyId, key]));
  const known = new KnownKeys((server) => saved.unload(server));
  const saved = new SavedKeys(options.store, known);
  const searches = new Set<Cancellation>();
  const shares = new WeakMap<object, Share>();
  let isClosed = false;

  const accept = ({ server, keys }: KeyDocument): void => {
    known.add(server, keys);
    saved.save(server);
  };
  const direct = new DirectKeys(options.fetchKeys, accept);
  const peek = (server: string, keyId: string): KnownKey | undefined =>
    server === ownServerName ? ownKeys.get(keyId) : known.get(server, keyId);

  /** `isRefused`: the keys at hand were of no use, the notary may have new ones. */
  async function notaryKeys(
    name: string,
    leaving: Cancellation,
    isRefused = false,
  ): Promise<ReadonlyMap<string, string>> {
    if (Object.hasOwn(trustedNotaryKeys, name)) return new Map(Object.entries(trustedNotaryKeys[name] ?? {}));
    await saved.load([name]);
    if (isRefused || publishedKeys(known.of(name)).size === 0) {
      await direct.fetch(name, leaving, false, new Share());
    }
    return publishedKeys(known.of(name));
  }
  const isKnown = (server: string, keyId: string, until: number): boolean => {
    const key = known.get(server, keyId);
    return key !== undefined && (key.expiredTs !== undefined || key.validUntilTs >= until);
  };
  const asked = new Notaries({ queryNotary: options.queryNotary, notaryKeys, learn: accept, isKnown });

  const isForm = ({ server, keyId, at }: KeyRequest): boolean =>
    isServerName(server) && isKeyId(keyId) && Number.isSafeInteger(at);
  const fault = (request: KeyRequest): KeyFault | undefined => keyFault(peek(request.server, request.keyId), request);
  const isOpen = (request: KeyRequest): boolean =>
    fault(request) !== undefined && canBeCured(peek(request.server, request.keyId), request);

  function shareOf(asker: object): Share {
    const share = shares.get(asker) ?? new Share();
    shares.set(asker, share);
    return share;
  }

  function reasonFor(request: KeyRequest, found: KeyFault, { unfinished, notAsked }: Outcome): MissingReason {
    const { server, keyId } = request;
    if (found === "retired" || server === ownServerName) return found;
    if (!canBeCured(peek(server, keyId), request)) return "outOfValidity";
    if (isClosed) return "closed";
    if (unfinished.has(server)) return "timeout";
    if (notAsked.has(server)) return "tooMany";
    const last = direct.patience.last(server);
    if (found === "outOfValidity" || last?.reason === "answered") return found;
    return last && documentFaults.has(last.reason) ? "badDocument" : "unreachable";
  }

  async function keys(given: readonly KeyRequest[], options: KeyOptions = {}): Promise<KeyAnswer> {
    checkQuestion(given, options);
    const { signal } = options;
    if (signal?.aborted) throw signal.reason;
    const requests = given.filter(isForm);
    const outcome: Outcome = { unfinished: new Set(), notAsked: new Set() };
    const lacking = requests.filter((request) => request.server !== ownServerName && fault(request) !== undefined);
    if (!isClosed && lacking.length > 0) await search(lacking, outcome, options);
    const good = new Map<string, KnownKey>();
    const missing: MissingKey[] = given
      .filter((request) => !isForm(request))
      .map(({ server, keyId, at }) => ({ server, keyId, at, reason: "badRequest" }));
    for (const request of requests) {
      const { server, keyId, at } = request;
      const key = peek(server, keyId);
      const found = keyFault(key, request);
      if (found) missing.push({ server, keyId, at, reason: reasonFor(request, found, outcome) });
      else if (key) good.set(`${server} ${keyId}`, key);
    }
    return { get: (server, keyId) => good.get(`${server} ${keyId}`), missing };
  }

  /** Looks for what is missing, until the deadline. */
  async function search(
    requests: readonly KeyRequest[],
    { unfinished, notAsked }: Outcome,
    { signal, timeout = DEFAULT_TIMEOUT_MS, onServer, onBehalfOf = {} }: KeyOptions,
  ): Promise<void> {
    const leaving = new Cancellation();
    searches.add(leaving);
    const stopTimer = afterTime(timeout, () => leaving.abort("outOfTime"));
    const stopListening = signal && onSignalAbort(signal, () => leaving.abort("unwanted"));
    try {
      const servers = [...new Set(requests.map(({ server }) => server))];
      const over = new Promise<void>((resolve) => void leaving.onAbort(resolve));
      for (const server of servers) unfinished.add(server);
      const done = async (server: string): Promise<void> => {
        unfinished.delete(server);
        await onServer?.(server);
      };
      const found = saved.load(servers).then(async () => {
        if (leaving.aborted) return;
        const share = shareOf(onBehalfOf);
        await findKeys({ requests, notaries, isOpen, direct, asked, leaving, share, done, notAsked });
      });
      await Promise.race([found, over]);
    } catch (error) {
      // Nobody waits for the other servers any more.
      leaving.abort("unwanted");
      throw error;
    } finally {
      stopTimer();
      stopListening?.();
      searches.delete(leaving);
    }
    if (signal?.aborted) throw signal.reason;
  }

  async function learn(document: unknown, from: LearnedFrom): Promise<DocumentFault | undefined> {
    checkOrigin(from);
    const fetchedAt = Date.now();
    const isForeign = (server: string): boolean => server !== ownServerName && isServerName(server);
    let read: KeyDocument | DocumentFault;
    if ("server" in from) {
      const servers = { has: (server: string) => server === from.server && isForeign(server) };
      read = readKeyDocument(document, { servers, source: "direct", fetchedAt });
    } else {
      if (!notaries.includes(from.notary)) return "notSignedByNotary";
      const keysOfNotary = isClosed ? new Map() : await notaryKeys(from.notary, new Cancellation());
      const notary = { name: from.notary, keys: keysOfNotary };
      read = readKeyDocument(document, {
        servers: { has: isForeign },
        source: `notary:${from.notary}`,
        fetchedAt,
        notary,
      });
    }
    if (typeof read === "string") return read;
    accept(read);
    if ("server" in from) direct.patience.answered(from.server, 0);
    return undefined;
  }

  return {
    keys,
    peek: (server, keyId) => {
      checkText("server", server);
      checkText("keyId", keyId);
      return peek(server, keyId);
    },
    learn,
    inspect: () => ({
      keys: known.servers().flatMap((server) => known.of(server)),
      waits: direct.patience.list(),
      notaryWaits: asked.patience.list(),
      inFlight: direct.inFlight(),
      notariesInFlight: asked.inFlight(),
    }),
    forget: (server) => {
      if (server !== undefined) checkText("server", server);
      known.forget(server);
      direct.patience.forget(server);
      asked.forget();
      saved.forget(server);
    },
    close: async () => {
      isClosed = true;
      for (const leaving of searches) leaving.abort("unwanted");
      direct.close();
      asked.close();
      await saved.flush();
    },
  };
}

/** What became of a search. */
interface Outcome {
  /** The servers that are still being looked for. */
  readonly unfinished: Set<string>;
  /** Those that were not asked because the search asked so many others. */
  readonly notAsked: Set<string>;
}

/** What says that a server answered, with nothing to believe. */
const documentFaults: ReadonlySet<string> = new Set<DocumentFault | FederationErrorCode>([
  "notADocument",
  "tooLarge",
  "wrongServerName",
  "notSelfSigned",
  "ERR_RESPONSE_INVALID",
  "ERR_RESPONSE_TOO_LARGE",
]);

/** Our own keys. Nobody has to vouch for them. */
function ownKeysIn({ ownServerName: server, ownKeys, ownOldKeys }: KeyringOptions): KnownKey[] {
  if (server === undefined) return [];
  const about = { server, source: "own", fetchedAt: Date.now() } as const;
  const old = oldKeysIn(ownOldKeys).map(
    ({ keyId, publicKey, expired }): KnownKey => ({
      ...about,
      keyId,
      publicKey,
      validUntilTs: expired,
      expiredTs: expired,
    }),
  );
  const inUse = ownKeys.map(({ keyId, publicKey }): KnownKey => {
    const bytes = decodeBase64(publicKey) as Uint8Array;
    return { ...about, keyId, publicKey: bytes, validUntilTs: Number.MAX_SAFE_INTEGER };
  });
  return [...old, ...inUse];
}

/** The keys that a notary published itself as its own, and that are good now: by key id, in Base64. */
function publishedKeys(keys: readonly KnownKey[]): ReadonlyMap<string, string> {
  const now = Date.now();
  const isGood = (key: KnownKey): boolean =>
    key.source === "direct" &&
    !keyFault(key, { server: key.server, keyId: key.keyId, at: now, use: "request", enforceValidity: true });
  return new Map(keys.filter(isGood).map(({ keyId, publicKey }) => [keyId, encodeBase64(publicKey)]));
}
