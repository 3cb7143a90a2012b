import { expect, test } from 'vitest';
import { CancelledAsks } from '../../kernel/cancelled-asks.ts';

const ask = (correlation: number, incarnation = 1, from = 7) => ({ from, incarnation, correlation });

test('a cancelled ask is known once', () => {
  const cancelled = new CancelledAsks();
  cancelled.add(ask(1));
  expect([cancelled.take(ask(1)), cancelled.take(ask(1))]).toEqual([true, false]);
});

test('an ask of another sender, or of the same sender in its next life, is not taken for it', () => {
  const cancelled = new CancelledAsks();
  cancelled.add(ask(1));
  expect(cancelled.take(ask(1, 1, 8))).toBe(false);
  expect(cancelled.take(ask(1, 2))).toBe(false);
  expect(cancelled.take(ask(1))).toBe(true);
});

test('past its bound it forgets the oldest', () => {
  const cancelled = new CancelledAsks();
  for (let correlation = 0; correlation <= 1_024; correlation++) cancelled.add(ask(correlation));
  expect(cancelled.take(ask(0))).toBe(false);
  expect(cancelled.take(ask(1))).toBe(true);
  expect(cancelled.take(ask(1_024))).toBe(true);
});
