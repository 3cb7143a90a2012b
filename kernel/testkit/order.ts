/**
 * Which of the possible steps is taken next, by seed.
 *
 * Half of the seeds choose evenly. The other half give each of those who step a rank and let the first go on
 * until its rank is changed: long runs of one thread while another stands still are rare by even choice, and most
 * bugs need but a few changes at the right places (S. Burckhardt et al., "A Randomized Scheduler with
 * Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
 */
import type { Random } from '../time/random.ts';

/** One of so many steps by rank sends its taker to the back. */
const STEPS_PER_CHANGE = 24;

export class Order {
  readonly #random: Random;
  readonly #ranks: Map<string, number> | undefined;

  constructor(random: Random) {
    this.#random = random;
    this.#ranks = random.int(2) === 0 ? undefined : new Map();
  }

  /** @param takers who may step; at least one; @returns an index */
  choose(takers: readonly { readonly key: string }[]): number {
    if (this.#ranks === undefined) return this.#random.int(takers.length);
    let best = 0;
    let bestRank = -1;
    for (const [index, { key }] of takers.entries()) {
      const rank = this.#rankOf(key);
      if (rank <= bestRank) continue;
      best = index;
      bestRank = rank;
    }
    // Below all ranks that are drawn.
    if (this.#random.int(STEPS_PER_CHANGE) === 0) this.#ranks.set(takers[best]!.key, this.#random.next() / 1_000);
    return best;
  }

  #rankOf(key: string): number {
    let rank = this.#ranks!.get(key);
    if (rank === undefined) this.#ranks!.set(key, (rank = this.#random.next()));
    return rank;
  }
}
