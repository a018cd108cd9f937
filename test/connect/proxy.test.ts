import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, connect as openTls } from "node:tls";
import { inspect } from "node:util";
import { type HttpServerOptions, Server as ProxyServer, type ServerOptions } from "proxy-chain";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createProxyChoice, openTunnel, ProxyError, type ProxyOption } from "../../src/connect/proxy.js";
import { contextFor } from "../../src/connect/trust.js";
import { OptionError } from "../../src/errors.js";
import { type Authority, createAuthority } from "../../src/testing/authority.js";

/** A password that needs percent-encoding and UTF-8, and every form in which it could get out. */
const PASSWORD = "pä:ss/wörd@%";
const ENCODED = encodeURIComponent(PASSWORD);
const SECRETS = [PASSWORD, ENCODED, Buffer.from(`me:${PASSWORD}`).toString("base64"), "wörd", "w%C3%B6rd"];

const to = { hostname: "a.example", address: "192.0.2.1", port: 8448 };
const never = new AbortController().signal;

let authority: Authority;
let cleanUps: (() => unknown)[] = [];
beforeAll(async () => {
  authority = await createAuthority();
});
beforeEach(() => {
  for (const name of ["https_proxy", "all_proxy", "no_proxy"]) {
    vi.stubEnv(name, "");
    vi.stubEnv(name.toUpperCase(), "");
  }
});
afterEach(async () => {
  await Promise.all(cleanUps.map((cleanUp) => cleanUp()));
  cleanUps = [];
});

/** Listens, and ends with the test. Its sockets are told, so that a test can see them close. */
async function listen(server: Server, host = "127.0.0.1"): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => sockets.push(socket.on("error", () => {})));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

/** A TLS server for a.example that sends back what it gets. */
async function echo(host = "127.0.0.1"): Promise<{ address: string; port: number }> {
  const server = createTlsServer(await authority.issue("a.example"), (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  return { address: host, port: (await listen(server, host)).port };
}

/** A real proxy; `asked` are the hosts and credentials of its requests. */
async function proxyServer(options: Partial<ServerOptions> = {}, credentials?: string) {
  const asked: string[] = [];
  const prepareRequestFunction: HttpServerOptions["prepareRequestFunction"] = ({
    hostname,
    port,
    username,
    password,
  }) => {
    asked.push(`${username}:${password} ${hostname}:${port}`);
    const isRefused = credentials !== undefined && `${username}:${password}` !== credentials;
    return { requestAuthentication: isRefused };
  };
  const server = new ProxyServer({ port: 0, host: "127.0.0.1", prepareRequestFunction, ...options } as ServerOptions);
  await server.listen();
  cleanUps.push(() => server.close(true));
  return { server, port: server.port, asked };
}

/** A proxy of the test's own making: it does this with each connection. */
async function rawProxy(onConnection: (socket: Socket) => void): Promise<{ url: URL; sockets: Socket[] }> {
  const { port, sockets } = await listen(createServer(onConnection));
  return { url: new URL(`http://me:${ENCODED}@127.0.0.1:${port}`), sockets };
}

/** What comes back through the tunnel and TLS inside of it. */
async function sayHello(socket: Socket): Promise<string> {
  const tls = openTls({ socket, servername: "a.example", ca: authority.ca });
  tls.write("hello");
  const [answer] = await once(tls, "data");
  tls.destroy();
  return String(answer);
}

/** The error of a tunnel; that no password is in it is checked here for every test. */
async function failureOf(url: URL, signal: AbortSignal = never, ca?: string): Promise<ProxyError> {
  const error = await openTunnel(url, to, signal, contextFor("ca", ca)).then(
    () => expect.unreachable("the tunnel was opened"),
    (reason: unknown) => reason,
  );
  const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
  for (const secret of SECRETS) expect(shown).not.toContain(secret);
  return error as ProxyError;
}

const allClosed = (sockets: readonly Socket[]): Promise<unknown> =>
  Promise.all(
    sockets.map((socket) => socket.closed || new Promise((resolve) => socket.once("close", resolve).resume())),
  );

describe("the choice of a proxy", () => {
  const choose = (proxy?: ProxyOption, hostname = to.hostname, port = to.port): string | undefined =>
    createProxyChoice(proxy)({ ...to, hostname, port })?.href;

  it("is the URL that is given, whatever the environment says", () => {
    vi.stubEnv("NO_PROXY", "*");
    vi.stubEnv("HTTPS_PROXY", "http://other.example");
    expect(choose("http://proxy.example:3128")).toBe("http://proxy.example:3128/");
    expect(choose("https://me:secret@proxy.example")).toBe("https://me:secret@proxy.example/");
  });

  it("is none with false, whatever the environment says", () => {
    vi.stubEnv("HTTPS_PROXY", "http://other.example");
    expect(choose(false)).toBeUndefined();
  });

  it("is what a function says of the connection", () => {
    const proxy: ProxyOption = ({ hostname, address, port }) =>
      hostname === "a.example" ? `http://proxy.example/?${address}:${port}` : undefined;
    expect(choose(proxy)).toBe("http://proxy.example/?192.0.2.1:8448");
    expect(choose(proxy, "b.example")).toBeUndefined();
  });

  it("passes on the error of a function that throws", () => {
    const bug = new RangeError("a bug of the caller's");
    expect(() =>
      choose(() => {
        throw bug;
      }),
    ).toThrow(bug);
  });

  it.each([
    ["HTTPS_PROXY", "ALL_PROXY"],
    ["https_proxy", "all_proxy"],
  ])("is what %s says, or else %s, at each connection anew", (https, all) => {
    const choice = createProxyChoice(undefined);
    expect(choice(to)).toBeUndefined();
    vi.stubEnv(all, "http://all.example");
    expect(choice(to)?.host).toBe("all.example");
    vi.stubEnv(https, "http://https.example:3128");
    expect(choice(to)?.host).toBe("https.example:3128");
    vi.stubEnv(https, "");
    vi.stubEnv(all, "");
    expect(choice(to)).toBeUndefined();
  });

  it.each([
    ["*", "a.example", false],
    ["a.example", "a.example", false],
    ["a.example", "A.Example.", false],
    ["a.example", "b.a.example", true],
    [".example", "a.example", false],
    ["b.example,*.example", "a.example", false],
    ["a.example:8448", "a.example", false],
    ["a.example:443", "a.example", true],
    ["192.0.2.1", "192.0.2.1", false],
    ["[2001:db8::1]", "2001:db8::1", false],
    ["[2001:db8::1]:8448", "2001:db8::1", false],
    ["[2001:db8::1]:443", "2001:db8::1", true],
    ["b.example", "a.example", true],
  ])("honours NO_PROXY=%s for %s", (noProxy, hostname, isProxied) => {
    vi.stubEnv("HTTPS_PROXY", "http://proxy.example");
    for (const name of ["NO_PROXY", "no_proxy"]) {
      vi.stubEnv(name, noProxy);
      expect(choose(undefined, hostname) !== undefined).toBe(isProxied);
      vi.stubEnv(name, "");
    }
  });

  it.each(["xn--a.example", "me@b.example", "a.example/@b.example", "_srv.example"])(
    "lets no odd name past the proxy: %s",
    (hostname) => {
      vi.stubEnv("HTTPS_PROXY", "http://proxy.example");
      vi.stubEnv("NO_PROXY", "b.example");
      expect(choose(undefined, hostname)).toBe("http://proxy.example/");
    },
  );

  const unusable = [
    "proxy.secret:3128",
    "socks5://secret@proxy.example",
    "http://",
    "",
    "http://me:secret%@proxy.example",
  ];

  it.each([...unusable, null, true, 1, {}])("refuses a wrong option at once, without showing it: %j", (proxy) => {
    const create = (): unknown => createProxyChoice(proxy as ProxyOption);
    expect(create).toThrow(OptionError);
    expect(create).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(create).toThrow(/^The option `proxy` must be an http:\/\/ or https:\/\/ URL, .*, or false or a function\.$/);
    expect(create).not.toThrow("secret");
  });

  it.each([...unusable, null, false, {}])("refuses what a function answers, without showing it: %j", (proxy) => {
    const create = (): unknown => choose((() => proxy) as () => string);
    expect(create).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(create).toThrow(/^The function given as the option `proxy` must return undefined or an http/);
    expect(create).not.toThrow("secret");
  });

  it.each(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])(
    "says when %s cannot be used, without showing it, instead of going past it",
    (name) => {
      for (const value of ["socks5://me:secret@proxy.example", "http://me:secret%@proxy.example", "secret secret"]) {
        vi.stubEnv(name, value);
        const create = (): unknown => choose();
        expect(create).toThrow(ProxyError);
        expect(create).toThrow(expect.objectContaining({ code: "ERR_PROXY_SETTING" }));
        expect(create).toThrow(
          `the environment variable ${name.toUpperCase()} must be an http:// or https:// URL, such as http://proxy.example:3128`,
        );
        expect(create).not.toThrow("secret");
      }
    },
  );
});

describe("a tunnel", () => {
  it("leads to the address through a real proxy, which is asked for no name, and TLS works inside", async () => {
    const { port, asked } = await proxyServer();
    const target = await echo();
    const socket = await openTunnel(new URL(`http://127.0.0.1:${port}`), target, never);
    expect(await sayHello(socket)).toBe("hello");
    expect(asked).toEqual([`: 127.0.0.1:${target.port}`]);
  });

  it("sends the credentials of the URL, percent-decoded and as UTF-8", async () => {
    const { port, asked } = await proxyServer({}, `me:${PASSWORD}`);
    const target = await echo();
    const socket = await openTunnel(new URL(`http://me:${ENCODED}@127.0.0.1:${port}`), target, never);
    expect(await sayHello(socket)).toBe("hello");
    expect(asked).toEqual([`me:${PASSWORD} 127.0.0.1:${target.port}`]);
  });

  it("keeps the credentials out of what the socket shows", async () => {
    const { port } = await proxyServer({}, `me:${PASSWORD}`);
    const socket = await openTunnel(new URL(`http://me:${ENCODED}@127.0.0.1:${port}`), await echo(), never);
    const shown = inspect(socket, { depth: 10, showHidden: true });
    for (const secret of SECRETS) expect(shown).not.toContain(secret);
    socket.destroy();
  });

  it("goes through a proxy that is reached over TLS, whose certificate is checked for the proxy's own name", async () => {
    const httpsOptions = await authority.issue("127.0.0.1");
    const { port } = await proxyServer({ serverType: "https", httpsOptions });
    const socket = await openTunnel(
      new URL(`https://127.0.0.1:${port}`),
      await echo(),
      never,
      contextFor("ca", authority.ca),
    );
    expect(await sayHello(socket)).toBe("hello");
  });

  it("tells a proxy that is reached over TLS its name, and not that of the target", async () => {
    let servername: unknown;
    const options = { ...(await authority.issue("localhost")) };
    const server = createTlsServer(options, (socket) => {
      servername = socket.servername;
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    });
    const { port } = await listen(server);
    const socket = await openTunnel(
      new URL(`https://localhost:${port}`),
      to,
      never,
      contextFor("ca", [`${authority.ca}${authority.ca}`]),
    );
    expect(servername).toBe("localhost");
    socket.destroy();
  });

  it("leads to an IPv6 address, which stands in brackets", async (context) => {
    const target = await echo("::1").catch(() => context.skip("this machine has no ::1"));
    const { port, asked } = await proxyServer();
    const socket = await openTunnel(new URL(`http://127.0.0.1:${port}`), target, never);
    expect(await sayHello(socket)).toBe("hello");
    expect(asked).toEqual([`: [::1]:${target.port}`]);
  });

  it("is asked for as RFC 9110 says", async () => {
    let request = "";
    const { url } = await rawProxy((socket) =>
      socket.once("data", (data) => {
        request = String(data);
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
      }),
    );
    const socket = await openTunnel(url, { address: "2001:db8::1", port: 443 }, never);
    socket.destroy();
    const [first, ...lines] = request.split("\r\n");
    expect(first).toBe("CONNECT [2001:db8::1]:443 HTTP/1.1");
    expect(lines).toContain("host: [2001:db8::1]:443");
  });

  it("passes on the bytes that come with the head of the answer, and those after", async () => {
    const { url } = await rawProxy((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nfirst ");
        socket.once("data", () => socket.end("last"));
      }),
    );
    const socket = await openTunnel(url, to, never);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
      if (text === "first ") socket.write("go on");
    });
    await once(socket, "end");
    expect(text).toBe("first last");
  });
});

describe("a tunnel that is refused", () => {
  it("says that the proxy wants credentials", async () => {
    const { port } = await proxyServer({}, `me:${PASSWORD}`);
    const error = await failureOf(new URL(`http://127.0.0.1:${port}`));
    expect(error).toBeInstanceOf(ProxyError);
    expect(error.code).toBe("ERR_PROXY_REFUSED");
    expect(error.message).toBe(
      "the proxy answered 407: it wants credentials, as in http://user:password@proxy.example:3128",
    );
  });

  it("says that the proxy does not take the credentials", async () => {
    const { port } = await proxyServer({}, "me:other");
    const error = await failureOf(new URL(`http://me:${ENCODED}@127.0.0.1:${port}`));
    expect(error.code).toBe("ERR_PROXY_REFUSED");
    expect(error.message).toBe("the proxy answered 407: check the user name and the password in its URL");
  });

  it.each([100, 103, 201, 204, 302, 403, 502])(
    "says that the proxy answered %i, and leaves no socket",
    async (status) => {
      const { url, sockets } = await rawProxy((socket) =>
        socket.once("data", (request) => socket.write(`HTTP/1.1 ${status} No\r\nx-echo: 1\r\n\r\n${request}`)),
      );
      const error = await failureOf(url);
      if (status === 100) expect(error.code).toBe("ERR_PROXY_INVALID_ANSWER");
      else if (status === 502) {
        // The proxy did what it could: the server is what cannot be reached.
        expect(error.code).toBe("ERR_PROXY_NOT_CONNECTED");
        expect(error.message).toBe("the proxy answered 502: it cannot connect to 192.0.2.1:8448");
      } else {
        expect(error.code).toBe("ERR_PROXY_REFUSED");
        expect(error.message).toBe(`the proxy answered ${status}: it has to allow CONNECT to 192.0.2.1:8448`);
      }
      await allClosed(sockets);
    },
  );
});

describe("a proxy that misbehaves", () => {
  const answers: [string, (socket: Socket) => void, string][] = [
    ["closes at once", (socket) => socket.end(), "closed the connection without a proper answer"],
    [
      "closes after the request",
      (socket) => socket.once("data", () => socket.end()),
      "closed the connection without a proper answer",
    ],
    [
      "closes in the head of its answer",
      (socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nx-")),
      "closed the connection without a proper answer",
    ],
    [
      "sends the request back",
      (socket) => socket.once("data", (request) => socket.write(request)),
      "answered with something that is no HTTP",
    ],
    [
      "answers as another protocol before it is asked",
      (socket) => socket.write("220 mail.example ESMTP\r\n"),
      "answered with something that is no HTTP",
    ],
    [
      "sends back the request inside a broken header",
      (socket) => socket.once("data", (request) => socket.write(`HTTP/1.1 200 OK\r\n${request}\u0000\r\n\r\n`)),
      "answered with something that is no HTTP",
    ],
    [
      "sends a head without an end",
      (socket) =>
        socket.once("data", () => {
          socket.write("HTTP/1.1 200 OK\r\n");
          const more = (): void => {
            while (socket.writable && socket.write(`x-more: ${"x".repeat(1000)}\r\n`));
          };
          socket.on("drain", more);
          more();
        }),
      "answered with a head of more than 16384 bytes",
    ],
  ];

  it.each(answers)("and %s is told as such, and no socket is left", async (_what, onConnection, reason) => {
    const { url, sockets } = await rawProxy(onConnection);
    const error = await failureOf(url);
    expect(error).toBeInstanceOf(ProxyError);
    expect(error.message).toBe(`the proxy ${reason}; check that its URL leads to an HTTP proxy`);
    expect(error.code).toBe("ERR_PROXY_INVALID_ANSWER");
    await allClosed(sockets);
  });

  it("and resets the connection at once is told as such, and no socket is left", async () => {
    const { url, sockets } = await rawProxy((socket) => socket.resetAndDestroy());
    const error = await failureOf(url);
    // Whether the reset comes before the request or after is a matter of luck.
    expect(["ERR_PROXY_UNREACHABLE", "ERR_PROXY_INVALID_ANSWER"]).toContain(error.code);
    await allClosed(sockets);
  });

  it("and resets an open tunnel ends the socket, not the process, although nobody listens for its errors", async () => {
    const { url, sockets } = await rawProxy((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\n")),
    );
    const socket = await openTunnel(url, to, never);
    for (const one of sockets) one.resetAndDestroy();
    await allClosed([socket, ...sockets]);
    expect(socket.errored).toMatchObject({ code: "ECONNRESET" });
  });
});

describe("a proxy that cannot be reached", () => {
  it("is told with the reason when nobody listens", async () => {
    const server = createServer();
    const { port } = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const error = await failureOf(new URL(`http://me:${ENCODED}@127.0.0.1:${port}`));
    expect(error.code).toBe("ERR_PROXY_UNREACHABLE");
    expect(error.message).toBe("the proxy cannot be reached (ECONNREFUSED)");
    expect(error.cause).toMatchObject({ code: "ECONNREFUSED" });
  });

  it("is told when its certificate is for another name", async () => {
    const httpsOptions = await authority.issue("other.example");
    const { port } = await proxyServer({ serverType: "https", httpsOptions });
    const error = await failureOf(new URL(`https://me:${ENCODED}@127.0.0.1:${port}`), never, authority.ca);
    expect(error.code).toBe("ERR_PROXY_UNREACHABLE");
    expect(error.cause).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  it("is told when its certificate is of no CA that is trusted", async () => {
    const { port } = await proxyServer({ serverType: "https", httpsOptions: await authority.issue("127.0.0.1") });
    const error = await failureOf(new URL(`https://me:${ENCODED}@127.0.0.1:${port}`));
    expect(error.code).toBe("ERR_PROXY_UNREACHABLE");
    expect(error.cause).toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  });

  it("is told when it speaks no TLS although its URL says so, with a hint", async () => {
    const { port } = await proxyServer();
    const error = await failureOf(new URL(`https://me:${ENCODED}@127.0.0.1:${port}`));
    expect(error.code).toBe("ERR_PROXY_UNREACHABLE");
    expect(error.message).toBe(
      "the proxy cannot be reached (answers with something that is no TLS); the URL of a proxy that speaks no TLS begins with http://",
    );
  });
});

describe("an abort", () => {
  const reason = new Error("enough");

  it("before the start makes no connection", async () => {
    const { url, sockets } = await rawProxy(() => {});
    await expect(openTunnel(url, to, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(sockets).toEqual([]);
  });

  it("while the connection is being made ends it", async () => {
    const controller = new AbortController();
    const { url } = await rawProxy(() => {});
    const tunnel = openTunnel(url, to, controller.signal);
    controller.abort(reason);
    await expect(tunnel).rejects.toBe(reason);
    await Promise.all(cleanUps.map((cleanUp) => cleanUp()));
    cleanUps = [];
    // No socket of any test is left in the whole process.
    const sockets = (): string[] => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"));
    await vi.waitFor(() => expect(sockets()).toEqual([]));
  });

  const stalls: [string, string, (socket: Socket) => void][] = [
    ["the proxy stalls in the TLS handshake", "https:", () => {}],
    ["the proxy does not answer", "http:", () => {}],
    [
      "the proxy stalls in the head of its answer",
      "http:",
      (socket) => socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nx-more: ")),
    ],
  ];
  it.each(stalls)("while %s rejects with the signal's reason and leaves no socket", async (_when, scheme, stall) => {
    const controller = new AbortController();
    const { url, sockets } = await rawProxy((socket) => {
      stall(socket);
      socket.once("data", () => setImmediate(() => controller.abort(reason)));
    });
    const tunnel = openTunnel(new URL(url.href.replace("http:", scheme)), to, controller.signal);
    await expect(tunnel).rejects.toBe(reason);
    expect(sockets).toHaveLength(1);
    await allClosed(sockets);
  });

  it("at any moment leaves no socket, unless the tunnel was open by then", async () => {
    const { url, sockets } = await rawProxy((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\n")),
    );
    for (let turns = 0; turns < 40; turns += 1) {
      const controller = new AbortController();
      const tunnel = openTunnel(url, to, controller.signal).then(
        (socket) => socket.destroy(),
        (error: unknown) => expect(error).toBe(reason),
      );
      for (let turn = 0; turn < turns; turn += 1) await new Promise(turns % 2 ? setImmediate : process.nextTick);
      controller.abort(reason);
      await tunnel;
    }
    await allClosed(sockets);
  });

  it("after the tunnel is open does not touch it", async () => {
    const { port } = await proxyServer();
    const controller = new AbortController();
    const socket = await openTunnel(new URL(`http://127.0.0.1:${port}`), await echo(), controller.signal);
    controller.abort(reason);
    expect(await sayHello(socket)).toBe("hello");
  });
});
