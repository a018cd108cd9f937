import type { ConnectTo } from "../connect/target.js";
import { OptionError, quoted } from "../errors.js";
import type { KeyOf } from "../events/verify-event.js";
import { decodeBase64 } from "../sign/base64.js";
import { SigningKey } from "../sign/signing-key.js";
import { createAuthority, type IssuedCertificate } from "./authority.js";
import { plainHost, splitName } from "./host-port.js";
import { createLoopbackDns, type LoopbackDns } from "./loopback-dns.js";
import type { TestRoom, TestRoomOptions } from "./room.js";
import type { HostedRooms } from "./room-host.js";
import { createRoomMaker } from "./room-maker.js";
import { TestServer } from "./test-server.js";

/** One server that a test federation shall have. */
export interface TestServerOptions {
  /** The server name, with or without a port. */
  readonly name: string;
  /** Whether nothing listens at its port, until `start()`; false when absent. */
  readonly dead?: boolean | undefined;
  /** The host that its certificate is for; the server's own when absent. */
  readonly certificateFor?: string | undefined;
  /**
   * Its port on 127.0.0.1; a free one when absent. A homeserver in another process, which does not know of `connectTo`,
   * finds a server that is named `localhost:8450` at the port 8450.
   */
  readonly port?: number | undefined;
}

/** What a test federation shall have. */
export interface TestFederationOptions {
  /** The servers: a name for one that works, more options for others. */
  readonly servers: readonly (string | TestServerOptions)[];
}

/** Client options that lead every request to a test federation's names onto its loopback ports. */
export interface TestClientOptions {
  /** A name server that knows the federation's names and nothing else. */
  readonly dns: LoopbackDns;
  /** The federation's certificate authority, as PEM text. */
  readonly ca: string;
  /** Opens loopback, which is closed to clients otherwise. */
  readonly allowAddress: readonly string[];
  /** No proxy that the environment names: it knows no way to our loopback. */
  readonly proxy: false;
  /**
   * Where to connect to instead; undefined for hosts outside the federation. Ports of its hosts on which it has no
   * server lead to port 1 of 127.0.0.1, where connections are refused.
   */
  readonly connectTo: ConnectTo;
}

/** A federation of HTTPS servers in this process. Close it when the test is over. */
export interface TestFederation extends AsyncDisposable {
  /** The servers, in the order given. */
  readonly servers: readonly TestServer[];
  /** What to pass to the client, beside its server name and key. */
  readonly clientOptions: TestClientOptions;
  /**
   * The server with this name.
   *
   * @throws {@link OptionError} `ERR_OPTION` when there is none.
   */
  readonly server: (name: string) => TestServer;
  /**
   * Makes a room. Its creator's server and all servers whose users join answer for it.
   *
   * @throws {@link OptionError} `ERR_INPUT` when the version is unknown or the creator is of no server of the federation.
   */
  readonly createRoom: (options: TestRoomOptions) => TestRoom;
  /** The keys that the federation trusts, as unpadded base64: by server name, then by key id. */
  readonly publicKeys: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /**
   * Makes `signedBy` of later requests recognise this key, and the rooms take what it signed. The keys of the federation's own servers are known.
   *
   * @param serverName - Whose key it is.
   * @param keyId - Its id, such as `ed25519:a1`.
   * @param publicKey - The Ed25519 public key, as unpadded base64.
   */
  readonly trust: (serverName: string, keyId: string, publicKey: string) => void;
  /**
   * Makes a certificate by the federation's authority, for a homeserver that takes part in another process.
   *
   * @param host - The host name or IP address that it is for.
   */
  readonly issueCertificate: (host: string) => Promise<IssuedCertificate>;
  /** Ends all connections and waits at once, and closes every port. */
  readonly close: () => Promise<void>;
}

/**
 * Makes a federation of real HTTPS servers on 127.0.0.1, with an authority that is made on the spot.
 *
 * @throws {@link OptionError} `ERR_OPTION` when a name is no server name or occurs twice, or when `@peculiar/x509` is
 * not installed. Node's error when a port cannot be had: then nothing is left listening.
 */
export async function createTestFederation({ servers: wanted }: TestFederationOptions): Promise<TestFederation> {
  const options = wanted.map((server) => (typeof server === "string" ? { name: server } : server));
  const hosts = options.map(({ name }) => splitName(name).host);
  const trustedKeys = new Map<string, Map<string, string>>();
  const signers = new Map<string, SigningKey>();
  const rooms: HostedRooms = { byId: new Map(), byAlias: new Map() };
  const trust: TestFederation["trust"] = (serverName, keyId, publicKey) => {
    trustedKeys.set(serverName, new Map(trustedKeys.get(serverName)).set(keyId, publicKey));
  };

  const keyOf: KeyOf = (server, keyId) => {
    const publicKey = decodeBase64(trustedKeys.get(server)?.get(keyId));
    return publicKey && { publicKey };
  };

  const names = new Set<string>();
  for (const { name } of options) {
    if (names.has(name))
      throw new OptionError("ERR_OPTION", `The test federation has two servers named ${quoted(name)}.`);
    names.add(name);
  }
  const authority = await createAuthority();
  const servers = await Promise.all(
    options.map(async ({ name, certificateFor = name, port }) => {
      const signingKey = SigningKey.generate();
      signers.set(name, signingKey);
      trust(name, signingKey.keyId, signingKey.publicKey);
      return new TestServer({
        name,
        port,
        signingKey,
        certificate: await authority.issue(splitName(certificateFor).host),
        trustedKeys,
        defaults: { signers, keyOf, rooms },
      });
    }),
  );
  const close = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())));
  // All start, so that no live server gets a dead one's port.
  const starts = await Promise.allSettled(servers.map((server) => server.start()));
  const failed = starts.find(({ status }) => status === "rejected");
  if (failed) {
    await close();
    throw (failed as PromiseRejectedResult).reason;
  }
  await Promise.all(servers.filter((_, index) => options[index]?.dead).map((server) => server.stop()));

  return {
    servers,
    clientOptions: {
      dns: createLoopbackDns(hosts),
      ca: authority.ca,
      allowAddress: ["127.0.0.1"],
      proxy: false,
      connectTo: createConnectTo(servers),
    },
    server: (name) => {
      const server = servers.find((each) => each.name === name);
      if (!server) throw new OptionError("ERR_OPTION", `The test federation has no server named ${quoted(name)}.`);
      return server;
    },
    createRoom: createRoomMaker({ names: [...names], signers, keyOf, trust, rooms }),
    publicKeys: trustedKeys,
    trust,
    issueCertificate: authority.issue,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Spec: https://spec.matrix.org/latest/server-server-api/#resolving-server-names (8448, and 443 for .well-known) */
function createConnectTo(servers: readonly TestServer[]): TestClientOptions["connectTo"] {
  const ports = new Map<string, number>();
  const hosts = new Set<string>();
  for (const { name, port: loopbackPort } of servers) {
    const { host, port } = splitName(name);
    hosts.add(host);
    for (const each of port === undefined ? [8448, 443] : [port]) ports.set(`${host} ${each}`, loopbackPort);
  }
  return ({ hostname, port }) => {
    const host = plainHost(hostname);
    if (!hosts.has(host)) return undefined;
    return { address: "127.0.0.1", port: ports.get(`${host} ${port}`) ?? 1 };
  };
}
