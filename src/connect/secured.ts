import { isIP, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { checkServerIdentity } from "./server-identity.js";
import type { Trust } from "./trust.js";

/** Where a TLS connection leads, and what must be found there. */
export interface SecuredOptions {
  /** The IP address. */
  readonly address: string;
  /** The TCP port. */
  readonly port: number;
  /** A connection to there that a proxy made; absent, it is made directly. */
  readonly tunnel: Socket | undefined;
  /** The name that the certificate must be valid for. */
  readonly tlsName: string;
  /** Which certificates are trusted. */
  readonly trust: Trust;
}

const TCP_KEEP_ALIVE_MS = 60_000;

/**
 * Opens a TLS connection and checks the certificate. No session of an earlier connection is taken up again, because a
 * resumed session shows no certificate to check.
 *
 * @param reached - Called when the TCP connection stands.
 * @throws What TCP or TLS failed with; the signal's reason when it is aborted.
 */
export function secured(
  { address, port, tunnel, tlsName, trust }: SecuredOptions,
  signal: AbortSignal,
  reached: () => void,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...(tunnel ? { socket: tunnel } : { host: address, port }),
      // Neither SNI nor the check of names knows IP addresses as host names (RFC 6066 section 3).
      servername: isIP(tlsName) === 0 ? tlsName : "",
      secureContext: trust.context,
      rejectUnauthorized: trust.verifies,
      checkServerIdentity: (_dialled, certificate) => checkServerIdentity(tlsName, certificate),
      ALPNProtocols: ["http/1.1"],
    });
    socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    socket.once("connect", reached);
    // Kept for good: until the socket's next owner listens, an error would end the process.
    socket.on("error", reject);
    socket.once("close", () => {
      signal.removeEventListener("abort", onAbort);
      reject(new Error("The connection was closed in the handshake."));
    });
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", onAbort);
      if (trust.fingerprint !== undefined) {
        const shown = socket.getPeerCertificate().fingerprint256?.replaceAll(":", "");
        if (shown !== trust.fingerprint) {
          const error = new Error(`The certificate's SHA-256 fingerprint is ${shown}, not the one that is pinned.`);
          socket.destroy();
          return reject(Object.assign(error, { code: "ERR_TLS_FINGERPRINT" }));
        }
      }
      resolve(socket);
    });
  });
}
