// The long run is `npm run stress -- asks`.
import { expect, test } from 'vitest';
import { asks } from '../stress/asks.ts';

const ASKS = 10_000;

test('none of ten thousand asks hangs, and each says truly whether it may have been handled', async () => {
  const { figures, failures } = await asks(ASKS, (_progress, work) => work);
  expect(failures).toEqual([]);
  // The run is worth something only if all that may happen to an ask has happened.
  for (const outcome of ['answer', 'ask_deadline', 'ask_cancelled', 'ask_refused', 'actor_stopped', 'actor_restarted', 'told_to_fail'] as const) {
    expect(figures[outcome], outcome).toBeGreaterThan(0);
  }
  expect(figures['restarts of threads']).toBeGreaterThan(0);
});
