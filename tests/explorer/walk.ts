/**
 * Walks schedules at random, each from its beginning to its end, where there are too many to walk all.
 *
 * Each walk draws how readily it switches between threads, since some bugs want many switches and some
 * one at the right moment, and at which step somebody dies. A seed gives the same walks again.
 */
import { DEPTH_MAX, Judge, type Violation, ViolationFound } from './judge.ts';
import type { RingSource } from './ring-source.ts';
import type { Scenario } from './scenario.ts';
import { DEATH, World } from './world.ts';

export interface WalkOptions {
  readonly schedules: number;
  readonly seed: number;
  /** Is told now and then how many schedules are done. */
  readonly onProgress?: (schedules: number) => void;
}

export interface Walks {
  readonly scenario: string;
  readonly schedules: number;
  readonly steps: number;
  readonly deaths: number;
  readonly elapsedMs: number;
  readonly violation: Violation | undefined;
}

/** Trees of programs that have grown so large are given up and grown anew. */
const STEPS_MAX = 2_000_000;
const SCHEDULES_PER_REPORT = 10_000;
/** Chance that what may be reordered is. */
const REORDERINGS = 1 / 3;
/** Chances of a switch at each step, from now and then to always. */
const SWITCHES = [1 / 32, 1 / 8, 1 / 3, 1];

export function walk(scenario: Scenario, source: RingSource, options: WalkOptions): Walks {
  const start = performance.now();
  const random = randomNumbers(options.seed);
  const path: number[] = [];
  let [schedules, steps, deaths, grown, depth] = [0, 0, 0, STEPS_MAX, 100];
  let world!: World;
  let judge!: Judge;
  let violation: Violation | undefined;
  try {
    for (; schedules < options.schedules; schedules++) {
      if (grown >= STEPS_MAX) {
        grown = 0;
        world = new World(scenario, source, { onStep: () => grown++ });
        judge = new Judge(world);
      }
      const mark = world.mark;
      const memoryMark = world.memory.mark;
      path.length = 0;
      walkOnce(world, judge, random, depth, path);
      depth = Math.max(depth, path.length);
      steps += path.length;
      deaths += world.deaths;
      world.undo(mark, memoryMark);
      if (schedules % SCHEDULES_PER_REPORT === 0) options.onProgress?.(schedules);
    }
  } catch (error) {
    if (!(error instanceof ViolationFound)) throw error;
    violation = { rule: error.rule, message: error.message, choices: path };
  }
  return { scenario: scenario.name, schedules, steps, deaths, elapsedMs: performance.now() - start, violation };
}

/** Walks without judging, for what programs are seen to do on the way. The world comes back as it was. */
export function wander(world: World, schedules: number): void {
  const random = randomNumbers(1);
  const path: number[] = [];
  for (let schedule = 0; schedule < schedules; schedule++) {
    const mark = world.mark;
    const memoryMark = world.memory.mark;
    path.length = 0;
    walkOnce(world, undefined, random, 100, path);
    world.undo(mark, memoryMark);
  }
}

function walkOnce(world: World, judge: Judge | undefined, random: () => number, depth: number, path: number[]): void {
  const switching = SWITCHES[Math.floor(random() * SWITCHES.length)]!;
  const deathSteps = Array.from({ length: world.deathsMax }, () => Math.floor(random() * depth));
  let last = 0;
  for (;;) {
    judge?.judge();
    if (deathSteps.includes(path.length)) {
      const mortal = world.at.map((_, process) => process).filter((process) => world.canDie(process));
      if (mortal.length > 0) {
        const process = mortal[Math.floor(random() * mortal.length)]!;
        path.push(process + DEATH);
        world.kill(process);
        continue;
      }
    }
    const { ready } = world;
    if (ready === 0) {
      judge?.judgeEnd();
      return;
    }
    if ((ready & (1 << last)) === 0 || random() < switching) last = pick(ready, random);
    let choice = last;
    const others = world.otherChoices(last);
    if (others.length > 0 && random() < REORDERINGS) choice = others[Math.floor(random() * others.length)]!;
    path.push(choice);
    if (path.length > DEPTH_MAX) {
      if (judge === undefined) return;
      throw new ViolationFound('endless', `No end after ${DEPTH_MAX} steps.`);
    }
    world.choose(choice);
  }
}

/** One of the set bits. */
function pick(bits: number, random: () => number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  let rest = bits;
  for (let skip = Math.floor(random() * count); skip > 0; skip--) rest &= rest - 1;
  return 31 - Math.clz32(rest & -rest);
}

/** Numbers from 0 to 1 by the generator sfc32 of PractRand. */
function randomNumbers(seed: number): () => number {
  let [a, b, c, d] = [seed | 0, Math.imul(seed, 0x9e3779b1), 0x6a09e667, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 15; round++) next();
  return next;
}
