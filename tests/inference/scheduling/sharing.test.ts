import { describe, expect, it } from 'vitest';
import { VectorCache } from '../../../actors/inference/scheduling/vector-cache.ts';
import type { EmbeddedText } from '../../../actors/inference/scheduling/index.ts';
import { HeldWorker, MODEL, SerialWorker, Simulation, textOf, vectorOf } from './simulation.ts';

const flags = (results: readonly EmbeddedText[]): boolean[] => results.map(({ cached }) => cached);

describe('equal texts', () => {
  it('of one request, of waiting ones and of those on their way are computed once', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker], { cacheBytes: 0 });
    const requests = [scheduler.embed({ texts: ['a', 'b', 'a', 'a'] }), scheduler.embed({ texts: ['b', 'c'], priority: 'bulk', key: 'other' })];
    await simulation.settle();
    requests.push(scheduler.embed({ texts: ['c', 'a'], key: 'third' }));
    const [[first, second, third]] = await Promise.all([Promise.all(requests), simulation.finish()]);
    expect(worker.begun.toSorted()).toEqual(['a', 'b', 'c']);
    expect([...first!, ...second!, ...third!].map(({ vector }) => vector)).toEqual(['a', 'b', 'a', 'a', 'b', 'c', 'c', 'a'].map(vectorOf));
    expect(scheduler.stats).toMatchObject({ submitted: 8, computed: 3, deduplicated: 5, cached: 0, sentTexts: 3 });
  });

  it('of one request are computed once however far they are from each other, without a cache', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation, 0.01);
    const scheduler = simulation.scheduler([worker], { cacheBytes: 0 });
    const texts = Array.from({ length: 9_000 }, (_, index) => `t${index % 3_000}`);
    const [results] = await Promise.all([scheduler.embed({ texts, priority: 'bulk' }), simulation.finish()]);
    expect(worker.begun).toHaveLength(3_000);
    results.forEach(({ vector }, index) => expect(vector).toEqual(vectorOf(texts[index]!)));
  });

  it('are two texts if they are cut differently', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker]);
    for (const truncate of ['left', 'right', 'left'] as const) {
      await Promise.all([scheduler.embed({ texts: ['a'], truncate }), simulation.finish()]);
    }
    expect(worker.begun).toEqual(['a', 'a']);
  });

  it('are still computed when one that waits for them is cancelled, or its time is over', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation, 10);
    const scheduler = simulation.scheduler([worker]);
    const abort = new AbortController();
    const cancelled = scheduler.embed({ texts: ['a', 'b', 'c', 'd', 'e', ...Array.from({ length: 20 }, (_, index) => `x${index}`)], signal: abort.signal });
    const late = scheduler.embed({ texts: ['d', 'e'], deadlineMs: 20 });
    const patient = scheduler.embed({ texts: ['e', 'd'], priority: 'bulk', key: 'patient' });
    await simulation.advance(5);
    abort.abort();
    const [[first, second, third]] = await Promise.all([Promise.all([cancelled, late, patient]), simulation.finish()]);
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set(['cancelled']));
    expect(second.map(({ status }) => status)).toEqual(['deadline', 'deadline']);
    expect(third.map(({ vector }) => vector)).toEqual([vectorOf('e'), vectorOf('d')]);
    // What was on its way when it was cancelled is computed, and nothing that waited for nobody.
    expect(worker.begun).not.toContain('x19');
  });

  it('go with whoever of those that wait for them has its turn first', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker], { limits: { unitMs: 50 } });
    const texts = Array.from({ length: 900 }, (_, index) => textOf(index));
    void scheduler.embed({ texts, key: 'long' });
    await simulation.advance(1);
    const short = scheduler.embed({ texts: texts.slice(-5), key: 'short' });
    const all = simulation.finish();
    const order = (await short, worker.begun.length);
    expect(order).toBeLessThan(300);
    await all;
    expect(worker.begun).toHaveLength(900);
  });

  it('that are in two units are not sent a third time because one of them fails', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const bulk = scheduler.embed({ texts: ['a'], priority: 'bulk' });
    await simulation.settle();
    const interactive = scheduler.embed({ texts: ['a'], priority: 'interactive' });
    await simulation.settle();
    worker.units[1]!.fail('actor_restarted');
    await simulation.settle();
    expect(worker.units).toHaveLength(2);
    worker.units[0]!.answer();
    expect((await interactive)[0]!.vector).toBe((await bulk)[0]!.vector);
  });

  it('wait on in the class of those who stay when the most urgent one leaves', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    void scheduler.embed({ texts: Array.from({ length: 40 }, (_, index) => textOf(index)), priority: 'interactive', key: 'other' });
    await simulation.settle();
    const abort = new AbortController();
    const bulk = scheduler.embed({ texts: ['x'], priority: 'bulk', key: 'stays' });
    void scheduler.embed({ texts: ['x'], priority: 'interactive', key: 'leaves', signal: abort.signal });
    await simulation.settle();
    abort.abort();
    for (let index = 0; index < worker.units.length; index++) {
      worker.units[index]!.answer();
      await simulation.settle();
    }
    expect((await bulk)[0]!.vector).toEqual(vectorOf('x'));
  });
});

describe('the cache', () => {
  it('answers what was embedded before without a worker, with the same vector', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker]);
    const [first] = await Promise.all([scheduler.embed({ texts: ['a', 'b'] }), simulation.finish()]);
    const second = await scheduler.embed({ texts: ['b', 'a'] });
    expect(second.map(({ vector }) => vector)).toEqual([first[1]!.vector, first[0]!.vector]);
    expect([flags(first), flags(second)]).toEqual([[false, false], [true, true]]);
    expect(second[0]!.tokens).toBe(first[1]!.tokens);
    expect(scheduler.stats).toMatchObject({ cached: 2, computed: 2, cache: { hits: 2, misses: 2, entries: 2, evictions: 0 } });
  });

  it('is neither read nor written for requests that do not want it, nor if it has no bytes', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    for (const [scheduler, cache] of [[simulation.scheduler([worker]), false], [simulation.scheduler([worker], { cacheBytes: 0 }), true]] as const) {
      for (let round = 0; round < 2; round++) {
        const [results] = await Promise.all([scheduler.embed({ texts: ['a'], cache }), simulation.finish()]);
        expect(flags(results)).toEqual([false]);
      }
      expect(scheduler.stats.cache).toEqual({ entries: 0, bytes: 0, hits: 0, misses: 0, evictions: 0 });
    }
  });

  it('keeps what one of those who waited for it wanted to be kept', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const requests = [scheduler.embed({ texts: ['a'], cache: false }), scheduler.embed({ texts: ['a'] })];
    await simulation.settle();
    worker.units[0]!.answer();
    await Promise.all(requests);
    expect(flags(await scheduler.embed({ texts: ['a'] }))).toEqual([true]);
  });

  it('answers any number of texts, in parts, without a worker', async () => {
    const simulation = new Simulation();
    const worker = new HeldWorker();
    const scheduler = simulation.scheduler([worker]);
    const startMs = simulation.nowMs;
    const first = scheduler.embed({ texts: ['a'] });
    await simulation.settle();
    worker.units[0]!.answer();
    await first;
    const [results] = await Promise.all([scheduler.embed({ texts: Array.from({ length: 5_000 }, () => 'a') }), simulation.finish()]);
    expect(results).toHaveLength(5_000);
    expect(worker.units).toHaveLength(1);
    expect(simulation.nowMs).toBe(startMs);
  });

  it('keeps no text without a vector', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker], { model: { ...MODEL, tokensMax: 10 } });
    for (let round = 0; round < 2; round++) await Promise.all([scheduler.embed({ texts: ['', 'a'] }), simulation.finish()]);
    expect(worker.begun.filter((text) => text === '')).toHaveLength(2);
    expect(scheduler.stats.cache.entries).toBe(1);
  });

  it('does not take a text with a lone surrogate for the one that replaces it', async () => {
    const simulation = new Simulation();
    const worker = new SerialWorker(simulation);
    const scheduler = simulation.scheduler([worker]);
    await Promise.all([scheduler.embed({ texts: ['a \uFFFD'] }), simulation.finish()]);
    const [results] = await Promise.all([scheduler.embed({ texts: ['a \uD800'] }), simulation.finish()]);
    expect(flags(results)).toEqual([false]);
  });

  it('gives up what was not used for longest, and stays within its bytes', () => {
    const dimensions = 100;
    const bytes = 10 * (dimensions * 4 + 300);
    const cache = new VectorCache(bytes, dimensions);
    const result = (value: number): EmbeddedText => ({ vector: new Float32Array(dimensions).fill(value), tokens: value, truncated: false, status: 'ok', cached: false });
    for (let value = 0; value < 1_000; value++) {
      cache.set(`${value}`, result(value));
      expect(cache.get('0')?.vector[99]).toBe(0);
      expect(cache.stats.bytes).toBeLessThanOrEqual(bytes);
    }
    const kept = Array.from({ length: 1_000 }, (_, value) => value).filter((value) => cache.has(`${value}`));
    const { entries, evictions } = cache.stats;
    expect(entries).toBeGreaterThanOrEqual(10);
    expect(kept).toEqual([0, ...Array.from({ length: entries - 1 }, (_, index) => 1_000 - (entries - 1) + index)]);
    expect(evictions).toBe(1_000 - entries);
    for (const value of kept) expect(cache.get(`${value}`)).toEqual({ ...result(value), cached: true });
  });

  it('hands out vectors that stay as they are when their entries are given up', () => {
    const cache = new VectorCache(2_000, 4);
    const result: EmbeddedText = { vector: Float32Array.of(1, 2, 3, 4), tokens: 3, truncated: false, status: 'ok', cached: false };
    cache.set('first', result);
    const held = cache.get('first')!;
    for (let index = 0; index < 100; index++) {
      cache.set(`${index}`, { ...result, vector: new Float32Array(4).fill(index) });
      cache.get(`${index}`);
    }
    expect(cache.has('first')).toBe(false);
    expect(held.vector).toEqual(Float32Array.of(1, 2, 3, 4));
  });
});
