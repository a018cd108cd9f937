/** More keys than this are left to the engine's sort, which is slow to start and does not go by the square. */
const FEW_KEYS = 24;

/** Sorts by UTF-16 units. Objects have few keys, and many of them come sorted. */
export function sortByUnits(keys: string[]): void {
  if (keys.length > FEW_KEYS) {
    keys.sort();
    return;
  }
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index] as string;
    let at = index - 1;
    while (at >= 0 && (keys[at] as string) > key) {
      keys[at + 1] = keys[at] as string;
      at--;
    }
    keys[at + 1] = key;
  }
}

/** Whether a text sorts by UTF-16 units as it does by code points. */
export const isBelowSurrogates = (text: string): boolean => !/[\ud800-\uffff]/.test(text);

const none: ReadonlySet<string> = new Set();

/** The object's own keys in canonical order. Of keys that are known, nobody looks whether they are below the surrogates. */
export function sortedKeys(object: object, known: { has(key: string): boolean } = none): string[] {
  const keys = Object.keys(object);
  for (const key of keys) {
    if (!known.has(key) && !isBelowSurrogates(key)) return keys.sort(compareCodePoints);
  }
  sortByUnits(keys);
  return keys;
}

/** Orders two well-formed texts by code points; `<` orders by UTF-16 units, which puts U+1F600 before U+FF61. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Surrogates stand for code points above every other UTF-16 unit. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
