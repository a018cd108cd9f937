import { X509Certificate } from "node:crypto";
import { afterEach, beforeAll, describe, expect, test } from "vitest";

import { createConnector } from "../../src/connect/connector.js";
import { contextFor, createTrust, type TlsException } from "../../src/connect/trust.js";
import { OptionError } from "../../src/errors.js";
import type { IssuedCertificate } from "../../src/testing/authority.js";
import { destination, failure, host, Loopback, selfSigned, theAuthority, visit } from "./world.js";

const loopback = new Loopback();
afterEach(() => loopback.close());

let usual: string;
let own: IssuedCertificate;
let fingerprint: string;
beforeAll(async () => {
  usual = (await theAuthority()).ca;
  own = await selfSigned(host);
  fingerprint = new X509Certificate(own.cert).fingerprint256;
});

describe("the CAs", () => {
  test("that are given are trusted, one or several in one text or in a list", async () => {
    const place = destination([await loopback.tls("own", own)]);
    for (const ca of [own.cert, [usual, own.cert], usual + own.cert]) {
      expect(await visit(place, { ca })).toBe("own");
    }
  });

  test("that are given are trusted instead of all others", async () => {
    const error = await failure(destination([await loopback.tls()]), { ca: own.cert });
    expect(error).toMatchObject({ stage: "tls", code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  });

  test("of Node are trusted where none is given, and they do not know ours", async () => {
    const error = await failure(destination([await loopback.tls()]), { ca: undefined });
    expect(error).toMatchObject({ stage: "tls", code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  });
});

describe("an exception", () => {
  const visitWith = async (tlsExceptions: Record<string, TlsException>, name = host): Promise<string> =>
    visit(destination([await loopback.tls("own", own)], name), { tlsExceptions });
  const failureWith = async (tlsExceptions: Record<string, TlsException>, name = host) =>
    failure(destination([await loopback.tls("own", own)], name), { tlsExceptions });

  test("is needed for a certificate that is its own issuer", async () => {
    expect(await failureWith({})).toMatchObject({ stage: "tls", code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  });

  test("with a CA trusts that for the name", async () => {
    expect(await visitWith({ [host]: { ca: own.cert } })).toBe("own");
    expect(await visitWith({ [host]: { ca: [own.cert] } })).toBe("own");
  });

  test("with a CA checks everything else, and trusts the usual ones no more", async () => {
    const tlsExceptions = { [host]: { ca: own.cert }, "b.example": { ca: own.cert } };
    expect(await failureWith(tlsExceptions, "b.example")).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(await failure(destination([await loopback.tls()]), { tlsExceptions })).toMatchObject({ stage: "tls" });
  });

  test("with a fingerprint accepts that certificate, however the fingerprint is written", async () => {
    const plain = fingerprint.replaceAll(":", "");
    const asPrinted = [`sha256 Fingerprint=${fingerprint}`, `SHA256 FINGERPRINT=${plain}`];
    for (const fingerprint256 of [fingerprint, plain, plain.toLowerCase(), fingerprint.toLowerCase(), ...asPrinted]) {
      expect(await visitWith({ [host]: { fingerprint256 } })).toBe("own");
    }
  });

  test("with a fingerprint looks at neither name nor dates", async () => {
    const expired = await selfSigned("other.example", { notAfter: "2001-01-01T00:00:00Z" });
    const { fingerprint256 } = new X509Certificate(expired.cert);
    const place = await loopback.tls("expired", expired);
    expect(await visit(destination([place]), { tlsExceptions: { [host]: { fingerprint256 } } })).toBe("expired");
  });

  test("with another fingerprint refuses even a certificate that is right in all else, and tells the one it saw", async () => {
    const right = await (await theAuthority()).issue(host);
    const place = await loopback.tls("right", right);
    const error = await failure(destination([place]), {
      tlsExceptions: { [host]: { fingerprint256: fingerprint } },
    });
    expect(error).toMatchObject({ stage: "tls", code: "ERR_TLS_FINGERPRINT" });
    expect(error.message).toContain(new X509Certificate(right.cert).fingerprint256.replaceAll(":", ""));
    await expect.poll(place.open).toBe(0);
  });

  test("without any check accepts whatever is shown", async () => {
    expect(await visitWith({ [host]: { verify: false } })).toBe("own");
    const expired = await selfSigned("other.example", { notAfter: "2001-01-01T00:00:00Z" });
    const place = destination([await loopback.tls("expired", expired)]);
    expect(await visit(place, { tlsExceptions: { [host]: { verify: false } } })).toBe("expired");
  });

  test.each<[string, () => TlsException]>([
    ["a CA", () => ({ ca: own.cert })],
    ["a fingerprint", () => ({ fingerprint256: fingerprint })],
    ["no check", () => ({ verify: false })],
  ])(
    "of one name with %s opens no other: neither a subdomain, nor a parent, nor another name",
    async (_, exception) => {
      for (const name of ["sub.a.example", "example", "b.example", "127.0.0.1"]) {
        expect(await failureWith({ [host]: exception() }, name)).toMatchObject({ stage: "tls" });
      }
    },
  );

  test("is found whatever the case of the name, and with a final dot", async () => {
    expect(await visitWith({ "A.Example": { verify: false } })).toBe("own");
    expect(await visitWith({ "a.example.": { verify: false } })).toBe("own");
    expect(await visitWith({ "a.example": { verify: false } }, "A.EXAMPLE")).toBe("own");
  });

  test("may be for an IP address, however that is spelled", async () => {
    expect(await visitWith({ "127.0.0.1": { verify: false } }, "127.0.0.1")).toBe("own");
    for (const name of ["::1", "[::1]", "[0:0:0:0:0:0:0:1]", "0::0001"]) {
      expect(await visitWith({ [name]: { verify: false } }, "::1")).toBe("own");
      expect(await visitWith({ "[::1]": { verify: false } }, name.replace(/[[\]]/g, ""))).toBe("own");
    }
  });

  test.each(["__proto__", "constructor", "toString"])("is none for the name %s, which every object has", (name) => {
    const trust = createTrust(contextFor("ca", usual), {});
    expect(trust(name)).toBe(trust(host));
  });
});

describe("a wrong option is refused at once, and named:", () => {
  const garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const refused = (ca: unknown, tlsExceptions?: unknown): OptionError => {
    try {
      createConnector({ ca, tlsExceptions } as never);
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError);
      return error as OptionError;
    }
    return expect.unreachable("it was taken");
  };

  test.each([null, 1, {}, "", "no PEM", [""], [null], garbage, [garbage]])("ca %j", (ca) => {
    expect(refused(ca)).toMatchObject({ code: "ERR_OPTION", message: expect.stringContaining("`ca`") });
  });

  test("ca with a certificate that is cut off, or with none, which OpenSSL would skip", () => {
    for (const ca of [usual.slice(0, 200), usual + own.cert.slice(0, 200), own.key]) {
      expect(refused(ca).message).toContain("The option `ca` holds a certificate that cannot be read.");
    }
  });

  test("an empty list of CAs, which trusts nobody", () => {
    expect(refused([]).message).toBe(
      "The option `ca` is an empty list, which trusts nobody; leave it out to trust the usual CAs.",
    );
    expect(refused(undefined, { [host]: { ca: [] } }).message).toContain('`tlsExceptions["a.example"]` is an empty');
  });

  test("an exception with two reasons does not compile either", () => {
    // @ts-expect-error one reason or the other
    const both: TlsException = { ca: usual, verify: false };
    expect(refused(undefined, { [host]: both }).message).toContain("must have one of");
  });

  test.each([null, 1, "a.example", [], true])("tlsExceptions %j", (exceptions) => {
    expect(refused(undefined, exceptions).message).toContain("The option `tlsExceptions` is");
  });

  test.each([
    null,
    undefined,
    true,
    {},
    { verify: true },
    { verify: null },
    { verify: 0 },
    { fingerprint: "AA" },
    { fingerprint256: "" },
    { fingerprint256: null },
    { fingerprint256: "AA:BB" },
    { fingerprint256: "Z".repeat(64) },
    { fingerprint256: `${"A".repeat(64)}\n` },
    { ca: garbage },
    { ca: null },
    { verify: false, ca: garbage },
    { verify: false, fingerprint256: "A".repeat(64) },
  ])("an exception %j", (exception) => {
    expect(refused(undefined, { [host]: exception }).message).toContain('`tlsExceptions["a.example"]');
  });

  test.each([
    "",
    "a.example:8448",
    "[::1]:8448",
    "https://a.example",
    "a_b.example",
    "bücher.example",
    "*.example",
    "fe80::1%1",
  ])("an exception for the name %j, which no certificate has", (name) => {
    expect(refused(undefined, { [name]: { verify: false } }).message).toMatch(
      /^The option `tlsExceptions` has the name/,
    );
  });
});
