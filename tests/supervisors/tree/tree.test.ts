import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { divergencesOf, runSeed, shapeOf } from './campaign.ts';
import type { Fault, Step } from './faults.ts';
import type { Outcome } from './leaf.ts';
import { SEEDED_BUGS } from './seeded-bugs.ts';

/** `npm run tree` does as much with 100 seeds and 10,000 faults, and `npm run tree -- --bugs` with trees of full size. */
const SEEDS = [0, 1, 2, 3, 4];
const FAULTS = 500;
/** Of the trees in which fast-check looks, which it can make small; they have six children each. */
const FEW_SUPERVISORS = 4;

/** A fault without names, which are put in once the tree is known. */
type Blank<Of> = (names: readonly string[]) => Of;

const named = fc.nat(1_000);
const pick = (names: readonly string[], index: number): string => names[index % names.length]!;
const outcome: fc.Arbitrary<Outcome> = fc.record({ how: fc.constantFrom('fail', 'slow', 'ignore', 'hang'), afterMs: fc.nat(8) });
const exit = fc.tuple(named, fc.constantFrom('crashed', 'stopped', 'shutdown')).map(([index, reason]): Blank<Step & { kind: 'exit' }> => (names) => ({ kind: 'exit', target: pick(names, index), reason }));
const call = fc.tuple(named, fc.constantFrom('terminate', 'restart', 'delete', 'remove', 'start')).map(([index, name]): Blank<Step & { kind: 'call' }> => (names) => ({ kind: 'call', target: pick(names, index), call: name }));
const bounce = named.map((index): Blank<Step> => (names) => ({ kind: 'bounce', target: pick(names, index) }));
const starts = fc.array(fc.tuple(named, fc.array(outcome, { minLength: 1, maxLength: 3 })), { maxLength: 2 });
const single = fc.tuple(fc.nat(2_000), starts, fc.oneof(exit, call)).map(([waitMs, given, step]): Blank<Fault> => (names) => ({ waitMs, starts: startsOf(given, names), ...step(names) }));
const burst = fc
  .tuple(starts, fc.array(fc.tuple(fc.nat(40), fc.oneof(exit, exit, call, bounce)), { minLength: 2, maxLength: 5 }))
  .map(([given, steps]): Blank<Fault> => (names) => ({ kind: 'burst', waitMs: 0, starts: startsOf(given, names), holds: {}, steps: steps.map(([atMs, step]) => ({ atMs, step: step(names) })) }));
const faults = fc.array(fc.oneof(single, single, burst), { maxLength: 30 });

function startsOf(given: readonly (readonly [number, readonly Outcome[]])[], names: readonly string[]): Fault['starts'] {
  return Object.fromEntries(given.map(([index, outcomes]) => [pick(names, index), outcomes]));
}

describe('a tree of supervisors does what the rules say', () => {
  test.each(SEEDS)('about 500 actors under random faults, seed %i', async (seed) => {
    const { divergences, faults: count, starts: started, actors } = await runSeed(seed, FAULTS);
    expect(divergences).toEqual([]);
    expect(actors).toBeGreaterThan(450);
    expect(count).toBe(FAULTS);
    expect(started).toBeGreaterThan(actors);
  });

  test('whatever sequence of faults fast-check makes up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000), faults, async (seed, blanks) => {
        const shape = shapeOf(seed, FEW_SUPERVISORS);
        expect(await divergencesOf(shape, blanks.map((blank) => blank(shape.leaves)))).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a bug in the engine is found', () => {
  test.each(SEEDED_BUGS.map((bug) => [bug.name, bug] as const))('%s', async (_, bug) => {
    let found: readonly string[] = [];
    for (let seed = 0; seed < 20 && found.length === 0; seed++) found = (await runSeed(seed, FAULTS, 20, bug)).divergences;
    expect(found).not.toEqual([]);
  });
});
