import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOfKey, heaviest } from '../../../kernel/index.ts';

const targets = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 12 });
const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);

const owner = (key: string | number, of: readonly number[]): number => of[heaviest(hashOfKey(key), of)]!;

test('a target that is added takes keys, and no key goes anywhere else', () => {
  fc.assert(
    fc.property(targets, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (before, added) => {
      fc.pre(!before.includes(added));
      for (const key of keys) expect([owner(key, before), added]).toContain(owner(key, [...before, added]));
    }),
  );
});

test('a target that is removed gives up its keys, and no other key moves', () => {
  fc.assert(
    fc.property(targets, fc.nat(), (before, which) => {
      fc.pre(before.length > 1);
      const removed = before[which % before.length]!;
      const after = before.filter((target) => target !== removed);
      for (const key of keys) if (owner(key, before) !== removed) expect(owner(key, after)).toBe(owner(key, before));
    }),
  );
});

test('the order in which targets are listed decides nothing', () => {
  fc.assert(
    fc.property(targets, (some) => {
      for (const key of keys) expect(owner(key, some.toReversed())).toBe(owner(key, some));
    }),
  );
});

test('addresses that lie next to each other share keys about evenly', () => {
  const neighbours = Array.from({ length: 8 }, (_, index) => (3 << 22) + 1 + index);
  const counts = new Map(neighbours.map((target) => [target, 0]));
  for (let key = 0; key < 8_000; key++) counts.set(owner(key, neighbours), counts.get(owner(key, neighbours))! + 1);
  for (const count of counts.values()) {
    expect(count).toBeGreaterThan(850);
    expect(count).toBeLessThan(1_150);
  }
});

test('without a target there is nobody', () => {
  expect(heaviest(hashOfKey('any'), [])).toBe(-1);
});
