import { describe, expect, test } from 'vitest';
import { Backoff } from '../../supervisors/backoff.ts';

const flags = { minMs: 10, maxMs: 2_000, jitter: 0.2 };
/** The middle of the range, where the random factor is 1. */
const middle = (): number => 0.5;

describe('the delay', () => {
  test('doubles from the least to the most and stays there', () => {
    const backoff = new Backoff(flags, middle);
    expect(Array.from({ length: 10 }, () => backoff.nextDelayMs(0))).toEqual([
      10, 20, 40, 80, 160, 320, 640, 1_280, 2_000, 2_000,
    ]);
  });

  test('keeps within the jitter around its step in 10,000 samples, and reaches near both ends', () => {
    const factors = Array.from({ length: 10_000 }, () => new Backoff(flags, Math.random).nextDelayMs(0) / flags.minMs);
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.8 - 1e-9);
    expect(Math.max(...factors)).toBeLessThanOrEqual(1.2 + 1e-9);
    expect(Math.min(...factors)).toBeLessThan(0.85);
    expect(Math.max(...factors)).toBeGreaterThan(1.15);
  });

  test('has no jitter when there is to be none', () => {
    expect(new Backoff({ ...flags, jitter: 0 }, Math.random).nextDelayMs(0)).toBe(10);
  });

  test('stays a number after any count of failures', () => {
    for (const minMs of [0, 10]) {
      const backoff = new Backoff({ ...flags, minMs }, middle);
      let delayMs = 0;
      for (let failure = 0; failure < 2_000; failure++) delayMs = backoff.nextDelayMs(0);
      expect(delayMs).toBe(minMs === 0 ? 0 : flags.maxMs);
    }
  });
});

describe('a life as long as the mean of least and most', () => {
  test('begins the delays anew', () => {
    const backoff = new Backoff(flags, middle);
    for (let failure = 0; failure < 5; failure++) backoff.nextDelayMs(0);
    expect(backoff.nextDelayMs(1_005)).toBe(10);
    expect(backoff.nextDelayMs(0)).toBe(20);
  });

  test('is not a bit shorter', () => {
    const backoff = new Backoff(flags, middle);
    backoff.nextDelayMs(0);
    expect(backoff.nextDelayMs(1_004)).toBe(20);
  });
});
