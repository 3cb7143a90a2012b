/**
 * Randomness as the runtime sees it. Injected like the clock, so that a run with a seed can be repeated.
 *
 * Seeded numbers come from xoshiro128** (D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", ACM Transactions on Mathematical Software 47(4), 2021), whose state is a SHA-256 digest of the
 * seed. Tests count their seeds up from 0, and a generator that takes such a seed as it is begins almost alike
 * with all of them, so that its first choice is always the same one. With a digest the label of a fork can be
 * any string, too. Not for secrets: the numbers tell the state.
 */

export interface Random {
  /** A number from 0 to 1, without 1. */
  next(): number;
  /**
   * A whole number from 0 to `below`, without it.
   * @throws TypeError unless `below` is a whole number from 1 to 2^32
   */
  int(below: number): number;
  /**
   * A source of its own. That of a seeded one depends on the seed and the labels that led to it alone, not on
   * what was drawn before; equal labels give equal numbers. So one part of a run may draw more than it did
   * without changing what the others draw.
   */
  fork(label: string): Random;
}

const WORD_VALUES = 2 ** 32;

/** `Math.random`; each of its forks is the same source. */
export const systemRandom: Random = {
  next: () => Math.random(),
  int(below: number): number {
    assertBelow(below);
    return Math.floor(Math.random() * below);
  },
  fork: () => systemRandom,
};

/**
 * A source whose numbers the seed determines, in every version of the runtime and on every machine.
 * @throws TypeError if the seed is not finite
 */
export function seededRandom(seed: number): Random {
  if (!Number.isFinite(seed)) throw new TypeError(`A seed is a finite number; got ${seed}.`);
  return new SeededRandom(digestOf(String(seed)));
}

class SeededRandom implements Random {
  readonly #digest: string;
  readonly #state: Uint32Array;

  /** @param digest 64 hexadecimal digits; the first half is the generator's first state, which must not be all 0 */
  constructor(digest: string) {
    this.#digest = digest;
    this.#state = Uint32Array.from({ length: 4 }, (_, word) => Number.parseInt(digest.slice(8 * word, 8 * word + 8), 16));
  }

  next(): number {
    // 53 bits, as many as a number has: the upper 27 of one word, then the upper 26 of another.
    const high = xoshiro128StarStar(this.#state) >>> 5;
    const low = xoshiro128StarStar(this.#state) >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  int(below: number): number {
    assertBelow(below);
    // The remainders of the words from here on are not all equally frequent, so those words are drawn again.
    const end = WORD_VALUES - (WORD_VALUES % below);
    let word: number;
    do word = xoshiro128StarStar(this.#state);
    while (word >= end);
    return word % below;
  }

  fork(label: string): Random {
    // All digests are of one length, so no two chains of labels make the same text.
    return new SeededRandom(digestOf(this.#digest + label));
  }
}

/** Steps the generator. @param state four words, not all 0; @returns a whole number below 2^32 */
export function xoshiro128StarStar(state: Uint32Array): number {
  const s0 = state[0]!;
  const s1 = state[1]!;
  const mixed2 = state[2]! ^ s0;
  const mixed3 = state[3]! ^ s1;
  state[0] = s0 ^ mixed3;
  state[1] = s1 ^ mixed2;
  state[2] = mixed2 ^ (s1 << 9);
  state[3] = rotated(mixed3, 11);
  return Math.imul(rotated(Math.imul(s1, 5), 7), 9) >>> 0;
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** The module comes with the first seed only: to load it takes a thread longer than all else here. */
function digestOf(text: string): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', text, 'hex');
}

function assertBelow(below: number): void {
  if (!(Number.isInteger(below) && below >= 1 && below <= WORD_VALUES)) {
    throw new TypeError(`A random whole number lies below one from 1 to 2^32; got ${below}.`);
  }
}
