import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batcher, type Batch } from '../../../kernel/stages/batcher.ts';
import { EventBuffer } from '../../../kernel/stages/event-buffer.ts';
import { defineConsumer, defineProducer } from '../../../kernel/index.ts';

test('every entry comes out in one batch of its key, in its order, never above the size and never later than its time', () => {
  const arrivals = fc.array(fc.record({ key: fc.nat({ max: 3 }), afterMs: fc.nat({ max: 4 }) }), { maxLength: 100 });
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }), (entries, batchSize, batchTimeoutMs) => {
      const batcher = new Batcher<{ key: number; atMs: number; index: number }>({ batchSize, batchTimeoutMs });
      const out: (Batch<{ key: number; atMs: number; index: number }> & { atMs: number })[] = [];
      let nowMs = 0;
      for (const [index, { key, afterMs }] of entries.entries()) {
        for (let ms = 0; ms < afterMs; ms++) {
          nowMs++;
          for (let due = batcher.takeDue(nowMs); due !== undefined; due = batcher.takeDue(nowMs)) out.push({ ...due, atMs: nowMs });
        }
        const full = batcher.add(key, { key, atMs: nowMs, index }, nowMs);
        if (full !== undefined) out.push({ ...full, atMs: nowMs });
      }
      for (let rest = batcher.takeRest(); rest !== undefined; rest = batcher.takeRest()) out.push({ ...rest, atMs: nowMs });
      expect(batcher.dueMs).toBeUndefined();
      for (const batch of out) {
        expect(batch.entries.length).toBe(batch.trigger === 'size' ? batchSize : Math.min(batch.entries.length, batchSize - 1));
        for (const { key, atMs } of batch.entries) {
          expect(key).toBe(batch.key);
          expect(batch.atMs - atMs).toBeLessThanOrEqual(batchTimeoutMs);
        }
      }
      for (let key = 0; key <= 3; key++) {
        const indices = out.filter((batch) => batch.key === key).flatMap((batch) => batch.entries.map(({ index }) => index));
        expect(indices).toEqual(entries.flatMap((entry, index) => (entry.key === key ? [index] : [])));
      }
    }),
  );
});

test.each([
  ['oldest', [0, 1, 2]],
  ['newest', [2, 3, 4]],
] as const)('a full buffer that keeps the %s says how many it dropped', (keep, kept) => {
  const buffer = new EventBuffer({ capacity: 3, keep });
  for (let event = 0; event < 5; event++) buffer.push({ event, ticket: undefined });
  expect(buffer.trim()).toBe(2);
  expect(buffer.room).toBe(0);
  expect(buffer.take(10).map(({ event }) => event)).toEqual(kept);
});

const events = { type: 'uint32' } as const;

test.each([
  ['batch.batchSize', () => defineConsumer({ events, batch: { batchSize: 0 }, start: () => ({ handle() {} }) })],
  ['batch.batchTimeoutMs', () => defineConsumer({ events, batch: { batchTimeoutMs: Infinity }, start: () => ({ handle() {} }) })],
  ['buffer.capacity', () => defineProducer({ events, buffer: { capacity: -1 }, start: () => ({ produce: () => [] }) })],
  ['buffer.keep', () => defineProducer({ events, buffer: { keep: 'all' as 'oldest' }, start: () => ({ produce: () => [] }) })],
  ['pollMs', () => defineProducer({ events, pollMs: 0, start: () => ({ produce: () => [] }) })],
  ['dispatcher.partitions', () => defineProducer({ events, dispatcher: { type: 'partition', partitions: 0, key: () => '' }, start: () => ({ produce: () => [] }) })],
] as const)('a stage with a wrong %s is refused where it is defined', (path, define) => {
  expect(define).toThrow(expect.objectContaining({ code: 'stage_invalid', details: expect.objectContaining({ path }) }));
});
