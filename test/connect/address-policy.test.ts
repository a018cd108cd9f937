import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AddressQuestion, type AllowAddress, createAddressPolicy } from "../../src/connect/address-policy.js";
import { OptionError } from "../../src/errors.js";

const ask = (address: string, allow?: AllowAddress): string | undefined =>
  createAddressPolicy(allow)({ hostname: "a.example", address, port: 8448 });
const isAllowed = (address: string, allow?: AllowAddress): boolean => ask(address, allow) === undefined;

/** The IANA registries' ranges that are not globally reachable, written down once more, for Node's own matcher. */
const SPECIAL_IPV4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"],
  // AMT and AS112, which everybody reaches and nobody has a server in.
  ...["192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"],
];
const SPECIAL_IPV6 = [
  ...["::/128", "::1/128", "::ffff:0:0/96", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"],
  ...["2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"],
  ...["2620:4f:8000::/48"],
];

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", prefix] = range.split("/");
    list.addSubnet(address, Number(prefix), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/** Addresses as numbers, so that the tests share no parser with what they test. */
const MAX = { 4: 2n ** 32n - 1n, 6: 2n ** 128n - 1n } as const;
const toText = (value: bigint, family: 4 | 6): string => {
  const [parts, bits, radix] = family === 4 ? [4, 8n, 10] : [8, 16n, 16];
  const mask = (1n << bits) - 1n;
  const all = Array.from({ length: parts }, (_, at) =>
    ((value >> (bits * BigInt(parts - 1 - at))) & mask).toString(radix),
  );
  return all.join(family === 4 ? "." : ":");
};
const toNumber = (address: string): bigint => {
  if (isIP(address) === 4) return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [left = "", right] = address.split("::");
  const words = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const gap = right === undefined ? 0 : 8 - words(left).length - words(right).length;
  const all = [...words(left), ...Array<string>(gap).fill("0"), ...words(right ?? "")];
  return all.reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n);
};

/** Any address, or one at a border of one of the ranges: the last before, the first, the last, the first after. */
function addresses(family: 4 | 6, ranges: readonly string[]): fc.Arbitrary<string> {
  const borders = ranges.flatMap((range) => {
    const [address = "", prefix] = range.split("/");
    const first = toNumber(address);
    const last = first + (1n << BigInt((family === 4 ? 32 : 128) - Number(prefix))) - 1n;
    return [first - 1n, first, last, last + 1n].filter((value) => value >= 0n && value <= MAX[family]);
  });
  const near = fc.tuple(fc.constantFrom(...borders), fc.bigInt(-3n, 3n)).map(([border, by]) => border + by);
  return fc
    .oneof(fc.bigInt(0n, MAX[family]), fc.constantFrom(...borders), near)
    .filter((value) => value >= 0n && value <= MAX[family])
    .map((value) => toText(value, family));
}

describe("a connection may go, unless something else is allowed,", () => {
  it("to every IPv4 address but those of the IANA special-purpose ranges", () => {
    const special = blockList(SPECIAL_IPV4);
    fc.assert(
      fc.property(addresses(4, SPECIAL_IPV4), (address) => {
        expect(isAllowed(address), address).toBe(!special.check(address, "ipv4"));
      }),
      { numRuns: 2_000 },
    );
  });

  it("to every IPv6 address of 2000::/3 but those of the IANA special-purpose ranges", () => {
    const special = blockList(SPECIAL_IPV6);
    const global = blockList(["2000::/3"]);
    const nat64 = blockList(["64:ff9b::/96"]);
    fc.assert(
      fc.property(addresses(6, [...SPECIAL_IPV6, "2000::/3", "64:ff9b::/95"]), (address) => {
        fc.pre(!nat64.check(address, "ipv6"));
        expect(isAllowed(address), address).toBe(global.check(address, "ipv6") && !special.check(address, "ipv6"));
      }),
      { numRuns: 2_000 },
    );
  });

  it("to a NAT64 address just when it may go to the IPv4 address inside", () => {
    fc.assert(
      fc.property(addresses(4, SPECIAL_IPV4), (inside) => {
        expect(isAllowed(`64:ff9b::${inside}`), inside).toBe(isAllowed(inside));
      }),
      { numRuns: 1_000 },
    );
  });

  it("to no IPv4-mapped, IPv4-compatible, 6to4 or Teredo address, whatever is inside", () => {
    fc.assert(
      fc.property(addresses(4, SPECIAL_IPV4), (inside) => {
        const hex = toText(toNumber(inside), 6).split(":").slice(-2).join(":");
        for (const address of [`::ffff:${inside}`, `::${inside}`, `2002:${hex}::1`, `2001:0:${hex}::1`]) {
          expect(isAllowed(address), address).toBe(false);
        }
      }),
    );
  });

  it.each(["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])("to %s", (address) => {
    expect(ask(address)).toBeUndefined();
  });

  it.each([
    ["127.0.0.1", "127.0.0.1 is not public (loopback)"],
    ["0.0.0.0", "0.0.0.0 is not public (unspecified)"],
    ["10.1.2.3", "10.1.2.3 is not public (private)"],
    ["169.254.169.254", "169.254.169.254 is not public (linkLocal)"],
    ["100.100.100.200", "100.100.100.200 is not public (carrierGradeNat)"],
    ["255.255.255.255", "255.255.255.255 is not public (broadcast)"],
    ["::1", "::1 is not public (loopback)"],
    ["0:0:0:0:0:0:0:1", "::1 is not public (loopback)"],
    ["FD00::1", "fd00::1 is not public (uniqueLocal)"],
    ["::ffff:127.0.0.1", "::ffff:7f00:1 is not public (ipv4Mapped)"],
    ["::127.0.0.1", "::7f00:1 is not public (reserved)"],
    ["64:ff9b::127.0.0.1", "64:ff9b::7f00:1 is not public (NAT64 of 127.0.0.1, loopback)"],
    ["64:ff9b:1::808:808", "64:ff9b:1::808:808 is not public (rfc6052)"],
    ["2001:0:808:808::1", "2001:0:808:808::1 is not public (teredo)"],
    ["2001:20::1", "2001:20::1 is not public (orchid2)"],
    ["4000::1", "4000::1 is not public (reserved)"],
  ])("not to %s, and the reason says what it is", (address, reason) => {
    expect(ask(address)).toBe(reason);
  });
});

describe("text that is no plain IP address", () => {
  it.each(["", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "8.8.8.8 ", "[::1]", "fe80::1%eth0"])(
    "is refused, whatever is allowed: %j",
    (address) => {
      const reason = `"${address}" is no plain IP address`;
      expect(ask(address)).toBe(reason);
      expect(ask(address, ["0.0.0.0/0", "::/0"])).toBe(reason);
      expect(ask(address, () => true)).toBe(reason);
    },
  );

  it("never makes the rule throw or allow, and its reason is one line", () => {
    const ipLike = fc.string({ unit: fc.constantFrom(..."0123456789abcdefx:.%/[]@ \n"), maxLength: 45 });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), ipLike), (text) => {
        const reason = ask(text, ["0.0.0.0/0", "::/0"]);
        if (isIP(text) !== 0 && !text.includes("%")) expect(reason).toBeUndefined();
        else expect(reason).toMatch(/^[^\n\r\u2028\u2029]+ is no plain IP address$/);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a list of addresses and ranges", () => {
  it("allows what is in it, beside public addresses and nothing else", () => {
    const allow = ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"];
    for (const address of ["127.0.0.1", "10.255.0.1", "::1", "fdff::1", "8.8.8.8", "2606:4700::1"]) {
      expect(ask(address, allow)).toBeUndefined();
    }
    for (const address of ["127.0.0.2", "192.168.0.1", "::2", "fc00::1"]) {
      expect(ask(address, allow)).toContain("is not public");
    }
  });

  it("matches ranges as Node's own matcher does, with host bits set or not", () => {
    const cases = fc.constantFrom<4 | 6>(4, 6).chain((family) =>
      fc.record({
        family: fc.constant(family),
        range: fc.bigInt(0n, MAX[family]),
        prefix: fc.integer({ min: 0, max: family === 4 ? 32 : 128 }),
        flipped: fc.integer({ min: 0, max: family === 4 ? 31 : 127 }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ family, range, prefix, flipped }) => {
        const entry = `${toText(range, family)}/${prefix}`;
        const address = toText(range ^ (1n << BigInt(flipped)), family);
        // Node matches mapped addresses with IPv4 ranges; these tests keep the families apart.
        const isListed = blockList([entry]).check(address, family === 4 ? "ipv4" : "ipv6");
        expect(isAllowed(address, [entry]), `${address} in ${entry}`).toBe(isListed || isAllowed(address));
      }),
      { numRuns: 1_000 },
    );
  });

  it("keeps the families apart: an IPv4 range opens no IPv6 address with an IPv4 address inside, nor the other way round", () => {
    for (const address of ["::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1", "::1"]) {
      expect(isAllowed(address, ["0.0.0.0/0"])).toBe(false);
      expect(isAllowed(address, ["::/0"])).toBe(true);
    }
    expect(isAllowed("127.0.0.1", ["::/0", "::ffff:0:0/96", "::ffff:127.0.0.1"])).toBe(false);
    expect(isAllowed("::ffff:127.0.0.1", ["::ffff:127.0.0.1"])).toBe(true);
  });

  it("is read once: what is added to it later is not allowed", () => {
    const list = ["10.0.0.0/8"];
    const policy = createAddressPolicy(list);
    list.push("127.0.0.1");
    expect(policy({ hostname: "a.example", address: "127.0.0.1", port: 1 })).toContain("loopback");
  });

  it.each([
    ...["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0/8", "10.0.0.0/0x8"],
    ...["10.0.0.0/255.0.0.0", "fe80::1%eth0", "[::1]", " ::1", "10.*.*.*"],
  ])("is refused with the entry that is wrong: %j", (entry) => {
    const create = (): unknown => createAddressPolicy(["::1", entry]);
    expect(create).toThrow(OptionError);
    expect(create).toThrow(`has the entry "${entry}"; it must be an IP address or a range`);
  });

  it.each([null, true, "127.0.0.1", {}, [1], [null]])("is refused when untyped code gives %j", (allow) => {
    expect(() => createAddressPolicy(allow as unknown as AllowAddress)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", message: expect.stringContaining("allowAddress") }),
    );
  });
});

describe("a function", () => {
  it("is told everything about the address, in one spelling", () => {
    const questions: AddressQuestion[] = [];
    const policy = createAddressPolicy((question) => questions.push(question) > 0);
    policy({ hostname: "a.example", address: "8.8.8.8", port: 443 });
    policy({ hostname: "b.example", address: "FD00:0:0:0:0:0:0:1", port: 8448 });
    expect(questions).toEqual([
      { hostname: "a.example", address: "8.8.8.8", family: 4, port: 443, isPublic: true },
      { hostname: "b.example", address: "fd00::1", family: 6, port: 8448, isPublic: false },
    ]);
  });

  it("decides about every address, public or not", () => {
    expect(isAllowed("127.0.0.1", () => true)).toBe(true);
    expect(isAllowed("8.8.8.8", () => true)).toBe(true);
    expect(ask("8.8.8.8", () => false)).toBe("8.8.8.8 is refused by the option allowAddress");
    expect(ask("127.0.0.1", () => false)).toBe("127.0.0.1 is refused by the option allowAddress");
  });

  it("allows with true alone: a promise or any other value is no permission", () => {
    for (const answer of [Promise.resolve(true), 1, "yes", {}, undefined]) {
      expect(isAllowed("8.8.8.8", (() => answer) as unknown as AllowAddress)).toBe(false);
    }
  });

  it("may throw: its own error comes through", () => {
    const bug = new RangeError("a bug of the caller's");
    expect(() =>
      ask("8.8.8.8", () => {
        throw bug;
      }),
    ).toThrow(bug);
  });
});
