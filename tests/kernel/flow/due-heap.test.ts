import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueHeap, type Due } from '../../../kernel/flow/due-heap.ts';

test('whatever is put in comes out when it is due, earliest first', () => {
  const steps = fc.array(fc.record({ dueMs: fc.array(fc.nat(100), { maxLength: 10 }), untilMs: fc.nat(100) }), { maxLength: 20, size: 'max' });
  fc.assert(
    fc.property(steps, (rounds) => {
      const heap = new DueHeap<Due>();
      let model: number[] = [];
      for (const { dueMs, untilMs } of rounds) {
        for (const each of dueMs) heap.push({ dueMs: each });
        model = [...model, ...dueMs].toSorted((a, b) => a - b);
        const taken: number[] = [];
        for (let item = heap.take(untilMs); item !== undefined; item = heap.take(untilMs)) taken.push(item.dueMs);
        expect(taken).toEqual(model.filter((each) => each <= untilMs));
        model = model.filter((each) => each > untilMs);
        expect(heap.nextDueMs).toBe(model[0] ?? Infinity);
      }
    }),
    { numRuns: 300 },
  );
});
