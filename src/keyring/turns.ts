/** How many servers are asked at once, by all searches together. */
const MAX_UNDER_WAY = 50;
/** How many requests a search may have under way for each one that is left to the others: four fifths, at most. */
const SHARE_OF_THE_REST = 4;
/** How many servers a search asks itself at most: each costs a connection, and whoever is named has to bear it. */
const MAX_SERVERS = 500;

/** What one search has of the requests; or all searches for one answer together. */
export class Share {
  /** Its servers that are still to be asked, in order. */
  readonly waiting: Set<Turn> = new Set();
  /** How many requests it has under way. */
  underWay = 0;
  /** How many more servers it may ask. */
  left: number = MAX_SERVERS;
}

/** The turn of one server to be asked. Several searches may wait for it. */
export class Turn {
  /** Whose turn it was; `undefined` before. */
  share: Share | undefined;
  /** Whether another server may be asked in its place. */
  isOver = false;
  /** The searches in whose lines it is. */
  readonly shares: Set<Share> = new Set();
  /** Called once, when the server may be asked. */
  readonly begin: () => void;

  /** With what happens when it comes. */
  constructor(begin: () => void) {
    this.begin = begin;
  }
}

/**
 * Whose turn it is to be asked. Each search has a line of its own, and what is free goes to the one with the fewest
 * requests under way. Something is always left over by a large search, so that a small one need not wait for it.
 */
export class Turns {
  // Those with a line; the one that was served least recently comes first.
  readonly #shares = new Set<Share>();
  #free = MAX_UNDER_WAY;

  /** Lines up. Returns false when the search may ask no more servers. */
  wait(turn: Turn, share: Share): boolean {
    if (turn.share || share.waiting.has(turn)) return true;
    if (share.left === 0) return false;
    share.left -= 1;
    share.waiting.add(turn);
    turn.shares.add(share);
    this.#shares.add(share);
    this.#serve();
    return true;
  }

  /** A turn is over, or will never come. It ends once, however often that is said. */
  end(turn: Turn): void {
    this.#leaveLines(turn);
    if (!turn.share || turn.isOver) return;
    turn.isOver = true;
    turn.share.underWay -= 1;
    this.#free += 1;
    this.#serve();
  }

  #leaveLines(turn: Turn): void {
    for (const share of turn.shares) {
      share.waiting.delete(turn);
      if (share.waiting.size === 0) this.#shares.delete(share);
    }
    turn.shares.clear();
  }

  #serve(): void {
    for (let share = this.#next(); share; share = this.#next()) {
      const [turn] = share.waiting;
      if (!turn) return;
      this.#leaveLines(turn);
      if (this.#shares.delete(share)) this.#shares.add(share);
      turn.share = share;
      share.underWay += 1;
      this.#free -= 1;
      turn.begin();
    }
  }

  #next(): Share | undefined {
    let next: Share | undefined;
    for (const share of this.#shares) {
      if (share.underWay >= SHARE_OF_THE_REST * this.#free) continue;
      if (!next || share.underWay < next.underWay) next = share;
    }
    return next;
  }
}
