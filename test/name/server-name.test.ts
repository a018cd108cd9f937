import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NameError } from "../../src/errors.js";
import { isServerName, parseServerName } from "../../src/name/server-name.js";

describe("parseServerName", () => {
  it.each([
    // The specification's own examples.
    ["matrix.org", "matrix.org", undefined, "dns"],
    ["matrix.org:8888", "matrix.org", 8888, "dns"],
    ["1.2.3.4", "1.2.3.4", undefined, "ipv4"],
    ["1.2.3.4:1234", "1.2.3.4", 1234, "ipv4"],
    ["[1234:5678::abcd]", "1234:5678::abcd", undefined, "ipv6"],
    ["[1234:5678::abcd]:5678", "1234:5678::abcd", 5678, "ipv6"],
    // More that is right.
    ["[::ffff:192.0.2.1]", "::ffff:192.0.2.1", undefined, "ipv6"],
    ["LOCALHOST", "LOCALHOST", undefined, "dns"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example", undefined, "dns"],
    ["example.org.", "example.org.", undefined, "dns"],
    ["1.example:443", "1.example", 443, "dns"],
    ["a.example:00443", "a.example", 443, "dns"],
  ])("takes %s apart", (name, hostname, port, kind) => {
    expect(parseServerName(name)).toEqual({ name, hostname, port, kind });
    expect(isServerName(name)).toBe(true);
  });

  it.each([
    ["", "is empty"],
    ["https://matrix.org", "is a URL"],
    ["bücher.example", "xn--"],
    ["2001:db8::1", "several colons"],
    ["[2001:db8::g]", "several colons"],
    ["[2001:db8:::1]", "no valid IPv6"],
    ["[fe80::1%eth0]", "several colons"],
    ["[1.2.3.4]", "no valid IPv6"],
    ["1.2.3.256", "no valid IPv4"],
    ["1.2.3.04", "no valid IPv4"],
    ["127.1", "ends in a number"],
    ["2130706433", "ends in a number"],
    ["0x7f.0x1", "ends in a number"],
    ["1.2.3.4.", "ends in a number"],
    ["a..b", "a label"],
    [".a", "a label"],
    ["a.example..", "a label"],
    [`${"a".repeat(64)}.example`, "a label"],
    ["a_b.example", "not a host"],
    ["a.example:", "not a host"],
    ["a.example:0", "1 to 65535"],
    ["a.example:65536", "1 to 65535"],
    ["a.example:123456", "not a host"],
    ["a.example:+80", "not a host"],
    ["a.example/path", "not a host"],
    ["user@a.example", "not a host"],
    ["a.example\n", "not a host"],
    [" a.example", "not a host"],
    [`${"a.".repeat(127)}org`, "longer than 255"],
  ])("refuses %j", (name, reason) => {
    expect(isServerName(name)).toBe(false);
    expect(() => parseServerName(name)).toThrow(reason);
    expect(() => parseServerName(name)).toThrow(
      expect.objectContaining({ name: "NameError", code: "ERR_SERVER_NAME" }),
    );
  });

  it("refuses what is no string", () => {
    for (const value of [undefined, null, 1, {}, Object.create(null), ["a.example"], Symbol("a")]) {
      expect(() => parseServerName(value)).toThrow(NameError);
      expect(isServerName(value)).toBe(false);
    }
  });

  it("keeps names apart that differ in port or case only", () => {
    expect(parseServerName("a.example").name).not.toBe(parseServerName("a.example:443").name);
    expect(parseServerName("A.example").name).toBe("A.example");
  });

  it("judges any text, and what it accepts is the host of a URL", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.domain(),
          fc.ipV4(),
          fc.ipV6().map((ip) => `[${ip}]`),
          fc.webAuthority(),
        ),
        (text) => {
          if (!isServerName(text)) return;
          const { hostname, kind } = parseServerName(text);
          const url = new URL(`https://${text}/`);
          if (kind === "ipv6") expect(url.hostname.startsWith("[")).toBe(true);
          else expect(url.hostname).toBe(hostname.toLowerCase());
        },
      ),
    );
  });

  it("takes linear time", () => {
    const start = performance.now();
    for (const text of ["a.".repeat(100_000), "1".repeat(100_000), "a-".repeat(127), "1.".repeat(127)])
      isServerName(text);
    expect(performance.now() - start).toBeLessThan(200);
  });
});
