import { describe, expect, it } from "vitest";
import type { CertificateReport, TlsReport } from "../../src/connect/tls-inspection.js";
import type { AddressEvidence, Evidence } from "../../src/diagnose/evidence.js";
import type { DiagnosedStep, FindingCode, KeyReport } from "../../src/diagnose/report.js";
import { findingsOf, rules } from "../../src/diagnose/rules.js";

const now = Date.UTC(2030, 0, 1);
const DAY_MS = 86_400_000;
const url = "https://a.example/.well-known/matrix/server";

const certificate: CertificateReport = {
  subject: "CN=a.example",
  issuer: "CN=authority",
  names: ["a.example"],
  validFrom: now - 30 * DAY_MS,
  validTo: now + 60 * DAY_MS,
  fingerprint256: "AB",
  serialNumber: "01",
};
const authority: CertificateReport = { ...certificate, subject: "CN=authority", names: [] };
const tls: TlsReport = {
  protocol: "TLSv1.3",
  cipher: "TLS_AES_256_GCM_SHA384",
  verified: true,
  reason: undefined,
  chainError: undefined,
  nameMatches: true,
  exception: undefined,
  chain: [certificate, authority],
};
const keys: KeyReport = {
  serverName: "a.example",
  validUntil: now + DAY_MS,
  keys: [{ keyId: "ed25519:a", publicKey: "A", signed: true }],
  oldKeyIds: [],
};
const answered = { ms: 10, status: 200, problem: undefined, reason: undefined } as const;
const six: AddressEvidence = {
  hostname: "a.example",
  address: "2001:db8::1",
  family: 6,
  port: 8448,
  finished: true,
  connectMs: 5,
  failure: undefined,
  tls,
  version: { ...answered, name: "Test", version: "1" },
  keys: { ...answered, document: keys, same: true },
  clockSkewMs: 300,
};
const four: AddressEvidence = { ...six, address: "192.0.2.1", family: 4 };
const step = (
  name: DiagnosedStep["step"],
  query: string,
  outcome: DiagnosedStep["outcome"],
  result = "",
): DiagnosedStep => ({ step: name, query, outcome, result, ms: 1 });
const steps = [
  step("wellKnown", url, "absent", "answered 404"),
  step("srv", "_matrix-fed._tcp.a.example", "absent", "ENOTFOUND"),
  step("srv", "_matrix._tcp.a.example", "absent", "ENOTFOUND"),
  step("address", "a.example", "found", "2001:db8::1, 192.0.2.1"),
];
const healthy: Evidence = {
  server: "a.example",
  checkedAt: now,
  timeoutMs: 30_000,
  stepMs: 10_000,
  resolution: { host: "a.example", tlsName: "a.example", steps, targets: [] },
  isResolved: true,
  failedQueries: [],
  addresses: [six, four],
  moreAddresses: 0,
  keys,
};

const withSteps = (...changed: DiagnosedStep[]): Evidence => {
  const kept = steps.map((each) => changed.find(({ query }) => query === each.query) ?? each);
  const added = changed.filter(({ query }) => !steps.some((each) => each.query === query));
  return { ...healthy, resolution: { ...healthy.resolution, steps: [...kept, ...added] } };
};
const at = (change: Partial<AddressEvidence>): Evidence => ({ ...healthy, addresses: [six, { ...four, ...change }] });
const nothing = { tls: undefined, version: undefined, keys: undefined, connectMs: undefined } as const;
const failing = (stage: "policy" | "proxy" | "connect" | "tls", code: string): Evidence =>
  at({ ...nothing, failure: { stage, code, message: code } });
const shown = (change: Partial<TlsReport>): Evidence => at({ tls: { ...tls, ...change } });
const unverified = (change: Partial<TlsReport>): Evidence =>
  at({ ...nothing, tls: { ...tls, verified: false, ...change } });
const own = (change: Partial<CertificateReport>): TlsReport["chain"] => [{ ...certificate, ...change }, authority];
const document = (change: Partial<KeyReport>, same = true): Evidence =>
  at({ keys: { ...answered, document: { ...keys, ...change }, same } });
const noMatrix = { ...answered, problem: "notMatrix", reason: "it answered 404" } as const;
const version = { name: undefined, version: undefined };
const srv = step("srv", "_matrix-fed._tcp.a.example", "found", "m.example port 443");

/** One thing that is wrong with a server, for each finding. */
const cases: Readonly<Record<FindingCode, Evidence>> = {
  timeout: at({ ...nothing, finished: false }),
  nameNotFound: { ...withSteps(step("address", "a.example", "absent", "A ENOTFOUND, AAAA ENOTFOUND")), addresses: [] },
  dnsFailed: { ...withSteps(step("address", "a.example", "failed", "A ESERVFAIL, AAAA ESERVFAIL")), addresses: [] },
  dnsPartial: { ...healthy, failedQueries: [{ query: "AAAA a.example", code: "ESERVFAIL" }], addresses: [four] },
  wellKnownInvalid: withSteps(step("wellKnown", url, "failed", "the body is not JSON")),
  wellKnownInsecure: withSteps(step("wellKnown", url, "failed", 'redirects to something that is not https: "http:"')),
  wellKnownUnreachable: withSteps(step("wellKnown", url, "failed", "192.0.2.1:443 ECONNREFUSED")),
  srvFailed: withSteps(step("srv", "_matrix-fed._tcp.a.example", "failed", "ESERVFAIL")),
  srvRefused: withSteps(step("srv", "_matrix-fed._tcp.a.example", "refused", ".")),
  srvTargetMissing: withSteps(srv, step("address", "gone.example", "absent", "A ENOTFOUND, AAAA ENOTFOUND")),
  srvDeprecated: withSteps(step("srv", "_matrix._tcp.a.example", "found", "a.example port 443")),
  noIpv6: { ...healthy, addresses: [four] },
  onlyIpv6: { ...healthy, addresses: [six] },
  tooManyAddresses: { ...healthy, moreAddresses: 3 },
  addressRefused: failing("policy", "10.0.0.1 is not public"),
  proxyFailed: failing("proxy", "ERR_PROXY_REFUSED"),
  connectionRefused: failing("connect", "ECONNREFUSED"),
  connectionTimeout: failing("connect", "ETIMEDOUT"),
  connectionFailed: failing("connect", "ECONNRESET"),
  noRoute: failing("connect", "EHOSTUNREACH"),
  notTls: failing("tls", "ERR_SSL_WRONG_VERSION_NUMBER"),
  tlsProtocol: failing("tls", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"),
  tlsFailed: failing("tls", "ERR_SSL_TLSV1_ALERT_UNRECOGNIZED_NAME"),
  certificateName: unverified({ nameMatches: false, chain: own({ names: ["b.example"] }) }),
  certificateExpired: unverified({ chainError: "CERT_HAS_EXPIRED", chain: own({ validTo: now - DAY_MS }) }),
  certificateNotYetValid: unverified({ chainError: "CERT_NOT_YET_VALID", chain: own({ validFrom: now + DAY_MS }) }),
  certificateExpiring: shown({ chain: own({ validTo: now + 10 * DAY_MS }) }),
  certificateSelfSigned: unverified({ chainError: "DEPTH_ZERO_SELF_SIGNED_CERT", chain: [certificate] }),
  certificateIncomplete: unverified({ chainError: "UNABLE_TO_VERIFY_LEAF_SIGNATURE", chain: [certificate] }),
  certificateUntrusted: unverified({ chainError: "SELF_SIGNED_CERT_IN_CHAIN" }),
  certificatePin: unverified({ exception: "pinned", reason: "its SHA-256 fingerprint is AB" }),
  certificateExcepted: shown({ exception: "unchecked", chainError: "CERT_HAS_EXPIRED" }),
  notHomeserver: at({ version: { ...noMatrix, ...version } }),
  versionFailed: at({ version: { ...answered, ...version, problem: "noAnswer", reason: "no answer within 10000 ms" } }),
  versionSlow: at({ version: { ...answered, ...version, ms: 4_000 } }),
  keysNotFetched: at({ keys: { ...noMatrix, document: undefined, same: undefined } }),
  keysInvalid: at({
    keys: { ...answered, problem: "invalid", reason: "not JSON", document: undefined, same: undefined },
  }),
  keysWrongServer: document({ serverName: "b.example" }, false),
  keysUnsigned: document({ keys: [{ keyId: "ed25519:a", publicKey: "A", signed: false }] }),
  keysExpired: document({ validUntil: now - 1 }),
  keysExpiring: document({ validUntil: now + 60_000 }),
  keysDiffer: document({ keys: [{ keyId: "ed25519:b", publicKey: "B", signed: true }] }, false),
  clockSkew: at({ clockSkewMs: -400_000 }),
};

const found = (evidence: Evidence): string[] => findingsOf(evidence).map(({ severity, code }) => `${severity} ${code}`);

describe("the rules", () => {
  it("find nothing in a server that is in order", () => {
    expect(findingsOf(healthy)).toEqual([]);
  });

  it.each(Object.entries(cases))(
    "find %s, and nothing else, with one line of what it is and one of what to do",
    (code, evidence) => {
      const findings = findingsOf(evidence);

      expect(findings.map((each) => each.code)).toEqual([code]);
      for (const { about, message, advice } of findings) {
        expect(about).not.toBe("");
        for (const line of [message, advice]) {
          expect(line).toMatch(/^[^\n]{20,400}\.$/);
          expect(line).not.toMatch(/undefined|NaN|null|\.\.$/);
        }
      }
    },
  );

  it("are one for each code", () => {
    expect(Object.keys(rules).sort()).toEqual(Object.keys(cases).sort());
  });

  it("tell errors first, then warnings, then notes", () => {
    const each = Object.values(cases);
    const all = {
      ...healthy,
      addresses: each.flatMap(({ addresses }) => addresses),
      failedQueries: each.flatMap(({ failedQueries }) => failedQueries),
      resolution: { ...healthy.resolution, steps: each.flatMap(({ resolution }) => resolution.steps) },
    };
    const severities = findingsOf(all).map(({ severity }) => severity);
    expect(severities).toEqual([...severities].sort((a, b) => "ewn".indexOf(a[0] ?? "") - "ewn".indexOf(b[0] ?? "")));
    expect(new Set(severities)).toEqual(new Set(["error", "warning", "note"]));
  });
});

describe("what is not the server's fault", () => {
  const noIpv6Here = { ...six, ...nothing, failure: { stage: "connect", code: "ENETUNREACH", message: "" } } as const;

  it("no IPv6 on this machine is a note where IPv4 works, and an error where nothing does", () => {
    expect(found({ ...healthy, addresses: [noIpv6Here, four] })).toEqual(["note noRoute"]);
    expect(found({ ...healthy, addresses: [noIpv6Here] })).toContain("error noRoute");
  });

  it("one IPv6 address of two that nobody has a way to is an error", () => {
    expect(found({ ...healthy, addresses: [noIpv6Here, { ...six, address: "2001:db8::2" }, four] })).toEqual([
      "error noRoute",
    ]);
  });

  it("an expired certificate at the end of a chain that is trusted all the same is not told of", () => {
    expect(found(shown({ chain: [certificate, { ...authority, validTo: now - DAY_MS }] }))).toEqual([]);
  });
});

describe("a proxy that makes no connection", () => {
  const wellKnown = step("wellKnown", url, "failed", "192.0.2.1:443 the proxy answered 407: it wants credentials");

  it("is a warning where it hides only .well-known, and is not held against the server", () => {
    expect(found(withSteps(wellKnown))).toEqual(["warning proxyFailed"]);
    expect(found(withSteps(step("wellKnown", url, "failed", "ERR_PROXY_SETTING")))).toEqual(["warning proxyFailed"]);
  });

  it("is told once where it hides the server as well", () => {
    const { addresses } = failing("proxy", "ERR_PROXY_REFUSED");
    expect(found({ ...withSteps(wellKnown), addresses })).toEqual(["error proxyFailed"]);
  });
});

describe("an address that had too little time", () => {
  it.each([
    ["There was no TLS connection", nothing],
    ["There was no answer from /_matrix/federation/v1/version", { version: undefined }],
    ["There was no answer from /_matrix/key/v2/server", { keys: undefined }],
  ])("is not judged: %s", (what, change) => {
    const findings = findingsOf({ ...at({ finished: false, ...change }), timeoutMs: 4_000, stepMs: 1_333 });

    expect(findings).toMatchObject([
      {
        severity: "warning",
        code: "timeout",
        about: "192.0.2.1:8448",
        message: `${what} in time: there were 4000 ms in all, and a third of that, 1333 ms, for each step.`,
        advice: expect.stringContaining("option timeout"),
      },
    ]);
  });
});

describe("what is not told twice", () => {
  it("an expired certificate of the chain is told of, and not that the chain leads nowhere", () => {
    const chain = [certificate, { ...authority, validTo: now - DAY_MS }];
    expect(found(unverified({ chainError: "CERT_HAS_EXPIRED", chain }))).toEqual(["error certificateExpired"]);
  });

  it("keys that cannot be fetched where no homeserver is at home", () => {
    const evidence = at({
      version: { ...noMatrix, ...version },
      keys: { ...noMatrix, document: undefined, same: undefined },
    });
    expect(found(evidence)).toEqual(["error notHomeserver"]);
  });
});
