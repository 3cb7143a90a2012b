import { describe, expect, it } from 'vitest';
import { QUANTUM_TOKENS } from '../../../actors/inference/scheduling/fair-queue.ts';
import { URGENT_SHARE } from '../../../actors/inference/scheduling/desk.ts';
import { HeldWorker, MODEL, SerialWorker, Simulation, replyTo, textOf, tokensOf } from './simulation.ts';

const TOKENS = 10;
const UNIT_MS = 100;
/** One unit computing, one in the lane. */
const IN_HAND = 2;

describe('keys of one class', () => {
  it.each([
    ['a million texts', 1, 1_000_000],
    ['many texts each', 9, 5_000],
  ])('with %s delay another key\'s ten texts by a bounded number of tokens', async (_, keys, count) => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker], { limits: { bulk: { textsMax: 1e7, bytesMax: 1e10 }, unitMs: UNIT_MS } });
    const abort = new AbortController();
    const rest = ' abc'.repeat(TOKENS - 3);
    for (let key = 0; key < keys; key++) {
      void scheduler.embed({ texts: Array.from({ length: count }, (__, index) => `${key}-${index}${rest}`), key: `k${key}`, priority: 'bulk', signal: abort.signal });
    }
    await simulation.advance(1_000);
    const sentMs = simulation.nowMs;
    const small = scheduler.embed({ texts: Array.from({ length: 10 }, (__, index) => textOf(`small${index}`, TOKENS)), key: 'small', priority: 'bulk' });
    let isDone = false;
    void small.then(() => (isDone = true));
    while (!isDone) await simulation.advance(1);
    const waitedMs = simulation.nowMs - sentMs;
    abort.abort();
    await simulation.finish();
    const own = 10 * TOKENS;
    // As fair-queue.ts states it, and what the worker had in hand; estimates are off by the texts' names.
    const ahead = (Math.ceil(own / QUANTUM_TOKENS) + 1) * keys * (QUANTUM_TOKENS + TOKENS);
    expect(waitedMs).toBeLessThanOrEqual(1.5 * (ahead + own + (IN_HAND + 1) * UNIT_MS));
    expect(scheduler.stats.outcomes.cancelled).toBeGreaterThan(1_000);
  });

  it('share it evenly over tokens, whatever the lengths of their texts', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker], { limits: { unitMs: UNIT_MS } });
    const abort = new AbortController();
    const counts = { short: 4_000, long: 400 };
    for (const [key, tokens] of [['short', 5], ['long', 50]] as const) {
      void scheduler.embed({ texts: Array.from({ length: counts[key] }, (_, index) => textOf(`${key}${index}`, tokens)), key, priority: 'bulk', signal: abort.signal });
    }
    await simulation.advance(15_000);
    const done = (name: string): number => worker.begun.filter((text) => text.startsWith(name)).reduce((sum, text) => sum + tokensOf(text), 0);
    expect(done('short') / done('long')).toBeGreaterThan(0.75);
    expect(done('short') / done('long')).toBeLessThan(1.33);
    abort.abort();
    await simulation.finish();
  });
});

describe('a class', () => {
  it('bulk has one unit for at most nine units\' worth of normal while both wait', async () => {
    const simulation = new Simulation();
    const order: string[] = [];
    const serial = new SerialWorker(simulation);
    const worker = {
      embed: (texts: readonly string[], options: Parameters<SerialWorker['embed']>[1]) => {
        order.push(texts[0]!.startsWith('bulk') ? 'B' : 'n');
        return serial.embed(texts, options);
      },
    };
    const scheduler = simulation.scheduler([worker], { limits: { unitMs: UNIT_MS } });
    const abort = new AbortController();
    for (const priority of ['bulk', 'normal'] as const) {
      void scheduler.embed({ texts: Array.from({ length: 4_000 }, (_, index) => textOf(`${priority}${index}`, TOKENS)), priority, signal: abort.signal });
    }
    await simulation.advance(20_000);
    // Not those from before the worker's speed was known, when units were larger than they are now.
    const gaps = order.join('').split('B').slice(2, -1).map(({ length }) => length);
    expect(gaps.length).toBeGreaterThan(10);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(URGENT_SHARE + 2);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(URGENT_SHARE - 1);
    abort.abort();
    await simulation.finish();
  });

  it('below interactive has a ninth of the worker, however many interactive texts there are', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker], { limits: { unitMs: UNIT_MS, interactive: { waitMsMax: Infinity } } });
    const abort = new AbortController();
    for (const priority of ['bulk', 'interactive'] as const) {
      void scheduler.embed({ texts: Array.from({ length: 3_000 }, (_, index) => textOf(`${priority}${index}`, TOKENS)), priority, signal: abort.signal });
    }
    await simulation.advance(20_000);
    const bulk = worker.begun.filter((text) => text.startsWith('bulk')).length;
    expect(bulk / worker.begun.length).toBeGreaterThan(0.9 / (URGENT_SHARE + 1));
    expect(bulk / worker.begun.length).toBeLessThan(0.5);
    abort.abort();
    await simulation.finish();
  });

  it('interactive has all of it that it needs before its share is used up', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker], { limits: { unitMs: UNIT_MS } });
    const abort = new AbortController();
    void scheduler.embed({ texts: Array.from({ length: 4_000 }, (_, index) => textOf(`b${index}`, TOKENS)), priority: 'bulk', signal: abort.signal });
    await simulation.advance(2_000);
    const waits: number[] = [];
    for (let index = 0; index < 50; index++) {
      const sentMs = simulation.nowMs;
      void scheduler.embed({ texts: [`q ${index}`], priority: 'interactive' }).then(() => waits.push(simulation.nowMs - sentMs));
      await simulation.advance(33);
    }
    expect(waits).toHaveLength(50);
    expect(Math.max(...waits)).toBeLessThanOrEqual(TOKENS + tokensOf('q 1'));
    abort.abort();
    await simulation.finish();
  });
});

describe('for a backend that computes texts together', () => {
  const model = { ...MODEL, fusedTextsMax: 32, fusedTokensMax: 2_048 };

  /** Lengths as a sequence without a pattern, from 4 to 256 tokens. */
  const mixed = Array.from({ length: 2_000 }, (_, index) => textOf(index, Math.round(4 * 64 ** (((index * 7_919) % 1_000) / 1_000))));

  async function paddedShare(fusedTextsMax: number): Promise<number> {
    let padded = 0;
    let tokens = 0;
    const worker = {
      embed(texts: readonly string[]) {
        const lengths = texts.map(tokensOf);
        padded += Math.max(...lengths) * lengths.length;
        tokens += lengths.reduce((sum, length) => sum + length, 0);
        return Promise.resolve(replyTo(texts));
      },
    };
    const simulation = new Simulation();
    await simulation.scheduler([worker], { model: { ...model, fusedTextsMax } }).embed({ texts: mixed });
    return tokens / padded;
  }

  it('a unit is of like lengths', async () => {
    // The share of what is computed that is not padding.
    expect(await paddedShare(1)).toBeLessThan(0.5);
    expect(await paddedShare(32)).toBeGreaterThan(0.8);
  });

  it('the oldest text goes with every unit, so that none is passed over for ever', async () => {
    const units: (readonly string[])[] = [];
    const simulation = new Simulation();
    const worker = { embed: (texts: readonly string[]) => (units.push(texts), Promise.resolve(replyTo(texts))) };
    await simulation.scheduler([worker], { model }).embed({ texts: mixed });
    const unsent = new Set(mixed);
    for (const texts of units) {
      expect(texts[0]).toBe(unsent.values().next().value);
      for (const text of texts) unsent.delete(text);
    }
    expect(unsent.size).toBe(0);
  });

  it('a text that was looked at and then given up is not sent', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker], { model });
    const abort = new AbortController();
    void scheduler.embed({ texts: mixed.slice(0, 100), signal: abort.signal });
    await simulation.settle();
    abort.abort();
    const kept = scheduler.embed({ texts: ['kept'] });
    await simulation.settle();
    for (const unit of worker.units.slice()) unit.answer();
    await simulation.settle();
    worker.units.at(-1)!.answer();
    await kept;
    expect(worker.units.slice(2).map(({ texts }) => texts)).toEqual([['kept']]);
  });
});
