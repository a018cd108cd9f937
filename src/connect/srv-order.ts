import type { Target } from "./target.js";

/** Fisher and Yates: every order is equally likely. */
function shuffled(targets: readonly Target[], random: () => number): Target[] {
  const order: Target[] = [];
  for (const target of targets) order.splice(Math.floor(random() * (order.length + 1)), 0, target);
  return order;
}

/** The targets of one priority, in an order drawn by their weights (RFC 2782, "Weight"). */
function drawn(targets: readonly Target[], random: () => number): Target[] {
  if (targets.length < 2) return [...targets];
  const weightless = shuffled(
    targets.filter(({ weight }) => weight === 0),
    random,
  );
  const weighted = targets.filter(({ weight }) => weight !== 0);
  // Weight 0 stands in front, where only a draw of exactly 0 finds it.
  const rest = [...weightless, ...weighted];
  const order: Target[] = [];
  while (rest.length > 1) {
    const sum = rest.reduce((total, { weight }) => total + weight, 0);
    // Where no weight is 0 a draw of 0 is left out: it would only favour whoever happens to stand in front.
    const least = rest[0]?.weight === 0 ? 0 : 1;
    const draw = least + Math.floor(random() * (sum + 1 - least));
    let running = 0;
    const at = rest.findIndex(({ weight }) => {
      running += weight;
      return running >= draw;
    });
    order.push(...rest.splice(at, 1));
  }
  return [...order, ...rest];
}

/**
 * The order to try targets in: ascending priority, and inside one priority drawn anew at each call, so that over many
 * calls each target comes first about as often as its weight says. A target of weight 0 is hardly ever before one that
 * has a weight; among themselves they come in any order. RFC 2782.
 *
 * @param random - Gives numbers from 0 up to, but not including, 1. `Math.random` when absent; it is not asked where
 * there is nothing to draw.
 * @returns A new list of the same targets.
 */
export function inSrvOrder(targets: readonly Target[], random: () => number = Math.random): Target[] {
  if (targets.length < 2) return [...targets];
  const priorities = [...new Set(targets.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((wanted) =>
    drawn(
      targets.filter(({ priority }) => priority === wanted),
      random,
    ),
  );
}
