import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom, systemRandom, xoshiro128StarStar, type Random } from '../../../kernel/time/random.ts';

const draws = (random: Random, count = 20): number[] => Array.from({ length: count }, () => random.next());

/** How far the counts are from equal ones, as chi squared. */
function chiSquared(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
}

function countsOf(values: Iterable<number>, kinds: number): number[] {
  const counts = Array.from({ length: kinds }, () => 0);
  for (const value of values) counts[value]!++;
  return counts;
}

/** Chi squared of 10 kinds exceeds this in one of a million fair sources. The seeds here are fixed. */
const CHI_SQUARED_MAX = 45.1;

describe('the generator', () => {
  test('gives the published numbers of xoshiro128** for the state 1, 2, 3, 4', () => {
    const state = Uint32Array.of(1, 2, 3, 4);
    expect(Array.from({ length: 10 }, () => xoshiro128StarStar(state))).toEqual([
      11_520, 0, 5_927_040, 70_819_200, 2_031_721_883, 1_637_235_492, 1_287_239_034, 3_734_860_849, 3_729_100_597, 4_258_142_804,
    ]);
  });
});

describe('a seeded source', () => {
  test('gives the same numbers for the same seed, in every version', () => {
    expect(draws(seededRandom(42))).toEqual(draws(seededRandom(42)));
    const random = seededRandom(1);
    expect([random.int(1_000), random.int(1_000), random.fork('mailbox').int(1_000)]).toEqual([142, 920, 557]);
  });

  test('gives other numbers for another seed, be it negative, large or a fraction', () => {
    const seeds = [0, 1, -1, 0.5, 2 ** 32, 2 ** 32 + 1, 2 ** 53, Number.MAX_VALUE];
    expect(new Set(seeds.map((seed) => draws(seededRandom(seed)).join())).size).toBe(seeds.length);
  });

  test('makes fair first choices over seeds that are counted up', () => {
    const first = Array.from({ length: 10_000 }, (_, seed) => Math.floor(seededRandom(seed).next() * 10));
    expect(chiSquared(countsOf(first, 10))).toBeLessThan(CHI_SQUARED_MAX);
    const firstOfTen = Array.from({ length: 10_000 }, (_, seed) => seededRandom(seed).int(10));
    expect(chiSquared(countsOf(firstOfTen, 10))).toBeLessThan(CHI_SQUARED_MAX);
  });

  test('refuses a seed that is no finite number', () => {
    for (const seed of [NaN, Infinity, -Infinity]) expect(() => seededRandom(seed)).toThrow(TypeError);
  });

  test('is fair where 2^32 is no multiple of the range', () => {
    const random = seededRandom(7);
    // Without the second draw, the lower third of this range would come up twice as often as the rest.
    const below = 3 * 2 ** 30;
    const thirds = Array.from({ length: 30_000 }, () => Math.floor(random.int(below) / 2 ** 30));
    expect(chiSquared(countsOf(thirds, 3))).toBeLessThan(27.7);
  });
});

describe('a fork', () => {
  test('does not depend on what was drawn before it, nor changes what is drawn after', () => {
    const early = seededRandom(5);
    const late = seededRandom(5);
    const earlyFork = early.fork('actor');
    const expected = draws(late);
    expect(draws(earlyFork)).toEqual(draws(late.fork('actor')));
    expect(draws(early)).toEqual(expected);
  });

  test('differs from its parent, from forks of other labels and from forks of forks', () => {
    const random = seededRandom(5);
    const sources = [random, random.fork(''), random.fork('a'), random.fork('b'), random.fork('a').fork('b'), random.fork('ab'), random.fork('b').fork('a')];
    expect(new Set(sources.map((source) => draws(source).join())).size).toBe(sources.length);
  });

  test('of another seed differs', () => {
    expect(draws(seededRandom(1).fork('a'))).not.toEqual(draws(seededRandom(2).fork('a')));
  });
});

describe.each<[string, Random]>([
  ['the system’s source', systemRandom],
  ['a fork of the system’s source', systemRandom.fork('any')],
  ['a seeded source', seededRandom(11)],
  ['a fork of a seeded source', seededRandom(11).fork('any')],
])('%s', (_, random) => {
  test('draws numbers from 0 to 1 that are not all alike', () => {
    const numbers = draws(random, 10_000);
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(9_990);
  });

  test('draws every whole number below the limit and no other', () => {
    const counts = countsOf(Array.from({ length: 10_000 }, () => random.int(10)), 10);
    expect(counts).toHaveLength(10);
    expect(Math.min(...counts)).toBeGreaterThan(500);
    expect(random.int(1)).toBe(0);
  });

  test('draws whole numbers within any limit that it takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), (below) => {
        const drawn = random.int(below);
        expect(Number.isInteger(drawn) && drawn >= 0 && drawn < below).toBe(true);
      }),
    );
  });

  test('refuses a limit that is no whole number from 1 to 2^32', () => {
    for (const below of [0, -1, 1.5, NaN, Infinity, 2 ** 32 + 1]) expect(() => random.int(below)).toThrow(TypeError);
  });
});

describe('a thread that draws from the system only', () => {
  test('does not load what seeds need', async () => {
    const random = JSON.stringify(new URL('../../../kernel/time/random.ts', import.meta.url).href);
    const code = `
      const { systemRandom, seededRandom } = await import(${random});
      const loaded = () => process.moduleLoadList.includes('NativeModule crypto');
      systemRandom.fork('a').int(3);
      const before = loaded();
      seededRandom(1);
      console.log(JSON.stringify([before, loaded()]));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module', '-e', code]);
    expect(JSON.parse(stdout)).toEqual([false, true]);
  });
});
