/** The seven encodings of the points whose order divides eight, and so of all that sign nothing; the sign bit is 0. */
const smallOrder: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex);
/** The prime of the field that the coordinates are in: 2^255 - 19. */
const P = fromHex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
/** The order of the base point. */
const L = fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

/**
 * Whether a public key and a signature are in the one form that libsodium, and so Synapse, accepts: both of the right
 * length, S below the group order, the key's encoding canonical, neither the key nor R of small order. Without it, two
 * implementations of Ed25519 disagree about crafted signatures, and a room could be split with one.
 */
export function isStrict(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return (
    publicKey.length === 32 &&
    signature.length === 64 &&
    isBelow(publicKey, 0, P, 0x7f) &&
    isBelow(signature, 32, L, 0xff) &&
    !hasSmallOrder(publicKey) &&
    !hasSmallOrder(signature)
  );
}

/** Whether the little-endian number of 32 bytes is below a limit; its highest byte is masked. */
function isBelow(bytes: Uint8Array, offset: number, limit: Uint8Array, mask: number): boolean {
  for (let at = 31; at >= 0; at--) {
    const byte = (bytes[offset + at] as number) & (at === 31 ? mask : 0xff);
    const most = limit[at] as number;
    if (byte !== most) return byte < most;
  }
  return false;
}

/** Whether the first 32 bytes are the encoding of a point of small order, canonical or not. */
function hasSmallOrder(bytes: Uint8Array): boolean {
  return smallOrder.some((point) => {
    for (let at = 0; at < 31; at++) if (bytes[at] !== point[at]) return false;
    return ((bytes[31] as number) & 0x7f) === point[31];
  });
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}
