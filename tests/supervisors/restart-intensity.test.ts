import { expect, test } from 'vitest';
import { RestartIntensity } from '../../supervisors/restart-intensity.ts';

test('exactly as many restarts as the intensity are permitted, and one more is not', () => {
  const intensity = new RestartIntensity(3, 5_000);
  expect([0, 1, 2, 3].map((atMs) => intensity.permits(atMs))).toEqual([true, true, true, false]);
});

test('the window slides: what is older than the period does not count', () => {
  const intensity = new RestartIntensity(2, 1_000);
  expect([0, 600, 1_001, 1_500].map((atMs) => intensity.permits(atMs))).toEqual([true, true, true, false]);
});

test('a restart exactly one period ago still counts', () => {
  const intensity = new RestartIntensity(1, 1_000);
  expect([0, 1_000].map((atMs) => intensity.permits(atMs))).toEqual([true, false]);
});

test('an intensity of zero permits none', () => {
  expect(new RestartIntensity(0, 1_000).permits(0)).toBe(false);
});

test('restarts that come seldom go on forever', () => {
  const intensity = new RestartIntensity(1, 1_000);
  const permitted = Array.from({ length: 10_000 }, (_, index) => intensity.permits(index * 1_001));
  expect(permitted.every(Boolean)).toBe(true);
});
