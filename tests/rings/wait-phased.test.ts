/** When PhasedWait spins: which waits do, how far they go, and what follows from what they found. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Doorbell, PhasedWait } from 'atomics-ring-buffer';

const MAX_SPINS = 10;

let paused = 0;

beforeEach(() => {
  paused = 0;
  vi.spyOn(Atomics, 'pause').mockImplementation(() => void paused++);
  // A sleep is none, and nobody rings.
  vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
});
afterEach(() => void vi.restoreAllMocks());

function makeWait(maxSpins: number = MAX_SPINS): PhasedWait {
  return new PhasedWait(new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0), { maxSpins });
}

/** Pauses of one wait, whose work comes after so many of them. */
function pauses(waiting: PhasedWait, after: number): number {
  const before = paused;
  let looks = 0;
  waiting.wait(() => looks++ >= after, 1);
  return paused - before;
}

const inVain = (waiting: PhasedWait): number => pauses(waiting, Infinity);

/** Waits from one spin to the next, if all are in vain. */
function restOf(waiting: PhasedWait): number {
  for (let rest = 0; rest < 1_000; rest++) if (inVain(waiting) > 0) return rest;
  throw new Error('It has given up spinning.');
}

/** What share of `count` waits spins, if work comes at random: within a spin with this probability, else long after. */
function shareOfSpins(waiting: PhasedWait, probability: number, count: number): number {
  let state = 1;
  let spins = 0;
  for (let wait = 0; wait < count; wait++) {
    // Marsaglia's xorshift: the same numbers in every run.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    if (pauses(waiting, (state >>> 0) / 2 ** 32 < probability ? 1 : Infinity) > 0) spins++;
  }
  return spins / count;
}

describe('a phased wait', () => {
  it('spins with its whole budget before it sleeps', () => {
    expect(inVain(makeWait())).toBe(MAX_SPINS);
  });

  it('ends its spin by the look that finds work', () => {
    expect([0, 1, 5].map((after) => pauses(makeWait(), after))).toEqual([0, 1, 5]);
  });

  it('never spins with a budget of 0', () => {
    const waiting = makeWait(0);
    expect(Array.from({ length: 600 }, () => inVain(waiting)).every((count) => count === 0)).toBe(true);
  });

  it('lets more and more waits go by without a spin, as long as spins are in vain, up to a bound', () => {
    const waiting = makeWait();
    const rests = Array.from({ length: 12 }, () => restOf(waiting));
    expect(rests).toEqual([0, 0, 1, 3, 7, 15, 31, 63, 127, 255, 255, 255]);
  });

  it('goes back one step with every spin that finds work, and spins on until one is in vain', () => {
    const waiting = makeWait();
    for (let spin = 0; spin < 12; spin++) restOf(waiting);
    // The last rest goes by.
    for (let wait = 0; wait < 255; wait++) inVain(waiting);
    expect([1, 2, 3].map((after) => pauses(waiting, after))).toEqual([1, 2, 3]);
    expect(inVain(waiting)).toBe(MAX_SPINS);
    expect(restOf(waiting)).toBe(31);
  });

  it('learns nothing from a wait that needed no waiting, or had no time', () => {
    const waiting = makeWait();
    for (let spin = 0; spin < 5; spin++) restOf(waiting);
    for (let wait = 0; wait < 100; wait++) {
      waiting.wait(() => true, 1);
      waiting.wait(() => false, 0);
    }
    expect(restOf(waiting)).toBe(15);
  });

  it('spins in all waits once work always comes within a spin, however long it did not before', () => {
    const waiting = makeWait();
    for (let spin = 0; spin < 20; spin++) restOf(waiting);
    shareOfSpins(waiting, 1, 256);
    expect(shareOfSpins(waiting, 1, 1_000)).toBe(1);
  });

  it('hardly spins once work never comes within a spin, however long it did before', () => {
    const waiting = makeWait();
    shareOfSpins(waiting, 1, 5_000);
    shareOfSpins(waiting, 0, 600);
    expect(shareOfSpins(waiting, 0, 25_600)).toBe(100 / 25_600);
  });

  it('spins where more than half of the spins find work, and hardly where fewer do', () => {
    expect(shareOfSpins(makeWait(), 0.8, 20_000)).toBeGreaterThan(0.7);
    expect(shareOfSpins(makeWait(), 0.2, 20_000)).toBeLessThan(0.05);
  });
});
