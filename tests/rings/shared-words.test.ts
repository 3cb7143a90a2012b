/** Words and counters that any thread reads while their owner works, hangs or is dead. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Doorbell, SharedCounters, SharedMemory, SharedWords } from 'atomics-ring-buffer';

const NAMES = ['state', 'incarnation', 'turns'] as const;

describe('shared words', () => {
  it('keep each name apart, in a block at any offset, and nothing outside of the block', () => {
    const buffer = new SharedArrayBuffer(3 * 128);
    const words = new SharedWords(buffer, 128, NAMES);
    NAMES.forEach((name, index) => words.store(name, index + 1));
    expect(NAMES.map((name) => words.load(name))).toEqual([1, 2, 3]);
    const all = [...new Int32Array(buffer)];
    expect(all.filter((value) => value !== 0)).toEqual([1, 2, 3]);
    expect(all.slice(32, 35)).toEqual([1, 2, 3]);
  });

  it('are signed, and wrap modulo 2^32', () => {
    const words = new SharedWords(new SharedArrayBuffer(128), 0, NAMES);
    words.store('state', 2 ** 31);
    expect(words.load('state')).toBe(-(2 ** 31));
    words.store('turns', 2 ** 31 - 1);
    expect(words.add('turns', 1)).toBe(2 ** 31 - 1);
    expect(words.load('turns')).toBe(-(2 ** 31));
  });

  it('are the same words for all views of one block', () => {
    const buffer = new SharedArrayBuffer(128);
    const [one, other] = [new SharedWords(buffer, 0, NAMES), new SharedWords(buffer, 0, NAMES)];
    one.store('incarnation', 7);
    expect(other.add('incarnation', 5)).toBe(7);
    expect(one.load('incarnation')).toBe(12);
  });

  it('lend the place of a word to a doorbell', () => {
    const words = new SharedWords(new SharedArrayBuffer(128), 0, NAMES);
    const doorbell = new Doorbell(...words.place('turns'));
    doorbell.arm();
    expect(NAMES.map((name) => words.load(name))).toEqual([0, 0, 1]);
  });

  it('take whole lines of 128 bytes, so that blocks never share one', () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `name ${index}`);
    expect([1, 32, 33, 64, 65].map((count) => SharedWords.bytes(names(count)))).toEqual([128, 128, 256, 256, 384]);
    expect([1, 16, 17, 32, 33].map((count) => SharedCounters.bytes(names(count)))).toEqual([128, 128, 256, 256, 384]);
  });
});

describe('shared counters', () => {
  it('add up by name, by one unless told, and are read alone or together', () => {
    const counters = new SharedCounters(new SharedArrayBuffer(256), 128, ['sent', 'lost']);
    counters.add('sent');
    counters.add('sent', 41);
    expect([counters.read('sent'), counters.read('lost')]).toEqual([42, 0]);
    expect(counters.snapshot()).toEqual({ sent: 42, lost: 0 });
    expect(counters.names).toEqual(['sent', 'lost']);
  });

  it('stay exact beyond 2^32, up to 2^53', () => {
    const counters = new SharedCounters(new SharedArrayBuffer(128), 0, ['bytes']);
    counters.add('bytes', 2 ** 53 - 2);
    counters.add('bytes');
    expect(counters.read('bytes')).toBe(2 ** 53 - 1);
  });

  it('sum whatever is added to each name', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(2 ** 40)), { maxLength: 50 }), (additions) => {
        const counters = new SharedCounters<string>(new SharedArrayBuffer(128), 0, ['a', 'b', 'c']);
        const sums: Record<string, number> = { a: 0, b: 0, c: 0 };
        for (const [name, delta] of additions) {
          counters.add(name, delta);
          sums[name]! += delta;
        }
        expect(counters.snapshot()).toEqual(sums);
      }),
    );
  });

  it('lose nothing when two threads add to the same counter', async () => {
    const buffer = new SharedArrayBuffer(256);
    const additions = 50_000;
    const adder = new URL('./shared-words-adder.ts', import.meta.url);
    const workers = [1, 2].map((delta) => new Worker(adder, { workerData: { buffer, additions, delta } }));
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
    expect(new SharedCounters(buffer, 0, ['sum']).read('sum')).toBe(3 * additions);
    expect(new SharedWords(buffer, 128, ['sum']).load('sum')).toBe(3 * additions);
  });
});

describe('shared memory', () => {
  it('shows one buffer through views of every width', () => {
    const memory = new SharedMemory(new SharedArrayBuffer(16));
    memory.f64[1] = 1;
    expect(memory.view.getFloat64(8, true)).toBe(1);
    memory.i32[0] = -2;
    expect([...memory.u8.subarray(0, 4)]).toEqual([0xfe, 0xff, 0xff, 0xff]);
  });
});
