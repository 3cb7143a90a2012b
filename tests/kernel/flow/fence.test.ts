import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fences, type FenceSpec } from '../../../kernel/flow/fence.ts';
import { expectRefusal } from './spec-cases.ts';

const SPEC: FenceSpec = { maxFences: 3, maxAgeMs: 100 };
const U32_MAX = 0xffff_ffff;

describe('a fence', () => {
  it('blocks its own scope of its own origin, and nothing else', () => {
    const fences = new Fences(SPEC);
    expect(fences.blocks(7, 1)).toBe(false);
    fences.raise(7, 1, 0);
    expect(fences.blocks(7, 1)).toBe(true);
    expect(fences.blocks(1, 7)).toBe(false);
    expect(fences.blocks(7, 2)).toBe(false);
    expect(fences.blocks(8, 1)).toBe(false);
    // Not what `${7}${11}` and `${71}${1}` would have in common.
    fences.raise(7, 11, 0);
    expect(fences.blocks(71, 1)).toBe(false);
  });
  it('takes any unsigned 32-bit number, and tells all apart', () => {
    const fences = new Fences({ maxFences: 100, maxAgeMs: 100 });
    const numbers = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, U32_MAX];
    for (const origin of numbers) for (const scope of numbers.slice(1)) if (origin !== scope) fences.raise(origin, scope, 0);
    for (const origin of numbers) for (const scope of numbers.slice(1)) expect(fences.blocks(origin, scope)).toBe(origin !== scope);
  });
  it('is lowered once', () => {
    const fences = new Fences(SPEC);
    fences.raise(7, 1, 0);
    expect(fences.lower(7, 1)).toBe(true);
    expect(fences.lower(7, 1)).toBe(false);
    expect(fences.blocks(7, 1)).toBe(false);
    expect(fences.counts).toMatchObject({ raised: 1, lowered: 1 });
  });
  it('goes at its age, and is young again when it is raised again', () => {
    const fences = new Fences(SPEC);
    fences.raise(7, 1, 0);
    fences.raise(7, 2, 10);
    fences.raise(7, 1, 20);
    expect(fences.expire(109)).toBe(0);
    expect(fences.expire(110)).toBe(1);
    expect([fences.blocks(7, 1), fences.blocks(7, 2)]).toEqual([true, false]);
    expect(fences.expire(120)).toBe(1);
    expect(fences.size).toBe(0);
    expect(fences.counts).toEqual({ raised: 2, renewed: 1, lowered: 0, expired: 2, evicted: 0 });
  });
  it('makes room for a newer one when there are as many as may be, the oldest first, and that is counted', () => {
    const fences = new Fences(SPEC);
    for (const scope of [1, 2, 3]) fences.raise(7, scope, 0);
    fences.raise(7, 1, 0);
    expect(fences.counts.evicted).toBe(0);
    fences.raise(7, 4, 0);
    expect([1, 2, 3, 4].map((scope) => fences.blocks(7, scope))).toEqual([true, false, true, true]);
    expect(fences.counts.evicted).toBe(1);
  });
  it('blocks as well after as many have come and gone as a count can hold', () => {
    const fences = new Fences(SPEC);
    for (let round = 1; round < 65_536; round++) {
      fences.raise(7, 1, 0);
      fences.lower(7, 1);
    }
    fences.raise(7, 1, 0);
    expect(fences.blocks(7, 1)).toBe(true);
  });
  it.each([[-1, 1], [1, -1], [1, 0], [1.5, 1], [1, U32_MAX + 1], [NaN, 1]])('is for addresses and scopes, not for %s and %s', (origin, scope) => {
    expect(() => new Fences(SPEC).raise(origin, scope, 0)).toThrow(TypeError);
  });
  it('needs a time', () => {
    expect(() => new Fences(SPEC).raise(1, 1, NaN)).toThrow(TypeError);
    expect(() => new Fences(SPEC).expire(NaN)).toThrow(TypeError);
  });
  it.each<[unknown, string]>([
    [{ ...SPEC, maxFences: 0 }, 'maxFences must be an integer from 1 to 65535'],
    [{ ...SPEC, maxFences: 65_536 }, 'maxFences'],
    [{ ...SPEC, maxAgeMs: Infinity }, 'maxAgeMs must be a number from 1 to 86400000, and is Infinity'],
    [{ maxFences: 1 }, 'maxAgeMs must be a number from 1 to 86400000, and is missing'],
    [{ ...SPEC, maxAge: 1 }, 'unknown key "maxAge"'],
  ])('is refused with a spec of %j', (spec, words) => {
    expectRefusal(() => new Fences(spec as FenceSpec), 'fence_invalid', words);
  });
});

/** Oldest first. */
interface ModelFence {
  readonly key: string;
  readonly raisedAtMs: number;
}

describe('any sequence of raising, lowering and ageing', () => {
  // Few keys and few slots of the hash table, so that they meet.
  const keys = fc.record({ origin: fc.constantFrom(0, 5, U32_MAX), scope: fc.constantFrom(1, 2, 3, U32_MAX) });
  const steps = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ call: fc.constant('raise' as const), key: keys, afterMs: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ call: fc.constant('lower' as const), key: keys, afterMs: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ call: fc.constant('expire' as const), key: keys, afterMs: fc.nat(60) }) },
    ),
    { maxLength: 80, size: 'max' },
  );
  it('blocks exactly what a list of fences would', () => {
    const total = { lowered: 0, expired: 0, evicted: 0, renewed: 0 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), steps, (maxFences, calls) => {
        const fences = new Fences({ maxFences, maxAgeMs: 50 });
        const all: { origin: number; scope: number }[] = [];
        let model: ModelFence[] = [];
        let nowMs = 0;
        for (const { call, key, afterMs } of calls) {
          nowMs += afterMs;
          all.push(key);
          const name = JSON.stringify(key);
          const without = model.filter((fence) => fence.key !== name);
          if (call === 'raise') {
            fences.raise(key.origin, key.scope, nowMs);
            model = [...without, { key: name, raisedAtMs: nowMs }].slice(-maxFences);
          } else if (call === 'lower') {
            expect(fences.lower(key.origin, key.scope)).toBe(without.length < model.length);
            model = without;
          } else {
            const young = model.filter(({ raisedAtMs }) => nowMs - raisedAtMs < 50);
            expect(fences.expire(nowMs)).toBe(model.length - young.length);
            model = young;
          }
          for (const each of all) expect(fences.blocks(each.origin, each.scope)).toBe(model.some((fence) => fence.key === JSON.stringify(each)));
          const { raised, lowered, expired, evicted } = fences.counts;
          expect(fences.size).toBe(model.length);
          expect(raised).toBe(lowered + expired + evicted + fences.size);
        }
        for (const count of ['lowered', 'expired', 'evicted', 'renewed'] as const) total[count] += fences.counts[count];
      }),
      { numRuns: 200 },
    );
    for (const count of Object.values(total)) expect(count).toBeGreaterThan(0);
  });
  it('leaves nothing of many fences behind', () => {
    const fences = new Fences({ maxFences: 1_000, maxAgeMs: 50 });
    for (let scope = 1; scope <= 100_000; scope++) {
      fences.raise(scope % 7, scope, scope / 100);
      if (scope % 3 === 0) fences.lower(scope % 7, scope);
    }
    expect(fences.size).toBe(1_000);
    fences.expire(10_000);
    expect(fences.size).toBe(0);
    let blocked = 0;
    for (let scope = 1; scope <= 100_000; scope++) if (fences.blocks(scope % 7, scope)) blocked++;
    expect(blocked).toBe(0);
  });
});
