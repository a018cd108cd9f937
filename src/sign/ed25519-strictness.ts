/** The prime of the field that the coordinates are in. */
const P = 2n ** 255n - 19n;
/** The order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
/** The y coordinate of two of the four points of order eight; the other two have its negative. */
const Y_OF_ORDER_EIGHT = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
/** The y coordinates of the points whose order divides eight, and so of all that sign nothing. */
const smallOrder: ReadonlySet<bigint> = new Set([0n, 1n, P - 1n, Y_OF_ORDER_EIGHT, P - Y_OF_ORDER_EIGHT]);

/**
 * Whether a public key and a signature are in the one form that libsodium, and so Synapse, accepts: both of the right
 * length, S below the group order, the key's encoding canonical, neither the key nor R of small order. Without it, two
 * implementations of Ed25519 disagree about crafted signatures, and a room could be split with one.
 */
export function isStrict(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const y = yCoordinate(publicKey);
  return (
    y < P &&
    !smallOrder.has(y) &&
    !smallOrder.has(yCoordinate(signature.subarray(0, 32)) % P) &&
    littleEndian(signature.subarray(32)) < L
  );
}

/** A compressed point is its y coordinate; the top bit is the sign of x. */
const yCoordinate = (point: Uint8Array): bigint => BigInt.asUintN(255, littleEndian(point));

function littleEndian(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
  let value = 0n;
  for (const offset of [24, 16, 8, 0]) value = (value << 64n) | view.getBigUint64(offset, true);
  return value;
}
