import { describe, expect, test } from 'vitest';
import { SCENARIOS } from './catalog.ts';
import { SEEDED_BUGS } from './seeded-bugs.ts';
import { playOrder } from './stage.ts';

/** Of each scenario; the command `npm run orders` plays thousands. */
const ORDERS = 20;

describe('what the kernel promises holds in random orders', () => {
  test.each(SCENARIOS)('$name: $promise', async (scenario) => {
    for (let seed = 1; seed <= ORDERS; seed++) {
      const { violations } = await playOrder(scenario, seed);
      expect(violations, `npm run orders -- --count 1 --scenario ${scenario.name} --seed ${seed}`).toEqual([]);
    }
  });

  test('the same seed leads to the same order, and another one to another', async () => {
    for (const scenario of SCENARIOS) {
      const [once, again, other] = [await playOrder(scenario, 7), await playOrder(scenario, 7), await playOrder(scenario, 8)];
      expect(again.hash, scenario.name).toBe(once.hash);
      expect(other.hash, scenario.name).not.toBe(once.hash);
    }
  });
});

describe('the suite finds', () => {
  test.each(SEEDED_BUGS)('$name', async ({ find, scenario }) => {
    expect(await find()).toMatchObject({ scenario });
  });
});
