/**
 * The message that all ways carry, and what every receiver does with it: it adds the values up, and the
 * sum must come out. Each message is an object of its own, as an actor would make it.
 */
export interface Reading {
  readonly id: number;
  readonly kind: string;
  readonly value: number;
}

export const READING_SCHEMA = {
  properties: { id: { type: 'uint32' }, kind: { type: 'string' }, value: { type: 'float64' } },
} as const;

const KINDS = ['speed', 'height', 'heading', 'pressure'] as const;

export function makeReading(id: number): Reading {
  return { id, kind: KINDS[id & 3]!, value: id * 0.5 };
}

/** Counts and adds up what has come, and says when all of it is there. */
export class Tally {
  #count = 0;
  #sum = 0;
  #expected = Infinity;
  #resolve: () => void = () => {};

  add({ value }: Reading): void {
    this.#sum += value;
    if (++this.#count === this.#expected) this.#resolve();
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Resolves once `count` readings have come. */
  reached(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#expected = count;
    this.#resolve = resolve;
    if (this.#count >= count) resolve();
    return promise;
  }
}

/** @throws Error when the readings of ids 0 to `count` - 1 have not all arrived, once each and whole */
export function checkTally({ count, sum }: { readonly count: number; readonly sum: number }, expected: number): void {
  // All sums are multiples of a half below 2^52, and so are exact.
  if (count !== expected || sum !== (expected * (expected - 1)) / 4) throw new Error(`messages were lost or changed: ${count} of ${expected}, sum ${sum}`);
}
