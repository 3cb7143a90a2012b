import { expect, test } from 'vitest';
import { DrillAttempts, EMPTY_TALLY, type LaneTally, type Outcome } from '../../../supervisors/drills/attempts.ts';

function tallyOf(outcomes: readonly Outcome[], handled: readonly number[], dropped = 0, mayBeLost = false): LaneTally {
  const attempts = new DrillAttempts(100);
  for (const outcome of outcomes) attempts.end(attempts.begin()!, outcome);
  return attempts.tally(Uint8Array.from(handled), dropped, mayBeLost);
}

test.each<[what: string, outcomes: readonly Outcome[], handled: readonly number[], expected: Partial<LaneTally>]>([
  ['one that was answered and handled', ['acknowledged'], [1], { attempts: 1, acknowledged: 1, handled: 1 }],
  ['one that was answered and is not known', ['acknowledged'], [0], { attempts: 1, acknowledged: 1, lost: 1, deadLettered: 1 }],
  ['one that was answered and is beyond the ledger', ['acknowledged', 'acknowledged'], [1], { attempts: 2, acknowledged: 2, handled: 1, lost: 1, deadLettered: 1 }],
  ['one that nobody knows of, and was handled', ['indeterminate'], [1], { attempts: 1, handled: 1, recovered: 1 }],
  ['one that nobody knows of, and was not', ['indeterminate'], [0], { attempts: 1, deadLettered: 1 }],
  ['one that was taken without an answer', ['accepted'], [1], { attempts: 1, handled: 1 }],
  ['one that was refused', ['refused'], [0], { attempts: 1, refused: 1 }],
  ['one that was refused, and handled all the same', ['refused'], [1], { attempts: 1, handled: 1, refused: 1, unexpected: 1 }],
  ['one that was never attempted', [], [1], { handled: 1, unexpected: 1 }],
  ['one that was handled three times', ['acknowledged'], [3], { attempts: 1, acknowledged: 1, handled: 1, duplicated: 1 }],
])('%s', (_, outcomes, handled, expected) => {
  expect(tallyOf(outcomes, handled)).toEqual({ ...EMPTY_TALLY, ...expected });
});

test('what a mailbox drops is shed and not dead-lettered', () => {
  expect(tallyOf(['accepted', 'accepted', 'accepted'], [1], 2)).toEqual({ ...EMPTY_TALLY, attempts: 3, handled: 1, shed: 2 });
});

test('what nobody keeps is shed when it is refused', () => {
  expect(tallyOf(['accepted', 'refused'], [1], 0, true)).toEqual({ ...EMPTY_TALLY, attempts: 2, handled: 1, shed: 1 });
});

test('attempts end when there are no more numbers', () => {
  const attempts = new DrillAttempts(2);
  expect([attempts.begin(), attempts.begin(), attempts.begin()]).toEqual([0, 1, undefined]);
  expect(attempts.count).toBe(2);
});
