/** One seed from its tree to the verdict; and the shortest sequence of faults that a divergence takes. */
import { seededRandom } from '../../../kernel/index.ts';
import { FaultSource, type Fault } from './faults.ts';
import type { SeededBug } from './seeded-bugs.ts';
import { randomShape, type Shape } from './shape.ts';
import { Trial } from './trial.ts';

export interface Verdict {
  readonly seed: number;
  readonly actors: number;
  /** That happened, the one with the divergence included. */
  readonly faults: number;
  readonly starts: number;
  readonly escalations: number;
  readonly trees: number;
  /** Empty if tree and model agree. */
  readonly divergences: readonly string[];
  readonly history: readonly Fault[];
  readonly shape: Shape;
}

/** As many supervisors as make about 500 actors, with six children each. */
const SUPERVISORS = 83;
/** Runs that the search for a shorter sequence may take. */
const MOST_RUNS = 400;

export function shapeOf(seed: number, supervisors: number): Shape {
  return randomShape(seededRandom(seed).fork('shape'), supervisors);
}

export async function runSeed(seed: number, faults: number, supervisors: number = SUPERVISORS, bug?: SeededBug): Promise<Verdict> {
  const shape = shapeOf(seed, supervisors);
  const source = new FaultSource(seededRandom(seed).fork('faults'), shape);
  return runFaults(seed, shape, faults, () => source.next(), bug);
}

/** @returns what differs once these faults have happened to the tree */
export async function divergencesOf(shape: Shape, faults: readonly Fault[], bug?: SeededBug): Promise<readonly string[]> {
  let index = 0;
  return (await runFaults(0, shape, faults.length, () => faults[index++]!, bug)).divergences;
}

/** Leaves out of a sequence that diverges whatever is not needed for it. */
export async function shrink(shape: Shape, history: readonly Fault[], bug?: SeededBug): Promise<readonly Fault[]> {
  let kept = history;
  let runs = 0;
  for (let size = kept.length >> 1; size >= 1; size >>= 1) {
    for (let first = 0; first < kept.length && runs < MOST_RUNS; ) {
      const rest = [...kept.slice(0, first), ...kept.slice(first + size)];
      runs++;
      if ((await divergencesOf(shape, rest, bug)).length > 0) kept = rest;
      else first += size;
    }
  }
  return kept;
}

async function runFaults(seed: number, shape: Shape, count: number, next: () => Fault, bug: SeededBug | undefined): Promise<Verdict> {
  const restore = bug?.patch?.();
  const history: Fault[] = [];
  try {
    const trial = await Trial.begin(shape, bug);
    try {
      while (history.length < count && trial.divergences.length === 0) {
        const fault = next();
        history.push(fault);
        await trial.apply(fault);
      }
      if (trial.divergences.length === 0) await trial.finish();
    } catch (error) {
      trial.divergences.push(String(error));
    }
    const { starts, escalations, trees, divergences } = trial;
    return { seed, actors: shape.specs.size, faults: history.length, starts, escalations, trees, divergences, history, shape };
  } finally {
    restore?.();
  }
}
