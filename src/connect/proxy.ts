import { once } from "node:events";
import { isIP, connect as openTcp, type Socket } from "node:net";
import { connect as openTls, type SecureContext } from "node:tls";
import { getProxyForUrl } from "proxy-from-env";
import { Client, errors } from "undici";
import { onSignalAbort } from "../cancellation.js";
import { cleanText, OptionError } from "../errors.js";
import { messageOf } from "./connect-failure.js";
import { checkServerIdentity } from "./server-identity.js";
import { type ConnectTarget, hostPort } from "./target.js";

/**
 * The proxy to connect through: a URL such as `http://user:password@proxy.example:3128` or `https://proxy.example`;
 * `false` for none; or a function that says it for each connection, undefined for none. When absent, the environment
 * says it: `HTTPS_PROXY` or `ALL_PROXY`, and `NO_PROXY`, in upper or lower case, read anew at each connection.
 */
export type ProxyOption = string | false | ((to: ConnectTarget) => string | undefined);

/**
 * What went wrong with a proxy: the environment names none that can be used, it cannot be reached, it answers with
 * something that is no answer, it refuses, or it is the other end that it cannot reach.
 */
export type ProxyErrorCode =
  | "ERR_PROXY_SETTING"
  | "ERR_PROXY_UNREACHABLE"
  | "ERR_PROXY_INVALID_ANSWER"
  | "ERR_PROXY_REFUSED"
  | "ERR_PROXY_NOT_CONNECTED";

/** The way through the proxy failed. It never holds the proxy's URL or bytes of its answer: both may have a password. */
export class ProxyError extends Error {
  /** What went wrong, to switch on. */
  readonly code: ProxyErrorCode;

  /** From the code, and the line for people to read. */
  constructor(code: ProxyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ProxyError";
    this.code = code;
  }
}

const RIGHT = "an http:// or https:// URL, such as http://proxy.example:3128";
/** The head of a proxy's answer has some hundred bytes; Node's own limit. */
const MAX_HEAD_BYTES = 16 * 1024;

/** Reads a proxy's URL. Nothing is said of a wrong one, not even by an error of `new URL`: it may hold a password. */
function parseProxy(text: unknown): URL | undefined {
  if (typeof text !== "string" || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  try {
    credentialsOf(url);
    return url;
  } catch {
    // A lone "%" in the password, for example.
    return undefined;
  }
}

/** The value of `Proxy-Authorization` (RFC 7617), where the URL has credentials. */
function credentialsOf({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
}

function proxyFromEnvironment({ hostname, port }: ConnectTarget): URL | undefined {
  const host = hostPort(hostname.toLowerCase().replace(/\.$/, ""), port);
  // In parts, not as the text of a URL: a name that is no host of a URL would get past the proxy, and a name from an
  // SRV record could have an "@" in it.
  const url = { protocol: "https:", host, port: String(port) } as Parameters<typeof getProxyForUrl>[0];
  const text = getProxyForUrl(url);
  if (text === "") return undefined;
  const proxy = parseProxy(text);
  if (proxy) return proxy;
  const { https_proxy, HTTPS_PROXY } = process.env;
  const variable = https_proxy || HTTPS_PROXY ? "HTTPS_PROXY" : "ALL_PROXY";
  throw new ProxyError("ERR_PROXY_SETTING", `the environment variable ${variable} must be ${RIGHT}`);
}

/**
 * Creates the rule which proxy a connection goes through.
 *
 * @returns A function that answers undefined for a direct connection. It throws {@link ProxyError} `ERR_PROXY_SETTING`
 * when the environment names a proxy that cannot be used: going past it would be no better. It passes on what a function
 * given as `proxy` throws, and throws {@link OptionError} `ERR_OPTION` when that returns no URL.
 * @throws {@link OptionError} `ERR_OPTION` when `proxy` is none.
 */
export function createProxyChoice(proxy: ProxyOption | undefined): (to: ConnectTarget) => URL | undefined {
  if (proxy === undefined) return proxyFromEnvironment;
  if (proxy === false) return () => undefined;
  if (typeof proxy === "function") {
    return (to) => {
      const answer = proxy(to);
      const url = parseProxy(answer);
      if (url || answer === undefined) return url;
      throw new OptionError(
        "ERR_OPTION",
        `The function given as the option \`proxy\` must return undefined or ${RIGHT}.`,
      );
    };
  }
  const url = parseProxy(proxy);
  // The value is not shown: it may have a password in it.
  if (!url) throw new OptionError("ERR_OPTION", `The option \`proxy\` must be ${RIGHT}, or false or a function.`);
  return () => url;
}

/** Begins to connect to the proxy; `ready` is the event that says that it is done. */
function dial(proxy: URL, secureContext: SecureContext | undefined): { socket: Socket; ready: string } {
  const isTls = proxy.protocol === "https:";
  const host = proxy.hostname.replace(/^\[|\]$/g, "");
  const port = Number(proxy.port || (isTls ? 443 : 80));
  if (!isTls) return { socket: openTcp({ host, port }), ready: "connect" };
  const name = host.replace(/\.$/, "");
  const socket = openTls({
    host,
    port,
    servername: isIP(name) === 0 ? name : "",
    ALPNProtocols: ["http/1.1"],
    checkServerIdentity: (_dialled, certificate) => checkServerIdentity(name, certificate),
    secureContext,
  });
  return { socket, ready: "secureConnect" };
}

/** Sends the CONNECT request and reads the head of the answer: its status. Bytes after the head stay in the socket. */
function askForTunnel(socket: Socket, authority: string, authorization: string | undefined): Promise<number> {
  // Not the proxy's own URL: its password must not stand in what undici tells its observers.
  const client = new Client("http://proxy.invalid", {
    // Later, because undici does not expect a connection before its call has returned. It asks again when the proxy hangs
    // up early, but there is only this one.
    connect: (_options, callback) =>
      queueMicrotask(() =>
        socket.destroyed ? callback(new Error("the connection was closed"), null) : callback(null, socket),
      ),
    maxHeaderSize: MAX_HEAD_BYTES,
    // The caller's signal says how long to wait.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const headers = { host: authority, ...(authorization !== undefined && { "proxy-authorization": authorization }) };
  return new Promise((resolve, reject) => {
    client.connect({ path: authority, headers }, (error: Error | null, answer) =>
      error ? reject(error) : resolve(answer.statusCode),
    );
  });
}

function unreachable(error: Error & { code?: unknown }, proxy: URL): ProxyError {
  const isTls = proxy.protocol === "https:";
  const reason = cleanText(!isTls && typeof error.code === "string" ? error.code : messageOf(error));
  const hint = isTls ? "; the URL of a proxy that speaks no TLS begins with http://" : "";
  return new ProxyError("ERR_PROXY_UNREACHABLE", `the proxy cannot be reached (${reason})${hint}`, { cause: error });
}

/** The parser's own error is left out: it has bytes of the answer, which may repeat the request with its credentials. */
function invalidAnswer(error: unknown): ProxyError {
  const what =
    error instanceof errors.HeadersOverflowError
      ? `answered with a head of more than ${MAX_HEAD_BYTES} bytes`
      : error instanceof errors.HTTPParserError
        ? "answered with something that is no HTTP"
        : "closed the connection without a proper answer";
  return new ProxyError("ERR_PROXY_INVALID_ANSWER", `the proxy ${what}; check that its URL leads to an HTTP proxy`);
}

function refused(status: number, authority: string, hasCredentials: boolean): ProxyError {
  const advice =
    status !== 407
      ? `it has to allow CONNECT to ${authority}`
      : hasCredentials
        ? "check the user name and the password in its URL"
        : "it wants credentials, as in http://user:password@proxy.example:3128";
  return status >= 500
    ? new ProxyError("ERR_PROXY_NOT_CONNECTED", `the proxy answered ${status}: it cannot connect to ${authority}`)
    : new ProxyError("ERR_PROXY_REFUSED", `the proxy answered ${status}: ${advice}`);
}

/**
 * Opens a TCP connection through an HTTP proxy (RFC 9110 section 9.3.6). The proxy is given an IP address, so that it
 * resolves no name: the address policy holds behind it too.
 *
 * @param proxy - The proxy's URL, with credentials where it wants some.
 * @param to - The IP address and the TCP port to connect to.
 * @param signal - Ends it at any moment; no socket is left, and the promise rejects with the signal's reason.
 * @param trusted - The CAs to trust instead of Node's own ones for a proxy that is reached over TLS.
 * @returns The socket to the other end, with all bytes that came from there, ready for `tls.connect({ socket })`. From
 * then on it is the caller's. An error of it that nobody listens to yet does not end the process.
 * @throws {@link ProxyError} `ERR_PROXY_UNREACHABLE`, `ERR_PROXY_INVALID_ANSWER`, `ERR_PROXY_REFUSED`, or
 * `ERR_PROXY_NOT_CONNECTED` where the proxy did what it could.
 */
export async function openTunnel(
  proxy: URL,
  to: { readonly address: string; readonly port: number },
  signal: AbortSignal,
  trusted?: SecureContext,
): Promise<Socket> {
  signal.throwIfAborted();
  const authority = hostPort(to.address, to.port);
  const authorization = credentialsOf(proxy);
  const { socket, ready } = dial(proxy, trusted);
  // Always one listener, for an error between two of the steps.
  socket.on("error", () => {});
  // Every step ends with the socket. The error wakes those that wait for an event of it.
  const stopListening = onSignalAbort(signal, () => socket.destroy(new Error("aborted")));
  try {
    await once(socket, ready).catch((error) => Promise.reject(unreachable(error, proxy)));
    const status = await askForTunnel(socket, authority, authorization).catch((error) =>
      Promise.reject(invalidAnswer(error)),
    );
    signal.throwIfAborted();
    if (status !== 200) throw refused(status, authority, authorization !== undefined);
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    stopListening();
  }
}
