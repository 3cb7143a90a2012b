/** Real threads, terminated in the middle of whatever they do; `npm run stress -- redelivery` is the long way. */
import { expect, test } from 'vitest';
import { siege } from './siege.ts';

test.each(['at_least_once', 'at_most_once'] as const)('%s holds for an actor whose thread is terminated again and again under load', async (guarantee) => {
  const { figures, violations } = await siege({ guarantee, kills: 5, seed: 1 });
  expect(violations, JSON.stringify(figures)).toEqual([]);
  expect(figures['lives']).toBeGreaterThan(5);
  if (guarantee === 'at_least_once') expect(figures['begun again']).toBeGreaterThan(0);
  else expect(figures['begun again']).toBe(0);
  expect(figures['last messages shown']).toBeGreaterThan(0);
});
