import { describe, expect, test } from 'vitest';
import { SpillwayError } from '../../../kernel/errors.ts';
import { completeMailboxSpec, type PartialMailboxSpec } from '../../../kernel/mailbox/mailbox-spec.ts';

/** What is wrong with it, as the error says. */
function refusal(spec: unknown): { code: string; message: string; details: Readonly<Record<string, unknown>> } {
  try {
    completeMailboxSpec(spec as PartialMailboxSpec<unknown>);
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('a mailbox spec', () => {
  test('is refused with code, place, expectation and finding', () => {
    expect(refusal({ capacity: 0 })).toMatchObject({
      code: 'mailbox_invalid',
      message: "The mailbox's capacity must be a whole number from 1 to 16777216, and is 0. Correct it in the actor's mailbox spec.",
      details: { path: 'capacity', expected: 'a whole number from 1 to 16777216', found: '0' },
    });
  });

  test('holds a thousand messages and refuses more unless it says otherwise', () => {
    expect(completeMailboxSpec()).toEqual({
      capacity: 1_000,
      policy: 'refuse',
      marks: { sync: 500, drop: 1_000, flush: 2_000, syncLow: 250, dropLow: 750 },
    });
  });

  test.each([
    ['of the smallest capacity', { capacity: 1 }, { sync: 1, drop: 1, flush: 2, syncLow: 0, dropLow: 0 }],
    ['of two messages', { capacity: 2 }, { sync: 1, drop: 2, flush: 4, syncLow: 0, dropLow: 1 }],
    ['with a drop mark', { marks: { drop: 10 } }, { sync: 5, drop: 10, flush: 2_000, syncLow: 2, dropLow: 7 }],
    ['that starts over when it is full', { capacity: 10, marks: { flush: 10 } }, { sync: 5, drop: 10, flush: 10, syncLow: 2, dropLow: 7 }],
    ['that starts over before it is full', { capacity: 10, marks: { flush: 8 } }, { sync: 4, drop: 8, flush: 8, syncLow: 2, dropLow: 6 }],
  ])('%s gets the marks that go with what it says', (_, partial, marks) => {
    expect(completeMailboxSpec(partial).marks).toEqual(marks);
  });

  test('comes back the same when it is completed again, and cannot be changed', () => {
    const key = (message: string): string => message;
    for (const partial of [{}, { policy: 'expire', ttlMs: 5 }, { policy: 'conflate', key }] as const) {
      const spec = completeMailboxSpec(partial);
      expect(completeMailboxSpec(spec)).toEqual(spec);
      expect(Object.isFrozen(spec) && Object.isFrozen(spec.marks)).toBe(true);
    }
  });

  test.each([
    ['a key it does not know', { size: 10 }, 'mailbox'],
    ['a mark it does not know', { marks: { high: 10 } }, 'marks'],
    ['a key that reaches a prototype', JSON.parse('{ "__proto__": { "capacity": 1 } }'), 'mailbox'],
    ['what is not an object', [], 'mailbox'],
    ['null for marks', { marks: null }, 'marks'],
    ['a fraction of a message', { capacity: 1.5 }, 'capacity'],
    ['no bound', { capacity: Infinity }, 'capacity'],
    ['text for a number', { capacity: '10' }, 'capacity'],
    ['an unknown policy', { policy: 'drop' }, 'policy'],
    ['a drop mark above the capacity', { capacity: 10, marks: { drop: 11 } }, 'marks.drop'],
    ['a drop mark above the flush mark', { capacity: 10, marks: { drop: 6, flush: 5 } }, 'marks.drop'],
    ['a sync mark above the drop mark', { capacity: 10, marks: { sync: 9, drop: 8 } }, 'marks.sync'],
    ['a sync mark that an empty mailbox reaches', { marks: { sync: 0 } }, 'marks.sync'],
    ['a flush mark that the first message reaches', { capacity: 1, marks: { flush: 1 } }, 'marks.flush'],
    ['a low mark that is not below its mark', { marks: { sync: 5, syncLow: 5 } }, 'marks.syncLow'],
    ['a low mark above its mark', { marks: { drop: 5, dropLow: 6 } }, 'marks.dropLow'],
    ['a low mark below nothing', { marks: { syncLow: -1 } }, 'marks.syncLow'],
    ['expire without a time to live', { policy: 'expire' }, 'ttlMs'],
    ['a time to live that never passes', { policy: 'expire', ttlMs: Infinity }, 'ttlMs'],
    ['a time to live of nothing', { policy: 'expire', ttlMs: 0 }, 'ttlMs'],
    ['a time to live that nobody looks at', { policy: 'refuse', ttlMs: 10 }, 'ttlMs'],
    ['conflate without a key', { policy: 'conflate' }, 'key'],
    ['a key that is no function', { policy: 'conflate', key: 'id' }, 'key'],
    ['a key that nobody calls', { policy: 'drop_oldest', key: () => 'x' }, 'key'],
  ])('with %s is refused', (_, spec, path) => {
    const { code, message, details } = refusal(spec);
    expect(code).toBe('mailbox_invalid');
    expect(details['path']).toBe(path);
    expect(message).toContain(String(details['found']));
  });
});
