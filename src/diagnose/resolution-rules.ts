import { atEachStep, type Evidence, isProxys, type Rule } from "./evidence.js";
import type { DiagnosedStep, ResolutionFindingCode } from "./report.js";

const INSECURE = /^redirects to something that is not https/;
/** What an answer of the host's looks like, as against the failure to get one. */
const INVALID = /^(?:answered |the body |m\.server |redirects |more than )/;
/** Nothing listens there, or it must not be asked: as if there were no such file. */
const NOBODY = /\b(?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ECONNRESET)\b|has no address|is not public/;

/** The host is none at all: the name then has no address either, or an SRV record makes up for it. */
const NO_HOST = /has no address \(A E(?:NOTFOUND|NODATA), AAAA E(?:NOTFOUND|NODATA)\b/;

const RIGHT_FILE = 'serve {"m.server": "matrix.example:443"} with the status 200, or a plain 404 to delegate to nobody';

const ofKind = ({ resolution }: Evidence, step: DiagnosedStep["step"]): DiagnosedStep[] =>
  resolution.steps.filter((each) => each.step === step);

const foundSrv = (evidence: Evidence): DiagnosedStep | undefined =>
  ofKind(evidence, "srv").find(({ outcome }) => outcome === "found");

/** The addresses that came from DNS; none where an address stands in the name. */
const lookedUp = (evidence: Evidence): Evidence["addresses"] =>
  ofKind(evidence, "address").length > 0 && evidence.isResolved ? evidence.addresses : [];

const isIpv6Unknown = ({ failedQueries }: Evidence): boolean =>
  failedQueries.some(({ query }) => query.startsWith("AAAA "));
const isIpv4Unknown = ({ failedQueries }: Evidence): boolean =>
  failedQueries.some(({ query }) => query.startsWith("A "));

function nameAdvice(evidence: Evidence): string {
  const delegated = ofKind(evidence, "wellKnown").find(({ outcome }) => outcome === "found");
  return delegated
    ? `The name comes from ${delegated.query}: correct it there, or give it an A or AAAA record.`
    : "Check the spelling, and give the name an A or AAAA record; or delegate with .well-known or an SRV record.";
}

function wellKnownFailure(step: DiagnosedStep): "insecure" | "invalid" | "unreachable" | undefined {
  if (step.step !== "wellKnown" || step.outcome !== "failed") return undefined;
  if (INSECURE.test(step.result)) return "insecure";
  return INVALID.test(step.result) ? "invalid" : "unreachable";
}

/** What can be found while the name is resolved. */
export const resolutionRules: Readonly<Record<ResolutionFindingCode, Rule>> = {
  nameNotFound: atEachStep("error", ({ step, query, result, outcome }, evidence) =>
    step === "address" && outcome === "absent" && !foundSrv(evidence)
      ? { message: `Step address: ${query} has no address (${result}).`, advice: nameAdvice(evidence) }
      : undefined,
  ),
  dnsFailed: atEachStep("error", ({ step, query, result, outcome }, evidence) =>
    step === "address" && outcome === "failed" && !foundSrv(evidence)
      ? {
          message: `Step address: DNS did not say where ${query} is (${result}).`,
          advice:
            "Check that the domain's name servers answer and that its DNSSEC is in order, and the DNS server here.",
        }
      : undefined,
  ),
  dnsPartial: {
    severity: "warning",
    find: (evidence) =>
      evidence.failedQueries
        .filter(({ query }) => {
          const [, name] = query.split(" ");
          return ofKind(evidence, "address").some((step) => step.query === name && step.outcome === "found");
        })
        .map(({ query, code }) => ({
          about: query,
          message: `DNS did not answer the query ${query} (${code}), though it has other addresses of that name.`,
          advice:
            "Check the domain's name servers: they must answer every query, with no records where there are none.",
        })),
  },
  wellKnownInvalid: atEachStep("warning", (step) =>
    wellKnownFailure(step) === "invalid"
      ? {
          message: `The answer is no valid delegation, and is ignored: ${step.result}.`,
          advice: `Correct what the host answers there: ${RIGHT_FILE}.`,
        }
      : undefined,
  ),
  wellKnownInsecure: atEachStep("warning", (step) =>
    wellKnownFailure(step) === "insecure"
      ? {
          message: `The delegation is ignored: it ${step.result}.`,
          advice: "Redirect to an https:// URL, or serve the file where it is asked for.",
        }
      : undefined,
  ),
  wellKnownUnreachable: atEachStep("warning", (step) =>
    wellKnownFailure(step) === "unreachable" && !NO_HOST.test(step.result) && !isProxys(step)
      ? {
          severity: NOBODY.test(step.result) ? "note" : "warning",
          message: `No answer, so nothing is delegated: ${step.result}.`,
          advice:
            "Where the server is meant to delegate, make this URL work, with a valid certificate for the name in it.",
        }
      : undefined,
  ),
  srvFailed: atEachStep("warning", ({ step, query, result, outcome }) =>
    step === "srv" && outcome === "failed"
      ? {
          message: `Step srv: DNS did not answer the query SRV ${query} (${result}); port 8448 is used.`,
          advice: "Check the domain's name servers and the record: its target must be a host name, and its port not 0.",
        }
      : undefined,
  ),
  srvRefused: atEachStep("error", ({ step, query, outcome }) =>
    step === "srv" && outcome === "refused"
      ? {
          message: `The SRV record ${query} has the target ".", which says that there is no server.`,
          advice: "Remove the record, or give it the host name and the port of the server.",
        }
      : undefined,
  ),
  srvTargetMissing: atEachStep("error", ({ step, query, result, outcome }, evidence) => {
    const srv = foundSrv(evidence);
    return step === "address" && outcome !== "found" && srv
      ? {
          severity: evidence.resolution.targets.length > 0 ? "warning" : "error",
          message: `The SRV record ${srv.query} names ${query}, which has no address (${result}).`,
          advice: "Give the target an A or AAAA record, or correct the SRV record; its target must be no CNAME.",
        }
      : undefined;
  }),
  srvDeprecated: {
    severity: "note",
    find: (evidence) => {
      const { query } = foundSrv(evidence) ?? { query: "" };
      if (!query.startsWith("_matrix._tcp.")) return [];
      const message = "The server is found by the deprecated SRV record _matrix._tcp.";
      return [{ about: query, message, advice: "Publish the same record as _matrix-fed._tcp, beside it for a while." }];
    },
  },
  noIpv6: {
    severity: "note",
    find: (evidence) => {
      const all = lookedUp(evidence);
      if (all.length === 0 || all.some(({ family }) => family === 6) || isIpv6Unknown(evidence)) return [];
      const message = "The server has IPv4 addresses only (no AAAA record).";
      return [
        { about: evidence.server, message, advice: "Nothing need be done; servers without IPv4 cannot reach it." },
      ];
    },
  },
  onlyIpv6: {
    severity: "note",
    find: (evidence) => {
      const all = lookedUp(evidence);
      if (all.length === 0 || all.some(({ family }) => family === 4) || isIpv4Unknown(evidence)) return [];
      const message = "The server has IPv6 addresses only (no A record).";
      const advice = "Give it an IPv4 address as well: many servers have no IPv6 and cannot reach it.";
      return [{ about: evidence.server, message, advice }];
    },
  },
  tooManyAddresses: {
    severity: "warning",
    find: ({ server, addresses, moreAddresses }) =>
      moreAddresses === 0
        ? []
        : [
            {
              about: server,
              message: `The server has ${addresses.length + moreAddresses} addresses; ${moreAddresses} are not used, and were not examined.`,
              advice:
                "Publish at most 8 addresses of each kind for a host, and 32 in all: others do not try all of so many either.",
            },
          ],
  },
};
