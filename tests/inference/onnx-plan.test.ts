import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FUSION, ONE_BY_ONE, callEnd, type FusionLimits } from '../../actors/inference/onnx/batch-plan.ts';
import { triedFusion, type TriedModel } from '../../actors/inference/onnx/fusion-trial.ts';
import type { TokenRow } from '../../actors/inference/onnx/native-session.ts';
import { TurnQueue } from '../../actors/inference/onnx/turn-queue.ts';

/** The calls of a batch, as the lengths in each. */
function calls(lengths: readonly number[], limits: FusionLimits = FUSION): number[][] {
  const result: number[][] = [];
  for (let start = 0; start < lengths.length; ) {
    const end = callEnd(lengths, start, limits);
    result.push(lengths.slice(start, end));
    start = end;
  }
  return result;
}

describe('the plan of calls', () => {
  it.each<[string, readonly number[], readonly number[]]>([
    ['fuses short texts up to the limit of texts', Array<number>(70).fill(5), [32, 32, 6]],
    ['fuses texts up to the limit of tokens', Array<number>(18).fill(64), [8, 8, 2]],
    ['leaves a text alone that is longer than the limit', [600, 700], [1, 1]],
    ['leaves long texts alone, though two would be within the limits', [200, 200, 200], [1, 1, 1]],
    ['does not pad a text more than a call costs', [8, 40, 100], [1, 1, 1]],
    ['lets a text join that is a little longer', [20, 21, 22, 24], [4]],
    ['counts the padding of all that are in the call already', [10, 10, 10, 10, 10, 12], [5, 1]],
  ])('%s', (_, lengths, sizes) => {
    expect(calls(lengths).map((call) => call.length)).toEqual(sizes);
  });

  it('keeps every text, the limits, and the padding low', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 3, max: 600 }), { maxLength: 200 }), (unsorted) => {
      const lengths = unsorted.toSorted((a, b) => a - b);
      const planned = calls(lengths);
      expect(planned.flat()).toEqual(lengths);
      for (const call of planned) {
        const padded = call.length * call.at(-1)!;
        const padding = padded - call.reduce((sum, length) => sum + length, 0);
        expect(call.length).toBeLessThanOrEqual(FUSION.textsMax);
        if (call.length > 1) expect(padded).toBeLessThanOrEqual(FUSION.tokensMax);
        expect(padding).toBeLessThanOrEqual(8 * (call.length - 1));
      }
    }), { numRuns: 300, seed: 3 });
  });

  it('leaves texts alone that are shorter than company allows', () => {
    expect(calls([4, 5, 12, 12, 13], { ...FUSION, textTokensMin: 12 })).toEqual([[4], [5], [12, 12, 13]]);
  });

  it('has one text in each call when nothing may be fused', () => {
    expect(calls([5, 5, 5], ONE_BY_ONE)).toEqual([[5], [5], [5]]);
  });
});

describe('the trial of fusing', () => {
  /** A model whose texts are off by `errorAt` their length when they have company; results are numbers. */
  function model(errorAt: (length: number) => number, { takesSeveral = true, isSound = true } = {}): TriedModel<number> & { readonly computed: number[] } {
    const computed: number[] = [];
    const compute = (texts: readonly TokenRow[]): number[] => texts.map(({ ids }) => (computed.push(ids.length), texts.length === 1 ? 0 : errorAt(ids.length)));
    return {
      computed,
      text: (length) => ({ ids: Array.from({ length }, () => 0) }),
      async alone(text) {
        if (!isSound) throw new Error('it cannot even take one');
        return compute([text])[0]!;
      },
      together: async (texts) => (takesSeveral ? compute(texts) : undefined),
      distance: (together, alone) => Math.abs(together - alone),
    };
  }

  it('fuses all texts of a model that only rounds otherwise, and tries no more than one length', async () => {
    const exact = model(() => 1e-7);
    expect(await triedFusion(exact)).toBe(FUSION);
    expect(Math.min(...exact.computed)).toBeGreaterThan(16);
  });

  it('fuses the texts whose error averages out, and leaves shorter ones alone', async () => {
    // As measured for MiniLM with int8: 3e-5 at 32 tokens, 1e-4 at 6.
    expect(await triedFusion(model((length) => 5.5e-4 / length))).toEqual({ ...FUSION, textTokensMin: 12 });
    expect(await triedFusion(model(() => 4e-5))).toEqual({ ...FUSION, textTokensMin: 4 });
  });

  it.each<[string, TriedModel<number>]>([
    ['that company changes at every length', model(() => 1e-3)],
    ['that gives no number in company', model(() => NaN)],
    ['that takes one text at a time', model(() => 0, { takesSeveral: false })],
  ])('computes the texts of a model alone %s', async (_, tried) => {
    expect(await triedFusion(tried)).toBe(ONE_BY_ONE);
  });

  it('does not hide that a model cannot take a text alone', async () => {
    await expect(triedFusion(model(() => 0, { isSound: false }))).rejects.toThrow('not even take one');
  });
});

describe('the queue of turns', () => {
  it('runs jobs in their order, and urgent ones where a job hands over', async () => {
    const queue = new TurnQueue();
    const seen: string[] = [];
    const first = queue.serve(false, async (handOver) => {
      for (const step of ['a1', 'a2', 'a3']) {
        await handOver();
        seen.push(step);
        if (step === 'a1') for (const name of ['u1', 'u2']) void queue.serve(true, async (inner) => { await inner(); seen.push(name); });
      }
    });
    const second = queue.serve(false, async () => { seen.push('b'); });
    await Promise.all([first, second]);
    expect(seen).toEqual(['a1', 'u1', 'u2', 'a2', 'a3', 'b']);
  });

  it('goes on after a job that fails, and waits for all before it closes', async () => {
    const queue = new TurnQueue();
    const seen: string[] = [];
    const failing = queue.serve(false, () => Promise.reject(new Error('broken')));
    void queue.serve(false, async (handOver) => { await handOver(); seen.push('done'); });
    const closing = queue.close(async () => { seen.push('closed'); });
    await expect(failing).rejects.toThrow('broken');
    await closing;
    expect(seen).toEqual(['done', 'closed']);
    expect(() => queue.serve(false, async () => {})).toThrow('closed');
  });
});
